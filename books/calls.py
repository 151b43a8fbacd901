"""Margin calls: issued once under their own id, then met or cancelled, never changed."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.frames import day_of, records
from books.journal import Entry, LedgerHead, Value, append, batches, book, ledger_head, require_known


def issue(
    books: Books, calls: pd.DataFrame | Iterable[Mapping[str, Any]], *, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Issue calls (the columns of ``calc_margin__calls``); a ``call_id`` issued before stands as it was issued.

    The same call computed again, from later prices or another ledger head, is not another call: the client was told
    the first amount, and that is what the books keep.
    """
    rows = {str(row["call_id"]): row for row in reversed(records(calls))}
    with writing(books) as connection:
        column = schema.margin_call.c.call_id
        issued: set[str] = set()
        for batch in batches(rows):
            issued.update(connection.execute(sa.select(column).where(column.in_(batch))).scalars())
        fresh = [row for call_id, row in sorted(rows.items()) if call_id not in issued]
        require_known(connection, schema.account.c.account_id, {str(row["account_id"]) for row in fresh}, "Call")
        append(connection, (_call_entry(row, booked_on) for row in fresh), booked_on, known_at)
        return ledger_head(connection)


def meet(books: Books, call_id: str, *, reason: str, booked_on: date, known_at: datetime) -> LedgerHead:
    """Record that a call was met, and by what."""
    return _close(books, call_id, "met", reason, booked_on, known_at)


def cancel(books: Books, call_id: str, *, reason: str, booked_on: date, known_at: datetime) -> LedgerHead:
    """Record that a call was cancelled, and why."""
    return _close(books, call_id, "cancelled", reason, booked_on, known_at)


def _close(books: Books, call_id: str, outcome: str, reason: str, booked_on: date, known_at: datetime) -> LedgerHead:
    entry = Entry("call_outcome", call_id, booked_on, {"call_id": call_id, "outcome": outcome, "reason": reason})
    with writing(books) as connection:
        require_known(connection, schema.margin_call.c.call_id, [call_id], "Outcome")
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def _call_entry(row: Mapping[str, Any], booked_on: date) -> Entry:
    what: dict[str, Value] = {}
    for column in schema.margin_call.columns:
        if column.name == "due_on":
            what["due_on"] = day_of(row["due_on"])
        elif column.name.endswith("_minor"):
            what[column.name] = int(row[column.name])
        elif column.name != "sequence":
            what[column.name] = str(row[column.name])
    return Entry("call", str(row["call_id"]), booked_on, what)
