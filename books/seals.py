"""The seal of a whole table of the journal's copies: a BLAKE3 chain over its columns, a block of rows at a time.

The books' own chain has one SHA-256 per entry and proves single entries; that costs several times what it takes to load
the lines somewhere else. A copy only has to be known for what it was: here the bytes of the columns are hashed as they
lie in memory, and a change anywhere is traced to its block. Tables that say the same have the same seal, however their
columns are cut into chunks, offset, or encoded as dictionaries.

Source: O'Connor, Aumasson, Neves and Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere" (2020).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3

from domain.errors import TableNotSealable

ROWS_PER_BLOCK: Final = 1_024
"""Rows of a block; a multiple of 8, so that a block's validity begins at a whole byte."""

_FORMAT: Final = b"lombard seal 1\n"
_ALL_VALID: Final = b"\xff" * (ROWS_PER_BLOCK // 8)


@dataclass(frozen=True, slots=True)
class Seal:
    """The seal of a table: how many rows it has, and the chain of its blocks; ``root`` stands for all of it."""

    rows: int
    blocks: tuple[bytes, ...]
    root: str

    def rows_of(self, block: int) -> tuple[int, int]:
        """The rows of a block, from the first up to but without the last."""
        return block * ROWS_PER_BLOCK, min((block + 1) * ROWS_PER_BLOCK, self.rows)

    def to_json(self) -> dict[str, Any]:
        """As it is kept beside the table."""
        return {"rows": self.rows, "root": self.root, "blocks": [block.hex() for block in self.blocks]}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Seal":
        """As it was kept."""
        return cls(int(told["rows"]), tuple(map(bytes.fromhex, told["blocks"])), str(told["root"]))


def seal(table: pa.Table) -> Seal:
    """Seal a table; raises :class:`TableNotSealable` for columns that are not of plain values."""
    blocks = tuple(_chain(table))
    return Seal(table.num_rows, blocks, (blocks[-1] if blocks else _start(table)).hex())


def first_broken_block(table: pa.Table, sealed: Seal) -> int | None:
    """The first block, from 0, that is not as it was when the table was sealed, or None.

    A table with other columns is broken from its first block on. Blocks after the first are not compared: each is
    chained to the one before.
    """
    found = -1
    for found, block in enumerate(_chain(table)):
        if found >= len(sealed.blocks) or block != sealed.blocks[found]:
            return found
    if found + 1 < len(sealed.blocks):
        return found + 1
    # Whoever changes blocks in the seal itself has to answer to the root, which is kept elsewhere.
    last = sealed.blocks[-1] if sealed.blocks else _start(table)
    return None if last.hex() == sealed.root else max(found, 0)


def _chain(table: pa.Table) -> Iterator[bytes]:
    """The hash of each block: of the one before, how many rows, and the values of every column."""
    columns = [_column(table.field(at), table.column(at)) for at in range(table.num_columns)]
    previous = _start(table)
    for start in range(0, table.num_rows, ROWS_PER_BLOCK):
        end = min(start + ROWS_PER_BLOCK, table.num_rows)
        block = blake3(previous)
        block.update((end - start).to_bytes(8, "little"))
        for column in columns:
            column.add(block, start, end)
        previous = block.digest()
        yield previous


def _start(table: pa.Table) -> bytes:
    """What the first block is chained to: the names and types of the columns."""
    names = "".join(f"{field.name!r} {_plain_type(field)}\n" for field in table.schema)
    return blake3(_FORMAT + names.encode()).digest()


@dataclass(frozen=True, slots=True)
class _Column:
    """A column laid out one way: a bit per row for whether there is a value, and the bytes of the values.

    Where values differ in length, ``offsets`` says where each begins, and ``lengths`` is hashed before the bytes.
    """

    width: int
    values: memoryview
    validity: memoryview | None
    offsets: np.ndarray[Any, Any] | None = None
    lengths: memoryview | None = None

    def add(self, block: Any, start: int, end: int) -> None:
        """Hash rows ``start`` up to ``end``."""
        if self.validity is None:
            block.update(_ALL_VALID)
        else:
            block.update(self.validity[start // 8 : (end + 7) // 8])
        if self.offsets is None or self.lengths is None:
            block.update(self.values[start * self.width : end * self.width])
        else:
            block.update(self.lengths[start * 4 : end * 4])
            block.update(self.values[self.offsets[start] : self.offsets[end]])


def _plain_type(field: pa.Field) -> pa.DataType:
    """The one type of all that hold the same values: dictionaries decoded, texts with long offsets."""
    found = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found):
        return pa.large_string()
    if pa.types.is_binary(found) or pa.types.is_large_binary(found) or pa.types.is_binary_view(found):
        return pa.large_binary()
    if pa.types.is_boolean(found):
        return pa.bool_()
    if not (pa.types.is_primitive(found) or pa.types.is_decimal(found) or pa.types.is_fixed_size_binary(found)):
        raise TableNotSealable(
            f"A table is sealed over columns of numbers, texts, days and moments, but {field.name} is of type "
            f"{field.type}. Nothing was sealed; lay that column out as plain ones first."
        )
    return found


def _column(field: pa.Field, chunks: pa.ChunkedArray) -> _Column:
    """Lay a column out; a slot without a value is filled with nothing, for what lies there is no part of the table."""
    plain = _plain_type(field)
    column = (chunks if chunks.type == plain else chunks.cast(plain)).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], plain)
    validity = None
    if column.null_count:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        validity = memoryview(np.packbits(valid, bitorder="little").tobytes())
        column = pc.fill_null(column, _nothing(plain))
    if plain in (pa.large_string(), pa.large_binary()):
        return _of_text(column, validity)
    if pa.types.is_boolean(plain):
        column = column.cast(pa.uint8())
    width = column.type.bit_width // 8
    values = memoryview(column.buffers()[1] or b"").cast("B")
    return _Column(width, values[column.offset * width : (column.offset + len(column)) * width], validity)


def _of_text(column: pa.Array, validity: memoryview | None) -> _Column:
    _, ends, values = column.buffers()
    offsets = np.frombuffer(ends or bytes(8), np.int64)[column.offset : column.offset + len(column) + 1]
    lengths: Any = np.diff(offsets).astype("<u4")
    return _Column(0, memoryview(values or b"").cast("B"), validity, offsets, memoryview(lengths).cast("B"))


def _nothing(plain: pa.DataType) -> pa.Scalar:
    """What is put where there is no value: bytes that are all zero, or no bytes at all."""
    if plain in (pa.large_string(), pa.large_binary()):
        return pa.scalar(b"").cast(plain)
    return pa.Array.from_buffers(plain, 1, [None, pa.py_buffer(bytes(64))])[0]
