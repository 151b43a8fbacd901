"""The journal beneath every posting: one chained event per fact, its typed twin, the head, and the proof of both."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Final, TypeVar

import sqlalchemy as sa

from books.engine import Books, reading
from books.schema import TABLE_OF_KIND, Day, checkpoint, event, instant_text, metadata
from domain.errors import TransferRefused
from domain.ledger import GENESIS_HASH, Rejection, canonical, entry_hash

ROWS_PER_STATEMENT: Final = 5_000
"""How many rows or keys go to the store at once; SQLite takes at most 32,766 values in one statement."""

CLOCK_DIFFERENCE_MAX: Final = timedelta(seconds=5)
"""How far the clocks of two machines that write may differ; an entry is then known when the one before it was."""

HASH_DIGITS_SHOWN: Final = 16
"""Digits of the entry hash a ledger head shows; enough to tell heads apart, short enough to read out."""

_COLUMNS_OF_KIND: Final = {
    kind: tuple(column.name for column in table.columns if column.name != "sequence")
    for kind, table in TABLE_OF_KIND.items()
}

_DAYS_OF_KIND: Final = {
    kind: tuple(column.name for column in table.columns if isinstance(column.type, Day))
    for kind, table in TABLE_OF_KIND.items()
}

_LAST_ENTRY: Final = (
    sa.select(event.c.sequence, event.c.entry_hash, event.c.booked_on, event.c.known_at)
    .order_by(event.c.sequence.desc())
    .limit(1)
)
_LAST_SEALED: Final = sa.select(sa.func.max(checkpoint.c.booked_on))

_STREAMED: Final = {"yield_per": ROWS_PER_STATEMENT}
"""Read long results in pieces."""

Value = str | int | date | None
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class LedgerHead:
    """The last entry of the books, or of the books as of a day; it stands for everything before it too."""

    sequence: int
    entry_hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.entry_hash[:HASH_DIGITS_SHOWN]}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact to book. ``what`` has the columns of the kind's typed table, and ``key`` is its business key."""

    kind: str
    key: str
    effective_on: date
    what: Mapping[str, Value]

    @property
    def business_key(self) -> str:
        """The key under which this fact can be booked once only."""
        return f"{self.kind}:{self.key}"


def batches(items: Iterable[Item], size: int = ROWS_PER_STATEMENT) -> Iterator[list[Item]]:
    """Cut ``items`` into lists of at most ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def ledger_head(books: Books, day: date | None = None) -> LedgerHead:
    """The last entry of the books, or the last one booked on or before ``day``."""
    query = sa.select(event.c.sequence, event.c.entry_hash).order_by(event.c.sequence.desc()).limit(1)
    if day is not None:
        # Days never run backwards in the journal, so the last entry of the last such day closes it.
        last_day = sa.select(sa.func.max(event.c.booked_on)).where(event.c.booked_on <= day).scalar_subquery()
        query = query.where(event.c.booked_on == last_day)
    with reading(books) as connection:
        row = connection.execute(query).one_or_none()
    return LedgerHead(row.sequence, row.entry_hash) if row else LedgerHead(0, GENESIS_HASH)


def open_day(books: Books) -> date | None:
    """The earliest day something can still be booked on; None while the books are empty."""
    with reading(books) as connection:
        last: date | None = connection.execute(sa.select(sa.func.max(event.c.booked_on))).scalar_one()
        return None if last is None else _open_after(connection, last)


def _open_after(connection: sa.Connection, last_day: date) -> date:
    """The earliest open day, given the last one something was booked on: that one, or the day after the last seal."""
    sealed: date | None = connection.execute(_LAST_SEALED).scalar_one()
    return last_day if sealed is None or last_day > sealed else sealed + timedelta(days=1)


def book(connection: sa.Connection, entries: Iterable[Entry], booked_on: date, known_at: datetime) -> LedgerHead:
    """Append the entries that are not in the books yet; the same key must mean the same fact."""
    return append(connection, _unbooked(connection, entries), booked_on, known_at)


def append(connection: sa.Connection, entries: Iterable[Entry], booked_on: date, known_at: datetime) -> LedgerHead:
    """Append entries known to be new: chain them, write each event and its typed row; returns where the books then end.

    An entry is known when the books know it: ``known_at``, or the moment of the entry before it where that is later by
    no more than two clocks may differ. A clock that went back further is refused.
    """
    pen: _Pen | None = None
    for batch in batches(entries):
        pen = pen or _Pen.at_head(connection, booked_on, known_at, batch[0])
        pen.write(batch)
    return pen.head if pen else ledger_head(connection)


class _Pen:
    """Where the next entry goes: after which hash, under which number, on which day, known when."""

    def __init__(self, connection: sa.Connection, head: LedgerHead, booked_on: date, known_text: str) -> None:
        self.connection, self.booked_on, self.known_text = connection, booked_on, known_text
        self.head = head

    @classmethod
    def at_head(cls, connection: sa.Connection, booked_on: date, known_at: datetime, first: Entry) -> "_Pen":
        """Stand at the end of the books; refuses a day that is closed and a clock that went back."""
        last = connection.execute(_LAST_ENTRY).one_or_none()
        if last is None:
            return cls(connection, LedgerHead(0, GENESIS_HASH), booked_on, instant_text(known_at))
        _refuse_closed_day(connection, booked_on, last.booked_on, first)
        if known_at < last.known_at - CLOCK_DIFFERENCE_MAX:
            raise refused(
                f"Entry {first.business_key}",
                Rejection.clock_must_not_go_back,
                f"the clock says {instant_text(known_at)}, but the books already know something since "
                f"{instant_text(last.known_at)}; set the clock of this machine right",
            )
        head = LedgerHead(last.sequence, last.entry_hash)
        return cls(connection, head, booked_on, instant_text(max(known_at, last.known_at)))

    def write(self, entries: Sequence[Entry]) -> None:
        """Chain the entries and send them to the store, each kind in one statement."""
        events: list[tuple[Value, ...]] = []
        rows: dict[str, list[tuple[Value, ...]]] = defaultdict(list)
        booked_on, known_text = self.booked_on.isoformat(), self.known_text
        sequence, previous_hash = self.head.sequence, self.head.entry_hash
        for entry in entries:
            sequence += 1
            business_key, effective_on = entry.business_key, entry.effective_on.isoformat()
            what = spoken(entry.what)
            for name in _DAYS_OF_KIND[entry.kind]:
                if isinstance(day := what.get(name), date):
                    what[name] = day.isoformat()
            body = canonical(
                {
                    "sequence": sequence,
                    "kind": entry.kind,
                    "business_key": business_key,
                    "effective_on": effective_on,
                    "booked_on": booked_on,
                    "known_at": known_text,
                    "what": what,
                }
            )
            previous_hash = entry_hash(previous_hash, body)
            events.append(
                (sequence, entry.kind, business_key, effective_on, booked_on, known_text, body.decode(), previous_hash)
            )
            rows[entry.kind].append((sequence, *map(what.get, _COLUMNS_OF_KIND[entry.kind])))
        insert(self.connection, event, events)
        for kind, kind_rows in rows.items():
            insert(self.connection, TABLE_OF_KIND[kind], kind_rows)
        self.head = LedgerHead(sequence, previous_hash)


def insert(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Value, ...]]) -> None:
    """Insert rows as the driver takes them, in the order of the table's columns: days and instants as ISO 8601 text.

    SQLAlchemy would bind each value on its own, which costs more than all the rest of a posting.
    """
    if rows:
        connection.exec_driver_sql(_insert_text(table.name, connection.dialect.paramstyle), list(rows))


@cache
def _insert_text(table: str, paramstyle: str) -> str:
    # Names of our own tables and columns; values are always parameters.
    names = [column.name for column in metadata.tables[table].columns]
    marks = ", ".join(["?" if paramstyle == "qmark" else "%s"] * len(names))
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"


def require_known(connection: sa.Connection, column: sa.Column[str], values: Iterable[str], what_for: str) -> None:
    """Refuse the batch when one of ``values`` is not in ``column``."""
    wanted = sorted(set(values))
    known: set[str] = set()
    for batch in batches(wanted):
        known.update(connection.execute(sa.select(column).where(column.in_(batch))).scalars())
    for value in wanted:
        if value not in known:
            rule = f"{column.table.name}s_must_exist"
            raise refused(f"{what_for} of {value}", rule, f"the books know no {column.name} {value}")


def refused(subject: str, rule: str, explanation: str) -> TransferRefused:
    """The error every refused posting ends with."""
    return TransferRefused(
        f"{subject} refused, {rule}: {explanation}. Nothing was written; correct it and book the batch again."
    )


def spoken(what: Mapping[str, Value]) -> dict[str, Value]:
    """What an entry says: a column that is null is left unsaid, though the first edition wrote it out."""
    return {name: value for name, value in what.items() if value is not None}


def _unbooked(connection: sa.Connection, entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: dict[str, Mapping[str, Value]] = {}
    for batch in batches(entries):
        query = sa.select(event.c.business_key, event.c.body)
        keys = [entry.business_key for entry in batch]
        booked = {
            row.business_key: json.loads(row.body)["what"]
            for row in connection.execute(query.where(event.c.business_key.in_(keys)))
        }
        for entry in batch:
            earlier = booked.get(entry.business_key, seen.get(entry.business_key))
            said = spoken(entry.what)
            if earlier is None:
                seen[entry.business_key] = said
                yield entry
            elif canonical(spoken(earlier)) != canonical(said):
                raise refused(
                    f"Entry {entry.business_key}",
                    Rejection.exists_with_different_content,
                    f"the books already say {canonical(earlier).decode()} under that key",
                )


def _refuse_closed_day(connection: sa.Connection, booked_on: date, last_day: date, first: Entry) -> None:
    open_since = _open_after(connection, last_day)
    if booked_on >= open_since:
        return
    why = f"the books have moved on to {last_day}" if booked_on < last_day else f"{last_day} was sealed"
    raise refused(
        f"Entry {first.business_key}",
        Rejection.day_must_be_open,
        f"it is to be booked on {booked_on}, but {why}, and a closed day never changes; book it on {open_since} or "
        f"later, effective {first.effective_on}",
    )
