"""Good deliveries meet every expectation, and each planted fault fails the one expectation that is named for it."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from checks.expectations.suites import SUITES, validate
from checks.market import delivery_checks

Rows = Callable[..., pd.DataFrame]

GOOD: dict[str, dict[str, Any]] = {
    "raw_market__instruments": {
        "instrument_id": "US.AIG", "symbol": "AIG", "market": "US", "currency": "USD", "lot_size_shares": 1,
    },
    "raw_market__daily_bars": {
        "instrument_id": "US.AIG", "price_open_e4": 100, "price_high_e4": 120, "price_low_e4": 90,
        "price_close_e4": 110, "volume_shares": 0, "line": 2,
    },
    "raw_market__prices": {
        "batch": "20260617T140000Z", "instrument_id": "US.AIG", "price_e4": 100, "bid_e4": 99, "ask_e4": 101, "line": 2,
    },
    "raw_custodian__positions": {"account_id": "A1", "instrument_id": "US.AIG", "quantity_shares": -5, "line": 2},
    "raw_bank__movements": {
        "bank_account_id": "1010.USD", "reference": "t1", "amount_minor": -5, "currency": "USD", "line": 2,
    },
}  # fmt: skip
"""A row of each delivery that nobody could object to."""

BETWEEN, NOT_NULL = "expect_column_values_to_be_between", "expect_column_values_to_not_be_null"
IN_SET, COMPOUND = "expect_column_values_to_be_in_set", "expect_compound_columns_to_be_unique"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"

FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("raw_market__instruments", {"instrument_id": "us/aig"}, "expect_column_values_to_match_regex"),
    ("raw_market__instruments", {"instrument_id": "US.X", "symbol": None}, NOT_NULL),
    ("raw_market__instruments", {"instrument_id": "US.X", "market": "XX"}, IN_SET),
    ("raw_market__instruments", {"instrument_id": "US.X", "currency": "XXX"}, IN_SET),
    ("raw_market__instruments", {"instrument_id": "US.X", "lot_size_shares": 0}, BETWEEN),
    ("raw_market__instruments", {}, "expect_column_values_to_be_unique"),
    ("raw_market__daily_bars", {"instrument_id": "US.X", "price_close_e4": 0}, BETWEEN),
    ("raw_market__daily_bars", {"instrument_id": "US.X", "volume_shares": -1}, BETWEEN),
    ("raw_market__daily_bars", {"instrument_id": "US.X", "line": 0}, BETWEEN),
    ("raw_market__daily_bars", {"instrument_id": "US.X", "source": None}, NOT_NULL),
    ("raw_market__daily_bars", {}, COMPOUND),
    ("raw_market__daily_bars", {"instrument_id": "US.X", "price_low_e4": 121}, GREATER),
    ("raw_market__prices", {"instrument_id": "US.X", "price_e4": -1}, BETWEEN),
    ("raw_market__prices", {}, COMPOUND),
    ("raw_market__prices", {"instrument_id": "US.X", "bid_e4": 102}, GREATER),
    ("raw_custodian__positions", {"account_id": None}, NOT_NULL),
    ("raw_custodian__positions", {"known_at": None}, NOT_NULL),
    ("raw_bank__movements", {"reference": None}, NOT_NULL),
    ("raw_bank__movements", {"currency": "usd"}, IN_SET),
]


def unmet(table: str, rows: pd.DataFrame) -> list[str]:
    return [one["expectation_config"]["type"] for one in validate(table, rows)["results"] if not one["success"]]


def test_there_is_a_good_row_and_a_fault_for_every_delivery_that_is_watched() -> None:
    assert set(GOOD) == set(SUITES) == {table for table, _, _ in FAULTS}
    faulted = {(table, kind) for table, _, kind in FAULTS}
    assert {(table, one["type"]) for table, suite in SUITES.items() for one in suite} - faulted <= {
        ("raw_market__instruments", NOT_NULL), ("raw_market__prices", NOT_NULL), ("raw_custodian__positions", BETWEEN),
        ("raw_bank__movements", BETWEEN),
    }  # fmt: skip


@pytest.mark.parametrize("table", list(SUITES))
def test_a_good_delivery_meets_every_expectation(rows_of: Rows, table: str) -> None:
    result = validate(table, rows_of(table, GOOD[table]))
    assert result["success"]
    assert len(result["results"]) == len(SUITES[table])


@pytest.mark.parametrize("table", list(SUITES))
def test_a_delivery_without_a_row_meets_every_expectation(rows_of: Rows, table: str) -> None:
    """That a day must have prices is said elsewhere; here nothing is wrong with rows that are not there."""
    assert unmet(table, rows_of(table, GOOD[table]).iloc[:0]) == []


@pytest.mark.parametrize(
    ("table", "fault", "expectation"), FAULTS, ids=[f"{table}-{kind}-{n}" for n, (table, _, kind) in enumerate(FAULTS)]
)
def test_each_fault_fails_the_expectation_named_for_it_and_no_other(
    rows_of: Rows, table: str, fault: dict[str, Any], expectation: str
) -> None:
    assert unmet(table, rows_of(table, GOOD[table], GOOD[table] | fault)) == [expectation]


def test_a_quote_with_one_side_only_is_no_crossed_quote(rows_of: Rows) -> None:
    rows = rows_of(
        "raw_market__prices", GOOD["raw_market__prices"], GOOD["raw_market__prices"] | {"instrument_id": "US.X"}
    )
    rows["bid_e4"] = pd.array([99, None], dtype="Int64")
    assert unmet("raw_market__prices", rows) == []


def test_a_delivery_that_fails_warns_and_says_what_was_expected_and_what_came(
    keep: Callable[..., None], evaluate: Callable[..., Any]
) -> None:
    table = "raw_market__prices"
    keep(table, GOOD[table], GOOD[table] | {"instrument_id": "US.X", "price_e4": -7})
    (check,) = [one for one in delivery_checks if next(iter(one.check_keys)).asset_key.to_user_string() == table]
    found = evaluate(check)
    assert (found.passed, found.blocking, found.severity.value) == (False, False, "WARN")
    (failed,) = found.metadata["failed"].value
    assert failed["expectation"] == BETWEEN
    assert failed["asked"]["column"] == "price_e4"
    assert failed["observed"]["partial_unexpected_list"] == [-7]


def test_every_delivery_is_watched_by_a_check_of_its_own() -> None:
    watched = {next(iter(one.check_keys)).asset_key.to_user_string() for one in delivery_checks}
    assert watched == set(SUITES)
