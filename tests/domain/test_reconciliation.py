"""Reconciliation: every class of break, what is believed first, and that agreeing records leave nothing."""

from collections import Counter
from datetime import date
from itertools import product
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reconciliation import BREAK_CLASSES, Line, reconcile

DAY = date(2026, 6, 17)

LATER = date(2026, 6, 18)
LINES = [
    Line(*fields) for fields in product("abc", (None, 0, 1, 2), (None, 0, 1, 2), (None, DAY, LATER), ("USD", "CNY"))
]
records = st.lists(st.sampled_from(LINES), max_size=8)
full_records = st.lists(st.sampled_from([line for line in LINES if None not in line]), max_size=8)


def cash(key: str, amount_minor: int, day: date = DAY, currency: str = "USD", line: int = 0) -> Line:
    return Line(key, amount_minor=amount_minor, day=day, currency=currency, file="bank.csv", line=line)


def shares(key: str, quantity: int, line: int = 0) -> Line:
    return Line(key, quantity=quantity, file="custodian.csv", line=line)


def classes(*found: Any) -> list[tuple[str, str]]:
    return [(one.key, one.break_class) for one in reconcile(*found)]


@pytest.mark.parametrize("golden", ["AC-007"], indirect=True)
def test_one_of_each_break(golden: Any) -> None:
    ours, theirs = (
        [
            Line(key, quantity, amount, date.fromisoformat(day), "USD")
            for key, quantity, amount, day in golden.given[side]
        ]
        for side in ("internal", "external")
    )
    assert dict(classes(ours, theirs, golden.given["tolerance_minor"])) == golden.expected


@given(records)
def test_a_record_agrees_with_itself_in_any_order(record: list[Line]) -> None:
    assert reconcile(record, record) == []
    assert reconcile(record, record[::-1]) == []


@given(records, records)
def test_the_other_side_sees_the_same_breaks_mirrored(ours: list[Line], theirs: list[Line]) -> None:
    mirror = {"internal": "external", "external": "internal"}

    def mirrored(name: str) -> str:
        kind, _, side = name.partition("_")
        return f"{kind}_{mirror[side]}" if side in mirror else name

    forwards, backwards = reconcile(ours, theirs), reconcile(theirs, ours)
    assert Counter((one.key, one.break_class) for one in forwards) == Counter(
        (one.key, mirrored(one.break_class)) for one in backwards
    )
    assert sum(one.difference for one in forwards if one.break_class == "quantity_break") == -sum(
        one.difference for one in backwards if one.break_class == "quantity_break"
    )


@given(records, records)
def test_every_line_is_matched_or_reported_once(ours: list[Line], theirs: list[Line]) -> None:
    """Lines of a key on either side, less those in pairs, are its duplicates and missing ones."""
    breaks = reconcile(ours, theirs)
    for key in {line.key for line in [*ours, *theirs]}:
        count = sum(line.key == key for line in ours) - sum(line.key == key for line in theirs)
        lone = [one.break_class for one in breaks if one.key == key and one.break_class.split("_")[1] != "break"]
        assert len(lone) == abs(count)
        assert {name.split("_")[1] for name in lone if name.startswith("duplicate")} <= {
            "internal" if count > 0 else "external"
        }


@given(records, records)
def test_breaks_come_sorted_and_say_what_is_wrong(ours: list[Line], theirs: list[Line]) -> None:
    breaks = reconcile(ours, theirs)
    keys = [(one.key, BREAK_CLASSES.index(one.break_class)) for one in breaks]
    assert keys == sorted(keys)
    for one in breaks:
        assert one.explanation.startswith(f"{one.key}: ")
        assert one.explanation.endswith(".")


@given(full_records, full_records)
def test_no_order_of_lines_changes_what_is_broken(ours: list[Line], theirs: list[Line]) -> None:
    assert classes(ours, theirs) == classes(ours[::-1], theirs[::-1]) == classes(ours, sorted(theirs))


def test_lines_a_tolerance_apart_meet_in_any_order() -> None:
    ours, theirs = [cash("t", 100), cash("t", 200)], [cash("t", 201), cash("t", 101)]
    assert reconcile(ours, theirs, 1) == []


def test_a_tolerance_includes_itself() -> None:
    assert classes([cash("t", 100)], [cash("t", 102)], 2) == []
    assert classes([cash("t", 100)], [cash("t", 103)], 2) == [("t", "amount_break")]
    assert classes([cash("t", 100)], [cash("t", 97)], 2) == [("t", "amount_break")]


def test_a_tolerance_of_money_is_none_of_shares() -> None:
    assert classes([shares("p", 100)], [shares("p", 101)], 5) == [("p", "quantity_break")]
    assert reconcile([shares("p", 100)], [shares("p", 101)], quantity_tolerance=1) == []


def test_what_would_explain_the_rest_is_reported_first() -> None:
    ours = Line("t", 10, 100, DAY, "USD")
    assert classes([ours], [Line("t", 11, 200, LATER, "CNY")]) == [("t", "quantity_break")]
    assert classes([ours], [Line("t", 10, 200, LATER, "CNY")]) == [("t", "currency_break")]
    assert classes([ours], [Line("t", 10, 200, LATER, "USD")]) == [("t", "amount_break")]
    assert classes([ours], [Line("t", 10, 100, LATER, "USD")]) == [("t", "date_break")]


def test_a_line_stated_twice_is_a_duplicate_and_its_twin_matches() -> None:
    (found,) = reconcile([cash("t", 100)], [cash("t", 100, line=4), cash("t", 100, line=9)])
    assert (found.break_class, found.external_value, found.internal_value) == ("duplicate_external", 100, None)
    assert (found.file, found.line) == ("bank.csv", 9)
    assert found.explanation == "t: the statement shows 1.00 USD once more than the books."
    (ours,) = reconcile([cash("t", 100), cash("t", 100)], [cash("t", 100)])
    assert (ours.break_class, ours.difference) == ("duplicate_internal", -100)


def test_the_line_that_agrees_is_matched_wherever_it_stands() -> None:
    (found,) = reconcile([cash("t", 100)], [cash("t", 999), cash("t", 100)])
    assert (found.break_class, found.external_value) == ("duplicate_external", 999)


def test_two_lines_with_one_reference_on_both_sides_are_no_duplicates() -> None:
    ours, theirs = [cash("t", 100), cash("t", 200)], [cash("t", 200), cash("t", 100)]
    assert reconcile(ours, theirs) == []
    assert classes(ours, [cash("t", 100), cash("t", 300)]) == [("t", "amount_break")]


def test_a_line_nobody_else_knows_is_missing_once_and_then_repeated() -> None:
    assert classes([], [cash("t", 1), cash("t", 1)]) == [("t", "duplicate_external"), ("t", "missing_internal")]
    assert classes([cash("t", 1)], []) == [("t", "missing_external")]
    assert classes([], []) == []


def test_the_same_object_twice_is_two_lines() -> None:
    line = cash("t", 1)
    assert classes([line], [line, line]) == [("t", "duplicate_external")]
    assert reconcile([line, line], [line, line]) == []


def test_a_break_says_expected_found_and_how_far_apart() -> None:
    (amount,) = reconcile([cash("T2", 750_000)], [cash("T2", 750_125, line=7)])
    assert amount.explanation == "T2: expected 7,500.00 USD, found 7,501.25 USD: 1.25 USD too much."
    assert (amount.internal_value, amount.external_value, amount.difference) == (750_000, 750_125, 125)
    assert (amount.file, amount.line, amount.currency) == ("bank.csv", 7, "USD")
    (quantity,) = reconcile([shares("A1/US.AIG", 1_500)], [shares("A1/US.AIG", 1_499)])
    assert quantity.explanation == "A1/US.AIG: expected 1,500 shares, found 1,499: 1 too little."
    (day,) = reconcile([cash("T3", 1)], [cash("T3", 1, date(2026, 6, 19))])
    assert day.explanation == "T3: expected on 2026-06-17, found on 2026-06-19: 2 days late."
    assert day.difference == 2
    (currency,) = reconcile([cash("T4", 1)], [cash("T4", 1, currency="CNY")])
    assert currency.explanation == "T4: expected USD, found CNY."
    (missing,) = reconcile([shares("A1/US.AIG", 10)], [])
    assert missing.explanation == "A1/US.AIG: the books show 10 shares, of which nothing is found in the statement."
    assert (missing.internal_value, missing.external_value, missing.difference) == (10, None, -10)


def test_a_side_that_says_nothing_is_not_a_side_that_says_zero() -> None:
    assert classes([Line("p", quantity=0)], [Line("p")]) == [("p", "quantity_break")]
    assert classes([Line("c", amount_minor=0)], [Line("c")]) == [("c", "amount_break")]
    assert classes([Line("d", day=DAY)], [Line("d")]) == [("d", "date_break")]


def test_a_currency_we_do_not_know_is_still_reported() -> None:
    (found,) = reconcile([cash("t", 100, currency="XXX")], [cash("t", 200, currency="XXX")])
    assert found.explanation == "t: expected 100 minor units, found 200 minor units: 100 minor units too much."


def test_a_night_of_thirty_thousand_lines_is_a_matter_of_a_second() -> None:
    ours = [cash(f"transfer-{number:06}", number) for number in range(30_000)]
    theirs = [line._replace(line=place) for place, line in enumerate(reversed(ours))]
    theirs[7] = theirs[7]._replace(amount_minor=-1)
    started = process_time()
    found = reconcile(ours, theirs)
    assert [one.break_class for one in found] == ["amount_break"]
    assert process_time() - started < 2
