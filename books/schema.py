"""The tables of the books: one chained ``event`` table, and one typed table per kind of event, all insert-only.

Every row of a typed table says what one event said, under the same ``sequence``. Ledger accounts have no table: they
follow from currencies and client accounts (``domain.ledger.CHART``).
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


def _text(name: str, *constraints: sa.schema.SchemaItem, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, *constraints, nullable=False, unique=unique)


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
    sa.CheckConstraint("amount_minor > 0", name="amount_must_be_positive"),
    sa.CheckConstraint("debit_account_id <> credit_account_id", name="accounts_must_differ"),
)

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

TABLE_OF_KIND: Final = {
    "currency": currency,
    "client": client,
    "account": account,
    "contract": contract,
    "transfer": transfer,
    "movement": position_movement,
    "corporate_action": corporate_action,
    "call": margin_call,
    "call_outcome": call_outcome,
}
"""Which typed table repeats what an event of each kind said."""
