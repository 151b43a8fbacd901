"""Whether stored entries follow from one another, and say what their columns and typed rows say.

Each entry can be checked alone, given the hash before it, so the books are checked in pieces, by several processes. A
piece is asked one fast question per thing that must hold, and the store answers for thousands of entries at once; only
where an answer is not plainly yes are entries looked at one by one. The fast questions may doubt what is sound; they
never accept what is not.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from books.journal import spoken
from books.projections import Key, Moved
from books.schema import TABLE_OF_KIND, Day, Instant, event
from domain.audit import Finding, Frontier, leaves_of
from domain.errors import LedgerTampered
from domain.ledger import GENESIS_HASH, canonical, entry_hash

PIECE_HEIGHT: Final = 16
"""A piece is a whole subtree of the Merkle tree, of this height."""

ENTRIES_PER_PIECE: Final = 1 << PIECE_HEIGHT
"""How many entries are checked together."""

ENTRIES_PER_STATEMENT: Final = 1 << 12
"""How many entries the store hands over at once; their bodies together fit in a processor's cache."""


LOOKED_AT_ALONE_MAX: Final = 1 << 9
"""Entries of a piece that are asked for one by one; with more of them, reading the whole piece is faster."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry at which something does not hold, and what."""

    sequence: int
    finding: Finding
    words: str


@dataclass(slots=True)
class Piece:
    """Entries ``first`` to ``last`` as they were found: a fault, or the tree over them and what they moved.

    ``sealed`` has the tree as it stood after each entry at which a day was sealed.
    """

    first: int
    last: int
    fault: Fault | None = None
    frontier: Frontier = field(default_factory=Frontier)
    sealed: dict[int, Frontier] = field(default_factory=dict)
    moved: dict[Key, Moved] = field(default_factory=dict)

    def extend(self, hashes: Sequence[bytes], sealed: Collection[int]) -> None:
        """Let the tree grow by entries, remembering how it stood at each size that was sealed."""
        done = 0
        before = self.first - 1 + self.frontier.size
        for size in sorted(size for size in sealed if before < size <= before + len(hashes)):
            self.frontier.extend(leaves_of(hashes[done : size - before]))
            self.sealed[size] = self.frontier.copy()
            done = size - before
        self.frontier.extend(leaves_of(hashes[done:]))


def pieces(entries: int) -> Iterator[tuple[int, int]]:
    """The first and last entry of every piece of books with so many entries."""
    for first in range(1, entries + 1, ENTRIES_PER_PIECE):
        yield first, min(first + ENTRIES_PER_PIECE - 1, entries)


def check_piece(connection: sa.Connection, first: int, last: int, sealed: Collection[int] = ()) -> Piece:
    """Check entries ``first`` to ``last``; the entry before them is taken as it stands."""
    piece = Piece(first, last)
    quotes, doubted = 0, set[int]()
    previous = _hash_before(connection, first)
    for start in range(first, last + 1, ENTRIES_PER_STATEMENT):
        end = min(start + ENTRIES_PER_STATEMENT - 1, last)
        bodies, claimed = _chained(connection, start, end)
        hashes = follow(previous, bodies.split(b"\n"), claimed)
        if hashes is None or len(hashes) != end - start + 1:
            return _looked_at(connection, piece, sealed)
        piece.extend(hashes, sealed)
        previous = hashes[-1].hex()
        quotes += bodies.count(b'"')
        if b"\\" in bodies:
            doubted |= {start + at for at, body in enumerate(bodies.split(b"\n")) if b"\\" in body}
    if not _rows_agree(connection, first, last, quotes, doubted):
        return _looked_at(connection, piece, sealed)
    return piece


def follow(previous: str, bodies: Sequence[bytes], claimed: str) -> list[bytes] | None:
    """The hashes of entries with these bodies after ``previous``, or None where they are not those ``claimed``."""
    if _NO_HASH.search(previous):
        return None
    sha256 = hashlib.sha256
    found, hashes = bytes.fromhex(previous), list[bytes]()
    for body in bodies:
        found = sha256(found + body).digest()
        hashes.append(found)
    return hashes if b"".join(hashes).hex() == claimed else None


def entry_hashes(connection: sa.Connection, first: int, last: int) -> Iterator[list[bytes]]:
    """The stored hashes of entries, many at a time; raises :class:`LedgerTampered` where one is missing or no hash."""
    for start in range(first, last + 1, ENTRIES_PER_STATEMENT):
        end = min(start + ENTRIES_PER_STATEMENT - 1, last)
        query = sa.select(event.c.entry_hash).where(event.c.sequence.between(start, end)).order_by(event.c.sequence)
        texts: Sequence[str] = connection.execute(query).scalars().all()
        if len(texts) != end - start + 1 or any(map(_NO_HASH.search, texts)):
            raise tampered(
                Fault(start, Finding.sequence_must_have_no_gap, f"or one up to entry {end} is missing or has no hash")
            )
        yield list(map(bytes.fromhex, texts))


_NO_HASH: Final = re.compile("^(?![0-9a-f]{64}$)")


def tampered(fault: Fault) -> LedgerTampered:
    """The error that ends every look at a history that is not as it was written."""
    return LedgerTampered(
        f"Entry {fault.sequence} of the books {fault.words} ({fault.finding}). Every entry must be as it was written; "
        f"nothing was written now. Stop posting, keep a copy of the store as evidence, and restore the last backup "
        f"whose head is known.",
        fault.finding,
        fault.sequence,
    )


def _hash_before(connection: sa.Connection, sequence: int) -> str:
    """The hash an entry is chained to, as it stands in the store; nothing where that entry is missing."""
    if sequence == 1:
        return GENESIS_HASH
    before = sa.select(event.c.entry_hash).where(event.c.sequence == sequence - 1)
    return connection.execute(before).scalar_one_or_none() or ""


def _chained(connection: sa.Connection, first: int, last: int) -> tuple[bytes, str]:
    """The bodies of entries, a line each, and their hashes, one after another."""
    found: Any = connection.exec_driver_sql(_CHAINED[connection.dialect.name], (first, last)).one()
    bodies, claimed = found[0] or b"", found[1] or ""
    return bodies if isinstance(bodies, bytes) else bodies.encode(), claimed


# A body holds no line break: JSON writes one as \n. SQLite reads a range of keys in their order; were it not so, the
# hashes would not follow from one another, and the entries would be looked at one by one, in an order asked for.
_CHAINED: Final = {
    "sqlite": "SELECT CAST(group_concat(body, char(10)) AS BLOB), group_concat(entry_hash, '') "
    "FROM event WHERE sequence BETWEEN ? AND ?",
    "postgresql": "SELECT string_agg(body, E'\\n' ORDER BY sequence), string_agg(entry_hash, '' ORDER BY sequence) "
    "FROM event WHERE sequence BETWEEN %s AND %s",
}


def judge_entry(entry: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> tuple[Finding, str] | None:
    """The first thing that does not hold of one entry, its own hash aside; ``rows`` are the typed rows by kind."""
    told = _told(entry["body"])
    if told is None:
        return Finding.body_must_be_canonical, "has a body that is not written the one way entries are written"
    columns = {name: entry[name] for name in _CIRCUMSTANCES}
    if columns != {name: value for name, value in told.items() if name != "what"}:
        names = ", ".join(name for name in _CIRCUMSTANCES if columns[name] != told.get(name)) or "more or fewer"
        return Finding.columns_must_say_what_the_body_says, f"says something else in its columns than its body: {names}"
    kind = entry["kind"]
    if kind not in TABLE_OF_KIND:
        return Finding.kind_must_be_known, f"is of the kind {kind!r}, which these books do not know"
    table = TABLE_OF_KIND[kind].name
    if kind not in rows:
        return Finding.row_must_exist, f"has lost its row in table {table}"
    row, what = spoken(rows[kind]), spoken(told["what"])
    if row != what:
        names = ", ".join(sorted(name for name in row.keys() | what.keys() if row.get(name) != what.get(name)))
        return Finding.row_must_say_what_the_body_says, f"does not say what its row in table {table} says: {names}"
    if others := sorted(TABLE_OF_KIND[other].name for other in rows.keys() - {kind}):
        words = f"is a {kind}, yet there is a row in table {', '.join(others)} under its number"
        return Finding.row_must_have_an_entry, words
    return None


_CIRCUMSTANCES: Final = ("sequence", "kind", "business_key", "effective_on", "booked_on", "known_at")


def _told(body: str) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
        is_canonical = isinstance(told["what"], dict) and canonical(told).decode() == body
    except (ValueError, TypeError, KeyError):
        return None
    return told if is_canonical else None


def _looked_at(connection: sa.Connection, piece: Piece, sealed: Collection[int]) -> Piece:
    """Check a piece the slow and obvious way, entry by entry, up to the first fault."""
    checked = Piece(piece.first, piece.last)
    previous = _hash_before(connection, piece.first)
    for start in range(piece.first, piece.last + 1, ENTRIES_PER_STATEMENT):
        end = min(start + ENTRIES_PER_STATEMENT - 1, piece.last)
        entries = {entry["sequence"]: entry for entry in _rows(connection, event, start, end)}
        rows = _typed_rows(connection, start, end)
        hashes = []
        for sequence in range(start, end + 1):
            entry = entries.get(sequence)
            if problem := _problem(previous, entry, rows.get(sequence, {})):
                checked.fault = Fault(sequence, *problem)
                return checked
            assert entry is not None, "an entry that is missing is a problem"
            previous = entry["entry_hash"]
            hashes.append(bytes.fromhex(entry["entry_hash"]))
        checked.extend(hashes, sealed)
    return checked


def _problem(
    previous: str, entry: Mapping[str, Any] | None, rows: Mapping[str, Mapping[str, Any]]
) -> tuple[Finding, str] | None:
    if entry is None:
        return Finding.sequence_must_have_no_gap, "does not follow from the entries before it: it is missing"
    try:
        follows = entry_hash(previous, entry["body"].encode()) == entry["entry_hash"]
    except ValueError:  # What should be the hash before it is none.
        follows = False
    if not follows:
        return (
            Finding.entry_must_follow,
            "does not follow from the entries before it: it has another hash than it gives",
        )
    return judge_entry(entry, rows)


def _rows(connection: sa.Connection, table: sa.Table, first: int, last: int) -> Iterator[dict[str, Any]]:
    """Rows of a table, days and instants as the text an entry has, however wrong what stands there may be."""
    names = [column.name for column in table.columns]
    found = connection.exec_driver_sql(_raw_rows(table.name, connection.dialect.name), (first, last))
    return (dict(zip(names, row, strict=True)) for row in found)


@cache
def _raw_rows(table: str, dialect: str) -> str:
    columns = ", ".join(_as_text(column, dialect) for column in event.metadata.tables[table].columns)
    mark = _MARKS[dialect]
    return f"SELECT {columns} FROM {table} AS t WHERE t.sequence BETWEEN {mark} AND {mark} ORDER BY t.sequence"


def _as_text(column: sa.Column[Any], dialect: str, alias: str = "t") -> str:
    name = f'{alias}."{column.name}"'
    if dialect == "postgresql" and isinstance(column.type, Day):
        return f"CAST({name} AS TEXT)"
    if dialect == "postgresql" and isinstance(column.type, Instant):
        return f"""to_char({name} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    return name


def _typed_rows(connection: sa.Connection, first: int, last: int) -> dict[int, dict[str, dict[str, Any]]]:
    """What the typed rows say of each entry, by kind."""
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for kind, table in TABLE_OF_KIND.items():
        for row in _rows(connection, table, first, last):
            found.setdefault(row.pop("sequence"), {})[kind] = row
    return found


def _rows_agree(connection: sa.Connection, first: int, last: int, quotes: int, doubted: Collection[int]) -> bool:
    """Whether each entry has one typed row, of its kind, and neither row nor columns say anything but its body.

    The store writes each body anew from row and columns, without any escaping, and compares. That is enough where
    nothing needed escaping: where a body has no backslash, and the bodies together have no more quotation marks than
    their keys and values have. An entry of which the store does not say yes, or whose body has a backslash, is looked
    at alone.
    """
    dialect = connection.dialect.name
    limits = (first, last) * len(TABLE_OF_KIND)
    counts: Any = connection.exec_driver_sql(_rows_and_agreeing(dialect), limits).one()
    rows, agreed, written = map(int, counts)
    apart: set[int] = set()
    if rows != agreed:
        row: Any
        for row in connection.exec_driver_sql(_rows_apart(dialect), limits):
            apart.add(row[0])
            written -= row[1]
    if len(apart.union(doubted)) > LOOKED_AT_ALONE_MAX:
        return False
    for sequence in sorted(apart.union(doubted)):
        entry = next(_rows(connection, event, sequence, sequence), None)
        if entry is None or judge_entry(entry, _typed_rows(connection, sequence, sequence).get(sequence, {})):
            return False
        if sequence in apart:
            quotes -= entry["body"].count('"')
    return agreed + len(apart) == last - first + 1 and quotes == written


@cache
def _rows_and_agreeing(dialect: str) -> str:
    """How many typed rows there are, how many agree with their entry, and how many quotation marks all of them make."""
    questions = [
        f"SELECT count(*) AS found, count(CASE WHEN {_agrees(kind, dialect)} THEN 1 END) AS agreed, "
        f"{_quotes(table, 'count(*)', 'count({})')} AS quotes {_from(table, dialect)}"
        for kind, table in TABLE_OF_KIND.items()
    ]
    return f"SELECT sum(found), sum(agreed), sum(quotes) FROM ({' UNION ALL '.join(questions)}) AS of_kind"


@cache
def _rows_apart(dialect: str) -> str:
    """Which typed rows do not agree with their entry, and how many quotation marks each would make."""
    return " UNION ALL ".join(
        f"SELECT t.sequence, {_quotes(table, '1', 'CASE WHEN {} IS NULL THEN 0 ELSE 1 END')} {_from(table, dialect)} "
        f"AND NOT coalesce({_agrees(kind, dialect)}, FALSE)"
        for kind, table in TABLE_OF_KIND.items()
    )


def _from(table: sa.Table, dialect: str) -> str:
    mark = _MARKS[dialect]
    return (
        f"FROM {table.name} AS t LEFT JOIN event AS e ON e.sequence = t.sequence "
        f"WHERE t.sequence BETWEEN {mark} AND {mark}"
    )


def _agrees(kind: str, dialect: str) -> str:
    return f"e.kind = '{kind}' AND e.body = {_body_of(kind, dialect)}"


def _quotes(table: sa.Table, rows: str, times: str) -> str:
    """Quotation marks of bodies in which no value has any: two around a name, two around a text or a day.

    There are seven names and five texts around ``what``; a column that is null is not said.
    """
    marks = {column: 2 if isinstance(column.type, sa.Integer) else 4 for column in list(table.columns)[1:]}
    always = 24 + sum(number for column, number in marks.items() if not column.nullable)
    sometimes = [
        f" + {number} * {times}".format(f't."{column.name}"') for column, number in marks.items() if column.nullable
    ]
    return f"{always} * {rows}{''.join(sometimes)}"


def _body_of(kind: str, dialect: str) -> str:
    """The body of an entry as an expression of its columns and typed row, which writes every text as it is."""
    around = {column.name: _as_text(column, dialect, "e") for column in event.columns}
    columns = sorted((c for c in TABLE_OF_KIND[kind].columns if c.name != "sequence"), key=lambda column: column.name)
    what = [part for column in columns for part in _said(column)]
    if columns[0].nullable:
        # A comma before every column that is said, and the first one taken away again.
        what = [f"substr({_concat(what)}, 2)"]
    else:
        what[0] = what[0].replace(",", "", 1)
    return _concat(
        [
            *("""'{"booked_on":"'""", around["booked_on"]),
            *("""'","business_key":"'""", around["business_key"]),
            *("""'","effective_on":"'""", around["effective_on"]),
            *(f"""'","kind":"{kind}","known_at":"'""", around["known_at"]),
            *("""'","sequence":'""", "t.sequence", """',"what":{'"""),
            *what,
            "'}}'",
        ]
    )


def _said(column: sa.Column[Any]) -> list[str]:
    """A column as an entry says it, a comma before it; a null leaves nothing, for nothing can be added to a null."""
    name, quote = f't."{column.name}"', "" if isinstance(column.type, sa.Integer) else '"'
    parts = [f"""',"{column.name}":{quote}'""", name, *([f"'{quote}'"] if quote else [])]
    return [f"({' || '.join(parts)})"] if column.nullable else parts


def _concat(parts: Sequence[str]) -> str:
    """Parts written one after another; literals side by side become one, for each part costs time."""
    joined = [parts[0]]
    for part in parts[1:]:
        if joined[-1].endswith("'") and part.startswith("'"):
            joined[-1] = joined[-1][:-1] + part[1:]
        else:
            joined.append(part)
    return f"concat({', '.join(joined)})"


_MARKS: Final = {"sqlite": "?", "postgresql": "%s"}
