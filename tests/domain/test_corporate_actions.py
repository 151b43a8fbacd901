"""Splits, bonus and rights issues: value is moved between shares, price and cash, never made."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.corporate_actions import (
    Outcome,
    after_bonus,
    after_rights,
    after_split,
    cash_in_lieu_minor,
    price_after_rights_e4,
    whole_shares,
)
from domain.money import EXPONENTS, PRICE_UNITS, exponent, to_e4, to_minor

quantities = st.integers(-(10**9), 10**9)
prices = st.integers(1, 10**8)
ratios = st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=100)
currencies = st.sampled_from(sorted(EXPONENTS))


def _value(quantity: int, price_e4: Fraction | int, currency: str) -> Fraction:
    return Fraction(quantity) * price_e4 * 10 ** exponent(currency) / PRICE_UNITS


@pytest.mark.parametrize("golden", ["AC-006"], indirect=True)
def test_a_split_pays_a_long_for_its_fraction_and_charges_a_short(golden: Any) -> None:
    ratio, price_e4 = Fraction(golden.given["ratio"]), to_e4(golden.given["price"])
    price = to_e4(golden.expected["price"])
    cash, fraction = to_minor(golden.expected["cash_in_lieu"], "USD"), Fraction(golden.expected["fraction"])
    long = after_split(golden.given["long_shares"], price_e4, ratio, "USD")
    assert long == Outcome(golden.expected["long_shares"], Fraction(0), Fraction(price), 0)
    short = after_split(-golden.given["short_shares"], price_e4, ratio, "USD")
    assert short == Outcome(-golden.expected["short_shares"], -fraction, Fraction(price), -cash)
    # The same holding the other way round is paid what the short owes.
    assert after_split(golden.given["short_shares"], price_e4, ratio, "USD").cash_in_lieu_minor == cash


@given(quantities, prices, ratios, currencies)
def test_a_split_leaves_the_value_as_it_was_up_to_cash_in_lieu(
    quantity: int, price_e4: int, ratio: Fraction, currency: str
) -> None:
    after = after_split(quantity, price_e4, ratio, currency)
    assert (after.quantity_shares + after.fraction) * after.price_e4 == quantity * price_e4
    left = _value(quantity, price_e4, currency) - _value(after.quantity_shares, after.price_e4, currency)
    assert abs(left - after.cash_in_lieu_minor) <= Fraction(1, 2)
    assert abs(after.fraction) < 1
    assert after.fraction * quantity >= 0


@given(quantities, prices, ratios, currencies)
def test_a_short_is_the_mirror_of_a_long(quantity: int, price_e4: int, ratio: Fraction, currency: str) -> None:
    one, other = (after_split(sign * quantity, price_e4, ratio, currency) for sign in (1, -1))
    assert one.quantity_shares == -other.quantity_shares
    assert one.cash_in_lieu_minor == -other.cash_in_lieu_minor


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), ratios)
def test_lots_would_lose_shares_that_the_account_keeps(lots: list[int], ratio: Fraction) -> None:
    """Whole shares of the total are never fewer than those of the lots, and that is why only the total is split."""
    whole, fraction = whole_shares(sum(lots), ratio)
    by_lot = [whole_shares(lot, ratio) for lot in lots]
    assert whole + fraction == sum(shares + left for shares, left in by_lot)
    assert sum(shares for shares, _ in by_lot) <= whole <= sum(shares for shares, _ in by_lot) + len(lots) - 1


def test_three_lots_of_one_share_make_one_account_of_four() -> None:
    assert whole_shares(3, Fraction(3, 2)) == (4, Fraction(1, 2))
    assert 3 * whole_shares(1, Fraction(3, 2))[0] == 3


def test_a_merger_of_ten_into_one_pays_those_who_held_fewer() -> None:
    assert after_split(9, 10_000, Fraction(1, 10), "USD") == Outcome(0, Fraction(9, 10), Fraction(100_000), 900)
    assert after_split(0, 10_000, Fraction(1, 10), "USD") == Outcome(0, Fraction(0), Fraction(100_000), 0)


def test_three_free_shares_for_ten_are_a_split_of_thirteen_for_ten() -> None:
    after = after_bonus(1_005, 130_000, Fraction(3, 10), "CNY")
    assert after == after_split(1_005, 130_000, Fraction(13, 10), "CNY")
    assert after == Outcome(1_306, Fraction(1, 2), Fraction(100_000), 500)


def test_three_rights_for_ten_at_seven_make_a_share_of_ten_one_of_nine_and_a_third() -> None:
    after = after_rights(1_005, 100_000, Fraction(3, 10), 70_000, "CNY")
    assert after.price_e4 == Fraction(1_210_000, 13)
    assert (after.quantity_shares, after.fraction) == (1_306, Fraction(1, 2))
    assert after.subscription_minor == 301 * 700
    # Half a right is worth half of 9.3077 - 7.00.
    assert after.cash_in_lieu_minor == 115


@given(quantities, st.integers(2, 10**8), st.data(), ratios, currencies)
def test_rights_taken_up_leave_the_value_as_it_was_up_to_rounding(
    quantity: int, price_e4: int, data: st.DataObject, rights: Fraction, currency: str
) -> None:
    subscription_e4 = data.draw(st.integers(0, price_e4 - 1))
    after = after_rights(quantity, price_e4, rights, subscription_e4, currency)
    assert subscription_e4 < after.price_e4 < price_e4
    value = (
        _value(after.quantity_shares, after.price_e4, currency) - after.subscription_minor + after.cash_in_lieu_minor
    )
    # Two amounts were rounded, each once.
    assert abs(value - _value(quantity, price_e4, currency)) <= 1


def test_rights_that_cost_nothing_are_a_bonus() -> None:
    free = after_rights(1_005, 130_000, Fraction(3, 10), 0, "CNY")
    assert free == after_bonus(1_005, 130_000, Fraction(3, 10), "CNY")


def test_rights_dearer_than_the_share_are_not_taken_up() -> None:
    with pytest.raises(AssertionError):
        price_after_rights_e4(100_000, Fraction(3, 10), 100_000)


def test_cash_in_lieu_is_rounded_once_away_from_zero() -> None:
    assert cash_in_lieu_minor(Fraction(1, 2), 100, "USD") == 1
    assert cash_in_lieu_minor(Fraction(-1, 2), 100, "USD") == -1
    assert cash_in_lieu_minor(Fraction(1, 2), 99, "USD") == 0
    assert cash_in_lieu_minor(Fraction(1, 2), 25_000, "JPY") == 1
