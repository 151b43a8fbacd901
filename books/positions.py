"""Positions: what each account holds, in whose name and at which place, is the sum of what moved, and nothing else."""

from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from domain.ledger import SecurityTransfer, ledger_account_id

UNNAMED: Final = "unnamed"
"""Where shares lay whose place the first edition of the books did not ask for, and whom short sellers owed them to."""


def quantities(
    connection: sa.Connection, *, until_sequence: int | None = None, instrument_id: str | None = None,
    effective_before: date | None = None,
) -> list[tuple[str, str, int]]:  # fmt: skip
    """Account, instrument and shares of every position that is not zero, in that order; negative when owed."""
    parts = [_moved(kind) for kind in ("name", "owed", "first_edition")]
    line = sa.union_all(*parts).subquery().c
    total = sa.func.sum(line.quantity_shares)
    query = sa.select(line.account_id, line.instrument_id, total).group_by(line.account_id, line.instrument_id)
    if until_sequence is not None:
        query = query.where(line.sequence <= until_sequence)
    if instrument_id is not None:
        query = query.where(line.instrument_id == instrument_id)
    if effective_before is not None:
        query = query.where(line.effective_on < effective_before)
    query = query.having(total != 0).order_by(line.account_id, line.instrument_id)
    return [(row[0], row[1], int(row[2])) for row in connection.execute(query)]


def shares_delivered(
    transfer_id: str, account_id: str, place: str, instrument_id: str, quantity_shares: int, effective_on: date
) -> SecurityTransfer:
    """Shares that come into a client's name at a place (positive), or leave it (negative)."""
    at_place, in_name = ledger_account_id("9010", place), ledger_account_id("9020", account_id)
    if quantity_shares < 0:
        return SecurityTransfer(
            transfer_id, "securities_withdrawn", in_name, at_place, -quantity_shares, instrument_id, effective_on
        )
    return SecurityTransfer(
        transfer_id, "securities_deposited", at_place, in_name, quantity_shares, instrument_id, effective_on
    )


def short_opened(
    transfer_id: str, account_id: str, lender: str, instrument_id: str, quantity_shares: int, effective_on: date
) -> SecurityTransfer:
    """Shares a client has sold short and owes, and the desk owes to the lender."""
    owed, lent = ledger_account_id("9110", account_id), ledger_account_id("9120", lender)
    return SecurityTransfer(transfer_id, "short_opened", owed, lent, quantity_shares, instrument_id, effective_on)


def place_of(connection: sa.Connection, instrument_id: str) -> str:
    """The custodian that holds most of an instrument."""
    return _largest(connection, "9010", instrument_id)


def lender_of(connection: sa.Connection, instrument_id: str) -> str:
    """The lender to whom most of an instrument is owed."""
    return _largest(connection, "9120", instrument_id)


def _largest(connection: sa.Connection, code: str, instrument_id: str) -> str:
    holding = schema.holding.c
    net = holding.debits_posted_shares - holding.credits_posted_shares
    query = sa.select(holding.ledger_account_id).where(
        holding.instrument_id == instrument_id, holding.ledger_account_id.like(f"{code}.%")
    )
    row: Any = connection.execute(query.order_by(sa.func.abs(net).desc(), holding.ledger_account_id)).first()
    return UNNAMED if row is None else str(row[0]).partition(".")[2]


def _moved(kind: str) -> sa.Select[Any]:
    """What moved in and out of each account: shares in its name, shares it owes, and what the first edition wrote."""
    if kind == "first_edition":
        movement = schema.position_movement.c
        return sa.select(
            movement.account_id,
            movement.instrument_id,
            movement.quantity_shares,
            movement.sequence,
            movement.effective_on,
        )
    code = {"name": "9020", "owed": "9110"}[kind]
    transfer = schema.security_transfer.c
    is_debit = transfer.debit_account_id.like(f"{code}.%")
    account = sa.case((is_debit, transfer.debit_account_id), else_=transfer.credit_account_id)
    shares = sa.case((is_debit, -transfer.quantity_shares), else_=transfer.quantity_shares)
    return sa.select(
        sa.func.substr(account, len(code) + 2).label("account_id"),
        transfer.instrument_id,
        shares.label("quantity_shares"),
        transfer.sequence,
        transfer.effective_on,
    ).where(
        sa.or_(is_debit, transfer.credit_account_id.like(f"{code}.%")),
        # What is pending has not moved, and what was voided or has expired never will.
        sa.or_(transfer.phase.is_(None), transfer.phase == "post"),
    )
