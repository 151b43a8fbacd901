"""Money: whole minor units, one rounding, and the refusal to guess."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AmountNotExact, UnknownCurrency
from domain.money import (
    AMOUNT_MAX,
    exponent,
    format_minor,
    half_up,
    market_value_minor,
    parse_decimal,
    ratio_of_minor,
    to_e4,
    to_e8,
    to_minor,
    to_minor_array,
)


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_half_up_rounds_the_magnitude_and_keeps_the_sign(numerator: int, denominator: int) -> None:
    quotient, rest = divmod(abs(numerator), denominator)
    expected = quotient + (2 * rest >= denominator)
    assert half_up(numerator, denominator) == (-expected if numerator < 0 else expected)


@pytest.mark.parametrize(
    ("numerator", "rounded"), [(4, 0), (5, 1), (15, 2), (25, 3), (-5, -1), (-4, 0), (-15, -2), (0, 0)]
)
def test_a_tie_rounds_away_from_zero(numerator: int, rounded: int) -> None:
    assert half_up(numerator, 10) == rounded


@pytest.mark.parametrize(
    "text", ["", " 1", "1e5", "+1", "1,000", "１２", ".5", "1.", "nan", "1.123456789", "1234567890123456"]
)
def test_what_is_not_a_plain_number_is_refused(text: str) -> None:
    with pytest.raises(AmountNotExact, match="plain digits"):
        parse_decimal(text)


@given(st.decimals(-(10**12), 10**12, places=2))
def test_an_amount_survives_being_written_and_read(amount: Decimal) -> None:
    assert to_minor(f"{amount:.2f}", "USD") == int(amount * 100)


def test_an_amount_finer_than_its_currency_is_refused() -> None:
    assert to_minor("12.5", "KWD") == 12_500
    with pytest.raises(AmountNotExact, match="JPY has 0 decimals"):
        to_minor("12.5", "JPY")


def test_the_longest_plain_number_still_fits_a_ledger_column() -> None:
    assert to_minor("999999999999999.999", "KWD") == 999_999_999_999_999_999 < AMOUNT_MAX


def test_an_unknown_currency_is_not_assumed_to_have_cents() -> None:
    with pytest.raises(UnknownCurrency, match="ISO 4217"):
        exponent("XXX")


@pytest.mark.parametrize(("text", "e4"), [("50", 500_000), ("0.00005", 1), ("0.00004", 0), ("16.67", 166_700)])
def test_prices_are_ten_thousandths(text: str, e4: int) -> None:
    assert to_e4(text) == e4
    assert to_e8("0.06") == 6_000_000


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**9), st.sampled_from(["USD", "JPY", "KWD"]))
def test_a_position_is_worth_what_decimals_say(quantity: int, price_e4: int, currency: str) -> None:
    value = Decimal(quantity) * price_e4 / 10_000
    step = Decimal(1).scaleb(-exponent(currency))
    assert market_value_minor(quantity, price_e4, currency) == int(value.quantize(step, ROUND_HALF_UP) / step)


def test_one_tenth_means_one_tenth() -> None:
    assert ratio_of_minor(5, 0.1) == 1  # 0.5 rounds up; the float 0.1 is a little more than a tenth, 0.3 a little less.
    assert ratio_of_minor(-5, 0.1) == -1
    assert ratio_of_minor(5, 0.3) == 2
    assert ratio_of_minor(10**18, 0.3) == 3 * 10**17


def test_floats_become_amounts_only_while_they_are_whole_numbers_to_a_float() -> None:
    assert to_minor_array(np.array([0.5, -0.5, 1.4, -1.6])).tolist() == [1, -1, 1, -2]
    for unusable in (np.nan, np.inf, 2.0**53):
        with pytest.raises(AmountNotExact, match="finite"):
            to_minor_array(np.array([unusable]))


def test_people_read_major_units() -> None:
    assert format_minor(123_456, "USD") == "1,234.56 USD"
    assert format_minor(-5, "CNY") == "-0.05 CNY"
    assert format_minor(1_234, "JPY") == "1,234 JPY"
