"""Lines of the books meet lines of the statements; what differs is said once, with its class and its place."""

from datetime import date
from typing import Any

import pandas as pd

from assets import reconciliation

DAY = date(2026, 6, 17)


def shares(*rows: tuple[str, str, int], statement: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["account_id", "instrument_id", "quantity_shares"])
    return frame.assign(file="custodian/2026-06-17.csv", line=range(2, 2 + len(frame))) if statement else frame


def cash(*rows: tuple[str, int, date, str], statement: bool = False) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["reference", "amount_minor", "value_date", "currency"])
    frame["bank_account_id"] = "1010." + frame["currency"]
    return frame.assign(file="bank/2026-06-17.csv", line=range(2, 2 + len(frame))) if statement else frame


def share_breaks(held: pd.DataFrame, told: pd.DataFrame, tolerance: int = 0) -> list[dict[str, Any]]:
    lines = reconciliation._position_lines
    found = reconciliation._breaks("positions", lines(held), lines(told), tolerance)
    return pd.DataFrame(found, columns=reconciliation._COLUMNS).to_dict("records")


def cash_breaks(moved: pd.DataFrame, told: pd.DataFrame, tolerance: int = 0) -> list[dict[str, Any]]:
    lines = reconciliation._cash_lines
    found = reconciliation._breaks("cash", lines(moved), lines(told), tolerance)
    return pd.DataFrame(found, columns=reconciliation._COLUMNS).to_dict("records")


def test_books_and_statement_that_agree_leave_no_trace() -> None:
    held = shares(("A1", "US.X", 100), ("A2", "US.X", -50))
    assert share_breaks(held, shares(("A2", "US.X", -50), ("A1", "US.X", 100), statement=True)) == []
    moved = cash(("t1", 500, DAY, "USD"))
    assert cash_breaks(moved, cash(("t1", 500, DAY, "USD"), statement=True)) == []


def test_two_sides_that_are_both_empty_agree() -> None:
    assert share_breaks(shares(), shares(statement=True)) == []
    assert cash_breaks(cash(), cash(statement=True)) == []


def test_a_wrong_quantity_names_both_sides_and_the_line_of_the_statement() -> None:
    (found,) = share_breaks(shares(("A1", "US.X", 100)), shares(("A1", "US.X", 90), statement=True))
    assert found["subject"] == "positions"
    assert (found["key"], found["break_class"]) == ("A1/US.X", "quantity_break")
    assert (found["internal_value"], found["external_value"], found["difference"]) == (100, 90, -10)
    assert (found["file"], found["line"]) == ("custodian/2026-06-17.csv", 2)


def test_a_line_only_one_side_has_is_missing_on_the_other() -> None:
    held = shares(("A1", "US.X", 100), ("A2", "US.Y", 7))
    told = shares(("A1", "US.X", 100), ("A3", "US.Z", 9), statement=True)
    found = {row["key"]: row["break_class"] for row in share_breaks(held, told)}
    assert found == {"A2/US.Y": "missing_external", "A3/US.Z": "missing_internal"}


def test_a_line_told_twice_is_a_duplicate_and_not_a_wrong_quantity() -> None:
    told = shares(("A1", "US.X", 100), ("A1", "US.X", 100), statement=True)
    (found,) = share_breaks(shares(("A1", "US.X", 100)), told)
    assert found["break_class"] == "duplicate_external"


def test_money_is_compared_by_bank_reference_amount_and_day() -> None:
    moved = cash(("t1", 500, DAY, "USD"), ("t2", 700, DAY, "CNY"), ("t3", 900, DAY, "USD"))
    told = cash(("t1", 499, DAY, "USD"), ("t2", 700, DAY, "CNY"), ("t3", 900, date(2026, 6, 18), "USD"), statement=True)
    found = {row["key"]: (row["break_class"], row["difference"]) for row in cash_breaks(moved, told)}
    assert found == {"1010.USD/t1": ("amount_break", -1), "1010.USD/t3": ("date_break", 1)}


def test_a_difference_up_to_the_tolerance_is_no_break() -> None:
    moved, told = cash(("t1", 500, DAY, "USD")), cash(("t1", 498, DAY, "USD"), statement=True)
    assert cash_breaks(moved, told, tolerance=2) == []
    assert [row["break_class"] for row in cash_breaks(moved, told, tolerance=1)] == ["amount_break"]
