"""Rows for a lake of a test's own, and dbt run on it as the desk runs it: in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assets.lake import Lake
from assets.schemas import TABLES

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "dbt_project"
HEAD = "9:00000000000000aa"


@pytest.fixture(scope="session")
def write_rows() -> Callable[..., None]:
    """Write rows with their circumstances filled in, and empty columns where a test has nothing to say."""

    def write(lake: Lake, table: str, day: date, rows: list[dict[str, Any]], part: str = "all") -> None:
        known_at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=22)
        circumstances = {"source": "synthetic", "known_at": known_at, "as_of_date": day, "ledger_head": HEAD}
        frame = pd.DataFrame([{**circumstances, **row} for row in rows])
        frame = frame.reindex(columns=TABLES[table].names).astype(object)
        lake.write(table, frame.where(frame.notna(), None), day, part)

    return write


@pytest.fixture(scope="session")
def run_dbt_on() -> Callable[..., None]:
    """Run dbt on a lake for one business day; refuses a run in which anything failed."""

    def run(lake: Lake, command: str, day: date, *arguments: str) -> None:
        folder = lake.root.parent
        dbt = [str(Path(sys.executable).parent / "dbt"), "--quiet", command, "--project-dir", str(PROJECT),
               "--profiles-dir", str(PROJECT), "--vars", f"{{as_of_date: {day}}}", *arguments]  # fmt: skip
        places = {
            "LOMBARD_LAKE": str(lake.root),
            "LOMBARD_WAREHOUSE": str(lake.warehouse),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
        }
        ran = subprocess.run(
            dbt, cwd=REPOSITORY, env={**os.environ, **places}, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout

    return run
