"""Habits of the tables: units in the names, and every column explained once."""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from assets.schemas import TABLES

COUNTS = {
    "line", "item", "tree_size", "sequence", "observations", "accounts", "accounts_in_call", "scenarios", "days",
    "basis_days", "internal_value", "external_value", "difference", "structuring_hours", "structuring_count",
    "velocity_hours", "burst_multiple", "device_accounts",
}  # fmt: skip
"""Whole numbers without a unit: they count things, or their unit depends on the row's subject."""

SCORES = {"qlike", "rmse", "mae", "drift_score", "drift_threshold"}
"""Floats whose unit is that of a score; what each measures is said in docs/numbers.md."""

SUFFIXES = {
    pa.int64(): ("_minor", "_e4", "_e8", "_shares", "_days"),
    pa.float64(): ("_ratio",),
    pa.timestamp("us", tz="UTC"): ("_at",),
    pa.date32(): ("_date", "_on", "_until"),
    pa.bool_(): ("is_", "has_"),
}

MARTS = Path("dbt_project/models/marts")
DICTIONARY = Path("dbt_project/models/_columns.md")


@pytest.fixture(scope="session")
def marts(texts: dict[Path, str]) -> list[tuple[Path, dict[str, Any]]]:
    """Every model described beside the marts, with the file that describes it."""
    described = [
        (file, model)
        for file, text in texts.items()
        if MARTS in file.parents and file.suffix == ".yml"
        for model in yaml.safe_load(text).get("models", [])
    ]
    assert described, "the marts are described"
    return described


def test_every_column_of_the_lake_carries_its_unit() -> None:
    nameless = [
        f"{table}.{column.name} is {column.type}"
        for table, schema in TABLES.items()
        for column in schema
        if column.type in SUFFIXES and not _carries_unit(column)
    ]
    assert nameless == []


def test_every_row_of_the_lake_knows_its_circumstances() -> None:
    assert [
        table for table, schema in TABLES.items() if not {"source", "as_of_date", "known_at"} <= set(schema.names)
    ] == []


def test_every_table_is_named_by_whose_and_what() -> None:
    assert [table for table in TABLES if not re.fullmatch(r"(raw|calc)_[a-z]+__[a-z]+(_[a-z]+)*", table)] == []


def test_every_mart_is_described_beside_its_sql(
    texts: dict[Path, str], marts: list[tuple[Path, dict[str, Any]]]
) -> None:
    described = {model["name"] for _, model in marts}
    assert [
        str(file) for file in texts if MARTS in file.parents and file.suffix == ".sql" and file.stem not in described
    ] == []


def test_every_column_of_a_mart_is_explained_in_the_dictionary(
    texts: dict[Path, str], marts: list[tuple[Path, dict[str, Any]]]
) -> None:
    explained = re.findall(r"{% docs (\w+) %}", texts[DICTIONARY])
    unexplained = [
        f"{model['name']}.{column['name']}"
        for _, model in marts
        for column in model.get("columns", [])
        if not (cited := re.fullmatch(r"\{\{ doc\(['\"](\w+)['\"]\) \}\}", str(column.get("description", "")).strip()))
        or cited[1] not in explained
    ]
    assert unexplained == []


def test_no_column_is_explained_twice(texts: dict[Path, str]) -> None:
    blocks = [block for text in texts.values() for block in re.findall(r"^{% docs (\w+) %}", text, re.MULTILINE)]
    assert sorted({block for block in blocks if blocks.count(block) > 1}) == []


def test_the_same_column_means_the_same_in_every_mart(marts: list[tuple[Path, dict[str, Any]]]) -> None:
    meanings: dict[str, set[str]] = {}
    for _, model in marts:
        for column in model.get("columns", []):
            meanings.setdefault(column["name"], set()).add(str(column.get("description", "")).strip())
    assert {name: sorted(said) for name, said in meanings.items() if len(said) > 1} == {}


def _carries_unit(column: pa.Field) -> bool:
    if column.name in COUNTS | SCORES:
        return True
    affixes = SUFFIXES[column.type]
    return column.name.startswith(affixes) if column.type == pa.bool_() else column.name.endswith(affixes)
