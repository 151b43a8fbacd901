"""Positions: what each account holds is the sum of its movements, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, refused, require_known

SIGN_OF_KIND: Final = {"deposit": 1, "buy": 1, "withdrawal": -1, "sell": -1, "split": 0}
"""Kinds of movement and the sign of their shares; 0 where either sign is possible."""


@dataclass(frozen=True, slots=True)
class Movement:
    """Shares that came into an account (positive) or left it (negative)."""

    movement_id: str
    account_id: str
    instrument_id: str
    kind: str
    quantity_shares: int
    effective_on: date


def move_positions(books: Books, movements: Sequence[Movement], *, booked_on: date, known_at: datetime) -> LedgerHead:
    """Book a batch of movements in one transaction; those booked before stay as they are."""
    with writing(books) as connection:
        account_ids = {movement.account_id for movement in movements}
        require_known(connection, schema.account.c.account_id, account_ids, "Movement")
        book(connection, map(movement_entry, movements), booked_on, known_at)
        return ledger_head(connection)


def movement_entry(movement: Movement) -> Entry:
    """The journal entry of one movement; refuses a kind or a sign that makes no sense."""
    subject = f"Movement {movement.movement_id}"
    if movement.kind not in SIGN_OF_KIND:
        raise refused(subject, "kind_must_be_known", f"{movement.kind} is none of {', '.join(SIGN_OF_KIND)}")
    if movement.quantity_shares == 0:
        raise refused(subject, "quantity_must_not_be_zero", f"0 shares of {movement.instrument_id}")
    if movement.quantity_shares * SIGN_OF_KIND[movement.kind] < 0:
        raise refused(subject, "sign_must_fit_kind", f"{movement.kind} of {movement.quantity_shares} shares")
    what: dict[str, Value] = {name: getattr(movement, name) for name in Movement.__slots__}
    return Entry("movement", movement.movement_id, movement.effective_on, what)


def quantities(
    connection: sa.Connection, *, until_sequence: int | None = None, instrument_id: str | None = None,
    effective_before: date | None = None,
) -> list[tuple[str, str, int]]:  # fmt: skip
    """Account, instrument and shares of every position that is not zero, in that order."""
    movement = schema.position_movement.c
    total = sa.func.sum(movement.quantity_shares)
    query = sa.select(movement.account_id, movement.instrument_id, total).group_by(
        movement.account_id, movement.instrument_id
    )
    if until_sequence is not None:
        query = query.where(movement.sequence <= until_sequence)
    if instrument_id is not None:
        query = query.where(movement.instrument_id == instrument_id)
    if effective_before is not None:
        query = query.where(movement.effective_on < effective_before)
    query = query.having(total != 0).order_by(movement.account_id, movement.instrument_id)
    return [(row[0], row[1], int(row[2])) for row in connection.execute(query)]
