"""What the corporate actions of a day gave each account, read back from what was booked."""

from datetime import date
from typing import Final

import pandas as pd
import sqlalchemy as sa

from books import schema
from books.engine import Books, reading
from books.positions import quantities

COLUMNS: Final = [
    "account_id", "instrument_id", "kind", "quantity_before_shares", "quantity_after_shares", "cash_minor", "currency",
    "business_key", "source",
]  # fmt: skip


def entitlements(books: Books, ex_date: date) -> pd.DataFrame:
    """One row per corporate action of ``ex_date`` and account that held the instrument before it.

    ``cash_minor`` is a dividend or the cash paid for a fraction of a share; negative where a short owes it.
    """
    action, account = schema.corporate_action.c, schema.account.c
    rows = []
    with reading(books) as connection:
        known = connection.execute(sa.select(account.account_id, account.currency, account.source))
        account_of = {row.account_id: row for row in known}
        moved, paid = _moved(connection, ex_date), _paid(connection, ex_date)
        booked = sa.select(action.action_id, action.instrument_id, action.kind).where(action.effective_on == ex_date)
        for one in connection.execute(booked.order_by(action.action_id)).all():
            held = quantities(connection, instrument_id=one.instrument_id, effective_before=ex_date)
            for account_id, instrument_id, before in held:
                key = f"{one.action_id}.{account_id}"
                cash = paid.get(key, 0) + paid.get(f"cash_in_lieu.{key}", 0)
                holder = account_of[account_id]
                after = before + moved.get(key, 0)
                rows.append(
                    (account_id, instrument_id, one.kind, before, after, cash, holder.currency, key, holder.source)
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _moved(connection: sa.Connection, ex_date: date) -> dict[str, int]:
    """Shares each split gave an account, by the split's key: more owned is positive, more owed negative."""
    transfer, movement = schema.security_transfer.c, schema.position_movement.c
    query = sa.select(
        transfer.event_id, transfer.quantity_shares, transfer.credit_account_id, transfer.debit_account_id
    )
    moved: dict[str, int] = {}
    for row in connection.execute(query.where(transfer.effective_on == ex_date, transfer.template == "split")):
        is_gain = row.credit_account_id.startswith("9020.") or row.credit_account_id.startswith("9110.")
        moved[row.event_id] = row.quantity_shares * (1 if is_gain else -1)
    first_edition = sa.select(movement.movement_id, movement.quantity_shares)
    first_edition = first_edition.where(movement.effective_on == ex_date, movement.kind == "split")
    return moved | {row.movement_id: row.quantity_shares for row in connection.execute(first_edition)}


def _paid(connection: sa.Connection, ex_date: date) -> dict[str, int]:
    """Cash of the day by event; what clients owe, whether they paid it or were advanced it, is negative."""
    transfer = schema.transfer.c
    query = sa.select(
        transfer.event_id,
        transfer.transfer_id,
        transfer.amount_minor,
        transfer.debit_account_id,
        transfer.credit_account_id,
    )
    paid: dict[str, int] = {}
    for row in connection.execute(query.where(transfer.effective_on == ex_date)):
        key = row.event_id or row.transfer_id
        if row.credit_account_id.startswith("2010."):
            paid[key] = paid.get(key, 0) + row.amount_minor
        elif row.debit_account_id.startswith(("2010.", "1320.")):
            paid[key] = paid.get(key, 0) - row.amount_minor
    return paid
