"""The proof that nothing of the books' history was changed, or the first entry that was: of a store, or an export."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Protocol

import sqlalchemy as sa

from books.audit_chain import ENTRIES_PER_PIECE, Fault, Piece, check_piece, pieces, tampered
from books.checkpoints import SignedCheckpoint, breach, peaks_text, signed_checkpoints
from books.engine import Books, reading
from books.exported_history import Exported
from books.journal import HASH_DIGITS_SHOWN, LedgerHead
from books.projections import Key, Moved, add_up, compare, moved_by
from books.schema import TABLE_OF_KIND, checkpoint, event
from books.signatures import key_id
from domain.audit import Finding, Frontier
from domain.errors import LedgerTampered, ProofRefused
from domain.ledger import GENESIS_HASH

SEVERAL_AT_ONCE_FROM_ENTRIES: Final = 2 * ENTRIES_PER_PIECE
"""From how many entries on pieces are checked several at once."""

CHECKED_AT_ONCE_MAX: Final = 4
"""How many pieces at most: with more, Python itself would be what they wait for."""

Progress = Callable[[int, int], None]
"""Told now and then how many entries have been checked, and of how many."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What was proven of a history."""

    entries: int
    head: LedgerHead
    checkpoints: int
    sealed_entries: int
    sealed_until: date | None
    key_ids: tuple[str, ...]
    projections: int
    seconds: float

    @property
    def entries_per_second(self) -> float:
        """How fast it went."""
        return self.entries / self.seconds if self.seconds else 0.0


class History(Protocol):
    """A history that can be proven: how much there is of it, piece by piece, and what was signed of it."""

    entries: int
    checkpoints: Sequence[SignedCheckpoint]

    def check(self, first: int, last: int, sealed: Collection[int]) -> Piece:
        """Check entries ``first`` to ``last``."""

    def entry(self, sequence: int) -> tuple[str, date] | None:
        """The hash of an entry and the day it was booked on."""

    def check_rest(self, trees: dict[int, Frontier], moved: dict[Key, Moved]) -> int:
        """Check what is kept beside the entries; returns how many rows of projections that is."""


def verify(
    history: Books | Path,
    witness: LedgerHead | SignedCheckpoint | str | None = None,
    public_keys: Collection[str] = (),
    progress: Progress | None = None,
) -> Verification:
    """Prove the history in a store, or in the folder of an export, or raise :class:`LedgerTampered` at its first fault.

    Asked is whether every entry follows from the one before it and says what its columns and its typed row say,
    whether every checkpoint was signed over these entries, and whether the projections are what the transfers sum to.

    No chain knows that its end was cut off after the last checkpoint, or that all of it was written anew and signed
    with another key. Give a ``witness`` kept elsewhere (a head as published tables carry one, or a signed checkpoint)
    and the ``public_keys`` to be trusted, and that is found too.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        proven: History = (
            Exported(history) if isinstance(history, Path) else _Stored(stack.enter_context(reading(history)))
        )
        signed = [*proven.checkpoints, *([witness] if isinstance(witness, SignedCheckpoint) else [])]
        sizes = {one.checkpoint.tree_size for one in signed}
        tree, trees, moved = Frontier(), dict[int, Frontier](), dict[Key, Moved]()
        for piece in _checked(proven, history, sizes, progress):
            if piece.fault:
                raise tampered(piece.fault)
            for size, within in piece.sealed.items():
                trees[size] = tree.copy()
                trees[size].join(within)
            tree.join(piece.frontier)
            add_up(moved, piece.moved)
        for one in signed:
            _require(proven, one, trees.get(one.checkpoint.tree_size), public_keys)
        rows = proven.check_rest(trees, moved)
        last = proven.entry(proven.entries)
        head = LedgerHead(proven.entries, last[0]) if last else LedgerHead(0, GENESIS_HASH)
        if witness is not None and not isinstance(witness, SignedCheckpoint):
            _require_head(proven, witness)
    newest = signed[-1].checkpoint if signed else None
    return Verification(
        entries=proven.entries,
        head=head,
        checkpoints=len(signed),
        sealed_entries=newest.tree_size if newest else 0,
        sealed_until=newest.booked_on if newest else None,
        key_ids=tuple(dict.fromkeys(key_id(one.public_key) for one in signed)),
        projections=rows,
        seconds=time.monotonic() - started,
    )


class _Stored:
    """The history in a store, as of one moment."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.entries: int = connection.execute(sa.select(sa.func.max(event.c.sequence))).scalar_one() or 0
        self.checkpoints: Sequence[SignedCheckpoint] = signed_checkpoints(connection)

    def check(self, first: int, last: int, sealed: Collection[int]) -> Piece:
        """Check entries ``first`` to ``last``, and add up what they moved."""
        return _check_stored(self.connection, first, last, sealed)

    def entry(self, sequence: int) -> tuple[str, date] | None:
        """The hash of an entry and the day it was booked on."""
        query = sa.select(event.c.entry_hash, event.c.booked_on).where(event.c.sequence == sequence)
        row = self.connection.execute(query).one_or_none()
        return (row[0], row[1]) if row else None

    def check_rest(self, trees: dict[int, Frontier], moved: dict[Key, Moved]) -> int:
        """Check what checkpoints keep of their trees, that no row speaks of no entry, and the projections."""
        size: int
        for size, peaks in self.connection.execute(sa.select(checkpoint.c.tree_size, checkpoint.c.peaks)).tuples():
            if peaks_text(trees[size]) != peaks:
                words = "is where a day was sealed, yet what the checkpoint keeps of its tree is of another"
                raise tampered(Fault(size, Finding.root_must_be_that_of_the_entries, words))
        for table in (event, *TABLE_OF_KIND.values()):
            column = table.c.sequence
            stray = sa.select(column).where((column < 1) | (column > self.entries)).limit(1)
            if (sequence := self.connection.execute(stray).scalar_one_or_none()) is not None:
                words = f"was never written, yet there is a row in table {table.name} under its number"
                raise tampered(Fault(sequence, Finding.row_must_have_an_entry, words))
        return compare(self.connection, moved, self.entries)


def _checked(
    history: History, books: Books | Path, sealed: Collection[int], progress: Progress | None
) -> Iterator[Piece]:
    """Check all pieces and hand them over in their order; where there are many, several at once.

    Threads are enough: most of the work is the store's, in its own code, while Python hashes for another piece.
    """
    asked = [
        (first, last, {size for size in sealed if first <= size <= last}) for first, last in pieces(history.entries)
    ]
    with ExitStack() as stack:
        found: Iterator[Piece]
        if isinstance(books, sa.Engine) and history.entries >= SEVERAL_AT_ONCE_FROM_ENTRIES:
            pool = stack.enter_context(ThreadPoolExecutor(min(os.cpu_count() or 1, CHECKED_AT_ONCE_MAX)))
            # Only what had not begun is cancelled when a fault ends the loop.
            stack.callback(pool.shutdown, cancel_futures=True)
            futures = [pool.submit(_check_apart, books, *one) for one in asked]
            found = (future.result() for future in futures)
        else:
            found = (history.check(*one) for one in asked)
        for piece in found:
            if progress:
                progress(piece.last, history.entries)
            yield piece


def _check_apart(books: sa.Engine, first: int, last: int, sealed: Collection[int]) -> Piece:
    """Check a piece through a connection of its own; what is booked meanwhile comes after it."""
    with reading(books) as connection:
        return _check_stored(connection, first, last, sealed)


def _check_stored(connection: sa.Connection, first: int, last: int, sealed: Collection[int]) -> Piece:
    """Check entries ``first`` to ``last``, and add up what they moved if all is well with them."""
    if connection.dialect.name == "sqlite":
        # Pages are read once, in their order: from the file as it lies in memory, without a copy.
        connection.exec_driver_sql("PRAGMA mmap_size=1099511627776")
    piece = check_piece(connection, first, last, sealed)
    if piece.fault is None:
        piece.moved = moved_by(connection, first, last)
    return piece


def _require(history: History, signed: SignedCheckpoint, tree: Frontier | None, public_keys: Collection[str]) -> None:
    size = signed.checkpoint.tree_size
    last, following = history.entry(size), history.entry(size + 1)
    days = (last[1] if last else None, following[1] if following else None)
    if fault := breach(signed, tree, days, public_keys):
        raise tampered(fault)


def _require_head(history: History, witness: LedgerHead | str) -> None:
    number, _, digits = str(witness).partition(":")
    if not number.isdecimal() or len(digits) < HASH_DIGITS_SHOWN:
        raise ProofRefused(
            f"A witness must be a head as tables carry one, the number of an entry and {HASH_DIGITS_SHOWN} digits of "
            f"its hash with a colon between, but {str(witness)[:80]!r} is not. Nothing was compared; copy it again."
        )
    found = history.entry(int(number)) if int(number) else (GENESIS_HASH, None)
    if found is None or not found[0].startswith(digits):
        raise LedgerTampered(
            f"The {history.entries} entries of the books do not contain the head {witness} that was seen earlier "
            f"({Finding.head_seen_earlier_must_be_there}): their end was cut off, or they were written anew. Nothing "
            f"was written now. Stop posting, keep a copy of the store as evidence, and restore the last backup that "
            f"contains that head.",
            Finding.head_seen_earlier_must_be_there,
            min(int(number), history.entries + 1),
        )
