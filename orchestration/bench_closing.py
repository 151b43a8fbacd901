"""How fast a day is closed on top of all the days before it, by the very statements dbt compiled for it.

The lake is generated, not posted. The statements run in plain DuckDB: starting dbt would cost more than the close.
"""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import duckdb

from orchestration.bench_ledger import FIRST_DAY, FULL, STEP, Sizes, account_of, open_warehouse
from orchestration.measuring import Row, Taken, fresh_home, in_turn, rounded, run_program
from orchestration.settings import REPOSITORY

_MODEL: Final = "fct_ledger__roll_forward_daily"
_VIEWS: Final = ("stg_books__transfers", "stg_books__ledger_accounts", "int_ledger__journal_lines")
"""What the model reads, in the order it can be made."""

_LAKE: Final = "{lake}"


def close_day(sizes: Sizes = FULL) -> list[Row]:
    """Closing the last of many days, from the closing before it and from all lines there are: processors' time."""
    with fresh_home() as folder:
        statements = _compiled(folder, sizes)
    taken = {}
    for lines in (sizes.few_lines, sizes.many_lines):
        with fresh_home() as folder, open_warehouse(folder) as warehouse:
            _generate(warehouse, folder / "lake", lines, sizes)
            taken[lines] = _times(warehouse, folder / "lake", statements, sizes)
    few, many = taken[sizes.few_lines], taken[sizes.many_lines]
    close, rebuild, close_few = many["close"].cpu, many["rebuild"].cpu, few["close"].cpu
    return [
        Row("close_day_1m", rounded(close_few), "cpu-s", None, "summing all its lines anew",
            rounded(few["rebuild"].cpu), f"a day of {sizes.few_lines // sizes.days:,} lines, {sizes.few_lines:,} in "
            f"all; most of it is carrying {sizes.accounts:,} ledger accounts forward", step=STEP),
        Row("close_day_50m", rounded(close), "cpu-s", rounded(min(2.5 * close_few, rebuild / 25)),
            "the same on 1M lines", rounded(close_few),
            f"a day of {sizes.many_lines // sizes.days:,} lines, {sizes.many_lines:,} in all: "
            f"{close / close_few:.2f} × closing on top of 1M (goal 2.5), and {rebuild / close:.0f} × cheaper than the "
            f"rebuild (goal 25)", step=STEP),
        Row("rebuild_50m", rounded(rebuild), "cpu-s", None, "bare reading of the two columns",
            rounded(many["read"].cpu), "Parquet to be decoded, and two lines of each transfer summed", step=STEP),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Statements:
    """What dbt compiled: the views, and the closing of the last day with and without the closing before it."""

    views: dict[str, str]
    close: str
    rebuild: str

    def rebuild_on(self, day: date, last: date) -> str:
        """The rebuild for another day than the last."""
        return self.rebuild.replace(f"date '{last}'", f"date '{day}'")


def _compiled(folder: Path, sizes: Sizes) -> _Statements:
    """Let dbt compile the close of the last day on a lake of a few lines: what it says does not depend on them."""
    before, last = _day(sizes, -2), _day(sizes, -1)
    lake = folder / "lake"
    with open_warehouse(folder) as warehouse:
        _generate(warehouse, lake, 8 * sizes.days, sizes)
    *views, rebuild = _compile(folder, last, *_VIEWS, _MODEL)
    named = {name: sql.replace(str(lake), _LAKE) for name, sql in zip(_VIEWS, views, strict=True)}
    statements = _Statements(named, close="", rebuild=rebuild)
    with open_warehouse(folder) as warehouse:
        _open_lake(warehouse, lake, statements, before, last)
    (close,) = _compile(folder, last, _MODEL)
    assert close != rebuild and f"date '{before}'" in close, "a close goes on from the close before it"
    return replace(statements, close=close)


def _compile(folder: Path, day: date, *models: str) -> list[str]:
    """The statements of some models for one day, on the lake and the warehouse in a folder."""
    project, target = str(REPOSITORY / "dbt_project"), folder / "dbt"
    shutil.rmtree(target / "compiled", ignore_errors=True)
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(target)]
    what = ["--log-path", str(folder / "logs"), "--vars", json.dumps({"as_of_date": str(day)}), "--select", *models]
    environment = {"LOMBARD_LAKE": str(folder / "lake"), "LOMBARD_WAREHOUSE": str(folder / "warehouse.duckdb")}
    run_program([sys.executable, "-m", "dbt.cli.main", "--quiet", "compile", *where, *what], environment)
    files = [next((target / "compiled").rglob(f"{model}.sql")) for model in models]
    return [file.read_text(encoding="utf-8") for file in files]


def _times(warehouse: duckdb.DuckDBPyConnection, lake: Path, statements: _Statements, sizes: Sizes) -> dict[str, Taken]:
    before, last = _day(sizes, -2), _day(sizes, -1)
    _open_lake(warehouse, lake, statements, before, last)
    bare = (
        f"SELECT max(debit_account_id), sum(amount_minor) FROM read_parquet('{lake}/raw_books__transfers/*/*.parquet')"
    )
    works: dict[str, Callable[[], object]] = {
        "close": lambda: warehouse.execute(f"CREATE OR REPLACE TABLE closed AS {statements.close}"),
        "rebuild": lambda: warehouse.execute(f"CREATE OR REPLACE TABLE rebuilt AS {statements.rebuild}"),
        "read": lambda: warehouse.execute(bare).fetchone(),
    }
    taken = in_turn(works, sizes.rounds)
    closing = "SELECT ledger_account_id, currency, closing_minor FROM {table} WHERE closing_minor <> 0"
    closed, rebuilt = closing.format(table="closed"), closing.format(table="rebuilt")
    apart = warehouse.execute(f"({closed} EXCEPT {rebuilt}) UNION ALL ({rebuilt} EXCEPT {closed})").fetchall()
    assert apart == [], "the day closes at what all lines say"
    return taken


def _open_lake(
    warehouse: duckdb.DuckDBPyConnection, lake: Path, statements: _Statements, before: date, last: date
) -> None:
    """The views over a lake, and the day before the last one closed."""
    for name, sql in statements.views.items():
        warehouse.execute(f"CREATE OR REPLACE VIEW {name} AS {sql.replace(_LAKE, str(lake))}")
    warehouse.execute(f"CREATE OR REPLACE TABLE {_MODEL} AS {statements.rebuild_on(before, last)}")
    warehouse.execute("CHECKPOINT")


def _day(sizes: Sizes, number: int) -> date:
    return FIRST_DAY + timedelta(days=number % sizes.days)


def _generate(warehouse: duckdb.DuckDBPyConnection, lake: Path, lines: int, sizes: Sizes) -> None:
    """A lake as the desk lays it out, a file of transfers per day: what a day moved, and the accounts of two days."""
    per_day = lines // 2 // sizes.days
    names = ("event_id", "phase", "pending_id", "reverses", "approval_id", "counterparty", "channel")
    unsaid = ", ".join(f"CAST(NULL AS VARCHAR) AS {name}" for name in names)
    for number in range(sizes.days):
        day = _day(sizes, number)
        transfers = f"""
            SELECT
                i AS sequence, 'g' || i AS transfer_id, 'loan_drawn' AS template,
                {account_of("i", "debit", sizes.accounts)} AS debit_account_id,
                {account_of("i", "credit", sizes.accounts)} AS credit_account_id,
                CAST(100 + i % 977 AS BIGINT) AS amount_minor, 'USD' AS currency, DATE '{day}' AS effective_on,
                {unsaid}, CAST(NULL AS DATE) AS expires_on, DATE '{day}' AS booked_on, '' AS entry_hash,
                {_circumstances(day)}
            FROM range({number * per_day}, {(number + 1) * per_day}) AS n (i)
        """
        _copy(warehouse, transfers, lake, "raw_books__transfers", day)
    for day in (_day(sizes, -2), _day(sizes, -1)):
        accounts = f"""
            SELECT code || '.A' || lpad(CAST(i AS VARCHAR), 6, '0') AS ledger_account_id, code, 'asset' AS kind,
                'A' || lpad(CAST(i AS VARCHAR), 6, '0') AS account_id, 'USD' AS currency, '0:0' AS ledger_head,
                {_circumstances(day)}
            FROM range({max(1, sizes.accounts // 2)}) AS n (i), (VALUES ('1210'), ('2010')) AS codes (code)
        """
        _copy(warehouse, accounts, lake, "raw_books__ledger_accounts", day)


def _circumstances(day: date) -> str:
    return f"'synthetic' AS source, DATE '{day}' AS as_of_date, TIMESTAMPTZ '{day} 20:00:00+00' AS known_at"


def _copy(warehouse: duckdb.DuckDBPyConnection, rows: str, lake: Path, table: str, day: date) -> None:
    file = lake / table / f"as_of_date={day}" / "part.parquet"
    file.parent.mkdir(parents=True)
    warehouse.execute(f"COPY ({rows}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
