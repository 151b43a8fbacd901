"""The history in the folder of an export, proven without the store it came from."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from books.audit_chain import ENTRIES_PER_PIECE, Fault, Piece, follow, tampered
from books.audit_export import ENTRIES_PER_PART, FORMAT, PIECES_PER_PART, SCHEMA, file_hash, part_name
from books.checkpoints import SignedCheckpoint
from books.projections import Key, Moved
from domain.audit import ORIGIN, Finding, Frontier
from domain.errors import DeskNotReady
from domain.ledger import GENESIS_HASH, entry_hash

Group = tuple[Any, list[str], list[str]]
"""The sequences, bodies and hashes of a piece."""

_AS_EXPORTED: Final = Finding.file_must_be_as_it_was_exported


class Exported:
    """The history in a folder; what it says of itself is believed only as far as entries and signatures bear it out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[int, Group] = {}
        self.manifest = self._json("manifest.json", dict)
        if self.manifest.get("origin") != ORIGIN or self.manifest.get("format") != FORMAT:
            raise self._no_export(f"its manifest is of {self.manifest.get('origin')!r}")
        told = self._json("checkpoints.json", list)
        self.checkpoints: Sequence[SignedCheckpoint] = [SignedCheckpoint.from_json(one) for one in told]
        self.entries = sum(self._rows(number) for number in range(1, self._parts() + 1))

    def check(self, first: int, last: int, sealed: Collection[int]) -> Piece:
        """Check entries ``first`` to ``last``: their numbers, and that each follows from the one before it."""
        piece = Piece(first, last)
        try:
            previous = self._group(first - 2)[2][-1] if first > 1 else GENESIS_HASH
            sequences, bodies, hashes = self._group(first - 1)
        except _Unreadable as problem:
            piece.fault = Fault(first, _AS_EXPORTED, str(problem))
            return piece
        if len(sequences) == last - first + 1 and np.array_equal(sequences, np.arange(first, last + 1)):
            try:
                found = follow(previous, [body.encode() for body in bodies], "".join(hashes))
            except ValueError:  # What should be the hash before the first is none.
                found = None
            if found is not None:
                piece.extend(found, sealed)
                return piece
        piece.fault = _first_fault(first, last, previous, list(zip(map(int, sequences), bodies, hashes, strict=True)))
        return piece

    def entry(self, sequence: int) -> tuple[str, date] | None:
        """The hash of an entry and the day it was booked on."""
        if not 0 < sequence <= self.entries:
            return None
        at = (sequence - 1) % ENTRIES_PER_PIECE
        try:
            _, bodies, hashes = self._group(sequence - 1)
            return hashes[at], date.fromisoformat(json.loads(bodies[at])["booked_on"])
        except _Unreadable as problem:
            raise tampered(Fault(sequence, _AS_EXPORTED, str(problem))) from None
        except (ValueError, TypeError, KeyError):
            words = "has a body that is not written the one way entries are written"
            raise tampered(Fault(sequence, Finding.body_must_be_canonical, words)) from None

    def check_rest(self, trees: dict[int, Frontier], moved: dict[Key, Moved]) -> int:
        """Check that the folder is as its manifest says: every file, and how many entries; it has no projections."""
        del trees, moved
        files = self.manifest.get("files")
        if not isinstance(files, dict):
            raise self._no_export("its manifest names no files")
        there = {file.relative_to(self.folder).as_posix() for file in self.folder.rglob("*") if file.is_file()}
        for name in sorted(there.symmetric_difference([*files, "manifest.json"])):
            raise _other_file(name, "is missing" if name in files else "is not named in the manifest")
        for name, told in sorted(files.items()):
            if not isinstance(told, Mapping) or file_hash(self.folder / name) != told.get("sha256"):
                raise _other_file(name, "is not the one that was exported")
        last = self.entry(self.entries)
        counted = (self.entries, last[0] if last else GENESIS_HASH)
        if counted != (self.manifest.get("entries"), self.manifest.get("entry_hash")):
            words = f"is the last of the export, but its manifest counts {self.manifest.get('entries')}"
            raise tampered(Fault(self.entries, _AS_EXPORTED, words))
        return 0

    def _parts(self) -> int:
        return len(list((self.folder / "events").glob("part-*.parquet")))

    def _rows(self, number: int) -> int:
        try:
            return int(_file(self.folder / part_name(number)).metadata.num_rows)
        except _Unreadable as problem:
            raise tampered(Fault((number - 1) * ENTRIES_PER_PART + 1, _AS_EXPORTED, str(problem))) from None

    def _group(self, index: int) -> Group:
        """The piece that entry ``index`` (from 0) is in; the last two are kept, for they are asked for in turn."""
        piece = index // ENTRIES_PER_PIECE
        if piece not in self._read:
            while len(self._read) > 1:
                self._read.pop(next(iter(self._read)))
            part = self.folder / part_name(piece // PIECES_PER_PART + 1)
            self._read[piece] = _group_of(part, piece % PIECES_PER_PART)
        return self._read[piece]

    def _json(self, name: str, form: type) -> Any:
        try:
            told = json.loads((self.folder / name).read_text(encoding="ascii"))
        except OSError as problem:
            raise self._no_export(f"{name} cannot be read: {problem.strerror}") from None
        except ValueError:
            raise self._no_export(f"{name} is not JSON, or only a part of it") from None
        if not isinstance(told, form):
            raise self._no_export(f"{name} has another form")
        return told

    def _no_export(self, why: str) -> DeskNotReady:
        return DeskNotReady(
            f"The folder {self.folder} should be an export of the books' history, form {FORMAT}, but {why}. "
            f"Nothing was checked; name the folder, or ask for the export again."
        )


class _Unreadable(Exception):
    """A file of entries that is missing, damaged or laid out in another way."""


def _file(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as problem:
        raise _Unreadable(f"stands in {path.name}, which cannot be read: {problem}") from None


def _group_of(path: Path, group: int) -> Group:
    try:
        with _file(path) as file:
            table = file.read_row_group(group)
    except (OSError, pa.ArrowException) as problem:
        raise _Unreadable(f"stands in {path.name}, which is damaged or of another form: {problem}") from None
    if not table.schema.equals(SCHEMA):
        raise _Unreadable(f"stands in {path.name}, which has other columns than entries have")
    return table["sequence"].to_numpy(), table["body"].to_pylist(), table["entry_hash"].to_pylist()


def _first_fault(first: int, last: int, previous: str, rows: Sequence[tuple[int, str, str]]) -> Fault | None:
    """The slow and obvious way, entry by entry."""
    for at, sequence in enumerate(range(first, last + 1)):
        if at >= len(rows) or rows[at][0] != sequence:
            words = "does not follow from the entries before it: it is missing"
            return Fault(sequence, Finding.sequence_must_have_no_gap, words)
        _, body, claimed = rows[at]
        try:
            follows = entry_hash(previous, body.encode()) == claimed
        except ValueError:
            follows = False
        if not follows:
            words = "does not follow from the entries before it: it has another hash than it gives"
            return Fault(sequence, Finding.entry_must_follow, words)
        previous = claimed
    raise AssertionError("what does not hold of many entries does not hold of one of them")


def _other_file(name: str, words: str) -> Exception:
    return tampered(Fault(0, _AS_EXPORTED, f"and its export hang together by their files, yet {name} {words}"))
