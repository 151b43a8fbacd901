"""What an account must keep: published examples, edges, and the slow twin in plain whole numbers."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import AmountNotExact, UnpricedPosition
from domain.margin import (
    VALUE_E4_MAX,
    account_ratio_requirement,
    band_of,
    call_line,
    collateral_ratio,
    effective_requirement,
    explain_account_ratio,
    explain_house,
    explain_requirement,
    house_requirement,
    initial_deposit_minor,
    maintenance_requirement,
    market_values_minor,
    requirement_per_account,
    trigger_long_value_minor,
    trigger_price_e4,
    trigger_short_value_minor,
)
from domain.money import format_minor, half_up, market_value_minor, ratio_of_minor, to_e4, to_minor
from domain.rulebook import AccountRatio, ChargePerPosition, ShortTier, initial_rule, maintenance_rule
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)
FINRA = maintenance_rule(load_rulebook("us.finra_4210").governing(DAY))
LINES = maintenance_rule(load_rulebook("cn.sse_margin_trading").governing(DAY))
assert isinstance(FINRA, ChargePerPosition)
assert isinstance(LINES, AccountRatio)

quantities = st.integers(-(10**9), 10**9) | st.sampled_from([0, 1, -1])
prices = st.integers(1, 10**9) | st.sampled_from([1, 49_999, 50_000, 50_001, 166_666, 166_667])
positions = st.lists(st.tuples(quantities, prices), min_size=1, max_size=30)


def whole(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def required(quantity: int, price_e4: int, rule: ChargePerPosition = FINRA) -> int:
    return int(maintenance_requirement(whole([quantity]), whole([price_e4]), rule)[0])


def slow_requirement(quantity: int, price_e4: int, rule: ChargePerPosition) -> int:
    """The rule read out loud, in fractions, rounded once at the end."""
    per_minor = 10_000 // 10 ** {"USD": 2, "CNY": 2, "JPY": 0, "KWD": 3}[rule.currency]
    value = Fraction(abs(quantity) * price_e4, per_minor)
    if quantity >= 0:
        charge = value * Fraction(round(rule.long_ratio * 10**9), 10**9)
    else:
        tier = max((tier for tier in rule.short_tiers if tier.price_from_e4 <= price_e4), key=lambda t: t.price_from_e4)
        floor = Fraction(abs(quantity) * tier.floor_e4, per_minor)
        charge = max(value * Fraction(round(tier.ratio * 10**9), 10**9), floor)
    return half_up(charge.numerator, charge.denominator)


@given(
    positions,
    st.floats(0.001, 1),
    st.floats(0.001, 1.5),
    st.integers(0, 10**6),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
def test_the_kernel_agrees_with_its_slow_twin(
    book: list[tuple[int, int]], long_ratio: float, short_ratio: float, floor_e4: int, currency: str
) -> None:
    tiers = (ShortTier(0, 1.0, 25_000), ShortTier(50_000, short_ratio, floor_e4))
    rule = ChargePerPosition(long_ratio, tiers, 0, currency, "us.sample@2026-01-01")
    charged = maintenance_requirement(whole([q for q, _ in book]), whole([p for _, p in book]), rule)
    assert charged.tolist() == [slow_requirement(quantity, price, rule) for quantity, price in book]
    assert charged.dtype == np.int64


@given(quantities, prices)
def test_holding_twice_as_much_requires_twice_as_much(quantity: int, price_e4: int) -> None:
    assert abs(required(2 * quantity, price_e4) - 2 * required(quantity, price_e4)) <= 1


@given(positions)
def test_the_order_of_positions_does_not_matter(book: list[tuple[int, int]]) -> None:
    quantity, price = whole([q for q, _ in book]), whole([p for _, p in book])
    forwards = maintenance_requirement(quantity, price, FINRA)
    assert (maintenance_requirement(quantity[::-1], price[::-1], FINRA)[::-1] == forwards).all()


@given(st.integers(1, 10**6), prices)
def test_a_short_is_charged_at_least_as_much_as_the_same_long(shares: int, price_e4: int) -> None:
    assert required(-shares, price_e4) >= required(shares, price_e4) >= 0


@pytest.mark.parametrize("golden", ["US-005"], indirect=True)
def test_a_short_is_charged_by_its_price(golden: Any) -> None:
    charges = [required(-shares, to_e4(price)) for shares, price in golden.given["shorts"]]
    assert charges == [100 * amount for amount in golden.expected["requirements"]]


@pytest.mark.parametrize(
    ("price_e4", "minor"),
    [
        (1, 250),  # A hundredth of a cent: the floor of 2.50 a share.
        (24_999, 250),
        (25_000, 250),
        (25_100, 251),
        (49_999, 500),  # All of the value, 4.9999.
        (50_000, 500),  # The next tier begins: at least 5.00 a share.
        (166_666, 500),  # 30 % of 16.6666 is 4.99998.
        (166_700, 500),  # 5.001, to the cent.
        (170_000, 510),
    ],
)
def test_one_share_short_at_the_edges_of_the_tiers(price_e4: int, minor: int) -> None:
    assert required(-1, price_e4) == minor


@pytest.mark.parametrize("golden", ["US-006"], indirect=True)
def test_a_new_short_deposits_the_greater_of_two_rules(golden: Any) -> None:
    regulation = initial_rule(load_rulebook("us.regulation_t").governing(DAY))
    assert regulation.short is not None
    deposits = [
        max(
            ratio_of_minor(market_value_minor(shares, to_e4(price), "USD"), regulation.short - 1),
            required(-shares, to_e4(price)),
        )
        for shares, price in golden.given["shorts"]
    ]
    assert deposits == [100 * amount for amount in golden.expected["deposits"]]


@pytest.mark.parametrize("golden", ["US-007"], indirect=True)
def test_a_first_purchase_deposits_half_but_at_least_the_least_equity(golden: Any) -> None:
    regulation = initial_rule(load_rulebook("us.regulation_t").governing(DAY))
    assert regulation.financing is not None
    deposits = [
        initial_deposit_minor(100 * cost, regulation.financing, FINRA.equity_min_minor)
        for cost in golden.given["purchases"]
    ]
    assert deposits == [100 * amount for amount in golden.expected["deposits"]]


@pytest.mark.parametrize("golden", ["US-014"], indirect=True)
def test_an_account_both_long_and_short_sums_its_charges(golden: Any) -> None:
    (long_shares, long_price), (short_shares, short_price) = golden.given["long"], golden.given["short"]
    quantity, price = whole([long_shares, -short_shares]), whole([to_e4(long_price), to_e4(short_price)])
    charges = maintenance_requirement(quantity, price, FINRA)
    (requirement,) = requirement_per_account(charges, np.zeros(2, dtype=np.intp), 1)
    cash = 100 * (golden.given["credit"] - golden.given["debit"])
    equity = cash + int(market_values_minor(quantity, price, "USD").sum())
    assert requirement == 100 * golden.expected["requirement"]
    assert equity == 100 * golden.expected["equity"]
    assert equity - requirement == 100 * golden.expected["excess"]


@pytest.mark.parametrize("golden", ["US-001"], indirect=True)
def test_a_long_account_is_called_below_its_trigger(golden: Any) -> None:
    trigger = trigger_long_value_minor(100 * golden.given["debit"], FINRA.long_ratio)
    assert trigger == to_minor(golden.expected["trigger"], "USD")
    assert Decimal(str(call_line(FINRA))).quantize(Decimal("1.0000")) == Decimal("1.3333")
    assert call_line(LINES) == 1.30


@pytest.mark.parametrize("golden", ["US-004"], indirect=True)
def test_a_short_account_is_called_above_its_trigger(golden: Any) -> None:
    credit, price_e4 = 100 * golden.given["credit"], to_e4(str(golden.given["price"]))
    trigger = trigger_short_value_minor(credit, FINRA.short_tiers[1].ratio)
    assert trigger == to_minor(golden.expected["trigger"], "USD")
    shares = trigger * 100 // price_e4
    assert required(-shares, price_e4) == credit - trigger


# The account as a whole.


@pytest.mark.parametrize("golden", ["CN-003"], indirect=True)
def test_the_collateral_ratio_counts_every_share_in_the_account(golden: Any) -> None:
    own, financed = golden.given["own"], golden.given["financed"]
    debt = 100 * financed["shares"] * financed["price"]
    assets = 100 * (golden.given["cash"] + own["shares"] * own["price"]) + debt
    assert (assets, debt) == (100 * golden.expected["assets"], 100 * golden.expected["debt"])
    assert collateral_ratio(assets, debt) == Fraction(str(golden.expected["ratio"]))


@pytest.mark.parametrize("golden", ["CN-018"], indirect=True)
def test_the_collateral_ratio_agrees_with_a_published_one(golden: Any) -> None:
    assets = golden.given["cash"] + golden.given["securities"]
    assert collateral_ratio(assets, golden.given["debt"]) == Fraction(str(golden.expected["ratio"]))


@pytest.mark.parametrize("golden", ["CN-017"], indirect=True)
def test_a_line_belongs_to_the_better_band(golden: Any) -> None:
    assert [band_of(int(Decimal(ratio) * 100), 100, LINES) for ratio in golden.given["ratios"]] == golden.expected[
        "bands"
    ]


def test_one_unit_below_a_line_is_the_worse_band() -> None:
    debt = 10**12
    bands = ["withdrawable", "normal", "early_watch", "margin_call", "close_out", "under_water"]
    for better, worse, line in zip(bands, bands[1:], (300, 150, 140, 130, 100), strict=False):
        assert band_of(debt * line // 100, debt, LINES) == better
        assert band_of(debt * line // 100 - 1, debt, LINES) == worse
    assert band_of(0, 0, LINES) == "withdrawable"
    assert collateral_ratio(100, 0) is None


@pytest.mark.parametrize("golden", ["CN-015"], indirect=True)
def test_one_share_stands_on_a_line_at_its_trigger_price(golden: Any) -> None:
    debt, shares = 100 * golden.given["debt"], golden.given["shares"]
    triggers = [trigger_price_e4(debt, shares, line, "CNY") for line in golden.given["lines"]]
    assert triggers == [to_e4(price) for price in golden.expected["prices"]]
    for price_e4, line in zip(triggers, golden.given["lines"], strict=True):
        assert collateral_ratio(market_value_minor(shares, price_e4, "CNY"), debt) == Fraction(str(line))


@given(st.integers(0, 10**13), st.integers(1, 10**13))
def test_equity_below_the_call_line_is_the_band_below_it(assets: int, debt: int) -> None:
    """The two ways to ask agree to the rounding of one minor unit."""
    (called,), (restored,) = account_ratio_requirement(whole([debt]), LINES)
    in_call_band = band_of(assets, debt, LINES) in ("close_out", "under_water")
    if assets - debt < called - 1:
        assert in_call_band
    if assets - debt > called:
        assert not in_call_band
    assert 0 <= called <= restored
    assert int(called) == half_up(3 * debt, 10)
    assert int(restored) == half_up(4 * debt, 10)


@given(st.integers(0, 10**12), st.integers(1, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_adding_or_repaying_never_lowers_the_collateral_ratio(assets: int, debt: int, added: int, repaid: int) -> None:
    before = collateral_ratio(assets, debt)
    assert before is not None
    with_more = collateral_ratio(assets + added, debt)
    assert with_more is not None
    assert with_more >= before
    after = collateral_ratio(assets, max(0, debt - repaid))
    assert after is None or after >= before


def test_without_debt_nothing_is_required() -> None:
    called, restored = account_ratio_requirement(whole([0, 1]), LINES)
    assert called.tolist() == [0, 0]
    assert restored.tolist() == [0, 0]


# The house.


@given(st.lists(st.tuples(st.integers(-(10**16), 10**16), st.floats(0, 1)), min_size=1, max_size=30))
def test_the_house_kernel_agrees_with_money(book: list[tuple[int, float]]) -> None:
    charged = house_requirement(whole([value for value, _ in book]), np.array([ratio for _, ratio in book]))
    assert charged.tolist() == [ratio_of_minor(abs(value), ratio) for value, ratio in book]


def test_a_haircut_that_is_none_is_a_bug() -> None:
    for ratio in (np.nan, -0.1, 1.1):
        with pytest.raises(AssertionError):
            house_requirement(whole([100]), np.array([ratio]))


def test_what_binds_is_the_greater() -> None:
    assert effective_requirement(whole([1, 5]), whole([3, 4])).tolist() == [3, 5]


@given(positions)
def test_values_agree_with_money(book: list[tuple[int, int]]) -> None:
    values = market_values_minor(whole([q for q, _ in book]), whole([p for _, p in book]), "CNY")
    assert values.tolist() == [market_value_minor(quantity, price, "CNY") for quantity, price in book]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**53 + 1)), max_size=50))
def test_sums_per_account_lose_nothing(charges: list[tuple[int, int]]) -> None:
    totals = requirement_per_account(
        whole([c for _, c in charges]), np.array([a for a, _ in charges], dtype=np.intp), 10
    )
    assert totals.tolist() == [sum(charge for owner, charge in charges if owner == account) for account in range(10)]


# Refusals.


@pytest.mark.parametrize("price_e4", [0, -1])
def test_an_unpriced_position_is_refused_with_its_row(price_e4: int) -> None:
    with pytest.raises(UnpricedPosition, match=r"2 of 4 positions have no usable price; .* but row 1 has") as refusal:
        maintenance_requirement(whole([1, 2, 3, 4]), whole([1, price_e4, 1, price_e4]), FINRA)
    assert "fill the gap in stg_market__prices" in str(refusal.value)
    with pytest.raises(UnpricedPosition):
        market_values_minor(whole([1]), whole([price_e4]), "USD")


@pytest.mark.parametrize(
    ("quantity", "price_e4"), [(2**31, 2**31), (-(2**31), 2**31), (2**62, 1), (-(2**63), 1), (2**63 - 1, 2**63 - 1)]
)
def test_what_64_bits_cannot_hold_is_refused(quantity: int, price_e4: int) -> None:
    with pytest.raises(AmountNotExact, match="row 1 has"):
        maintenance_requirement(whole([1, quantity]), whole([1, price_e4]), FINRA)
    with pytest.raises(AmountNotExact):
        market_values_minor(whole([1, quantity]), whole([1, price_e4]), "USD")


def test_a_floor_per_share_is_checked_too() -> None:
    """A penny share: its value fits, what its floor requires would not."""
    with pytest.raises(AmountNotExact):
        maintenance_requirement(whole([-(2**50)]), whole([1]), FINRA)
    assert required(2**50, 1) == half_up(2**50, 400)


def test_the_largest_position_is_still_exact() -> None:
    quantity, price = 2**31 - 1, 2**31
    assert quantity * price < VALUE_E4_MAX
    assert required(quantity, price) == slow_requirement(quantity, price, FINRA)
    assert required(-quantity, price) == slow_requirement(-quantity, price, FINRA)


def test_floats_are_a_bug_not_a_position() -> None:
    with pytest.raises(AssertionError, match="whole numbers"):
        maintenance_requirement(np.array([1.0]), np.array([1.0]), FINRA)  # type: ignore[arg-type]


def test_no_positions_require_nothing() -> None:
    assert maintenance_requirement(whole([]), whole([]), FINRA).tolist() == []


# Explanations.


@given(quantities, prices)
def test_an_explanation_ends_with_the_number_it_explains(quantity: int, price_e4: int) -> None:
    lines = explain_requirement("US.AIG", quantity, price_e4, FINRA)
    amount = format_minor(required(quantity, price_e4), "USD")
    assert lines[-1] == f"Required under us.finra_4210@2026-06-04: {amount}."
    assert len(lines) == (4 if quantity < 0 else 3)


def test_an_explanation_has_one_line_for_each_sentence_that_fired() -> None:
    assert explain_requirement("US.AIG", -10_000, 50_000, FINRA) == [
        "US.AIG: short 10,000 shares at 5.0000 are worth 50,000.00 USD.",
        "A short position priced from 5.00 must keep 0.3 of its value, 15,000.00 USD,",
        "but at least 5.00 a share: 50,000.00 USD.",
        "Required under us.finra_4210@2026-06-04: 50,000.00 USD.",
    ]
    assert explain_requirement("US.AIG", 1_000, 500_000, FINRA)[1] == (
        "A long position must keep 0.25 of its value: 12,500.00 USD."
    )


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_an_account_is_explained_with_the_numbers_it_was_judged_by(assets: int, debt: int) -> None:
    lines = explain_account_ratio(assets, debt, LINES)
    (called,), (restored,) = account_ratio_requirement(whole([debt]), LINES)
    assert lines[-2].endswith(f"equity of {format_minor(int(called), 'CNY')}.")
    assert lines[-1].endswith(f"equity of {format_minor(int(restored), 'CNY')}.")
    assert f"band {band_of(assets, debt, LINES)}." in lines[0]


@given(st.integers(-(10**12), 10**12), st.floats(0, 1))
def test_the_house_is_explained_with_the_number_it_asks(value: int, haircut: float) -> None:
    lines = explain_house("US.AIG", value, haircut, "USD", "house.margin@2000-01-01")
    (charged,) = house_requirement(whole([value]), np.array([haircut]))
    assert lines[-1] == f"Required under house.margin@2000-01-01: {format_minor(int(charged), 'USD')}."
