"""A lake of this test's own, rows in the columns of its tables, and one run of a check as Dagster would run it."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from assets.lake import Lake
from assets.partitions import business_days
from assets.schemas import TABLES

DAY = date(2026, 6, 17)
ORDINARY: dict[pa.DataType, Any] = {
    pa.string(): "any", pa.int64(): 1, pa.float64(): 0.5, pa.bool_(): False, pa.date32(): DAY,
    pa.timestamp("us", tz="UTC"): datetime(2026, 6, 17, 21, 0, tzinfo=UTC),
}  # fmt: skip
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture
def rows_of() -> Callable[..., pd.DataFrame]:
    """Rows of a table of the lake; columns a test does not speak of hold something ordinary."""

    def build(table: str, *told: dict[str, Any]) -> pd.DataFrame:
        ordinary = {column.name: ORDINARY[column.type] for column in TABLES[table]} | {"source": "synthetic"}
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
def keep(lake: Lake, rows_of: Callable[..., pd.DataFrame]) -> Callable[..., None]:
    """Write rows of the day into the lake."""

    def write(table: str, *told: dict[str, Any]) -> None:
        lake.write(table, rows_of(table, *told), DAY)

    return write


@pytest.fixture
def build_views(lake: Lake) -> Callable[..., None]:
    """Put frames into the warehouse under the names of the views dbt would build."""

    def build(**frames: pd.DataFrame) -> None:
        with duckdb.connect(str(lake.warehouse)) as connection:
            for name, rows in frames.items():
                connection.register("rows", pa.Table.from_pandas(rows, preserve_index=False))
                connection.execute(f"create or replace table {name} as select * from rows")

    return build


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage, in memory."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def evaluate(lake: Lake, instance: dg.DagsterInstance) -> Callable[..., dg.AssetCheckEvaluation]:
    """Run one check of the day, on an asset that stands in for the one it watches."""

    def run(check: dg.AssetChecksDefinition, **resources: Any) -> Any:
        (key,) = check.check_keys

        @dg.asset(key=key.asset_key, partitions_def=business_days)
        def watched() -> None:
            """Nothing: the rows stand in the lake already."""

        job = dg.Definitions(
            assets=[watched],
            asset_checks=[check],
            jobs=[dg.define_asset_job("checked", selection=dg.AssetSelection.all())],
            resources={"lake": lake, **resources},
        ).resolve_job_def("checked")
        result = job.execute_in_process(
            instance=instance, partition_key=DAY.isoformat(), run_config=QUIET, raise_on_error=False
        )
        evaluations = result.get_asset_check_evaluations()
        if not evaluations:
            (failed, *_) = result.get_step_failure_events()
            error = failed.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            raise AssertionError(f"the check could not be made: {error.message if error else failed.message}")
        return evaluations[0]

    return run
