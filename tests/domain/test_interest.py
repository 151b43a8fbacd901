"""Interest: which days count, and one rounding for each posting."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interest import (
    DayCount,
    accrued_at_rates_minor,
    accrued_interest_minor,
    days_accrued,
    interest_of_period_minor,
    tiered_interest_minor,
    year_fraction,
)
from domain.money import to_minor

principals = st.integers(0, 10**15)
rates = st.integers(0, 10**8)


@pytest.mark.parametrize("golden", ["CN-010"], indirect=True)
def test_the_first_day_counts_and_the_last_does_not(golden: Any) -> None:
    days = days_accrued(date.fromisoformat(golden.given["first"]), date.fromisoformat(golden.given["until"]))
    assert days == golden.expected["days"]
    principal, rate_e8 = 100 * golden.given["principal"], round(golden.given["rate"] * 10**8)
    for basis in (360, 365):
        interest = accrued_interest_minor(principal, rate_e8, days, basis)
        assert interest == to_minor(golden.expected[f"interest_{basis}"], "CNY")


def test_a_loan_repaid_the_day_it_was_made_costs_nothing() -> None:
    assert days_accrued(date(2026, 3, 2), date(2026, 3, 2)) == 0
    assert accrued_interest_minor(10**12, 6_000_000, 0, 360) == 0
    with pytest.raises(AssertionError, match="backwards"):
        days_accrued(date(2026, 3, 2), date(2026, 3, 1))


def test_february_has_its_leap_day() -> None:
    assert days_accrued(date(2028, 2, 28), date(2028, 3, 1)) == 2
    assert days_accrued(date(2026, 2, 28), date(2026, 3, 1)) == 1


@given(principals, rates, st.integers(0, 4_000), st.sampled_from([360, 365]))
def test_interest_agrees_with_decimals(principal: int, rate_e8: int, days: int, basis: int) -> None:
    with_decimals = Decimal(principal * rate_e8 * days) / (10**8 * basis)
    expected = with_decimals.quantize(Decimal(1), ROUND_HALF_UP)
    # Decimal keeps 28 digits of the quotient; a tie it cannot see is a tie nobody has.
    assert abs(accrued_interest_minor(principal, rate_e8, days, basis) - expected) <= (
        with_decimals % 1 == Decimal("0.5")
    )


@given(principals, rates, st.integers(0, 1_000), st.integers(1, 1_000))
def test_one_rate_over_a_period_is_the_plain_formula(principal: int, rate_e8: int, days: int, before: int) -> None:
    first = date(2026, 3, 2)
    spread = accrued_at_rates_minor(
        principal, [(first - timedelta(days=before), rate_e8)], first, first + timedelta(days=days), 360
    )
    assert spread == accrued_interest_minor(principal, rate_e8, days, 360)


def test_the_day_of_a_change_bears_the_new_rate() -> None:
    changes = [(date(2026, 1, 1), 6_000_000), (date(2026, 3, 5), 12_000_000), (date(2026, 6, 1), 99_000_000)]
    # Three days at 6 % (2, 3 and 4 March), two at 12 %; the third rate begins after the period.
    interest = accrued_at_rates_minor(36_000_000, changes, date(2026, 3, 2), date(2026, 3, 7), 360)
    assert interest == 3 * 6_000 + 2 * 12_000


@given(st.lists(st.tuples(st.integers(1, 40), rates), min_size=1, max_size=5), st.integers(0, 10**12))
def test_changes_of_rate_agree_with_counting_day_by_day(changes: list[tuple[int, int]], principal: int) -> None:
    first, start, dated = date(2026, 1, 1), date(2026, 1, 1), []
    for gap, rate_e8 in changes:
        dated.append((start, rate_e8))
        start += timedelta(days=gap)
    until = date(2026, 3, 1)
    daily = sum(
        [rate for begins, rate in dated if begins <= first + timedelta(days=day)][-1]
        for day in range((until - first).days)
    )
    expected = (Decimal(principal * daily) / (10**8 * 360)).quantize(Decimal(1), ROUND_HALF_UP)
    assert accrued_at_rates_minor(principal, dated, first, until, 360) == expected


@pytest.mark.parametrize("golden", ["PR-012"], indirect=True)
def test_each_part_of_a_balance_bears_the_rate_of_its_tier(golden: Any) -> None:
    tiers = [(None if top is None else 100 * top, round(rate * 10**8)) for top, rate in golden.given["tiers"]]
    interest = tiered_interest_minor(100 * golden.given["balance"], tiers, 360, 360)
    assert interest == to_minor(golden.expected["marginal"], "CNY")


@given(principals, rates, st.integers(1, 10**14))
def test_tiers_of_one_rate_are_no_tiers(principal: int, rate_e8: int, top: int) -> None:
    tiered = tiered_interest_minor(principal, [(top, rate_e8), (None, rate_e8)], 30, 360)
    assert tiered == accrued_interest_minor(principal, rate_e8, 30, 360)


@pytest.mark.parametrize("golden", ["ST-006"], indirect=True)
def test_a_period_is_a_fraction_of_a_year_by_each_day_count(golden: Any) -> None:
    first, until = (date.fromisoformat(golden.given[key]) for key in ("start", "end"))
    conventions: tuple[DayCount, ...] = get_args(DayCount)
    fractions = {convention: year_fraction(first, until, convention) for convention in conventions}
    assert fractions == {convention: Fraction(golden.expected[convention]) for convention in conventions}
    principal, rate_e8 = 100 * golden.given["face"], round(golden.given["rate"] * 10**8)
    interest = interest_of_period_minor(principal, rate_e8, fractions["act/360"])
    assert interest == to_minor(golden.expected["interest_act360"], "USD")


@pytest.mark.parametrize(
    ("first", "until", "days"),
    [
        ("2026-01-30", "2026-03-31", 60),
        ("2026-01-31", "2026-03-31", 60),
        ("2026-01-29", "2026-03-31", 62),
        ("2026-01-31", "2026-02-28", 28),
        ("2026-02-28", "2026-03-31", 30),
        ("2026-02-28", "2027-02-28", 360),
        ("2024-02-29", "2025-02-28", 360),
        ("2024-02-28", "2025-02-28", 360),
        ("2024-02-28", "2024-02-29", 1),
        ("2026-12-31", "2027-01-01", 1),
        ("2026-05-31", "2026-05-31", 0),
    ],
)
def test_a_month_has_thirty_days_by_the_american_count(first: str, until: str, days: int) -> None:
    fraction = year_fraction(date.fromisoformat(first), date.fromisoformat(until), "30/360 US")
    assert fraction == Fraction(days, 360)


@given(st.dates(date(1998, 1, 1), date(2035, 12, 31)), st.integers(1, 60))
def test_whole_months_from_a_middle_day_are_twelfths_of_a_year(first: date, months: int) -> None:
    first = first.replace(day=min(first.day, 27))
    until = date(first.year + (first.month - 1 + months) // 12, (first.month - 1 + months) % 12 + 1, first.day)
    assert year_fraction(first, until, "30/360 US") == Fraction(months, 12)


@given(principals, rates, st.integers(0, 4_000), st.sampled_from([360, 365]))
def test_interest_of_a_period_is_interest_of_its_days(principal: int, rate_e8: int, days: int, basis: int) -> None:
    first, until = date(2026, 3, 2), date(2026, 3, 2) + timedelta(days=days)
    years = year_fraction(first, until, "act/360" if basis == 360 else "act/365")
    expected = accrued_interest_minor(principal, rate_e8, days, basis)
    assert interest_of_period_minor(principal, rate_e8, years) == expected


def test_no_day_count_runs_backwards() -> None:
    for convention in get_args(DayCount):
        with pytest.raises(AssertionError, match="backwards"):
            year_fraction(date(2026, 3, 2), date(2026, 3, 1), convention)
