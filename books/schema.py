"""The tables of the books: one chained ``event`` table, one typed table per kind of event, and three that may change.

Every row of a typed table says what one event said, under the same ``sequence``; a column that is null was left unsaid.
Ledger accounts have no table: they follow from currencies, client accounts and third parties (``domain.ledger.Chart``).
What may change is no history: ``balance`` and ``holding`` can be computed again from the transfers, and ``data_key``
holds keys, wrapped anew whenever the master key is.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class Day(TypeDecorator[date]):
    """A business day; text in SQLite, whose STRICT tables know no days."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """DATE in PostgreSQL, TEXT in SQLite."""
        return dialect.type_descriptor(sa.Date() if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        """Write the day as ISO 8601 where the store knows no days."""
        return value if value is None or dialect.name == "postgresql" else value.isoformat()

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        """Read the day back."""
        return date.fromisoformat(value) if isinstance(value, str) else value


class Instant(TypeDecorator[datetime]):
    """A moment in UTC with microseconds; text in SQLite, in a form that sorts like time."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """TIMESTAMP WITH TIME ZONE in PostgreSQL, TEXT in SQLite."""
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write the moment as text where the store knows no zones."""
        return value if value is None or dialect.name == "postgresql" else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read the moment back, in UTC."""
        return datetime.fromisoformat(value) if isinstance(value, str) else value


@lru_cache
def instant_text(moment: datetime) -> str:
    """``2026-06-17T20:00:00.000000Z``; an instant without a zone is a bug."""
    assert moment.tzinfo is not None
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


WHOLE: Final = sa.Integer().with_variant(sa.BigInteger(), "postgresql")
"""A whole number of 64 bits in either store."""

metadata = sa.MetaData()


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *columns, sqlite_strict=True)


def _sequence() -> sa.Column[int]:
    return sa.Column("sequence", WHOLE, sa.ForeignKey("event.sequence"), primary_key=True, autoincrement=False)


def _text(
    name: str, *constraints: sa.schema.SchemaItem, unique: bool = False, nullable: bool = False
) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *constraints, nullable=nullable, unique=unique)


def _day(name: str, *, nullable: bool = False) -> sa.Column[date]:
    return sa.Column(name, Day, nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=nullable)


def _by(table: str, *columns: str) -> sa.Index:
    """What a table is looked up by, oldest first."""
    return sa.Index(f"ix_{table}_{columns[0]}", *columns, "sequence")


def _two_phases(table: str) -> list[sa.schema.SchemaItem]:
    """How a transfer stands to others: in an event, pending or resolving one (once), reversing, approved."""
    return [
        _text("event_id", nullable=True),
        _text("phase", nullable=True),
        _text("pending_id", sa.ForeignKey(f"{table}.transfer_id"), nullable=True),
        _day("expires_on", nullable=True),
        _text("reverses", sa.ForeignKey(f"{table}.transfer_id"), nullable=True),
        _text("approval_id", nullable=True),
        sa.Index(
            f"{table}_pending_id_key",
            "pending_id",
            unique=True,
            sqlite_where=sa.text("pending_id IS NOT NULL"),
            postgresql_where=sa.text("pending_id IS NOT NULL"),
        ),
    ]


event = _table(
    "event",
    sa.Column("sequence", WHOLE, primary_key=True, autoincrement=False),
    _text("kind"),
    _text("business_key", unique=True),
    sa.Column("effective_on", Day, nullable=False),
    sa.Column("booked_on", Day, nullable=False, index=True),
    sa.Column("known_at", Instant, nullable=False),
    _text("body"),
    _text("entry_hash"),
)

currency = _table("currency", _sequence(), _text("currency", unique=True), _text("source"))

client = _table("client", _sequence(), _text("client_id", unique=True), _text("name"), _text("source"))

account = _table(
    "account",
    _sequence(),
    _text("account_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("market"),
    _text("currency", sa.ForeignKey("currency.currency")),
    _text("rulebook"),
    sa.Column("opened_on", Day, nullable=False),
    _text("source"),
    _by("account", "client_id"),
)

contract = _table(
    "contract",
    _sequence(),
    _text("contract_id", unique=True),
    _text("account_id", sa.ForeignKey("account.account_id")),
    _text("currency", sa.ForeignKey("currency.currency")),
    sa.Column("principal_minor", WHOLE, nullable=False),
    sa.Column("opened_on", Day, nullable=False),
    sa.Column("matures_on", Day, nullable=False),
)

transfer = _table(
    "transfer",
    _sequence(),
    _text("transfer_id", unique=True),
    _text("template"),
    _text("debit_account_id"),
    _text("credit_account_id"),
    sa.Column("amount_minor", WHOLE, nullable=False),
    _text("currency", sa.ForeignKey("currency.currency")),
    sa.Column("effective_on", Day, nullable=False),
    *_two_phases("transfer"),
    _text("counterparty", nullable=True),
    _text("channel", nullable=True),
    sa.CheckConstraint("amount_minor > 0", name="amount_must_be_positive"),
    sa.CheckConstraint("debit_account_id <> credit_account_id", name="accounts_must_differ"),
)

security_transfer = _table(
    "security_transfer",
    _sequence(),
    _text("transfer_id", unique=True),
    _text("template"),
    _text("debit_account_id"),
    _text("credit_account_id"),
    _whole("quantity_shares"),
    _text("instrument_id"),
    _day("effective_on"),
    *_two_phases("security_transfer"),
    sa.CheckConstraint("quantity_shares > 0", name="quantity_must_be_positive"),
    sa.CheckConstraint("debit_account_id <> credit_account_id", name="security_accounts_must_differ"),
    sa.Index("ix_security_transfer_instrument_id", "instrument_id"),
)

balance = _table(
    "balance",
    sa.Column("ledger_account_id", sa.Text, primary_key=True),
    _text("currency"),
    *(_whole(f"{side}_{phase}_minor") for phase in ("posted", "pending") for side in ("debits", "credits")),
    _whole("last_sequence"),
)

holding = _table(
    "holding",
    sa.Column("ledger_account_id", sa.Text, primary_key=True),
    sa.Column("instrument_id", sa.Text, primary_key=True),
    *(_whole(f"{side}_{phase}_shares") for phase in ("posted", "pending") for side in ("debits", "credits")),
    _whole("last_sequence"),
)

third_party = _table(
    "third_party",
    _sequence(),
    _text("third_party_id", unique=True),
    _text("role"),
    _text("name"),
    _text("ledger_account_id", nullable=True),
    _text("source"),
)

# Written by the first edition of the books, and read for ever; shares have moved in security_transfer since the second.
position_movement = _table(
    "position_movement",
    _sequence(),
    _text("movement_id", unique=True),
    _text("account_id", sa.ForeignKey("account.account_id")),
    _text("instrument_id"),
    _text("kind"),
    sa.Column("quantity_shares", WHOLE, nullable=False),
    sa.Column("effective_on", Day, nullable=False),
    sa.CheckConstraint("quantity_shares <> 0", name="quantity_must_not_be_zero"),
)

corporate_action = _table(
    "corporate_action",
    _sequence(),
    _text("action_id", unique=True),
    _text("instrument_id"),
    _text("kind"),
    _text("terms"),
    sa.Column("price_e4", WHOLE),
    sa.Column("effective_on", Day, nullable=False),
)

margin_call = _table(
    "margin_call",
    _sequence(),
    _text("call_id", unique=True),
    _text("account_id", sa.ForeignKey("account.account_id")),
    _text("slice"),
    _text("currency"),
    sa.Column("equity_minor", WHOLE, nullable=False),
    sa.Column("requirement_minor", WHOLE, nullable=False),
    sa.Column("call_minor", WHOLE, nullable=False),
    sa.Column("shortfall_minor", WHOLE, nullable=False),
    sa.Column("due_on", Day, nullable=False),
    _text("explanation"),
    _text("price_basis"),
    _text("rulebook_edition"),
    _text("house_edition"),
    _text("ledger_head"),
)

call_outcome = _table(
    "call_outcome",
    _sequence(),
    _text("call_id", sa.ForeignKey("margin_call.call_id"), unique=True),
    _text("outcome"),
    _text("reason"),
)

rule_edition = _table(
    "rule_edition",
    _sequence(),
    _text("edition", unique=True),
    _text("rulebook"),
    _day("effective_on"),
    _text("edition_hash"),
    _text("content"),
)

parameter = _table(
    "parameter",
    _sequence(),
    _text("parameter_id", unique=True),
    _text("subject"),
    _text("name"),
    _text("value"),
    _day("effective_on"),
    _text("approval_id", nullable=True),
    _by("parameter", "subject", "name"),
)

officer_key = _table(
    "officer_key",
    _sequence(),
    _text("key_id", unique=True),
    _text("officer_id"),
    _text("role"),
    _text("public_key", unique=True),
    _text("source"),
)

officer_key_revoked = _table(
    "officer_key_revoked",
    _sequence(),
    _text("key_id", sa.ForeignKey("officer_key.key_id"), unique=True),
    _text("reason"),
)

approval_request = _table(
    "approval_request",
    _sequence(),
    _text("approval_id", unique=True),
    _text("action"),
    _text("subject"),
    _text("content_hash"),
    _text("summary"),
    _text("maker_key_id", sa.ForeignKey("officer_key.key_id")),
    _text("signature"),
)

approval = _table(
    "approval",
    _sequence(),
    _text("approval_id", sa.ForeignKey("approval_request.approval_id"), unique=True),
    _text("decision"),
    _text("reason"),
    _text("checker_key_id", sa.ForeignKey("officer_key.key_id")),
    _text("signature"),
)

client_detail = _table(
    "client_detail",
    _sequence(),
    _text("detail_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("field"),
    _text("sealed"),
    _text("blind_index", nullable=True),
    _by("client_detail", "client_id"),
    _by("client_detail", "blind_index"),
)

data_key = _table(
    "data_key",
    sa.Column("client_id", sa.Text, primary_key=True),
    _text("master_key_id"),
    _text("wrapped"),
)

client_evidence = _table(
    "client_evidence",
    _sequence(),
    _text("evidence_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("kind"),
    _text("level", nullable=True),
    _text("evidence_hash"),
    _text("recorded_by"),
    _day("valid_until", nullable=True),
    _by("client_evidence", "client_id"),
)

client_transition = _table(
    "client_transition",
    _sequence(),
    _text("transition_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("from_state"),
    _text("to_state"),
    _text("actor"),
    _text("reason"),
    _text("evidence_hash"),
    _text("approval_id", nullable=True),
    _by("client_transition", "client_id"),
)

client_rating = _table(
    "client_rating",
    _sequence(),
    _text("rating_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _whole("score_e4"),
    _text("rating"),
    _text("explanation"),
    _text("edition"),
    _day("review_on"),
    _by("client_rating", "client_id"),
)

ownership = _table(
    "ownership",
    _sequence(),
    _text("ownership_id", unique=True),
    _text("owner_id"),
    _text("owned_id"),
    _text("kind"),
    _whole("share_e8"),
)

relation = _table(
    "relation",
    _sequence(),
    _text("relation_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("related_client_id", sa.ForeignKey("client.client_id")),
    _text("kind"),
)

access = _table(
    "access",
    _sequence(),
    _text("access_id", unique=True),
    _text("account_id", sa.ForeignKey("account.account_id")),
    _text("device_hash"),
)

watchlist = _table(
    "watchlist",
    _sequence(),
    _text("version", unique=True),
    _text("name"),
    _whole("entries"),
    _day("published_on", nullable=True),
)

screening = _table(
    "screening",
    _sequence(),
    _text("screening_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("watchlist_version", sa.ForeignKey("watchlist.version")),
    _text("entry_id", nullable=True),
    _whole("score_e4"),
    _text("disposition"),
    _text("explanation"),
    _by("screening", "client_id"),
)

screening_decision = _table(
    "screening_decision",
    _sequence(),
    _text("screening_id", sa.ForeignKey("screening.screening_id"), unique=True),
    _text("decision"),
    _text("actor"),
    _text("reason"),
    _text("evidence_hash"),
)

aml_case = _table(
    "aml_case",
    _sequence(),
    _text("case_id", unique=True),
    _text("alert_id", unique=True),
    _text("client_id", sa.ForeignKey("client.client_id")),
    _text("rule"),
    _day("due_on"),
)

aml_case_step = _table(
    "aml_case_step",
    _sequence(),
    _text("step_id", unique=True),
    _text("case_id", sa.ForeignKey("aml_case.case_id")),
    _text("step"),
    _text("actor"),
    _text("rationale"),
    _day("due_on", nullable=True),
    _by("aml_case_step", "case_id"),
)

checkpoint = _table(
    "checkpoint",
    sa.Column("tree_size", WHOLE, primary_key=True, autoincrement=False),
    _day("booked_on"),
    _text("root_hash"),
    # The roots of the whole subtrees the tree is made of: what the next day's tree grows from.
    _text("peaks"),
    sa.Column("signed_at", Instant, nullable=False),
    _text("public_key"),
    _text("signature"),
)

MAY_CHANGE: Final = (balance, holding, data_key)
"""The tables that are no history."""

TABLE_OF_KIND: Final = {
    "currency": currency,
    "client": client,
    "account": account,
    "contract": contract,
    "transfer": transfer,
    "security_transfer": security_transfer,
    "third_party": third_party,
    "rule_edition": rule_edition,
    "parameter": parameter,
    "officer_key": officer_key,
    "officer_key_revoked": officer_key_revoked,
    "approval_request": approval_request,
    "approval": approval,
    "client_detail": client_detail,
    "client_evidence": client_evidence,
    "client_transition": client_transition,
    "client_rating": client_rating,
    "ownership": ownership,
    "relation": relation,
    "access": access,
    "watchlist": watchlist,
    "screening": screening,
    "screening_decision": screening_decision,
    "aml_case": aml_case,
    "aml_case_step": aml_case_step,
    "movement": position_movement,
    "corporate_action": corporate_action,
    "call": margin_call,
    "call_outcome": call_outcome,
}
"""Which typed table repeats what an event of each kind said."""
