"""A lake and a small warehouse of this test's own, and rows in the columns of any table of the lake."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from assets.lake import Lake
from assets.schemas import TABLES

DAY = date(2026, 6, 17)
KNOWN_AT = datetime(2026, 6, 17, 21, 0, tzinfo=UTC)
ORDINARY: dict[pa.DataType, Any] = {
    pa.string(): "any", pa.int64(): 1, pa.float64(): 0.5, pa.bool_(): False, pa.date32(): DAY,
    pa.timestamp("us", tz="UTC"): KNOWN_AT,
}  # fmt: skip


@pytest.fixture
def rows_of() -> Callable[..., pd.DataFrame]:
    """Rows of a table of the lake; columns a test does not speak of hold something ordinary."""

    def build(table: str, *told: dict[str, Any]) -> pd.DataFrame:
        ordinary = {column.name: ORDINARY[column.type] for column in TABLES[table]} | {"source": "synthetic"}
        for row in told:
            assert not set(row) - set(ordinary), f"{table} has no column {set(row) - set(ordinary)}"
        return pd.DataFrame([ordinary | row for row in told], columns=TABLES[table].names)

    return build


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an empty lake, to be shared by every test that wants one: no file of a lake is changed in place."""
    root = tmp_path_factory.mktemp("empty") / "lake"
    Lake(root, root.with_name("warehouse.duckdb")).prepare()
    return root


@pytest.fixture
def lake(tmp_path: Path, empty_lake: Path) -> Lake:
    """An empty lake."""
    shutil.copytree(empty_lake, tmp_path / "lake", copy_function=os.link)
    return Lake(tmp_path / "lake", tmp_path / "warehouse.duckdb")


@pytest.fixture
def build_views(lake: Lake) -> Callable[..., None]:
    """Put frames into the warehouse under the names of the views dbt would build."""

    def build(**frames: pd.DataFrame) -> None:
        with duckdb.connect(str(lake.warehouse)) as connection:
            for name, rows in frames.items():
                connection.register("rows", pa.Table.from_pandas(rows, preserve_index=False))
                connection.execute(f"create or replace table {name} as select * from rows")

    return build
