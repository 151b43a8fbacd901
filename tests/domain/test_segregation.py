"""Clients' money and securities apart from the desk's own: identity, locked shares, reserve."""

from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import segregation
from domain.errors import RulebookNotUsable
from domain.money import PRICE_UNITS, exponent
from domain.rulebook import Edition, control_terms, reserve_terms
from domain.segregation import (
    Control,
    Frequency,
    Holding,
    Method,
    choose_locked,
    must_compute_daily,
    net_debit_minor,
    reserve_requirement,
    securities_to_segregate,
    segregation_difference,
)
from rulebooks import load_rulebook

RULEBOOK = load_rulebook("us.rule_15c3_3")
TODAY = RULEBOOK.governing(date(2026, 9, 1))
CONTROL, RESERVE = control_terms(TODAY), reserve_terms(TODAY)

amounts = st.integers(0, 10**15)
lines = st.dictionaries(st.integers(1, 14), amounts)
methods: st.SearchStrategy[Method] = st.sampled_from(("alternative", "basic"))
frequencies: st.SearchStrategy[Frequency] = st.sampled_from(("daily", "weekly", "monthly"))


# Clients' money.


def test_clients_money_at_the_bank_is_what_is_owed_to_them() -> None:
    balances = {
        ("1010", "CNY"): 13_007_100,
        ("2010", "CNY"): -13_007_100,
        ("1010", "USD"): 90,
        ("2010", "USD"): -100,
        ("2010", "HKD"): -7,
        ("1110", "EUR"): 55,
    }
    assert segregation_difference(balances) == {"CNY": 0, "USD": -10, "HKD": -7}
    assert segregation_difference({}) == {}


# Possession or control.


@pytest.mark.parametrize("golden", ["US-012"], indirect=True)
def test_what_exceeds_the_debit_by_more_than_the_rule_allows_is_locked_up(golden: Any) -> None:
    control = securities_to_segregate(100 * golden.given["long_value"], 100 * golden.given["debit"], CONTROL)
    assert control == Control(100 * golden.expected["pledgeable"], 100 * golden.expected["to_segregate"])


@given(amounts, amounts)
def test_every_unit_of_value_is_either_locked_or_pledgeable(value: int, debit: int) -> None:
    control = securities_to_segregate(value, debit, CONTROL)
    assert control.pledgeable_minor + control.to_segregate_minor == value
    assert min(control) >= 0
    assert 10 * control.pledgeable_minor <= 14 * debit


def test_securities_fully_paid_for_are_all_locked_up() -> None:
    assert securities_to_segregate(100_000, 0, CONTROL) == Control(0, 100_000)
    assert securities_to_segregate(100_000, 71_429, CONTROL) == Control(100_000, 0)


def test_a_fraction_of_a_cent_is_locked_rather_than_pledged() -> None:
    assert securities_to_segregate(10, 3, CONTROL) == Control(4, 6)


def test_the_proceeds_of_a_short_sale_do_not_pay_off_a_debit() -> None:
    assert net_debit_minor(-50_000, 0) == 50_000
    assert net_debit_minor(20_000, 60_000) == 40_000
    assert net_debit_minor(60_000, 60_000) == 0
    assert net_debit_minor(70_000, 60_000) == 0


def _least_excess_e4(holdings: list[Holding], required_e4: int) -> int:
    """Slow and obvious: every choice of shares."""
    totals = (
        sum(count * holding.price_e4 for count, holding in zip(counts, holdings, strict=True))
        for counts in product(*(range(holding.quantity_shares + 1) for holding in holdings))
    )
    return min(total - required_e4 for total in totals if total >= required_e4)


small_holdings = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 500_000)), max_size=4).map(
    lambda rows: [Holding(f"US.S{n}", quantity, price) for n, (quantity, price) in enumerate(rows)]
)


@given(small_holdings, st.floats(0, 1))
def test_no_choice_of_shares_locks_less(holdings: list[Holding], part: float) -> None:
    total_e4 = sum(holding.quantity_shares * holding.price_e4 for holding in holdings)
    required_minor = int(part * total_e4) // 100
    locked = choose_locked(holdings, required_minor, "USD")
    assert locked.is_least
    assert locked.excess_e4 == _least_excess_e4(holdings, 100 * required_minor)
    assert locked.excess_e4 == _locked_e4(holdings, locked.quantity_shares) - 100 * required_minor


def _locked_e4(holdings: list[Holding], locked: dict[str, int]) -> int:
    price_of = {holding.instrument_id: holding.price_e4 for holding in holdings}
    return sum(count * price_of[instrument_id] for instrument_id, count in locked.items())


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**7)), min_size=1, max_size=30).map(
        lambda rows: [Holding(f"US.S{n}", quantity, price) for n, (quantity, price) in enumerate(rows)]
    ),
    st.floats(0, 1),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_however_many_shares_enough_is_locked_and_no_share_to_spare(
    holdings: list[Holding], part: float, currency: str
) -> None:
    unit = PRICE_UNITS // 10 ** exponent(currency)
    total_e4 = sum(holding.quantity_shares * holding.price_e4 for holding in holdings)
    required_minor = int(part * total_e4) // unit
    locked = choose_locked(holdings, required_minor, currency)
    assert _locked_e4(holdings, locked.quantity_shares) == unit * required_minor + locked.excess_e4
    prices = {holding.instrument_id: holding.price_e4 for holding in holdings}
    assert all(prices[instrument_id] > locked.excess_e4 >= 0 for instrument_id in locked.quantity_shares)


def test_the_dearest_shares_are_pledged_unless_cheaper_ones_fit_better() -> None:
    holdings = [Holding("US.A", 3, 1_000_000), Holding("US.B", 5, 600_000)]
    # 600 in all, 420 to lock: 180 may be pledged. One A leaves 80 unused, three B leave nothing.
    assert choose_locked(holdings, 420_00, "USD") == ({"US.A": 3, "US.B": 2}, 0, True)
    assert choose_locked(holdings, 600_00, "USD").quantity_shares == {"US.A": 3, "US.B": 5}
    assert choose_locked(holdings, 0, "USD") == ({}, 0, True)


def test_an_unfinished_search_says_so_and_still_locks_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    holdings = [Holding(f"US.S{n}", 1, 1_000_003 + 7_919 * n * n) for n in range(24)]
    monkeypatch.setattr(segregation, "SEARCH_STEPS_MAX", 10)
    locked = choose_locked(holdings, 1_111_11, "USD")
    assert not locked.is_least
    assert locked.excess_e4 >= 0


def test_a_value_rounded_up_to_the_cent_locks_every_share() -> None:
    """Three shares at 0.0033 are 0.0099, which the ledger calls one cent."""
    assert choose_locked([Holding("US.P", 3, 33)], 1, "USD").quantity_shares == {"US.P": 3}


def test_a_thousand_instruments_are_chosen_among_in_a_moment() -> None:
    holdings = [Holding(f"US.S{n}", 1 + n % 7, 10_007 * (n + 1)) for n in range(1_000)]
    assert choose_locked(holdings, 1_234_567_89, "USD").excess_e4 >= 0


# The reserve.


@pytest.mark.parametrize("golden", ["US-013"], indirect=True)
def test_the_reserve_is_credits_less_debits_reduced_by_the_method(golden: Any) -> None:
    items = {int(item): 100 * amount for item, amount in golden.given["lines"].items()}
    cases: tuple[tuple[Method, Frequency], ...] = (
        ("alternative", "weekly"),
        ("alternative", "daily"),
        ("basic", "weekly"),
    )
    for method, frequency in cases:
        reserve = reserve_requirement(items, 100 * golden.given["on_deposit"], method, frequency, RESERVE)
        assert reserve.credits_minor == 100 * golden.expected["credits"]
        assert reserve.debits_minor == 100 * golden.expected["debits"]
        assert reserve.required_minor == 100 * golden.expected[f"{method}_{frequency}"]
        if key := golden.expected.get(f"deposit_{method}_{frequency}"):
            assert reserve.movement_minor == 100 * key


def test_who_computes_monthly_holds_five_hundredths_more() -> None:
    reserve = reserve_requirement({1: 100_001, 10: 0}, 200_000, "basic", "monthly", RESERVE)
    assert reserve.excess_credits_minor == 100_001
    assert reserve.required_minor == 105_002, "105,001.05 rounded up"
    assert reserve.movement_minor == 105_002 - 200_000


def test_a_reduction_that_does_not_come_out_even_is_rounded_up() -> None:
    assert reserve_requirement({10: 101}, 0, "alternative", "weekly", RESERVE).reduction_minor == 4
    assert reserve_requirement({10: 101}, 0, "alternative", "daily", RESERVE).reduction_minor == 3
    assert reserve_requirement({10: 101, 12: 10_000}, 0, "basic", "daily", RESERVE).reduction_minor == 2
    assert reserve_requirement({10: 100}, 0, "alternative", "weekly", RESERVE).reduction_minor == 3


@given(lines, amounts, methods, frequencies)
def test_the_reserve_covers_what_customers_are_owed_net(
    items: dict[int, int], on_deposit: int, method: Method, frequency: Frequency
) -> None:
    reserve = reserve_requirement(items, on_deposit, method, frequency, RESERVE)
    assert reserve.credits_minor + reserve.debits_minor == sum(items.values())
    assert reserve.required_minor >= max(0, reserve.credits_minor - reserve.debits_minor)
    assert reserve.required_minor >= reserve.excess_credits_minor
    assert reserve.on_deposit_minor + reserve.movement_minor == reserve.required_minor


@given(lines, st.integers(1, 14), st.integers(0, 10**12), methods, frequencies)
def test_more_credits_never_lower_the_reserve_and_more_debits_never_raise_it(
    items: dict[int, int], item: int, more: int, method: Method, frequency: Frequency
) -> None:
    before = reserve_requirement(items, 0, method, frequency, RESERVE).required_minor
    raised = {**items, item: items.get(item, 0) + more}
    after = reserve_requirement(raised, 0, method, frequency, RESERVE).required_minor
    assert after >= before if item <= 9 else after <= before


def test_an_item_the_rule_does_not_have_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"no items \[15\]"):
        reserve_requirement({15: 1}, 0, "basic", "weekly", RESERVE)


def test_the_reduction_and_the_frequency_follow_the_day() -> None:
    half_a_billion = 500_000_000_00
    for day, daily_reduction, is_daily in (
        (date(2025, 3, 13), 0.03, False),
        (date(2025, 3, 14), 0.02, False),
        (date(2026, 6, 29), 0.02, False),
        (date(2026, 6, 30), 0.02, True),
    ):
        terms = reserve_terms(RULEBOOK.governing(day))
        assert terms.alternative_reduction == {"daily": daily_reduction, "weekly": 0.03, "monthly": 0.03}
        assert must_compute_daily(half_a_billion, terms) == is_daily
        assert not must_compute_daily(half_a_billion - 1, terms)


@pytest.mark.parametrize(
    "change",
    [
        {"alternative_reduction": {"daily": 0.02, "weekly": 0.03}},
        {"basic_item": 1},
        {"basic_item": 99},
        {"items": [{"item": 1, "side": "credit", "title": "credits"}]},
        {"items": [{"item": 1, "side": "left", "title": "credits"}, {"item": 10, "side": "debit", "title": "debits"}]},
        {
            "items": [
                {"item": 10, "side": "debit", "title": "debits"},
                {"item": 1, "side": "credit", "title": "credits"},
            ]
        },
    ],
)
def test_a_formula_with_a_missing_side_or_reduction_is_refused(change: dict[str, Any]) -> None:
    rules = {"reserve": {**TODAY.rules["reserve"], **change}}
    with pytest.raises(RulebookNotUsable, match="reserve must be items of rising number on both sides"):
        reserve_terms(Edition("us.sample", date(2026, 6, 30), True, "", "", rules))
