"""The journal beneath every posting: one chained event per fact, its typed twin, the head, and the proof of both."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from books.engine import Books, reading
from books.schema import TABLE_OF_KIND, event, instant_text
from domain.errors import DeskError, TransferRefused
from domain.ledger import GENESIS_HASH, Rejection, canonical, entry_hash

ROWS_PER_STATEMENT: Final = 5_000
"""How many rows or keys go to the store at once; SQLite takes at most 32,766 values in one statement."""

HASH_DIGITS_SHOWN: Final = 16
"""Digits of the entry hash a ledger head shows; enough to tell heads apart, short enough to read out."""

_STREAMED: Final = {"yield_per": ROWS_PER_STATEMENT}
"""Read long results in pieces."""

Value = str | int | date | None
Item = TypeVar("Item")


class LedgerTampered(DeskError):
    """Books whose entries no longer follow from one another, or no longer agree with their typed rows."""


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


def book(connection: sa.Connection, entries: Iterable[Entry], booked_on: date, known_at: datetime) -> int:
    """Append the entries that are not in the books yet and return how many; the same key must mean the same fact."""
    return append(connection, _unbooked(connection, entries), booked_on, known_at)


def append(connection: sa.Connection, entries: Iterable[Entry], booked_on: date, known_at: datetime) -> int:
    """Append entries known to be new: chain them, write each event and its typed row; returns how many."""
    head = ledger_head(connection)
    previous_hash, first = head.entry_hash, head.sequence + 1
    sequence = head.sequence
    known_text = instant_text(known_at)
    for batch in batches(entries):
        if sequence < first:
            _refuse_closed_day(connection, booked_on, batch[0])
        events: list[dict[str, Any]] = []
        rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in batch:
            sequence += 1
            circumstances = {
                "sequence": sequence,
                "kind": entry.kind,
                "business_key": entry.business_key,
                "effective_on": entry.effective_on,
                "booked_on": booked_on,
            }
            body = canonical({**circumstances, "known_at": known_text, "what": entry.what})
            previous_hash = entry_hash(previous_hash, body)
            circumstances.update(known_at=known_at, body=body.decode("ascii"), entry_hash=previous_hash)
            events.append(circumstances)
            rows[entry.kind].append({"sequence": sequence, **entry.what})
        connection.execute(sa.insert(event), events)
        for kind, kind_rows in rows.items():
            connection.execute(sa.insert(TABLE_OF_KIND[kind]), kind_rows)
    return sequence - first + 1


def verify_chain(books: Books, witness: LedgerHead | str | None = None) -> int:
    """Recompute every hash, compare every column and typed row with its entry; returns how many entries there are.

    A chain cannot know that its end was cut off or that it was rebuilt as a whole. Give a ``witness``, a ledger head
    kept elsewhere (published tables carry one), and that is found too. Raises :class:`LedgerTampered`.
    """
    with reading(books) as connection:
        count, seen_witness = 0, witness is None
        previous_hash = GENESIS_HASH
        for row in connection.execute(sa.select(event).order_by(event.c.sequence), execution_options=_STREAMED):
            count += 1
            body = row.body.encode()
            previous_hash = entry_hash(previous_hash, body)
            if row.sequence != count or previous_hash != row.entry_hash or not _columns_agree(row, body):
                raise _tampered(count, "does not follow from the entries before it")
            seen_witness = seen_witness or str(witness) == str(LedgerHead(count, previous_hash))
        if not seen_witness:
            raise _tampered(count, f"and those before it do not contain the head {witness} that was seen earlier")
        for kind in TABLE_OF_KIND:
            _verify_typed_rows(connection, kind)
    return count


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
            if earlier is None:
                seen[entry.business_key] = entry.what
                yield entry
            elif canonical(earlier) != canonical(entry.what):
                raise refused(
                    f"Entry {entry.business_key}",
                    Rejection.exists_with_different_content,
                    f"the books already say {canonical(earlier).decode()} under that key",
                )


def _refuse_closed_day(connection: sa.Connection, booked_on: date, first: Entry) -> None:
    last_day: date | None = connection.execute(sa.select(sa.func.max(event.c.booked_on))).scalar_one()
    if last_day is not None and booked_on < last_day:
        raise refused(
            f"Entry {first.business_key}",
            Rejection.day_must_be_open,
            f"it is to be booked on {booked_on}, but the books have moved on to {last_day}, and a closed day never "
            f"changes; book it on {last_day} or later, effective {first.effective_on}",
        )


def _columns_agree(row: sa.Row[Any], body: bytes) -> bool:
    told = json.loads(body)
    return all(
        told[name] == value
        for name, value in (
            ("sequence", row.sequence),
            ("kind", row.kind),
            ("business_key", row.business_key),
            ("effective_on", row.effective_on.isoformat()),
            ("booked_on", row.booked_on.isoformat()),
            ("known_at", instant_text(row.known_at)),
        )
    )


def _verify_typed_rows(connection: sa.Connection, kind: str) -> None:
    table = TABLE_OF_KIND[kind]
    names = [column.name for column in table.columns][1:]
    query = sa.select(event.c.kind, event.c.body, table).join_from(table, event).order_by(table.c.sequence)
    for row in connection.execute(query, execution_options=_STREAMED):
        what = dict(zip(names, row[3:], strict=True))
        if row[0] != kind or canonical(what) != canonical(json.loads(row[1])["what"]):
            raise _tampered(row[2], f"does not say what its row in table {table.name} says")
    told = sa.select(event.c.sequence).where(event.c.kind == kind, event.c.sequence.not_in(sa.select(table.c.sequence)))
    if missing := connection.execute(told.limit(1)).scalar_one_or_none():
        raise _tampered(missing, f"has lost its row in table {table.name}")


def _tampered(sequence: int, finding: str) -> LedgerTampered:
    return LedgerTampered(
        f"Entry {sequence} of the books {finding}. Every entry must be as it was written; nothing was written now. "
        f"Stop posting, keep a copy of the store as evidence, and restore the last backup whose head is known."
    )
