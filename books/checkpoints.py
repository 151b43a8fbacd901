"""A day of the books, sealed: the root over all entries up to its end, signed with the desk's key.

A chain cannot know that its end was cut off, or that it was written anew as a whole; whoever keeps one signed day can.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books.audit_chain import Fault, check_piece, entry_hashes, pieces, tampered
from books.engine import Books, writing
from books.schema import checkpoint, event, instant_text
from books.signatures import SigningKey, is_signed, key_id, public_text, sign
from domain.audit import HASH_BYTES, ORIGIN, Checkpoint, Finding, Frontier, leaves_of
from domain.errors import DayNotSealable, ProofRefused

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the key that signed it and the signature; fit to be kept by somebody else."""

    checkpoint: Checkpoint
    public_key: str
    signature: str

    def is_signed(self) -> bool:
        """Whether the key's holder signed exactly this."""
        has_form = _INSTANT.fullmatch(self.checkpoint.signed_at) and _HASH.fullmatch(self.checkpoint.root_hash)
        return bool(has_form) and is_signed(self.public_key, self.checkpoint.note(), self.signature)

    def to_json(self) -> dict[str, Any]:
        """As it is written to a file."""
        return {
            "origin": ORIGIN,
            "tree_size": self.checkpoint.tree_size,
            "booked_on": self.checkpoint.booked_on.isoformat(),
            "signed_at": self.checkpoint.signed_at,
            "root_hash": self.checkpoint.root_hash,
            "entry_hash": self.checkpoint.entry_hash,
            "public_key": self.public_key,
            "signature": self.signature,
        }

    @classmethod
    def from_json(cls, told: Any) -> "SignedCheckpoint":
        """As it was read from a file; raises :class:`ProofRefused` where the file does not hold a checkpoint."""
        try:
            size, root, last = told["tree_size"], told["root_hash"], told["entry_hash"]
            is_sound = (
                told["origin"] == ORIGIN
                and type(size) is int
                and size > 0
                and all(_HASH.fullmatch(found) for found in (root, last))
                and _INSTANT.fullmatch(told["signed_at"])
            )
            found = Checkpoint(size, date.fromisoformat(told["booked_on"]), told["signed_at"], root, last)
            signed = cls(found, str(told["public_key"]), str(told["signature"]))
        except (KeyError, TypeError, ValueError):
            is_sound = False
        if not is_sound:
            raise ProofRefused(
                f"A checkpoint must name its origin ({ORIGIN}), tree_size, booked_on, signed_at, root_hash, "
                f"entry_hash, public_key and signature, each in its form, but the file says {str(told)[:200]!r}. "
                f"Nothing is proven; ask for the file again."
            )
        return signed


def signed_checkpoints(connection: sa.Connection, until: date | None = None) -> list[SignedCheckpoint]:
    """All checkpoints, in order; one whose last entry is gone has no entry hash."""
    # As the store has them: whoever edits a checkpoint need not write a day where one is expected.
    sealed = checkpoint.c
    day, instant = (sa.type_coerce(column, sa.Text) for column in (sealed.booked_on, sealed.signed_at))
    query = (
        sa.select(sealed.tree_size, day, instant, sealed.root_hash, event.c.entry_hash)
        .add_columns(sealed.public_key, sealed.signature)
        .join_from(checkpoint, event, event.c.sequence == sealed.tree_size, isouter=True)
        .order_by(sealed.tree_size)
    )
    if until is not None:
        query = query.where(sealed.booked_on <= until)
    return [_read(row) for row in connection.execute(query)]


def _read(row: Any) -> SignedCheckpoint:
    size, booked_on, signed_at, root, last, public_key, signature = row
    try:
        day = date.fromisoformat(booked_on) if isinstance(booked_on, str) else booked_on
    except ValueError:
        words = f"ends a day, says a checkpoint, but the day is {booked_on!r}"
        raise tampered(Fault(size, Finding.checkpoint_must_be_signed, words)) from None
    instant = signed_at if isinstance(signed_at, str) else instant_text(signed_at)
    return SignedCheckpoint(Checkpoint(size, day, instant, root, last or ""), public_key, signature)


def seal_day(books: Books, day: date, key: SigningKey, known_at: datetime) -> SignedCheckpoint:
    """Sign one checkpoint over all entries booked up to the end of ``day``, which is closed from then on.

    Only the entries since the last checkpoint are read, and checked. A day after which nothing was booked is sealed
    already: then the checkpoint that covers it comes back. Raises :class:`DayNotSealable` for a day before the last
    sealed one, and :class:`LedgerTampered` where what is to be signed does not hold.
    """
    with writing(books) as connection:
        last = ((sealed := signed_checkpoints(connection)) and sealed[-1].checkpoint) or None
        counted = sa.select(sa.func.max(event.c.sequence)).where(event.c.booked_on <= day)
        size: int = connection.execute(counted).scalar_one() or 0
        for one in sealed:
            if one.checkpoint.tree_size == size and one.checkpoint.booked_on <= day:
                return one
        if size == 0 or (last is not None and day <= last.booked_on):
            raise _not_sealable(day, size, last)
        frontier = _grown(connection, sealed[-1] if sealed else None, size)
        found: str = connection.execute(sa.select(event.c.entry_hash).where(event.c.sequence == size)).scalar_one()
        new = Checkpoint(size, day, instant_text(known_at), frontier.root().hex(), found)
        signed = SignedCheckpoint(new, public_text(key), sign(key, new.note()))
        connection.execute(
            sa.insert(checkpoint).values(
                tree_size=size,
                booked_on=day,
                root_hash=new.root_hash,
                peaks=peaks_text(frontier),
                signed_at=known_at,
                public_key=signed.public_key,
                signature=signed.signature,
            )
        )
        return signed


def peaks_text(frontier: Frontier) -> str:
    """The roots of a tree's whole subtrees as a checkpoint keeps them."""
    return b"".join(frontier.peaks).hex()


def breach(
    signed: SignedCheckpoint, frontier: Frontier | None, days: tuple[date | None, date | None], trusted: Collection[str]
) -> Fault | None:
    """What does not hold of a checkpoint, given the tree over as many entries as it covers, or None.

    ``days`` are those on which the last entry it covers and the one after it were booked. ``trusted`` are the public
    keys whose signature counts; where none is named, each checkpoint's own does.
    """
    told = signed.checkpoint
    size, day = told.tree_size, told.booked_on
    if frontier is None:
        words = f"should be there, for {size} were when {day} was signed: the end was cut off"
        return Fault(size, Finding.sealed_entries_must_be_there, words)
    if frontier.root().hex() != told.root_hash:
        words = f"or one before it is not what was signed on {day}: the root over them is another"
        return Fault(size, Finding.root_must_be_that_of_the_entries, words)
    if not signed.is_signed():
        words = f"ends {day}, yet the checkpoint of that day does not bear the signature of its key"
        return Fault(size, Finding.checkpoint_must_be_signed, words)
    if trusted and signed.public_key not in trusted:
        words = f"ends {day}, signed with the key {key_id(signed.public_key)}, which is none of those to be trusted"
        return Fault(size, Finding.key_must_be_trusted, words)
    last, following = days
    if last is None or last > day or (following is not None and following <= day):
        words = f"is not where {day} ended: it was booked on {last}, the next on {following or 'no day'}"
        return Fault(size, Finding.sealed_day_must_end_there, words)
    return None


def _grown(connection: sa.Connection, last: SignedCheckpoint | None, size: int) -> Frontier:
    """The tree over ``size`` entries, grown from the last checkpoint; what is added is checked entry by entry."""
    frontier = Frontier()
    if last is not None:
        query = sa.select(checkpoint.c.peaks).where(checkpoint.c.tree_size == last.checkpoint.tree_size)
        frontier = _kept(last, connection.execute(query).scalar_one())
        if not last.is_signed():
            words = (
                f"ends {last.checkpoint.booked_on}, yet the checkpoint of that day does not bear its key's signature"
            )
            raise tampered(Fault(last.checkpoint.tree_size, Finding.checkpoint_must_be_signed, words))
    for first, end in pieces(size):
        first = max(first, frontier.size + 1)
        if first <= end:
            if fault := check_piece(connection, first, end).fault:
                raise tampered(fault)
            for hashes in entry_hashes(connection, first, end):
                frontier.extend(leaves_of(hashes))
    return frontier


def _kept(last: SignedCheckpoint, peaks: str) -> Frontier:
    """The tree a checkpoint kept; it is believed because its root is the one that was signed."""
    size = last.checkpoint.tree_size
    try:
        raw = bytes.fromhex(peaks)
        whole = [raw[start : start + HASH_BYTES] for start in range(0, len(raw), HASH_BYTES)]
        frontier = Frontier(size, whole) if len(whole) == size.bit_count() else None
    except ValueError:
        frontier = None
    if frontier is None or frontier.root().hex() != last.checkpoint.root_hash:
        words = f"ends {last.checkpoint.booked_on}, yet what the checkpoint keeps of its tree has another root"
        raise tampered(Fault(size, Finding.root_must_be_that_of_the_entries, words))
    return frontier


def _not_sealable(day: date, size: int, last: Checkpoint | None) -> DayNotSealable:
    if size == 0:
        return DayNotSealable(
            f"{day} cannot be sealed: a checkpoint covers the entries booked up to the end of its day, but there are "
            f"none. Nothing was signed; book the day first, or name a later one."
        )
    assert last is not None, "only after another checkpoint can a day be too early"
    return DayNotSealable(
        f"{day} cannot be sealed: days are sealed in their order, but {last.booked_on} is, with {last.tree_size} "
        f"entries, and up to {day} there are {size}. Nothing was signed; seal a day after {last.booked_on}."
    )
