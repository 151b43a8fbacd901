"""The history in a folder an auditor takes away: entries as Parquet, signed checkpoints, keys, and a manifest.

A folder appears under its name whole or not at all, and the same books always give the same bytes. What an entry says
is its body; nothing else of the store is needed to prove the history, and nothing else is handed out.
"""

import hashlib
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from books.audit_chain import ENTRIES_PER_PIECE
from books.checkpoints import signed_checkpoints
from books.engine import Books, reading
from books.journal import ledger_head
from books.schema import event
from domain.audit import ORIGIN
from domain.errors import DeskNotReady

PIECES_PER_PART: Final = 16
"""A file of entries holds so many pieces, each a row group of its own: about a million entries."""

ENTRIES_PER_PART: Final = PIECES_PER_PART * ENTRIES_PER_PIECE
"""How many entries a file holds."""

FORMAT: Final = 1
"""Version of the folder's form."""

SCHEMA: Final = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("entry_hash", pa.string(), nullable=False),
    ]
)
"""The columns of a file of entries."""

_README: Final = f"""{ORIGIN}: the history of the books, exported for an auditor

events/          the entries, in order: sequence, body, entry_hash
checkpoints.json the days that were signed
keys.json        the public keys that signed them (Ed25519, base64 of the 32 bytes)
manifest.json    how many entries there are, the last one, and the SHA-256 of every other file

To check an entry: its hash is the SHA-256 of the 32 bytes of the hash before it (zeros before entry 1) and the bytes of
its body. To check a checkpoint: its root is that of the Merkle tree of RFC 6962 over the hashes of its first tree_size
entries, and its signature is over six lines, each ended by a line feed: {ORIGIN}, tree_size, booked_on, signed_at,
root_hash, entry_hash. Or let `lombard verify --export FOLDER` do all of it, without the desk's database or network.
"""


def export_audit(books: Books, folder: Path, until: date | None = None) -> Path:
    """Write the history, or that up to the end of a day, into a new folder; raises :class:`DeskNotReady`."""
    if folder.exists():
        raise DeskNotReady(
            f"The history is exported into a folder of its own, but {folder} is there already. Nothing was written; "
            f"name a folder that is not there."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    shutil.rmtree(staged, ignore_errors=True)
    try:
        with reading(books) as connection:
            _write(connection, staged, until)
        for file in sorted([staged, *staged.rglob("*")]):
            _sync(file)
        staged.rename(folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    _sync(folder.parent)
    return folder


def _write(connection: sa.Connection, folder: Path, until: date | None) -> None:
    (folder / "events").mkdir(parents=True)
    head = ledger_head(connection, until)
    for number, first in enumerate(range(1, head.sequence + 1, ENTRIES_PER_PART), start=1):
        last = min(first + ENTRIES_PER_PART - 1, head.sequence)
        with pq.ParquetWriter(
            folder / part_name(number), SCHEMA, compression="zstd", write_page_checksum=True
        ) as writer:
            for start in range(first, last + 1, ENTRIES_PER_PIECE):
                writer.write_table(_table(connection, start, min(start + ENTRIES_PER_PIECE - 1, last)))
    signed = signed_checkpoints(connection, until)
    _write_json(folder / "checkpoints.json", [one.to_json() for one in signed])
    _write_json(folder / "keys.json", list(dict.fromkeys(one.public_key for one in signed)))
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    files = {
        file.relative_to(folder).as_posix(): {"sha256": file_hash(file), "bytes": file.stat().st_size}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    told = {"origin": ORIGIN, "format": FORMAT, "entries": head.sequence, "entry_hash": head.entry_hash}
    _write_json(folder / "manifest.json", {**told, "until": until.isoformat() if until else None, "files": files})


def part_name(number: int) -> str:
    """The file, from 1, that entries stand in."""
    return f"events/part-{number:05d}.parquet"


def _table(connection: sa.Connection, first: int, last: int) -> pa.Table:
    """Entries as they stand in the store, right or wrong: whoever verifies the export is to see what there was."""
    query = sa.select(event.c.sequence, event.c.body, event.c.entry_hash).where(event.c.sequence.between(first, last))
    rows = connection.execute(query.order_by(event.c.sequence)).all()
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def file_hash(file: Path) -> str:
    """SHA-256 of a file, as the manifest names it."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _write_json(file: Path, told: object) -> None:
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="ascii")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
