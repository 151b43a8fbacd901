"""Seals of tables: tables that say the same have the same seal, and a change anywhere is traced to its block."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from books.seals import ROWS_PER_BLOCK, Seal, first_broken_block, seal
from domain.errors import DeskError, TableNotSealable

ROWS = 3 * ROWS_PER_BLOCK + 100


def journal(rows: int = ROWS) -> pa.Table:
    """A table like the journal's copy: numbers, texts of some and of many values, days, moments, gaps."""
    numbers = range(rows)
    return pa.table(
        {
            "sequence": pa.array(numbers, pa.int64()),
            "account": pa.array([f"2010.A{n % 97}" for n in numbers], pa.string()),
            "name": pa.array([None if n % 7 == 0 else "名" * (n % 5) for n in numbers], pa.string()),
            "amount_minor": pa.array([None if n % 1000 == 3 else n * n - 5 for n in numbers], pa.int64()),
            "price": pa.array([n / 3 for n in numbers], pa.float64()),
            "is_pending": pa.array([None if n % 11 == 0 else n % 2 == 0 for n in numbers], pa.bool_()),
            "day": pa.array([date(2026, 1, 1 + n % 28) for n in numbers], pa.date32()),
            "known_at": pa.array(
                [datetime(2026, 1, 1, tzinfo=UTC) if n % 3 else None for n in numbers], pa.timestamp("us", "UTC")
            ),
            "amount": pa.array([Decimal(n) / 4 if n % 5 else None for n in numbers], pa.decimal128(20, 2)),
            "hash": pa.array([bytes([n % 256]) * 32 for n in numbers], pa.binary(32)),
            "raw": pa.array([bytes(n % 3) if n % 2 else None for n in numbers], pa.binary()),
        }
    )


TABLE = journal()
SEAL = seal(TABLE)


def slow_blocks(table: pa.Table) -> list[bytes]:
    """Every block from Python's own values, for numbers and texts without gaps."""
    names = "".join(f"{f.name!r} {'large_string' if f.type == pa.string() else f.type}\n" for f in table.schema)
    previous, blocks = blake3(b"lombard seal 1\n" + names.encode()).digest(), []
    for start in range(0, table.num_rows, ROWS_PER_BLOCK):
        rows = table.slice(start, ROWS_PER_BLOCK)
        hashed = previous + rows.num_rows.to_bytes(8, "little")
        for column in rows.columns:
            hashed += b"\xff" * (ROWS_PER_BLOCK // 8)
            values = column.to_pylist()
            if column.type == pa.string():
                encoded = [value.encode() for value in values]
                hashed += b"".join(len(one).to_bytes(4, "little") for one in encoded) + b"".join(encoded)
            else:
                hashed += b"".join(value.to_bytes(8, "little", signed=True) for value in values)
        previous = blake3(hashed).digest()
        blocks.append(previous)
    return blocks


@pytest.mark.parametrize("rows", [0, 1, ROWS_PER_BLOCK - 1, ROWS_PER_BLOCK, ROWS_PER_BLOCK + 1, ROWS])
def test_the_fast_seal_agrees_with_its_slow_twin(rows: int) -> None:
    table = journal(rows).select(["sequence", "account"])
    sealed = seal(table)
    assert list(sealed.blocks) == slow_blocks(table)
    assert sealed.rows == rows
    assert first_broken_block(table, sealed) is None
    if sealed.blocks:
        assert sealed.root == sealed.blocks[-1].hex()
        assert sealed.rows_of(len(sealed.blocks) - 1)[1] == rows


def chunked(table: pa.Table, sizes: list[int]) -> pa.Table:
    pieces, start = [], 0
    for size in sizes:
        pieces.append(table.slice(start, size))
        start += size
    return pa.concat_tables([*pieces, table.slice(start)])


def as_dictionaries(table: pa.Table) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(at, field.name, table[field.name].dictionary_encode())
    return table


def garbage_under_gaps(table: pa.Table) -> pa.Table:
    """Arrow says nothing of what lies where there is no value."""
    values = [7 if value is None else value for value in table["amount_minor"].to_pylist()]
    gaps = pc.is_null(table["amount_minor"]).combine_chunks()
    column = pa.array(values, pa.int64())
    validity = pc.invert(gaps).buffers()[1]
    return table.set_column(
        3, "amount_minor", pa.Array.from_buffers(pa.int64(), len(values), [validity, column.buffers()[1]])
    )


SAME: dict[str, Callable[[pa.Table], pa.Table]] = {
    "in chunks": lambda table: chunked(table, [1, 7, 1500, 0, 64]),
    "cut out of another": lambda table: pa.concat_tables([table.slice(5, 3), table, table.slice(0, 9)]).slice(3, ROWS),
    "with dictionaries": as_dictionaries,
    "with dictionaries, in chunks": lambda table: chunked(as_dictionaries(table), [10, 3000]),
    "with long offsets": lambda table: table.set_column(1, "account", table["account"].cast(pa.large_string())),
    "as views": lambda table: table.set_column(1, "account", table["account"].cast(pa.string_view())),
    "with anything under its gaps": garbage_under_gaps,
    "with validity where all is valid": lambda table: table.set_column(
        0,
        "sequence",
        pa.Array.from_buffers(
            pa.int64(), ROWS, [pa.py_buffer(b"\xff" * (ROWS // 8 + 1)), table["sequence"].chunk(0).buffers()[1]]
        ),
    ),
    "through a file": lambda table: pa.ipc.open_stream(_stream(table)).read_all(),
}


def _stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return sink.getvalue()


@pytest.mark.parametrize("how", SAME)
def test_tables_that_say_the_same_have_the_same_seal(how: str) -> None:
    same = SAME[how](TABLE)
    assert same.to_pylist() == TABLE.to_pylist()
    assert seal(same) == SEAL
    assert first_broken_block(same, SEAL) is None


@given(st.lists(st.integers(0, 2000), max_size=6))
def test_a_seal_does_not_depend_on_how_a_table_is_cut(sizes: list[int]) -> None:
    assert seal(chunked(TABLE, sizes)) == SEAL


OTHER_VALUES: dict[str, Any] = {
    "sequence": -1,
    "account": "2010.B",
    "name": "别的",
    "amount_minor": 12345,
    "price": 0.1,
    "is_pending": None,
    "day": date(2027, 1, 1),
    "known_at": datetime(2027, 1, 1, tzinfo=UTC),
    "amount": Decimal("9.99"),
    "hash": b"x" * 32,
    "raw": b"1234",
}


@pytest.mark.parametrize("row", [0, 1, ROWS_PER_BLOCK - 1, ROWS_PER_BLOCK, 2 * ROWS_PER_BLOCK + 5, ROWS - 1])
@pytest.mark.parametrize("name", OTHER_VALUES)
def test_a_change_anywhere_is_traced_to_its_block(name: str, row: int) -> None:
    values = TABLE[name].to_pylist()
    values[row] = None if row == 1 and values[row] is not None else OTHER_VALUES[name]
    if values[row] == TABLE[name][row].as_py():
        values[row] = True
    at = TABLE.schema.get_field_index(name)
    changed = TABLE.set_column(at, TABLE.field(name), pa.array(values, TABLE.schema.field(name).type))
    assert first_broken_block(changed, SEAL) == row // ROWS_PER_BLOCK


def test_a_gap_is_not_a_zero_and_a_text_not_its_neighbours_end() -> None:
    def sealed(values: list[Any], kind: pa.DataType) -> Seal:
        return seal(pa.table({"column": pa.array(values, kind)}))

    assert sealed([0], pa.int64()) != sealed([None], pa.int64())
    assert sealed([""], pa.string()) != sealed([None], pa.string())
    assert sealed(["ab", "c"], pa.string()) != sealed(["a", "bc"], pa.string())
    assert sealed([1], pa.int64()) != sealed([1], pa.int32())
    assert sealed([True], pa.bool_()) != sealed([1], pa.uint8())


ROW_EDITS: dict[str, tuple[Callable[[], pa.Table], int]] = {
    "a row taken out": (lambda: pa.concat_tables([TABLE.slice(0, 1500), TABLE.slice(1501)]), 1),
    "a row put in": (lambda: pa.concat_tables([TABLE.slice(0, 2100), TABLE.slice(7, 1), TABLE.slice(2100)]), 2),
    "two rows exchanged": (lambda: TABLE.take([*range(10), 11, 10, *range(12, ROWS)]), 0),
    "rows added": (lambda: pa.concat_tables([TABLE, TABLE.slice(0, 5)]), 3),
    "the end cut off in a block": (lambda: TABLE.slice(0, ROWS - 1), 3),
    "the end cut off at a block": (lambda: TABLE.slice(0, 2 * ROWS_PER_BLOCK), 2),
    "everything taken out": (lambda: TABLE.slice(0, 0), 0),
    "a column renamed": (lambda: TABLE.rename_columns(["number", *TABLE.column_names[1:]]), 0),
    "a column taken out": (lambda: TABLE.drop_columns(["price"]), 0),
    "columns exchanged": (lambda: TABLE.select(TABLE.column_names[::-1]), 0),
}


@pytest.mark.parametrize("edit", ROW_EDITS)
def test_rows_and_columns_that_came_or_went_are_found(edit: str) -> None:
    changed, block = ROW_EDITS[edit]
    assert first_broken_block(changed(), SEAL) == block


def test_a_seal_that_was_changed_answers_to_its_root() -> None:
    blocks = (*SEAL.blocks[:1], bytes(32), *SEAL.blocks[2:])
    assert first_broken_block(TABLE, Seal(SEAL.rows, blocks, SEAL.root)) == 1
    richer = TABLE.set_column(0, "sequence", pc.add(TABLE["sequence"], 1))
    forged = Seal(SEAL.rows, seal(richer).blocks, SEAL.root)
    assert first_broken_block(richer, forged) == 3


def test_a_table_that_grew_keeps_the_blocks_it_had() -> None:
    assert seal(pa.concat_tables([TABLE, TABLE])).blocks[:3] == SEAL.blocks[:3]


def test_a_seal_is_kept_as_json() -> None:
    assert Seal.from_json(json.loads(json.dumps(SEAL.to_json()))) == SEAL


def test_a_column_without_plain_values_is_refused() -> None:
    with pytest.raises(TableNotSealable, match=r"but legs is of type list.*Nothing was sealed") as found:
        seal(pa.table({"legs": pa.array([[1, 2]])}))
    assert isinstance(found.value, DeskError)
