"""The measurements of the books run, answer rightly on a small desk, and say beside what they stand; never how fast."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import bench, bench_books, bench_closing, bench_ledger, measuring
from orchestration.bench_books import Sizes as BookSizes
from orchestration.bench_ledger import Sizes as LedgerSizes
from orchestration.measuring import Row, in_turn
from orchestration.postgresql import has_postgresql

FEW_BOOKS = BookSizes(
    accounts=20,
    rounds=1,
    singles=3,
    batches_of_100=1,
    big_batch=200,
    core_committed=5,
    core_at_once=10,
    writers=2,
    batches_per_writer=3,
    generated=5_000,
    generated_accounts=50,
    asked=20,
    verified=400,
    is_durable=False,
)
FEW_LINES = LedgerSizes(
    rounds=1,
    accounts=40,
    days=4,
    few_lines=400,
    many_lines=4_000,
    balanced_lines=2_000,
    postings=400,
    sealed_lines=5_000,
    is_durable=False,
)

needs_postgresql = pytest.mark.skipif(not has_postgresql(), reason="needs PostgreSQL's programs on this machine")


@pytest.mark.parametrize(
    ("measure", "names"),
    [
        pytest.param(
            bench_books.posting_sqlite,
            ["post_one_by_one_sqlite", "post_batches_of_100_sqlite", "post_batches_of_10000_sqlite"],
            id="posting_sqlite",
        ),
        pytest.param(
            bench_books.writers_postgresql,
            ["post_4_writers_postgresql"],
            id="writers_postgresql",
            marks=needs_postgresql,
        ),
        pytest.param(bench_books.available_balance, ["available_balance_10m"], id="available_balance"),
        pytest.param(bench_books.verify_events, ["verify_events"], id="verify_events"),
    ],
)
def test_a_measurement_of_the_books_yields_rows_with_goal_and_peer(
    measure: Callable[[BookSizes], list[Row]], names: list[str]
) -> None:
    rows = measure(FEW_BOOKS)
    assert [row.name for row in rows] == names
    assert all(row.goal is not None for row in rows)
    assert [row for row in rows if not _is_well_formed(row)] == []


@pytest.mark.parametrize(
    ("measure", "names"),
    [
        pytest.param(bench_closing.close_day, ["close_day_1m", "close_day_50m", "rebuild_50m"], id="close_day"),
        pytest.param(bench_ledger.balances, ["balances_duckdb_5m"], id="balances", marks=needs_postgresql),
        pytest.param(bench_ledger.balances_whole_process, ["balances_100k_whole_process"], id="whole_process"),
        pytest.param(bench_ledger.seal_columns, ["seal_columns"], id="seal_columns"),
    ],
)
def test_a_measurement_of_the_ledger_yields_rows_beside_a_peer(
    measure: Callable[[LedgerSizes], list[Row]], names: list[str]
) -> None:
    rows = measure(FEW_LINES)
    assert [row.name for row in rows] == names
    missing = [row for row in rows if row.limit.startswith("not measured")]
    assert [row for row in rows if row not in missing and not _is_well_formed(row)] == []


def test_a_missing_peer_is_said_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_ledger.shutil, "which", lambda _: None)
    monkeypatch.setattr(bench_ledger, "has_postgresql", lambda: False)
    monkeypatch.setattr(bench_books, "has_postgresql", lambda: False)
    rows = [
        *bench_ledger.balances_whole_process(FEW_LINES),
        *bench_ledger.balances(FEW_LINES),
        *bench_books.writers_postgresql(FEW_BOOKS),
    ]
    assert [row.limit.split(":")[0] for row in rows] == ["not measured"] * 3


def test_a_disk_too_small_for_the_generated_books_is_said_beforehand() -> None:
    (row,) = bench_books.available_balance(BookSizes(generated=10**15))
    assert row.limit.startswith("not measured: needs") and "GiB of disk" in row.limit


def test_works_taken_in_turn_favour_none_of_them() -> None:
    done: list[str] = []
    taken = in_turn({"one": lambda: done.append("one"), "other": lambda: done.append("other")}, 3)
    assert done == ["one", "other"] * 3
    assert taken.keys() == {"one", "other"}
    assert all(one.wall >= 0 and one.cpu >= 0 for one in taken.values())


def test_every_measurement_of_the_books_can_be_asked_for_alone() -> None:
    wanted = {"posting_sqlite", "writers_postgresql", "available_balance", "verify_events", "close_day", "balances"}
    wanted |= {"balances_whole_process", "seal_columns"}
    assert wanted <= bench.MEASUREMENTS.keys()


def test_a_fresh_home_leaves_nothing_behind() -> None:
    with measuring.fresh_home() as folder:
        folder.mkdir()
        (folder / "books.db").touch()
        place: Path = folder.parent
    assert not place.exists()


def _is_well_formed(row: Row) -> bool:
    figures = [row.value, row.peer_value or 0.0, row.goal or 0.0]
    return (
        row.value > 0
        and all(math.isfinite(figure) for figure in figures)
        and row.peer != ""
        and row.limit != ""
        and row.better in ("higher", "lower")
        and row.step == "step 2"
    )
