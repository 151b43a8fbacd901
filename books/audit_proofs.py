"""Proofs somebody outside can check alone: that one transfer is among the entries of a signed day, and that the books
of one signed day are the start of those of another.
"""  # noqa: D205

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from books.audit_chain import Fault, entry_hashes, tampered
from books.checkpoints import SignedCheckpoint, signed_checkpoints
from books.engine import Books, reading
from books.schema import event
from books.signatures import key_id
from domain.audit import (
    Finding,
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaves_of,
)
from domain.errors import ProofNotPossible, ProofRefused
from domain.ledger import GENESIS_HASH, entry_hash

INCLUSION: Final = "lombard inclusion proof 1"
CONSISTENCY: Final = "lombard consistency proof 1"

KINDS_OF_TRANSFER: Final = ("transfer", "security_transfer")
"""The kinds of entries a transfer may be, in the order they are looked for."""

_PATH_HASHES_MAX: Final = 128
"""More hashes than any proof over entries counted in 64 bits can have."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves, and under which keys; ``words`` say it in a sentence."""

    words: str
    key_ids: tuple[str, ...]
    body: Mapping[str, Any] | None = None


def inclusion_proof(books: Books, transfer_id: str, day: date) -> dict[str, Any]:
    """The proof that a transfer is among the entries of the last day sealed up to ``day``, fit for a file."""
    with reading(books) as connection:
        entry = _entry(connection, [f"{kind}:{transfer_id}" for kind in KINDS_OF_TRANSFER])
        if entry is None:
            raise ProofNotPossible(
                f"The proof should be of transfer {transfer_id}, but the books know none. Nothing was written; look "
                f"the transfer up, and ask again."
            )
        signed = _sealed(connection, day)
        index, size = entry["sequence"] - 1, signed.checkpoint.tree_size
        if index >= size:
            raise ProofNotPossible(
                f"Transfer {transfer_id} should be among the {size} entries sealed up to {day}, but it is entry "
                f"{index + 1}. Nothing was written; seal the day it was booked on, and ask for that day or a later one."
            )
        before = sa.select(event.c.entry_hash).where(event.c.sequence == index)
        entry["previous_hash"] = connection.execute(before).scalar_one_or_none() if index else GENESIS_HASH
        path = [_root(connection, start, end) for start, end in inclusion_ranges(index, size)]
        proof = {"proof": INCLUSION, "entry": entry, "path": path, "checkpoint": signed.to_json()}
        return _sound(proof, entry["sequence"])


def consistency_proof(books: Books, day: date, later_day: date) -> dict[str, Any]:
    """The proof that what was sealed up to ``later_day`` begins with what was sealed up to ``day``, fit for a file."""
    with reading(books) as connection:
        old, new = _sealed(connection, day), _sealed(connection, later_day)
        size, new_size = old.checkpoint.tree_size, new.checkpoint.tree_size
        if size > new_size:
            raise ProofNotPossible(
                f"The later day must come second, but {day} is after {later_day}. Nothing was written; exchange them."
            )
        path = [_root(connection, start, end) for start, end in consistency_ranges(size, new_size)]
        proof = {"proof": CONSISTENCY, "path": path, "checkpoint": old.to_json(), "later_checkpoint": new.to_json()}
        return _sound(proof, size)


def check_proof(proof: Mapping[str, Any] | Path, public_keys: Collection[str] = ()) -> Proven:
    """Check a proof, or a file with one, without any books; raises :class:`ProofRefused` where it does not prove it.

    ``public_keys`` are those to be trusted; with none named, the proof is only as good as the keys it brings along.
    """
    told = _told(proof)
    kind = told.get("proof")
    if kind == INCLUSION:
        return verify_inclusion(told, public_keys)
    if kind == CONSISTENCY:
        return verify_consistency(told, public_keys)
    raise _refused(f"it should name itself {INCLUSION!r} or {CONSISTENCY!r}, but names {str(kind)[:60]!r}")


def verify_inclusion(proof: Mapping[str, Any] | Path, public_keys: Collection[str] = ()) -> Proven:
    """Check that the entry a proof shows is among those its checkpoint was signed over."""
    told = _told(proof)
    entry, path = told.get("entry"), _hashes(told.get("path"))
    signed = _signed(told.get("checkpoint"), public_keys)
    if not isinstance(entry, Mapping):
        raise _refused("it shows no entry")
    sequence, body = entry.get("sequence"), entry.get("body")
    previous, hashed = _hashes([entry.get("previous_hash"), entry.get("entry_hash")])
    try:
        what = json.loads(str(body))
        is_entry = (
            type(sequence) is int
            and entry_hash(previous.hex(), str(body).encode()) == hashed.hex()
            and what["sequence"] == sequence
        )
    except (ValueError, TypeError, KeyError):
        is_entry = False
    if not is_entry:
        raise _refused("the entry it shows does not have the hash or the number it gives")
    assert isinstance(sequence, int), "an entry has a number"
    size, root = signed.checkpoint.tree_size, bytes.fromhex(signed.checkpoint.root_hash)
    (leaf,) = leaves_of([hashed])
    if not is_included(leaf, sequence - 1, size, path, root):
        raise _refused(f"its hashes do not lead from entry {sequence} to the root of {size} entries that was signed")
    words = (
        f"Entry {sequence}, {what.get('business_key')}, is among the {size} entries sealed for "
        f"{signed.checkpoint.booked_on}."
    )
    return Proven(words, (key_id(signed.public_key),), what)


def verify_consistency(proof: Mapping[str, Any] | Path, public_keys: Collection[str] = ()) -> Proven:
    """Check that the entries of a proof's later checkpoint begin with those of the earlier one."""
    told = _told(proof)
    path = _hashes(told.get("path"))
    old, new = _signed(told.get("checkpoint"), public_keys), _signed(told.get("later_checkpoint"), public_keys)
    first, second = old.checkpoint, new.checkpoint
    roots = bytes.fromhex(first.root_hash), bytes.fromhex(second.root_hash)
    if not is_consistent(first.tree_size, roots[0], second.tree_size, roots[1], path):
        raise _refused(
            f"its hashes do not show the {first.tree_size} entries signed for {first.booked_on} to be the start of the "
            f"{second.tree_size} signed for {second.booked_on}"
        )
    if first.booked_on > second.booked_on:
        raise _refused(f"it has {second.booked_on} after {first.booked_on}")
    words = (
        f"The {second.tree_size} entries sealed for {second.booked_on} begin with the {first.tree_size} sealed for "
        f"{first.booked_on}, unchanged."
    )
    return Proven(words, tuple(dict.fromkeys((key_id(old.public_key), key_id(new.public_key)))))


def write_proof(proof: Mapping[str, Any], file: Path) -> None:
    """Write a proof to a file, as its checker reads it."""
    file.write_text(json.dumps(proof, indent=1) + "\n", encoding="ascii")


def read_checkpoint(file: Path) -> SignedCheckpoint:
    """The checkpoint somebody kept in a file; of several, as an export has them, the last."""
    told = _read(file)
    return SignedCheckpoint.from_json(told[-1] if isinstance(told, list) and told else told)


def _sealed(connection: sa.Connection, day: date) -> SignedCheckpoint:
    signed = signed_checkpoints(connection, day)
    if not signed:
        raise ProofNotPossible(
            f"A proof needs a sealed day up to {day}, but there is none. Nothing was written; seal a day with "
            f"`lombard seal`, and ask again."
        )
    return signed[-1]


def _entry(connection: sa.Connection, business_keys: Collection[str]) -> dict[str, Any] | None:
    query = sa.select(event.c.sequence, event.c.body, event.c.entry_hash)
    row = connection.execute(query.where(event.c.business_key.in_(business_keys)).order_by(event.c.sequence)).first()
    return dict(row._mapping) if row else None


def _root(connection: sa.Connection, start: int, end: int) -> str:
    """The root over leaves ``start`` (from 0) up to ``end``."""
    frontier = Frontier()
    for hashes in entry_hashes(connection, start + 1, end):
        frontier.extend(leaves_of(hashes))
    return frontier.root().hex()


def _sound(proof: dict[str, Any], sequence: int) -> dict[str, Any]:
    """The proof, if it proves anything: one from books that were meddled with does not."""
    try:
        check_proof(proof)
    except ProofRefused as problem:
        words = f"cannot be proven, for the books are no longer those that were signed: {problem}"
        raise tampered(Fault(sequence, Finding.root_must_be_that_of_the_entries, words)) from None
    return proof


def _signed(told: Any, public_keys: Collection[str]) -> SignedCheckpoint:
    signed = SignedCheckpoint.from_json(told)
    if not signed.is_signed():
        raise _refused(f"its checkpoint of {signed.checkpoint.booked_on} does not bear the signature of its key")
    if public_keys and signed.public_key not in public_keys:
        raise _refused(f"its checkpoint bears the key {key_id(signed.public_key)}, none of those to be trusted")
    return signed


def _hashes(told: Any) -> list[bytes]:
    if not isinstance(told, list) or len(told) > _PATH_HASHES_MAX:
        raise _refused("it has no list of hashes")
    try:
        found = [bytes.fromhex(one) for one in told]
    except (TypeError, ValueError):
        raise _refused("some of its hashes are none") from None
    if [one.hex() for one in found] != told:
        raise _refused("some of its hashes are not written the one way hashes are")
    return found


def _told(proof: Mapping[str, Any] | Path) -> Mapping[str, Any]:
    told = _read(proof) if isinstance(proof, Path) else proof
    if not isinstance(told, Mapping):
        raise _refused("it has another form than proofs have")
    return told


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="ascii"))
    except OSError as problem:
        raise _refused(f"{file} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError):
        raise _refused(f"{file} is not JSON, or only a part of it") from None


def _refused(why: str) -> ProofRefused:
    return ProofRefused(
        f"A proof must show, with nothing but itself and a key, what it says, but this one does not: {why}. Nothing is "
        f"proven; ask for the proof again, and for the desk's public key from somebody else."
    )
