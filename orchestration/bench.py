"""How fast the desk is, and against what: one table, and ``build/bench.json``. Never a test."""

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from domain.errors import DeskNotReady
from domain.rulebook import ChargePerPosition, maintenance_rule
from orchestration import bench_books, bench_closing, bench_ledger
from orchestration.measuring import Row, best_of, free_port, fresh_home, run_program, wall_seconds
from orchestration.settings import REPOSITORY, inherited_environment

_PYTHON: Final = sys.executable


def run_bench(only: str | None, console: Console) -> list[Row]:
    """Take every measurement, or one; print the table and write the JSON beside those of earlier runs."""
    if only is not None and only not in MEASUREMENTS:
        raise DeskNotReady(
            f"A measurement must be one of {', '.join(MEASUREMENTS)}, but got {only!r}. Nothing was run."
        )
    chosen = [only] if only else list(MEASUREMENTS)
    rows: list[Row] = []
    for name in chosen:
        with console.status(f"Measuring {name} …"):
            rows += MEASUREMENTS[name]()
    at = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [Row(**{**asdict(row), "at": at}) for row in rows]
    _keep(rows)
    console.print(_table(rows))
    return rows


def _keep(rows: list[Row]) -> None:
    """Replace the rows just measured; keep those of measurements not taken this time."""
    target = REPOSITORY / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    held: list[dict[str, Any]] = json.loads(target.read_text(encoding="utf-8")) if target.exists() else []
    measured = {row.name for row in rows}
    held = [row for row in held if row["name"] not in measured] + [asdict(row) for row in rows]
    staged = target.with_name(".bench.json")
    staged.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    staged.replace(target)


def _table(rows: list[Row]) -> Table:
    table = Table(title="make bench", title_justify="left")
    for column in ("measurement", "value", "goal", "peer or floor, same run", "limit"):
        table.add_column(column)
    for row in rows:
        met = "" if row.goal is None else f"{'≤' if row.better == 'lower' else '≥'} {row.goal:g} {row.unit}"
        peer = f"{row.peer}: {row.peer_value:g} {row.unit}" if row.peer_value is not None else row.peer
        table.add_row(row.name, f"{row.value:g} {row.unit}", met, peer, row.limit)
    return table


def _imports() -> list[Row]:
    def seconds(module: str) -> float:
        return median(wall_seconds([_PYTHON, "-c", f"import {module}"]) for _ in range(5))

    return [
        Row(
            name="import_code_location",
            value=round(seconds("orchestration.definitions"), 2),
            unit="s",
            goal=2.5,
            peer="import dagster, pandas, duckdb, sqlalchemy",
            peer_value=round(seconds("dagster, pandas, duckdb, sqlalchemy"), 2),
            limit="the libraries themselves; what is left is ours",
        )
    ]


def _day() -> list[Row]:
    """A demo day in a fresh home, warm, and then price batches under ``lombard up`` on the desk it leaves.

    Peak memory is that of the whole process tree. A slice counts from the rename of the batch into the landing folder
    to the manifest that names it.
    """
    with fresh_home() as home:
        environment = {
            "LOMBARD_HOME": str(home),
            "LOMBARD_DAGSTER_PORT": str(free_port()),
            "LOMBARD_MLFLOW_PORT": str(free_port()),
        }
        seconds, peak = _wall_and_peak([_PYTHON, "-m", "orchestration.command", "demo"], environment)
        batch = sorted((home / "landing" / "intraday").glob("*.csv"))[-1]
        # The day is over; the same quotes under later names are new batches to the sensor.
        with _up(environment, home):
            taken = [_drop_and_wait(home, batch, f"20260617T19{minute}00Z") for minute in (35, 40, 45)]
        parsed = wall_seconds([_PYTHON, "-m", "dbt.cli.main", "parse", "--no-partial-parse", *_dbt_folders(home)])
        imported = wall_seconds([_PYTHON, "-c", "import orchestration.definitions"])
    return [
        Row(
            name="demo_day_2000_accounts",
            value=round(seconds, 1),
            unit="s",
            goal=90,
            peer="one bare dbt parse of the project",
            peer_value=round(parsed, 1),
            limit="three passes through dbt, one training, one drift report",
        ),
        Row(
            name="demo_day_peak_memory",
            value=round(peak / 2**30, 2),
            unit="GiB",
            goal=3,
            limit="MLflow, LightGBM and Evidently in one process",
        ),
        Row(
            name="batch_dropped_to_slice_published",
            value=round(median(taken), 1),
            unit="s",
            goal=10,
            peer="importing the code location once",
            peer_value=round(imported, 1),
            limit="sensor every 2 s, queue every 1 s, one process per run",
        ),
    ]


def _dbt_folders(home: Path) -> list[str]:
    folder = str(REPOSITORY / "dbt_project")
    return ["--project-dir", folder, "--profiles-dir", folder, "--target-path", str(home / "parse")]


def _kernels() -> list[Row]:
    """The numeric kernels of a tick against their obvious twins, on 100,000 positions."""
    from domain.margin import maintenance_requirement
    from domain.risk.scenarios import portfolio_losses
    from rulebooks import load_rulebook

    random = np.random.default_rng(1)
    rule = maintenance_rule(load_rulebook("us.finra_4210").governing(on=datetime(2026, 6, 17, tzinfo=UTC).date()))
    assert isinstance(rule, ChargePerPosition)
    quantity, price = random.integers(-1_000, 10_000, 100_000), random.integers(5_000, 5_000_000, 100_000)
    fast = best_of(lambda: maintenance_requirement(quantity, price, rule))
    slow = best_of(lambda: _requirements_one_by_one(quantity.tolist(), price.tolist(), rule), 1)
    values, returns = random.normal(1e9, 1e8, 60), random.normal(0, 0.02, (500, 60))
    losses = best_of(lambda: portfolio_losses(values, returns))
    loop = best_of(lambda: [-sum(v * r for v, r in zip(values, row, strict=True)) for row in returns], 1)
    return [
        Row(
            name="requirement_100000_positions",
            value=round(fast * 1e3, 2),
            unit="ms",
            goal=None,
            peer="one position at a time in Python",
            peer_value=round(slow * 1e3, 1),
        ),
        Row(
            name="losses_500_scenarios_60_instruments",
            value=round(losses * 1e3, 3),
            unit="ms",
            goal=None,
            peer="plain Python loop",
            peer_value=round(loop * 1e3, 1),
        ),
    ]


def _requirements_one_by_one(quantities: list[int], prices_e4: list[int], rule: ChargePerPosition) -> list[int]:
    """The rule as it is written, one position after another, in minor units."""
    charged = []
    for quantity, price in zip(quantities, prices_e4, strict=True):
        worth = abs(quantity) * price // 100
        tier = [tier for tier in rule.short_tiers if tier.price_from_e4 <= price][-1]
        short = max(worth * tier.ratio, abs(quantity) * tier.floor_e4 / 100)
        charged.append(round(worth * rule.long_ratio if quantity >= 0 else short))
    return charged


def _books() -> list[Row]:
    """Opening 2,000 accounts and reading them back, beside SQLite's own bulk insert of as many rows."""
    from books.engine import create_books, open_books
    from books.extract import extract
    from books.master_keys import load_master_keys, new_master_key
    from books.rules import adopt
    from books.seeding import seed
    from books.vault import Vault
    from feeds.folders import open_market_folder
    from feeds.synthetic import DeskPlan, plan_clients, write_exchange
    from rulebooks import editions_of

    with fresh_home() as home:
        plan = DeskPlan(sessions=20)
        write_exchange(home / "landing", plan)
        market, now = open_market_folder(home / "landing"), datetime.now(UTC)
        bars = market.daily_bars(market.sessions()[-2], market.sessions()[-1], now).rows
        last = bars.groupby("instrument_id").tail(1)[["instrument_id", "price_close_e4"]]
        book = plan_clients(market.instruments(plan.day, now).rows, last, plan)
        engine = open_books(f"sqlite:///{home / 'books.db'}")
        create_books(engine)
        adopt(engine, editions_of("house.ledger"), booked_on=plan.day, known_at=now)
        vault = Vault.of(load_master_keys(new_master_key()))
        started = time.perf_counter()
        seed(engine, book, vault=vault, booked_on=plan.day, known_at=now)
        seeded = time.perf_counter() - started
        extracted = best_of(lambda: extract(engine, plan.day, now), 3)
        engine.dispose()
        rows = len(book.accounts) + len(book.contracts) + len(book.positions) + len(book.deposits)
        bare = _bare_insert(home / "bare.db", rows)
    return [
        Row(
            name="seed_2000_accounts",
            value=round(seeded, 2),
            unit="s",
            goal=None,
            peer=f"bare SQLite insert of {rows:,} rows",
            peer_value=round(bare, 3),
            limit="hash chain and judging of every entry",
        ),
        Row("extract_2000_accounts", round(extracted, 2), "s", None),
    ]


def _fresh_clone() -> list[Row]:
    """``make demo`` then ``make test`` as a newcomer runs them: a fresh clone, an empty home, packages cached.

    The clone stands beside this one, so that tests on real prices find the market folder this one finds.
    """
    clone = Path(tempfile.mkdtemp(prefix="lombard-clone-", dir=REPOSITORY.parent))
    try:
        with tempfile.TemporaryDirectory(prefix="lombard-home-") as home:
            run_program(["git", "clone", "-q", str(REPOSITORY), str(clone)], {})
            cache = _answer([str(Path(_PYTHON).parent / "uv"), "cache", "dir"])
            environment = {"HOME": home, "UV_CACHE_DIR": cache, "LOMBARD_HOME": "", "VIRTUAL_ENV": ""}
            demo = wall_seconds(["make", "demo"], environment, clone)
            test = wall_seconds(["make", "test"], environment, clone)
    finally:
        shutil.rmtree(clone, ignore_errors=True)
    return [
        Row(
            name="make_demo_fresh_clone",
            value=round(demo),
            unit="s",
            goal=360,
            limit="unpacking and compiling 1.7 GB of packages, then the demo day",
        ),
        Row(
            name="make_test",
            value=round(test),
            unit="s",
            goal=720,
            limit="ten real closes of September 2008 on one of two workers",
        ),
    ]


MEASUREMENTS: Final[dict[str, Callable[[], list[Row]]]] = {
    "imports": _imports,
    "kernels": _kernels,
    "books": _books,
    "day": _day,
    "posting_sqlite": bench_books.posting_sqlite,
    "writers_postgresql": bench_books.writers_postgresql,
    "available_balance": bench_books.available_balance,
    "verify_events": bench_books.verify_events,
    "close_day": bench_closing.close_day,
    "balances": bench_ledger.balances,
    "balances_whole_process": bench_ledger.balances_whole_process,
    "seal_columns": bench_ledger.seal_columns,
    "fresh_clone": _fresh_clone,
}


@contextmanager
def _up(environment: dict[str, str], home: Path) -> Iterator[None]:
    """Run ``lombard up`` for one block; it is ready when it says that sensors are running."""
    process = subprocess.Popen(
        [_PYTHON, "-m", "orchestration.command", "up"], env=inherited_environment(environment), cwd=REPOSITORY,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Sensors and schedules are running" in line:
                break
        else:
            raise DeskNotReady(f"`lombard up` ended before it was ready; see {home / 'logs'}.")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _drop_and_wait(home: Path, batch: Path, name: str) -> float:
    """Rename a copy of ``batch`` into the landing folder and wait until its slice is published."""
    staged = batch.with_name(f".{name}.csv")
    shutil.copyfile(batch, staged)
    started = time.perf_counter()
    staged.replace(batch.with_name(f"{name}.csv"))
    manifest, waiting = home / "published" / "_manifest.json", threading.Event()
    while json.loads(manifest.read_text(encoding="utf-8"))["slice"] != name:
        if time.perf_counter() - started > 120:
            raise DeskNotReady(f"{name} was not published within 120 s; see {home / 'logs'} and {home / 'alerts'}.")
        waiting.wait(0.05)
    return time.perf_counter() - started


def _answer(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _wall_and_peak(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall time of a command, and the largest resident memory its process tree had, sampled ten times a second."""
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        command,
        env=inherited_environment(environment),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    root = psutil.Process(process.pid)
    while True:
        try:
            process.wait(0.1)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, _resident(root))
    if process.returncode != 0:
        assert process.stderr is not None
        raise DeskNotReady(
            f"{' '.join(command)} failed, so nothing was measured:\n{process.stderr.read().decode()[-1500:]}"
        )
    return time.perf_counter() - started, peak


def _resident(root: psutil.Process) -> int:
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def _bare_insert(file: Path, rows: int) -> float:
    import sqlite3

    connection = sqlite3.connect(file)
    connection.execute("create table line (id integer primary key, body text)")
    started = time.perf_counter()
    with connection:
        connection.executemany("insert into line (body) values (?)", (("x" * 200,) for _ in range(rows)))
    taken = time.perf_counter() - started
    connection.close()
    return taken
