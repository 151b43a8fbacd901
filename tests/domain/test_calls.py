"""When a call is made, how large it is, and what cures it."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calls import (
    Call,
    call_amounts,
    cure_by_cash,
    cure_by_collateral,
    cure_by_sale,
    explain_call,
    margin_call,
    sale_to_cure_minor,
    shortfalls,
)
from domain.margin import collateral_ratio

equities = st.integers(-(10**12), 10**12)
amounts = st.integers(0, 10**12)


@pytest.mark.parametrize("golden", ["US-001"], indirect=True)
def test_a_fall_below_the_requirement_is_called_for_the_difference(golden: Any) -> None:
    long_value, debit = 100 * golden.given["long_value"], 100 * golden.given["debit"]
    equity, requirement = long_value - debit, long_value // 4
    assert equity == 100 * golden.expected["equity"]
    call = margin_call(equity, requirement, requirement)
    assert call is not None
    assert call.call_minor == 100 * golden.expected["call"]
    assert sale_to_cure_minor(call.call_minor, Fraction(1, 4)) == 100 * golden.expected["sale"]


def test_equity_equal_to_the_requirement_is_enough() -> None:
    assert margin_call(2_500, 2_500, 2_500) is None
    assert margin_call(2_499, 2_500, 2_500) == Call(1, 0, 2_499, 2_500, 2_500)
    assert margin_call(0, 0, 0) is None


def test_a_call_restores_more_than_was_required_where_the_contract_says_so() -> None:
    assert margin_call(2_499, 2_500, 3_300) == Call(801, 0, 2_499, 2_500, 3_300)
    assert margin_call(2_500, 2_500, 3_300) is None


def test_an_account_under_water_owes_more_than_it_holds() -> None:
    call = margin_call(-400, 0, 0)
    assert call == Call(400, 400, -400, 0, 0)


@given(st.lists(st.tuples(equities, amounts, amounts), min_size=1, max_size=30))
def test_the_array_twin_agrees(accounts: list[tuple[int, int, int]]) -> None:
    judged = [(equity, low, low + more) for equity, low, more in accounts]
    equity, requirement, restore = (np.array(column, dtype=np.int64) for column in zip(*judged, strict=True))
    calls = [margin_call(*account) for account in judged]
    assert call_amounts(equity, requirement, restore).tolist() == [call.call_minor if call else 0 for call in calls]
    assert shortfalls(equity).tolist() == [max(0, -account[0]) for account in judged]
    assert call_amounts(equity, requirement, restore).dtype == np.int64


@given(equities, amounts, amounts)
def test_a_call_that_is_met_leaves_no_call(equity: int, requirement: int, more: int) -> None:
    call = margin_call(equity, requirement, requirement + more)
    if call is not None:
        assert call.call_minor > 0
        assert margin_call(equity + call.call_minor, requirement, requirement + more) is None


def test_a_call_is_explained_in_one_sentence_a_client_can_check() -> None:
    call = margin_call(200_000, 300_000, 300_000)
    assert call is not None
    assert explain_call(call, "USD") == (
        "Equity of 2,000.00 USD is below the requirement of 3,000.00 USD; 1,000.00 USD restores it to 3,000.00 USD."
    )
    lost = margin_call(-50_000, 0, 0)
    assert lost is not None
    assert explain_call(lost, "USD").endswith("Selling everything would leave 500.00 USD unpaid.")


@pytest.mark.parametrize("golden", ["CN-008"], indirect=True)
def test_three_ways_cure_one_account(golden: Any) -> None:
    unit = 10**9  # Large enough for the rounding up to vanish beside the published figures.
    assets, debt, target = golden.given["assets"] * unit, golden.given["debt"] * unit, Fraction(*golden.given["target"])
    cures = {
        "add_collateral": cure_by_collateral(assets, debt, target),
        "repay_with_cash": cure_by_cash(assets, debt, target),
        "sell_and_repay": cure_by_sale(assets, debt, target),
    }
    for cure, amount in cures.items():
        assert 0 <= amount - Fraction(golden.expected[cure]) * unit < 1


@pytest.mark.parametrize("golden", ["CN-005"], indirect=True)
def test_a_sale_returns_an_account_to_its_target(golden: Any) -> None:
    assets, debt = golden.given["assets"], golden.given["debt"]
    assert collateral_ratio(assets, debt) == Fraction(str(golden.expected["ratio_before"]))
    assert cure_by_sale(assets, debt, Fraction(*golden.given["target"])) == golden.expected["sale"]


@pytest.mark.parametrize("golden", ["CN-006"], indirect=True)
def test_added_collateral_returns_an_account_to_its_target(golden: Any) -> None:
    assets, debt = golden.given["assets"], golden.given["debt"]
    assert cure_by_collateral(assets, debt, Fraction(*golden.given["target"])) == golden.expected["top_up"]


targets = st.sampled_from([Fraction(13, 10), Fraction(14, 10), Fraction(3, 2), Fraction(3)])


@given(st.integers(1, 10**12), st.integers(1, 10**12), targets)
def test_a_cure_suffices_and_one_unit_less_does_not(assets: int, debt: int, target: Fraction) -> None:
    add, repay = cure_by_collateral(assets, debt, target), cure_by_cash(assets, debt, target)
    assert assets + add >= target * debt
    assert assets >= target * (debt - repay)
    if add:
        assert assets + add - 1 < target * debt
    if repay:
        assert assets < target * (debt - repay + 1)


@given(
    st.integers(1, 10**12),
    st.integers(1, 10**12),
    targets,
    st.sampled_from([Fraction(0), Fraction(1, 100), Fraction(1, 20)]),
)
def test_a_sale_suffices_unless_everything_is_sold(assets: int, debt: int, target: Fraction, cost: Fraction) -> None:
    sale = cure_by_sale(assets, debt, target, cost)
    assert 0 <= sale <= assets
    if sale < assets:
        assert assets - sale >= target * (debt - sale * (1 - cost))


def test_an_account_at_its_target_needs_no_cure() -> None:
    for cure in (cure_by_collateral, cure_by_cash, cure_by_sale):
        assert cure(140, 100, Fraction(14, 10)) == 0
