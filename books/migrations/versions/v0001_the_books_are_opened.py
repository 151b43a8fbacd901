"""The books are opened: every table of the first edition, and the triggers that keep each of them insert-only.

There is no way back: a revision that could drop the record would be a hole in it.
"""

import sqlalchemy as sa
from alembic import op

from books.schema import WHOLE, Day, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, then forbid changing what they hold."""
    _create_event()
    _create_parties()
    _create_movements()
    _create_calls()
    for name in (
        "event", "currency", "client", "account", "contract", "transfer", "position_movement", "corporate_action",
        "margin_call", "call_outcome",
    ):  # fmt: skip
        _make_insert_only(sa.table(name))


def _text(name: str, *, references: str | None = None, is_unique: bool = False) -> sa.Column[str]:
    constraints = [sa.ForeignKey(references)] if references else []
    return sa.Column(name, sa.Text, *constraints, nullable=False, unique=is_unique)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, WHOLE, nullable=False)


def _sequence() -> sa.Column[int]:
    return sa.Column("sequence", WHOLE, sa.ForeignKey("event.sequence"), primary_key=True, autoincrement=False)


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("sequence", WHOLE, primary_key=True, autoincrement=False),
        _text("kind"),
        _text("business_key", is_unique=True),
        sa.Column("effective_on", Day, nullable=False),
        sa.Column("booked_on", Day, nullable=False),
        sa.Column("known_at", Instant, nullable=False),
        _text("body"),
        _text("entry_hash"),
        sqlite_strict=True,
    )
    op.create_index("ix_event_booked_on", "event", ["booked_on"])


def _create_parties() -> None:
    op.create_table("currency", _sequence(), _text("currency", is_unique=True), _text("source"), sqlite_strict=True)
    op.create_table(
        "client", _sequence(), _text("client_id", is_unique=True), _text("name"), _text("source"), sqlite_strict=True
    )
    op.create_table(
        "account",
        _sequence(),
        _text("account_id", is_unique=True),
        _text("client_id", references="client.client_id"),
        _text("market"),
        _text("currency", references="currency.currency"),
        _text("rulebook"),
        sa.Column("opened_on", Day, nullable=False),
        _text("source"),
        sqlite_strict=True,
    )
    op.create_table(
        "contract",
        _sequence(),
        _text("contract_id", is_unique=True),
        _text("account_id", references="account.account_id"),
        _text("currency", references="currency.currency"),
        _whole("principal_minor"),
        sa.Column("opened_on", Day, nullable=False),
        sa.Column("matures_on", Day, nullable=False),
        sqlite_strict=True,
    )


def _create_movements() -> None:
    op.create_table(
        "transfer",
        _sequence(),
        _text("transfer_id", is_unique=True),
        _text("template"),
        _text("debit_account_id"),
        _text("credit_account_id"),
        _whole("amount_minor"),
        _text("currency", references="currency.currency"),
        sa.Column("effective_on", Day, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name="amount_must_be_positive"),
        sa.CheckConstraint("debit_account_id <> credit_account_id", name="accounts_must_differ"),
        sqlite_strict=True,
    )
    op.create_table(
        "position_movement",
        _sequence(),
        _text("movement_id", is_unique=True),
        _text("account_id", references="account.account_id"),
        _text("instrument_id"),
        _text("kind"),
        _whole("quantity_shares"),
        sa.Column("effective_on", Day, nullable=False),
        sa.CheckConstraint("quantity_shares <> 0", name="quantity_must_not_be_zero"),
        sqlite_strict=True,
    )
    op.create_table(
        "corporate_action",
        _sequence(),
        _text("action_id", is_unique=True),
        _text("instrument_id"),
        _text("kind"),
        _text("terms"),
        sa.Column("price_e4", WHOLE),
        sa.Column("effective_on", Day, nullable=False),
        sqlite_strict=True,
    )


def _create_calls() -> None:
    op.create_table(
        "margin_call",
        _sequence(),
        _text("call_id", is_unique=True),
        _text("account_id", references="account.account_id"),
        _text("slice"),
        _text("currency"),
        _whole("equity_minor"),
        _whole("requirement_minor"),
        _whole("call_minor"),
        _whole("shortfall_minor"),
        sa.Column("due_on", Day, nullable=False),
        _text("explanation"),
        _text("price_basis"),
        _text("rulebook_edition"),
        _text("house_edition"),
        _text("ledger_head"),
        sqlite_strict=True,
    )
    op.create_table(
        "call_outcome",
        _sequence(),
        _text("call_id", references="margin_call.call_id", is_unique=True),
        _text("outcome"),
        _text("reason"),
        sqlite_strict=True,
    )


_SQLITE_TRIGGERS = (
    "CREATE TRIGGER %(table)s_refuses_update BEFORE UPDATE ON %(table)s "
    "BEGIN SELECT RAISE(ABORT, '%(table)s is append-only'); END",
    "CREATE TRIGGER %(table)s_refuses_delete BEFORE DELETE ON %(table)s "
    "BEGIN SELECT RAISE(ABORT, '%(table)s is append-only'); END",
)

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""

_POSTGRESQL_TRIGGERS = (
    "CREATE TRIGGER %(table)s_refuses_change BEFORE UPDATE OR DELETE ON %(table)s "
    "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
    "CREATE TRIGGER %(table)s_refuses_truncate BEFORE TRUNCATE ON %(table)s "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
)


def _make_insert_only(table: sa.TableClause) -> None:
    if op.get_context().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_POSTGRESQL_FUNCTION.replace("%", "%%"))
        statements = _POSTGRESQL_TRIGGERS
    else:
        statements = _SQLITE_TRIGGERS
    for statement in statements:
        # The names are the constants above, never anything from outside.
        op.get_bind().exec_driver_sql(statement % {"table": table.name})
