"""Reservations whose day is over: what was in flight and never came is released, by a transfer of its own."""

from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing_again
from books.posting import post
from domain.ledger import AnyTransfer, SecurityTransfer, Transfer

_KINDS: Final[tuple[tuple[sa.Table, Any], ...]] = (
    (schema.transfer, Transfer),
    (schema.security_transfer, SecurityTransfer),
)


def expire_pending(books: Books, day: date, *, booked_on: date, known_at: datetime) -> list[str]:
    """Release every pending transfer that expired before ``day`` and was neither posted nor voided.

    Returns the ids of what was released, in order of their booking. A second time there is nothing left to release.
    """

    def release(connection: sa.Connection) -> list[str]:
        expired = [one for table, kind in _KINDS for one in _expired(connection, table, kind, day)]
        releases = [_release(one, day) for one in expired]
        post(connection, releases, booked_on=booked_on, known_at=known_at)
        return [one.transfer_id for one in expired]

    return writing_again(books, release)


def _expired(connection: sa.Connection, table: sa.Table, kind: Any, day: date) -> list[AnyTransfer]:
    resolving = table.alias("resolving")
    is_resolved = sa.exists().where(resolving.c.pending_id == table.c.transfer_id)
    columns = [column for column in table.columns if column.name != "sequence"]
    query = sa.select(*columns).where(table.c.phase == "pending", table.c.expires_on < day, ~is_resolved)
    return [kind(*row) for row in connection.execute(query.order_by(table.c.sequence))]


def _release(pending: AnyTransfer, day: date) -> AnyTransfer:
    """The transfer that releases ``pending``; it moves nothing, and says between whom nothing moved."""
    same = (pending.debit_account_id, pending.credit_account_id, pending.amount, pending.unit, day, pending.event_id)
    kind = Transfer if isinstance(pending, Transfer) else SecurityTransfer
    name = f"{pending.transfer_id}.expired"
    return kind(name, pending.template, *same, phase="expire", pending_id=pending.transfer_id)
