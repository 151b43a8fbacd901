"""The tree of entries: its slow twin agrees, honest proofs convince, and no forged one of ten thousand does."""

import hashlib
import random
from collections.abc import Sequence
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit import (
    EMPTY_ROOT,
    Checkpoint,
    Frontier,
    consistency_path,
    consistency_ranges,
    inclusion_path,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaves_of,
    merkle_root,
)

FORGERIES = 10_000


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


ENTRIES = [sha256(b"entry", number.to_bytes(4)) for number in range(300)]
LEAVES = leaves_of(ENTRIES)


def slow_split(size: int) -> int:
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def slow_root(entries: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not entries:
        return sha256()
    if len(entries) == 1:
        return sha256(b"\0", entries[0])
    half = slow_split(len(entries))
    return sha256(b"\1", slow_root(entries[:half]), slow_root(entries[half:]))


def slow_inclusion(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1, word for word."""
    if len(entries) == 1:
        return []
    half = slow_split(len(entries))
    if index < half:
        return [*slow_inclusion(index, entries[:half]), slow_root(entries[half:])]
    return [*slow_inclusion(index - half, entries[half:]), slow_root(entries[:half])]


def slow_consistency(old_size: int, entries: Sequence[bytes], is_whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2, word for word."""
    if old_size == len(entries):
        return [] if is_whole else [slow_root(entries)]
    half = slow_split(len(entries))
    if old_size <= half:
        return [*slow_consistency(old_size, entries[:half], is_whole), slow_root(entries[half:])]
    return [*slow_consistency(old_size - half, entries[half:], False), slow_root(entries[:half])]


def test_a_tree_without_leaves_has_a_root_too() -> None:
    assert merkle_root([]) == EMPTY_ROOT == Frontier().root()
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_the_roots_of_the_published_test_tree_are_reproduced() -> None:
    """The eight inputs of the reference implementation of certificate transparency, and their roots."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = leaves_of(map(bytes.fromhex, inputs))
    assert merkle_root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle_root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size", [*range(1, 35), 63, 64, 65, 127, 128, 129, 255, 256, 257])
def test_the_fast_tree_agrees_with_its_slow_twin(size: int) -> None:
    entries, leaves = ENTRIES[:size], LEAVES[:size]
    assert merkle_root(leaves) == slow_root(entries)
    for number in {0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)):
        assert inclusion_path(leaves, number) == slow_inclusion(number, entries)
        assert consistency_path(leaves, number + 1) == slow_consistency(number + 1, entries)


@given(st.lists(st.integers(0, 70), max_size=8))
def test_a_tree_may_grow_in_any_pieces(pieces: list[int]) -> None:
    frontier, size = Frontier(), 0
    for piece in pieces:
        piece = min(piece, len(LEAVES) - size)
        frontier.extend(LEAVES[size : size + piece])
        size += piece
        assert frontier.size == size
        assert frontier.root() == slow_root(ENTRIES[:size])
        # What is kept between two days is enough to go on.
        frontier = frontier.copy()


@given(st.integers(0, 3), st.integers(0, 64))
def test_trees_made_apart_are_joined(whole: int, rest: int) -> None:
    """What two processes hashed, piece by piece, is the tree one would have made."""
    frontier = Frontier()
    for start, size in [*((64 * number, 64) for number in range(whole)), (64 * whole, rest)]:
        piece = Frontier()
        piece.extend(LEAVES[start : start + size])
        frontier.join(piece)
    assert frontier.size == 64 * whole + rest
    assert frontier.root() == slow_root(ENTRIES[: 64 * whole + rest])


@given(st.integers(0, 6), st.integers(0, 40))
def test_a_whole_subtree_counts_for_its_leaves(height: int, rest: int) -> None:
    frontier = Frontier()
    for start in (0, 1 << height):
        frontier.add_subtree(merkle_root(LEAVES[start : start + (1 << height)]), height)
    frontier.extend(LEAVES[2 << height : (2 << height) + rest])
    assert frontier.root() == slow_root(ENTRIES[: (2 << height) + rest])


@given(st.data())
def test_an_honest_proof_convinces_everybody(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    number = data.draw(st.integers(1, size))
    leaves, root = LEAVES[:size], merkle_root(LEAVES[:size])
    assert is_included(leaves[number - 1], number - 1, size, inclusion_path(leaves, number - 1), root)
    assert is_consistent(number, merkle_root(leaves[:number]), size, root, consistency_path(leaves, number))


@given(st.data())
def test_a_proof_is_made_of_ranges_that_lie_beside_each_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 10**12))
    number = data.draw(st.integers(1, size))
    beside = sorted([*inclusion_ranges(number - 1, size), (number - 1, number)])
    for ranges in (beside, sorted(consistency_ranges(number, size))):
        assert all(left[1] == right[0] for left, right in pairwise(ranges))
        assert len(ranges) <= size.bit_length() + 2
    assert (beside[0][0], beside[-1][1]) == (0, size)


def _forged(path: list[bytes], roots: list[bytes], numbers: list[int], chance: random.Random) -> bool:
    """Forge one thing of a proof; False where the forgery came out as what was there."""
    before = (list(path), list(roots), list(numbers))
    way = chance.randrange(8)
    if way == 0 and path:  # One bit of one hash.
        at = chance.randrange(len(path))
        path[at] = _flipped(path[at], chance)
    elif way == 1 and path:
        del path[chance.randrange(len(path))]
    elif way == 2:
        path.insert(chance.randrange(len(path) + 1), chance.choice(LEAVES))
    elif way == 3:
        chance.shuffle(path)
    elif way == 4:
        at = chance.randrange(len(roots))
        roots[at] = _flipped(roots[at], chance)
    elif way == 5:
        numbers[chance.randrange(2)] = chance.randrange(-2, 310)
    elif way == 6 and path:  # A hash cut short, or two run together.
        at = chance.randrange(len(path))
        path[at] = chance.choice((path[at][:-1], path[at] + path[at], b""))
    else:
        roots.reverse()
    return (path, roots, numbers) != before


def _flipped(value: bytes, chance: random.Random) -> bytes:
    bit = chance.randrange(8 * len(value))
    return bytes(byte ^ (1 << bit % 8 if position == bit // 8 else 0) for position, byte in enumerate(value))


def _turns(place: int, ranges: list[tuple[int, int]]) -> list[bool]:
    """On which side each hash of a proof stands.

    A root does not tell how many leaves it has: two sizes whose proofs take the same turns have the same proof. That is
    why the size is in the note that is signed beside the root, and why a forged size that changes no turn is left out.
    """
    return [start < place for start, _ in ranges]


def test_ten_thousand_forged_proofs_of_inclusion_are_refused() -> None:
    chance, refused = random.Random(6962), 0
    while refused < FORGERIES:
        size = chance.randrange(2, 300)
        index = chance.randrange(size)
        path, numbers = inclusion_path(LEAVES[:size], index), [index, size]
        hashes, turns = [LEAVES[index], merkle_root(LEAVES[:size])], _turns(index, inclusion_ranges(index, size))
        if not _forged(path, hashes, numbers, chance):
            continue
        makes_sense = numbers != [index, size] and 0 <= numbers[0] < numbers[1]
        if makes_sense and _turns(numbers[0], inclusion_ranges(*numbers)) == turns:
            continue
        assert not is_included(hashes[0], *numbers, path, hashes[1])
        refused += 1


def test_ten_thousand_forged_proofs_of_consistency_are_refused() -> None:
    chance, refused = random.Random(9162), 0
    while refused < FORGERIES:
        size = chance.randrange(2, 300)
        old_size = chance.randrange(1, size)
        path, numbers = consistency_path(LEAVES[:size], old_size), [old_size, size]
        hashes = [merkle_root(LEAVES[:old_size]), merkle_root(LEAVES[:size])]
        turns = _turns(old_size - 1, consistency_ranges(old_size, size))
        if not _forged(path, hashes, numbers, chance):
            continue
        makes_sense = numbers != [old_size, size] and 0 < numbers[0] <= numbers[1]
        if makes_sense and _turns(numbers[0] - 1, consistency_ranges(*numbers)) == turns:
            continue
        assert not is_consistent(numbers[0], hashes[0], numbers[1], hashes[1], path)
        refused += 1


@given(st.integers(2, 200), st.data())
def test_a_history_rewritten_before_the_old_day_has_no_proof(size: int, data: st.DataObject) -> None:
    old_size = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old_size - 1))
    rewritten = [*LEAVES[:changed], sha256(b"rewritten"), *LEAVES[changed + 1 : size]]
    path = consistency_path(rewritten, old_size)
    assert not is_consistent(old_size, merkle_root(LEAVES[:old_size]), size, merkle_root(rewritten), path)


@pytest.mark.parametrize(("old_size", "size"), [(0, 1), (0, 0), (2, 1), (-1, 1), (5, 4)])
def test_sizes_that_make_no_sense_prove_nothing(old_size: int, size: int) -> None:
    assert not is_consistent(old_size, EMPTY_ROOT, size, EMPTY_ROOT, [])
    assert not is_included(EMPTY_ROOT, size, size, [], EMPTY_ROOT)
    assert not is_included(EMPTY_ROOT, -1, size, [], EMPTY_ROOT)


@pytest.mark.parametrize(("old_size", "size"), [(1, 2), (3, 4), (4, 7)])
def test_a_proof_without_hashes_proves_growth_never(old_size: int, size: int) -> None:
    roots = merkle_root(LEAVES[:old_size]), merkle_root(LEAVES[:size])
    assert not is_consistent(old_size, roots[0], size, roots[1], [])


def test_a_node_cannot_be_passed_off_as_a_leaf() -> None:
    """The two are hashed with different first bytes; without them a short tree could claim to be a long one."""
    left, right = LEAVES[:2]
    assert leaves_of([left + right]) != [merkle_root([left, right])]


def test_a_note_says_one_fact_a_line() -> None:
    checkpoint = Checkpoint(3, date(2026, 6, 16), "2026-06-16T20:00:00.000000Z", "ab" * 32, "cd" * 32)
    assert checkpoint.note().decode() == (
        f"lombard books\n3\n2026-06-16\n2026-06-16T20:00:00.000000Z\n{'ab' * 32}\n{'cd' * 32}\n"
    )
