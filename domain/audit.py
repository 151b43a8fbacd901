"""What an auditor needs of mathematics: one hash that stands for all entries, and short proofs against it.

The tree is the Merkle tree of RFC 6962: its leaves are the entry hashes of the books in their order. Whoever kept the
root of one day can be shown, by some twenty hashes, that an entry is among those of that day (inclusion), or that the
tree of a later day only added to it (consistency). Nothing here knows keys or signatures.

Source: RFC 6962, section 2.1 (trees and proofs); RFC 9162, sections 2.1.3.2 and 2.1.4.2 (how a proof is checked).
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum, auto
from typing import Final

ORIGIN: Final = "lombard books"
"""The first line of every note: what the tree is a tree of."""

HASH_BYTES: Final = 32
"""Length of a SHA-256 hash."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

_LEAF, _NODE = b"\x00", b"\x01"


class Finding(StrEnum):
    """What must hold of the books' history, in the order it is asked of each entry; a breach is named for its rule."""

    sequence_must_have_no_gap = auto()
    entry_must_follow = auto()
    body_must_be_canonical = auto()
    columns_must_say_what_the_body_says = auto()
    kind_must_be_known = auto()
    row_must_exist = auto()
    row_must_say_what_the_body_says = auto()
    row_must_have_an_entry = auto()
    sealed_entries_must_be_there = auto()
    root_must_be_that_of_the_entries = auto()
    sealed_day_must_end_there = auto()
    checkpoint_must_be_signed = auto()
    key_must_be_trusted = auto()
    head_seen_earlier_must_be_there = auto()
    projection_must_be_the_sum_of_transfers = auto()
    file_must_be_as_it_was_exported = auto()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The books up to the end of a day: how many entries, the root over them, the last one's hash, and when signed."""

    tree_size: int
    booked_on: date
    signed_at: str
    root_hash: str
    entry_hash: str

    def note(self) -> bytes:
        """The text that is signed: one fact a line, always written the same way."""
        lines = (ORIGIN, self.tree_size, self.booked_on.isoformat(), self.signed_at, self.root_hash, self.entry_hash)
        return "".join(f"{line}\n" for line in lines).encode("ascii")


def leaves_of(entry_hashes: Iterable[bytes]) -> list[bytes]:
    """The leaves of entries; a leaf is hashed unlike a node, so that neither can be passed off as the other."""
    sha256 = hashlib.sha256
    return [sha256(_LEAF + entry_hash).digest() for entry_hash in entry_hashes]


@dataclass(slots=True)
class Frontier:
    """A tree that only grows, kept as the roots of the whole subtrees it is made of: the binary digits of its size."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """As many peaks as the size has ones."""
        assert len(self.peaks) == self.size.bit_count()

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaves at the end, as the largest whole subtrees that fit."""
        position = 0
        while position < len(leaves):
            height = (len(leaves) - position).bit_length() - 1
            if self.size:
                height = min(height, (self.size & -self.size).bit_length() - 1)
            end = position + (1 << height)
            self.add_subtree(_whole(leaves[position:end]), height)
            position = end

    def add_subtree(self, root: bytes, height: int) -> None:
        """Add the ``2 ** height`` leaves under ``root``; the size must be a multiple of as many."""
        assert self.size % (1 << height) == 0, "a subtree begins where its own size divides the tree's"
        size = self.size
        self.size += 1 << height
        while size >> height & 1:
            root = _node(self.peaks.pop(), root)
            height += 1
        self.peaks.append(root)

    def join(self, other: "Frontier") -> None:
        """Add the leaves of another tree at the end; the size must be a multiple of that tree's whole subtrees."""
        heights = [height for height in reversed(range(other.size.bit_length())) if other.size >> height & 1]
        for peak, height in zip(other.peaks, heights, strict=True):
            self.add_subtree(peak, height)

    def copy(self) -> "Frontier":
        """The same tree, to grow on its own."""
        return Frontier(self.size, list(self.peaks))

    def root(self) -> bytes:
        """The hash that stands for all leaves so far."""
        if not self.peaks:
            return EMPTY_ROOT
        *peaks, root = self.peaks
        for peak in reversed(peaks):
            root = _node(peak, root)
        return root


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over ``leaves``."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Which ranges of leaves (from, up to) have the roots that prove leaf ``index`` in a tree of ``size``, in order."""
    assert 0 <= index < size, f"leaf {index} of {size}"
    start, ranges = 0, []
    while size > 1:
        half = _split(size)
        if index - start < half:
            ranges.append((start + half, start + size))
            size = half
        else:
            ranges.append((start, start + half))
            start, size = start + half, size - half
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[tuple[int, int]]:
    """Which ranges of leaves have the roots that prove a tree of ``old_size`` to be the start of one of ``size``."""
    assert 0 < old_size <= size, f"tree of {old_size} in one of {size}"
    start, ranges, is_whole = 0, [], True
    while old_size != size:
        half = _split(size)
        if old_size <= half:
            ranges.append((start + half, start + size))
            size = half
        else:
            ranges.append((start, start + half))
            start, old_size, size, is_whole = start + half, old_size - half, size - half, False
    if not is_whole:
        ranges.append((start, start + size))
    return ranges[::-1]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The hashes that prove leaf ``index`` to be among ``leaves``."""
    return [merkle_root(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]


def consistency_path(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The hashes that prove the first ``old_size`` of ``leaves`` to be the start of them all."""
    return [merkle_root(leaves[start:end]) for start, end in consistency_ranges(old_size, len(leaves))]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves ``leaf`` to be number ``index`` (from 0) of the ``size`` leaves under ``root``."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *path):
        return False
    found, position, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            found = _node(sibling, found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            found = _node(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether ``path`` proves the tree of ``old_size`` leaves to be the start of the tree of ``size``."""
    if not 0 < old_size <= size or not _are_hashes(old_root, root, *path):
        return False
    if old_size == size:
        return not path and old_root == root
    if not path:
        return False
    # A tree that is one whole subtree is its own first hash, and the proof leaves it out.
    first, *rest = path if old_size & (old_size - 1) else (old_root, *path)
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_found = found = first
    for sibling in rest:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_found, found = _node(sibling, old_found), _node(sibling, found)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            found = _node(found, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_found == old_root and found == root


def _whole(leaves: Sequence[bytes]) -> bytes:
    """The root of leaves whose number is a power of two."""
    sha256, level = hashlib.sha256, leaves
    while len(level) > 1:
        level = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)]
    return level[0]


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
