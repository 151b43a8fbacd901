"""Proofs for somebody outside: honest ones convince without any books, and no forged one of ten thousand does."""

import copy
import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from books.audit_proofs import (
    CONSISTENCY,
    INCLUSION,
    check_proof,
    consistency_proof,
    inclusion_proof,
    read_checkpoint,
    verify_consistency,
    verify_inclusion,
    write_proof,
)
from books.checkpoints import SignedCheckpoint, seal_day
from books.posting import post
from books.signatures import key_id, new_key, public_text, sign
from domain.audit import Checkpoint, consistency_path, inclusion_path, leaves_of, merkle_root
from domain.errors import LedgerTampered, ProofNotPossible, ProofRefused
from domain.ledger import GENESIS_HASH, Transfer, canonical, entry_hash

KEY, OTHER_KEY = new_key(), new_key()
FORGERIES = 10_000
DAY = date(2026, 6, 16)


@pytest.fixture
def sealed(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    """Two sealed days and an open one, with two deposits each: t1 and t2, t3 and t4, t5 and t6."""
    day, known_at = when["booked_on"], when["known_at"]
    for number in range(3):
        on, at = day + timedelta(days=number), known_at + timedelta(days=number)
        deposits = [
            Transfer(f"t{n}", "client_deposit", "1010.USD", "2010.A1", 100 * n, "USD", on)
            for n in (2 * number + 1, 2 * number + 2)
        ]
        post(desk, deposits, booked_on=on, known_at=at)
        if number < 2:
            seal_day(desk, on, KEY, at)
    return desk


@pytest.mark.parametrize(("transfer_id", "days"), [("t1", 0), ("t1", 1), ("t4", 1), ("t2", 9)])
def test_a_transfer_is_proven_to_be_in_a_day_to_whoever_holds_the_file(
    sealed: sa.Engine, tmp_path: Path, transfer_id: str, days: int
) -> None:
    file = tmp_path / "proof.json"
    write_proof(inclusion_proof(sealed, transfer_id, DAY + timedelta(days=days)), file)
    proven = verify_inclusion(file, [public_text(KEY)])
    assert proven == check_proof(file)
    assert proven.body is not None
    assert proven.body["what"]["transfer_id"] == transfer_id
    assert proven.key_ids == (key_id(public_text(KEY)),)
    assert f"transfer:{transfer_id}, is among the" in proven.words
    assert f"sealed for {DAY + timedelta(days=min(days, 1))}" in proven.words


def test_a_transfer_of_shares_is_proven_too(desk: sa.Engine, hold: Any, when: dict[str, Any]) -> None:
    hold(desk, ("s1", "A1", "US.AIG", 100, DAY))
    seal_day(desk, DAY, KEY, when["known_at"])
    proven = verify_inclusion(inclusion_proof(desk, "s1", DAY))
    assert "security_transfer:s1" in proven.words


def test_one_day_is_proven_to_begin_with_another(sealed: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    write_proof(consistency_proof(sealed, DAY, DAY + timedelta(days=1)), file)
    proven = verify_consistency(file, [public_text(KEY)])
    assert proven == check_proof(file)
    assert proven.words.endswith("sealed for 2026-06-16, unchanged.")
    same = verify_consistency(consistency_proof(sealed, DAY, DAY))
    assert same.key_ids == (key_id(public_text(KEY)),)


def test_what_no_sealed_day_covers_cannot_be_proven(sealed: sa.Engine) -> None:
    with pytest.raises(ProofNotPossible, match="the books know none"):
        inclusion_proof(sealed, "t9", DAY)
    with pytest.raises(ProofNotPossible, match=r"among the \d+ entries sealed up to 2026-06-19, but it is entry \d+"):
        inclusion_proof(sealed, "t5", DAY + timedelta(days=3))
    with pytest.raises(ProofNotPossible, match="needs a sealed day up to 2026-06-15, but there is none"):
        consistency_proof(sealed, DAY - timedelta(days=1), DAY)
    with pytest.raises(ProofNotPossible, match="The later day must come second"):
        consistency_proof(sealed, DAY + timedelta(days=1), DAY)


def meddle(books: sa.Engine, statement: str) -> None:
    """Change the store the way somebody with full access to it could."""
    with books.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
        else:
            for verb in ("update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS event_refuses_{verb}")
            connection.commit()
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql(statement)
        connection.commit()
    books.dispose()


def test_books_that_were_meddled_with_prove_nothing(sealed: sa.Engine) -> None:
    proof = inclusion_proof(sealed, "t1", DAY)
    number = proof["entry"]["sequence"]
    meddle(sealed, f"UPDATE event SET entry_hash = '{'ab' * 32}' WHERE sequence = {number}")
    with pytest.raises(LedgerTampered, match="cannot be proven, for the books are no longer those that were signed"):
        inclusion_proof(sealed, "t1", DAY)
    with pytest.raises(LedgerTampered, match="cannot be proven"):
        inclusion_proof(sealed, "t2", DAY)
    meddle(sealed, "DELETE FROM event WHERE sequence = 2")
    with pytest.raises(LedgerTampered, match="or one up to entry"):
        inclusion_proof(sealed, "t2", DAY)


# --- Without any books ---------------------------------------------------------------------------------------------

SIZES = (37, 100)


def _entries() -> list[dict[str, Any]]:
    entries, previous = [], GENESIS_HASH
    for sequence in range(1, SIZES[1] + 1):
        what = {"transfer_id": f"t{sequence}"}
        body = canonical({"sequence": sequence, "business_key": f"transfer:t{sequence}", "what": what}).decode()
        hashed = entry_hash(previous, body.encode())
        entries.append({"sequence": sequence, "body": body, "previous_hash": previous, "entry_hash": hashed})
        previous = hashed
    return entries


ENTRIES = _entries()
LEAVES = leaves_of(bytes.fromhex(entry["entry_hash"]) for entry in ENTRIES)


def checkpoint_of(size: int, key: Any = KEY) -> dict[str, Any]:
    day = DAY + timedelta(days=size)
    root, last = merkle_root(LEAVES[:size]).hex(), ENTRIES[size - 1]["entry_hash"]
    checkpoint = Checkpoint(size, day, "2026-06-16T20:00:00.000000Z", root, last)
    return SignedCheckpoint(checkpoint, public_text(key), sign(key, checkpoint.note())).to_json()


def honest(kind: str, number: int) -> dict[str, Any]:
    size = SIZES[1]
    if kind == INCLUSION:
        path = [found.hex() for found in inclusion_path(LEAVES, number)]
        return {"proof": kind, "entry": dict(ENTRIES[number]), "path": path, "checkpoint": checkpoint_of(size)}
    path = [found.hex() for found in consistency_path(LEAVES, SIZES[0])]
    return {"proof": kind, "path": path, "checkpoint": checkpoint_of(SIZES[0]), "later_checkpoint": checkpoint_of(size)}


def forge(proof: dict[str, Any], chance: random.Random) -> None:
    """Change one thing: in the path, in the entry, in a checkpoint, or which of them stands where."""
    way = chance.randrange(6)
    path: list[Any] = proof["path"]
    if way == 0:
        at = chance.randrange(len(path))
        path[at] = flipped(path[at], chance)
    elif way == 1:
        chance.choice((lambda: path.pop(chance.randrange(len(path))), path.reverse, path.clear))()
    elif way == 2:
        path.insert(chance.randrange(len(path) + 1), chance.choice(LEAVES).hex())
    elif way == 3:
        told = proof[chance.choice([name for name in proof if name.endswith("checkpoint")])]
        name = chance.choice(list(told))
        old = told[name]
        told[name] = old + chance.choice((-1, 1)) if isinstance(old, int) else changed(old, chance)
    elif way == 4 and "entry" in proof:
        name = chance.choice(list(proof["entry"]))
        old = proof["entry"][name]
        proof["entry"][name] = old + chance.choice((-1, 1, 36)) if isinstance(old, int) else changed(old, chance)
    elif way == 4:
        proof["checkpoint"], proof["later_checkpoint"] = proof["later_checkpoint"], proof["checkpoint"]
    elif "entry" in proof:
        proof["entry"] = dict(chance.choice([entry for entry in ENTRIES if entry != proof["entry"]]))
    else:
        proof["later_checkpoint"] = checkpoint_of(chance.choice((1, 36, 38, 64, 99)))


def flipped(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice([digit for digit in "0123456789abcdef" if digit != text[at]]) + text[at + 1 :]


def changed(text: str, chance: random.Random) -> str:
    """Another text: a letter changed, left out or doubled."""
    at = chance.randrange(len(text))
    other = chance.choice([letter for letter in "0123456789abcdefABCDEF-: \n" if letter != text[at]])
    return text[:at] + chance.choice((other, "", text[at] * 2)) + text[at + 1 :]


@pytest.mark.parametrize("kind", [INCLUSION, CONSISTENCY])
def test_ten_thousand_forged_files_are_refused(kind: str) -> None:
    """Of every size and number too: they are in the note that is signed."""
    chance = random.Random(kind)
    honest_ones = [honest(kind, number) for number in (0, 1, 36, 63, 64, 99)]
    for proof in honest_ones:
        check_proof(proof)
    for _ in range(FORGERIES):
        proof = copy.deepcopy(chance.choice(honest_ones))
        before = json.dumps(proof)
        while json.dumps(proof) == before:
            forge(proof, chance)
        with pytest.raises(ProofRefused, match="Nothing is proven"):
            check_proof(proof, [public_text(KEY)])


def test_a_proof_under_a_key_nobody_trusts_is_refused() -> None:
    proof = honest(CONSISTENCY, 0)
    proof["later_checkpoint"] = checkpoint_of(SIZES[1], OTHER_KEY)
    assert len(check_proof(proof).key_ids) == 2
    with pytest.raises(ProofRefused, match=f"bears the key {key_id(public_text(OTHER_KEY))}, none of those"):
        check_proof(proof, [public_text(KEY)])


NONSENSE: list[Any] = [
    None,
    [],
    {},
    "proof",
    {"proof": INCLUSION},
    {"proof": INCLUSION, "path": [], "entry": [], "checkpoint": {}},
    {"proof": CONSISTENCY, "path": ["ab"] * 1000},
    {"proof": CONSISTENCY, "path": [1, None]},
    {"proof": CONSISTENCY, "path": "ab"},
]


@pytest.mark.parametrize("told", NONSENSE)
def test_what_is_no_proof_is_said_to_be_none(told: Any, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(told))
    with pytest.raises(ProofRefused, match="Nothing is proven"):
        check_proof(file)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_file_cut_short_proves_nothing(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(raw)
    with pytest.raises(ProofRefused, match="is not JSON, or only a part of it"):
        check_proof(file)
    with pytest.raises(ProofRefused, match="cannot be read: No such file"):
        check_proof(tmp_path / "none.json")


def test_a_checkpoint_kept_in_a_file_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.json"
    first, last = checkpoint_of(3), checkpoint_of(7)
    for told, expected in ((first, first), ([first, last], last)):
        file.write_text(json.dumps(told))
        assert read_checkpoint(file).to_json() == expected
    file.write_text("[]")
    with pytest.raises(ProofRefused, match="A checkpoint must name its origin"):
        read_checkpoint(file)
