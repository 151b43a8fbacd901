"""Money moves in two phases, shares have two sides, and the books know people, officers, approvals and checkpoints.

What the first edition wrote stays as it is: its position movements are read for ever, and no longer written. The
projections are filled from what is there, so that a desk goes on where it stood.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from books.schema import WHOLE, Day, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_INSERT_ONLY = (
    "security_transfer", "third_party", "rule_edition", "parameter", "officer_key", "officer_key_revoked",
    "approval_request", "approval", "client_detail", "client_evidence", "client_transition", "client_rating",
    "ownership", "relation", "access", "watchlist", "screening", "screening_decision", "aml_case", "aml_case_step",
    "checkpoint",
)  # fmt: skip


def upgrade() -> None:
    """Add the columns and tables, forbid changing what is history, and fill the projections."""
    _extend_transfer()
    _create_securities()
    _create_rules()
    _create_officers()
    _create_people()
    _create_screening()
    _create_checkpoint()
    for name in _INSERT_ONLY:
        _make_insert_only(name)
    _fill_balances()
    _fill_holdings()


def _text(name: str, references: str | None = None, *, unique: bool = False, nullable: bool = False) -> sa.Column[str]:
    constraints = [sa.ForeignKey(references)] if references else []
    return sa.Column(name, sa.Text, *constraints, nullable=nullable, unique=unique)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False)


def _day(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Day, nullable=nullable)


def _create(name: str, *columns: sa.schema.SchemaItem) -> None:
    sequence = sa.Column("sequence", WHOLE, sa.ForeignKey("event.sequence"), primary_key=True, autoincrement=False)
    op.create_table(name, sequence, *columns, sqlite_strict=True)


def _extend_transfer() -> None:
    for column in ("event_id", "phase", "approval_id", "counterparty", "channel"):
        op.add_column("transfer", _text(column, nullable=True))
    op.add_column("transfer", _day("expires_on", nullable=True))
    for column in ("pending_id", "reverses"):
        if op.get_context().dialect.name == "sqlite":
            # Alembic would leave the reference out, because most of SQLite's ALTERs cannot add one. This one can.
            op.get_bind().exec_driver_sql(
                f"ALTER TABLE transfer ADD COLUMN {column} TEXT REFERENCES transfer (transfer_id)"
            )
        else:
            op.add_column("transfer", _text(column, "transfer.transfer_id", nullable=True))
    _create_pending_index("transfer")


def _create_pending_index(table: str) -> None:
    """A pending transfer is resolved once; most transfers resolve none, and need no place in the index."""
    some = sa.text("pending_id IS NOT NULL")
    op.create_index(
        f"{table}_pending_id_key", table, ["pending_id"], unique=True, sqlite_where=some, postgresql_where=some
    )


def _create_securities() -> None:
    _create(
        "security_transfer",
        _text("transfer_id", unique=True),
        _text("template"),
        _text("debit_account_id"),
        _text("credit_account_id"),
        _whole("quantity_shares"),
        _text("instrument_id"),
        _day("effective_on"),
        _text("event_id", nullable=True),
        _text("phase", nullable=True),
        _text("pending_id", "security_transfer.transfer_id", nullable=True),
        _day("expires_on", nullable=True),
        _text("reverses", "security_transfer.transfer_id", nullable=True),
        _text("approval_id", nullable=True),
        sa.CheckConstraint("quantity_shares > 0", name="quantity_must_be_positive"),
        sa.CheckConstraint("debit_account_id <> credit_account_id", name="security_accounts_must_differ"),
    )
    _create_pending_index("security_transfer")
    op.create_index("ix_security_transfer_instrument_id", "security_transfer", ["instrument_id"])
    op.create_table(
        "balance",
        sa.Column("ledger_account_id", sa.Text, primary_key=True),
        _text("currency"),
        *(_whole(f"{side}_{phase}_minor") for phase in ("posted", "pending") for side in ("debits", "credits")),
        _whole("last_sequence"),
        sqlite_strict=True,
    )
    op.create_table(
        "holding",
        sa.Column("ledger_account_id", sa.Text, primary_key=True),
        sa.Column("instrument_id", sa.Text, primary_key=True),
        *(_whole(f"{side}_{phase}_shares") for phase in ("posted", "pending") for side in ("debits", "credits")),
        _whole("last_sequence"),
        sqlite_strict=True,
    )
    _create(
        "third_party",
        _text("third_party_id", unique=True),
        _text("role"),
        _text("name"),
        _text("ledger_account_id", nullable=True),
        _text("source"),
    )


def _create_rules() -> None:
    _create(
        "rule_edition",
        _text("edition", unique=True),
        _text("rulebook"),
        _day("effective_on"),
        _text("edition_hash"),
        _text("content"),
    )
    _create(
        "parameter",
        _text("parameter_id", unique=True),
        _text("subject"),
        _text("name"),
        _text("value"),
        _day("effective_on"),
        _text("approval_id", nullable=True),
    )


def _create_officers() -> None:
    _create(
        "officer_key",
        _text("key_id", unique=True),
        _text("officer_id"),
        _text("role"),
        _text("public_key", unique=True),
        _text("source"),
    )
    _create("officer_key_revoked", _text("key_id", "officer_key.key_id", unique=True), _text("reason"))
    _create(
        "approval_request",
        _text("approval_id", unique=True),
        _text("action"),
        _text("subject"),
        _text("content_hash"),
        _text("summary"),
        _text("maker_key_id", "officer_key.key_id"),
        _text("signature"),
    )
    _create(
        "approval",
        _text("approval_id", "approval_request.approval_id", unique=True),
        _text("decision"),
        _text("reason"),
        _text("checker_key_id", "officer_key.key_id"),
        _text("signature"),
    )


def _create_people() -> None:
    client = "client.client_id"
    _create(
        "client_detail",
        _text("detail_id", unique=True),
        _text("client_id", client),
        _text("field"),
        _text("sealed"),
        _text("blind_index", nullable=True),
    )
    op.create_table(
        "data_key",
        sa.Column("client_id", sa.Text, primary_key=True),
        _text("master_key_id"),
        _text("wrapped"),
        sqlite_strict=True,
    )
    _create(
        "client_evidence",
        _text("evidence_id", unique=True),
        _text("client_id", client),
        _text("kind"),
        _text("level", nullable=True),
        _text("evidence_hash"),
        _text("recorded_by"),
        _day("valid_until", nullable=True),
    )
    _create(
        "client_transition",
        _text("transition_id", unique=True),
        _text("client_id", client),
        _text("from_state"),
        _text("to_state"),
        _text("actor"),
        _text("reason"),
        _text("evidence_hash"),
        _text("approval_id", nullable=True),
    )
    _create(
        "client_rating",
        _text("rating_id", unique=True),
        _text("client_id", client),
        _whole("score_e4"),
        _text("rating"),
        _text("explanation"),
        _text("edition"),
        _day("review_on"),
    )
    _create(
        "ownership",
        _text("ownership_id", unique=True),
        _text("owner_id"),
        _text("owned_id"),
        _text("kind"),
        _whole("share_e8"),
    )
    _create(
        "relation",
        _text("relation_id", unique=True),
        _text("client_id", client),
        _text("related_client_id", client),
        _text("kind"),
    )
    _create("access", _text("access_id", unique=True), _text("account_id", "account.account_id"), _text("device_hash"))


def _create_screening() -> None:
    client = "client.client_id"
    _create(
        "watchlist",
        _text("version", unique=True),
        _text("name"),
        _whole("entries"),
        _day("published_on", nullable=True),
    )
    _create(
        "screening",
        _text("screening_id", unique=True),
        _text("client_id", client),
        _text("watchlist_version", "watchlist.version"),
        _text("entry_id", nullable=True),
        _whole("score_e4"),
        _text("disposition"),
        _text("explanation"),
    )
    _create(
        "screening_decision",
        _text("screening_id", "screening.screening_id", unique=True),
        _text("decision"),
        _text("actor"),
        _text("reason"),
        _text("evidence_hash"),
    )
    _create(
        "aml_case",
        _text("case_id", unique=True),
        _text("alert_id", unique=True),
        _text("client_id", client),
        _text("rule"),
        _day("due_on"),
    )
    _create(
        "aml_case_step",
        _text("step_id", unique=True),
        _text("case_id", "aml_case.case_id"),
        _text("step"),
        _text("actor"),
        _text("rationale"),
        _day("due_on", nullable=True),
    )


def _create_checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("tree_size", WHOLE, primary_key=True, autoincrement=False),
        _day("booked_on"),
        _text("root_hash"),
        _text("peaks"),
        sa.Column("signed_at", Instant, nullable=False),
        _text("public_key"),
        _text("signature"),
        sqlite_strict=True,
    )


def _fill_balances() -> None:
    op.execute("""
        INSERT INTO balance (ledger_account_id, currency, debits_posted_minor, credits_posted_minor,
                             debits_pending_minor, credits_pending_minor, last_sequence)
        SELECT ledger_account_id, currency, sum(debit), sum(credit), 0, 0, max(sequence)
        FROM (
            SELECT debit_account_id AS ledger_account_id, currency, amount_minor AS debit, 0 AS credit, sequence
            FROM transfer
            UNION ALL
            SELECT credit_account_id, currency, 0, amount_minor, sequence FROM transfer
        ) AS line
        GROUP BY ledger_account_id, currency
    """)


def _fill_holdings() -> None:
    """A movement of the first edition, read as a transfer: shares came to the client from a place not named then."""
    op.execute("""
        INSERT INTO holding (ledger_account_id, instrument_id, debits_posted_shares, credits_posted_shares,
                             debits_pending_shares, credits_pending_shares, last_sequence)
        SELECT ledger_account_id, instrument_id, sum(debit), sum(credit), 0, 0, max(sequence)
        FROM (
            SELECT '9020.' || account_id AS ledger_account_id, instrument_id, sequence,
                   CASE WHEN quantity_shares < 0 THEN -quantity_shares ELSE 0 END AS debit,
                   CASE WHEN quantity_shares > 0 THEN quantity_shares ELSE 0 END AS credit
            FROM position_movement
            UNION ALL
            SELECT '9010.unnamed', instrument_id, sequence,
                   CASE WHEN quantity_shares > 0 THEN quantity_shares ELSE 0 END,
                   CASE WHEN quantity_shares < 0 THEN -quantity_shares ELSE 0 END
            FROM position_movement
        ) AS line
        GROUP BY ledger_account_id, instrument_id
    """)


def _make_insert_only(table: str) -> None:
    # The names are the constants above, never anything from outside; the function is the first edition's.
    if op.get_context().dialect.name == "postgresql":
        statements = [
            f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ]
    else:
        statements = [
            f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("update", "delete")
        ]
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
