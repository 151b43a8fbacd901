"""The price of a loan: the published case, its densities integrated numerically, and what must hold of any loan."""

from dataclasses import replace
from datetime import date
from math import exp, log, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.pricing import (
    ExpectedLoss,
    capital_charge_e8,
    expected_loss,
    expected_loss_minor,
    first_passage_probability,
    rate_build_up,
    rate_in_e8,
    shortfall_at_gap,
)
from domain.rulebook import PricingTerms, pricing_terms
from rulebooks import load_rulebook

HOUSE = pricing_terms(load_rulebook("house.pricing").governing(date(2026, 6, 17)))
CALM = replace(HOUSE, jumps_per_year=0.0)
"""The house's terms without jumps."""

volatilities = st.floats(0.01, 3)
values = st.floats(0.01, 1e15)


def one(*numbers: float) -> list[np.ndarray]:
    return [np.array([number], dtype=np.float64) for number in numbers]


def loss(assets: float, debt: float, volatility: float, terms: PricingTerms = HOUSE) -> ExpectedLoss:
    return expected_loss(*one(assets, debt, volatility), terms)


def touched(value: float, barrier: float, volatility: float, drift: float = 0.0, years: float = 1.0) -> float:
    a, b, c = one(value, barrier, volatility)
    return float(first_passage_probability(a, b, drift, c, years)[0])


def missing(
    start: float, debt: float, volatility: float, cost: float = 0.0, years: float = 0.04, drift: float = 0.0
) -> float:
    a, b, c = one(start, debt, volatility)
    return float(shortfall_at_gap(a, b, drift, c, years, cost).amount[0])


def trapezoid(heights: np.ndarray, places: np.ndarray) -> float:
    return float(np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(places)))


@pytest.mark.parametrize("golden", ["PR-007"], indirect=True)
def test_the_expected_loss_of_a_loan(golden: Any) -> None:
    case = golden.given
    terms = replace(
        CALM,
        call_line_ratio=case["call_line"],
        drift_ratio=case["drift"],
        horizon_years=case["years"],
        gap_days=case["gap_days"],
        days_per_year=case["days_per_year"],
        liquidation_cost_ratio=case["cost"],
        cure_probability=case["cure"],
    )
    priced = loss(case["assets"], case["debt"], case["volatility"], terms)
    found = [priced.first_passage, priced.shortfall_probability, priced.shortfall]
    found += [priced.pd_ratio, priced.lgd_ratio, priced.rate_ratio]
    assert [float(number[0]) for number in found] == pytest.approx(list(golden.expected.values()), rel=1e-8)


@pytest.mark.parametrize("golden", ["PR-016"], indirect=True)
def test_jumps_dominate_the_gap(golden: Any) -> None:
    case = golden.given
    start, debt, volatility = one(case["value"], case["debt"], case["volatility"])
    gap = (case["drift"], volatility, case["years"], case["cost"])
    jumping = shortfall_at_gap(start, debt, *gap, case["jumps"], case["mean"], case["deviation"])
    calm = shortfall_at_gap(start, debt, *gap)
    assert float(jumping.amount[0]) == pytest.approx(golden.expected["shortfall"], rel=1e-8)
    assert float(jumping.probability[0]) == pytest.approx(golden.expected["probability"], rel=1e-8)
    assert float(calm.amount[0]) == pytest.approx(golden.expected["shortfall_without_jumps"], rel=1e-8)


@pytest.mark.parametrize(("volatility", "drift", "years"), [(0.6, 0.0, 1.0), (0.3, 0.05, 0.5), (1.5, -0.1, 2.0)])
def test_the_first_passage_is_the_integral_of_its_density(volatility: float, drift: float, years: float) -> None:
    """The slow twin: the inverse Gaussian density of the first touch, summed over time."""
    distance, slope = log(130 / 160), drift - volatility**2 / 2
    times = np.linspace(1e-9, years, 200_001)
    density = abs(distance) / np.sqrt(2 * pi * volatility**2 * times**3)
    density *= np.exp(-((distance - slope * times) ** 2) / (2 * volatility**2 * times))
    assert touched(160, 130, volatility, drift, years) == pytest.approx(trapezoid(density, times), rel=1e-6)


@pytest.mark.parametrize(
    ("start", "volatility", "drift", "cost"), [(130, 0.6, 0.0, 0.05), (90, 0.3, 0.1, 0.0), (105, 2, 0, 0.1)]
)
def test_the_shortfall_is_the_integral_of_what_is_missing(
    start: float, volatility: float, drift: float, cost: float
) -> None:
    years = 10 / 252
    normal = np.linspace(-9, 9, 200_001)
    weight = np.exp(-(normal**2) / 2) / sqrt(2 * pi)
    recovered = (1 - cost) * start * np.exp((drift - volatility**2 / 2) * years + volatility * sqrt(years) * normal)
    expected = trapezoid(weight * np.maximum(0, 100 - recovered), normal)
    assert missing(start, 100, volatility, cost, years, drift) == pytest.approx(expected, rel=1e-5)


def test_jumps_agree_with_drawing_them() -> None:
    """A simulation, seeded: the mean shortfall of 400,000 draws lies within four of its standard errors."""
    years, intensity, mean, deviation, volatility = 10 / 252, 6.0, -0.2, 0.15, 0.6
    generator = np.random.default_rng(7)
    jumps = generator.poisson(intensity * years, 400_000)
    compensation = intensity * (exp(mean + deviation**2 / 2) - 1)
    logarithm = (-(volatility**2) / 2 - compensation) * years + volatility * sqrt(years) * generator.standard_normal(
        400_000
    )
    logarithm += mean * jumps + deviation * np.sqrt(jumps) * generator.standard_normal(400_000)
    drawn = np.maximum(0, 100 - 0.95 * 130 * np.exp(logarithm))
    gap = shortfall_at_gap(*one(130, 100), 0.0, np.array([volatility]), years, 0.05, intensity, mean, deviation)
    assert abs(float(gap.amount[0]) - drawn.mean()) < 4 * drawn.std() / sqrt(len(drawn))
    assert abs(float(gap.probability[0]) - (drawn > 0).mean()) < 4 * (drawn > 0).std() / sqrt(len(drawn))


# What must hold of any loan.


@given(st.lists(st.tuples(st.floats(0, 1e15), st.floats(0, 1e15), st.floats(0, 5)), min_size=1, max_size=20))
def test_every_part_is_a_probability_or_a_share(book: list[tuple[float, float, float]]) -> None:
    assets, debt, volatility = (np.array(column) for column in zip(*book, strict=True))
    priced = expected_loss(assets, debt, volatility, HOUSE)
    shares = (priced.first_passage, priced.shortfall_probability, priced.pd_ratio, priced.lgd_ratio, priced.rate_ratio)
    for part in shares:
        assert ((part >= 0) & (part <= 1)).all()
    assert ((priced.shortfall >= 0) & (priced.shortfall <= debt)).all()
    assert priced.rate_ratio == pytest.approx(priced.pd_ratio * priced.lgd_ratio)


@given(st.lists(st.tuples(values, values, volatilities), min_size=2, max_size=10))
def test_each_loan_is_priced_as_if_it_were_alone(book: list[tuple[float, float, float]]) -> None:
    together = expected_loss(*(np.array(column) for column in zip(*book, strict=True)), HOUSE)
    alone = [float(loss(*loan).rate_ratio[0]) for loan in book]
    assert together.rate_ratio.tolist() == pytest.approx(alone, rel=1e-12)


@given(values, volatilities, st.floats(0.5, 5))
def test_the_unit_of_money_does_not_matter(debt: float, volatility: float, cover: float) -> None:
    cents, dollars = loss(cover * debt * 100, debt * 100, volatility), loss(cover * debt, debt, volatility)
    assert float(cents.rate_ratio[0]) == pytest.approx(float(dollars.rate_ratio[0]), rel=1e-6, abs=1e-15)


@given(st.floats(1.0001, 10), volatilities, volatilities)
def test_more_volatility_costs_more(cover: float, one_volatility: float, other: float) -> None:
    calm, wild = sorted((one_volatility, other))
    assert touched(cover, 1, calm) <= touched(cover, 1, wild) + 1e-12
    assert missing(1.3, 1, calm, 0.02) <= missing(1.3, 1, wild, 0.02) + 1e-12


@given(st.floats(0.2, 3), st.floats(0.2, 3), volatilities)
def test_more_collateral_never_costs_more(one_cover: float, other: float, volatility: float) -> None:
    thin, thick = sorted((one_cover, other))
    assert missing(thick, 1, volatility) <= missing(thin, 1, volatility) + 1e-12
    assert touched(thick, 0.1, volatility) <= touched(thin, 0.1, volatility) + 1e-12


@given(st.floats(0.5, 3), volatilities, st.floats(0, 0.2), st.floats(0, 0.2), st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_dearer_and_a_longer_sale_cost_more(
    cover: float, volatility: float, one_cost: float, other_cost: float, one_gap: float, other_gap: float
) -> None:
    cheap, dear = sorted((one_cost, other_cost))
    assert missing(cover, 1, volatility, cheap) <= missing(cover, 1, volatility, dear) + 1e-12
    short, long = sorted((one_gap, other_gap))
    assert missing(cover, 1, volatility, years=short) <= missing(cover, 1, volatility, years=long) + 1e-12


def test_a_loan_at_its_call_line_has_touched_it() -> None:
    assert touched(130, 130, 0.5) == 1.0
    assert touched(129.99, 130, 0.5) == 1.0
    assert touched(130.0000001, 130, 0.5) == pytest.approx(1.0, abs=1e-6)
    assert touched(0, 130, 0.5) == 1.0


def test_a_loan_below_its_line_starts_its_gap_where_it_stands() -> None:
    at_line, below = loss(130, 100, 0.5, CALM), loss(110, 100, 0.5, CALM)
    assert float(below.first_passage[0]) == 1.0
    assert float(below.shortfall[0]) == pytest.approx(missing(110, 100, 0.5, CALM.liquidation_cost_ratio, 10 / 252))
    assert float(below.rate_ratio[0]) > float(at_line.rate_ratio[0])


def test_without_debt_there_is_no_loss() -> None:
    for assets in (0.0, 100.0):
        priced = loss(assets, 0, 0.5)
        parts = (priced.first_passage, priced.shortfall, priced.pd_ratio, priced.lgd_ratio, priced.rate_ratio)
        assert [float(part[0]) for part in parts] == [0.0] * 5


def test_without_collateral_everything_is_lost_unless_the_client_pays() -> None:
    priced = loss(0, 100, 0.5)
    assert float(priced.shortfall[0]) == 100
    assert float(priced.lgd_ratio[0]) == 1
    assert float(priced.pd_ratio[0]) == pytest.approx(1 - HOUSE.cure_probability)


@pytest.mark.parametrize("volatility", [0.0, 1e-12, 1e-6, 1e-3])
@pytest.mark.parametrize("drift", [-0.5, 0.0, 0.5])
def test_a_value_that_hardly_moves_is_priced_without_a_warning(volatility: float, drift: float) -> None:
    """Numerical warnings are errors here; the limits are those of a straight line."""
    assert touched(160, 130, volatility, drift) == pytest.approx(float(160 * exp(drift) <= 130), abs=1e-9)
    assert missing(130, 100, volatility, drift=drift) == pytest.approx(0, abs=1e-9)
    assert missing(90, 100, volatility, drift=drift, years=0.04) == pytest.approx(
        100 - 90 * exp(drift * 0.04), rel=1e-4
    )


def test_what_is_missing_is_a_bug_not_a_price() -> None:
    for assets, debt, volatility in (
        (np.nan, 100, 0.5),
        (100, np.nan, 0.5),
        (100, 100, np.nan),
        (-1, 100, 0.5),
        (1, -1, 1),
    ):
        with pytest.raises(AssertionError):
            loss(assets, debt, volatility)


# The rate.


@pytest.mark.parametrize("golden", ["PR-008"], indirect=True)
def test_an_expected_loss_is_probability_times_severity_times_exposure(golden: Any) -> None:
    exposure = 100 * golden.given["exposure"]
    found = expected_loss_minor(exposure, golden.given["pd"], golden.given["lgd"])
    assert found == 100 * golden.expected["loss"]
    assert found / exposure == golden.expected["rate"]


@pytest.mark.parametrize("golden", ["PR-013"], indirect=True)
def test_a_rate_is_built_from_its_parts(golden: Any) -> None:
    e8 = {name: round(ratio * 10**8) for name, ratio in golden.given.items()}
    charge = capital_charge_e8(golden.given["capital"], e8["hurdle"], e8["risk_free"])
    assert charge == round(golden.expected["capital_charge"] * 10**8)
    parts = rate_build_up(
        e8["risk_free"],
        e8["funding"],
        e8["expected_loss"],
        operations_e8=e8["operations"],
        liquidity_e8=e8["liquidity"],
        capital_charge_e8=charge,
    )
    assert parts.rate_e8 == round(golden.expected["rate"] * 10**8)


@given(st.integers(-(10**8), 10**9), st.integers(0, 10**9), st.integers(0, 10**9))
def test_the_parts_of_a_rate_sum_to_it_exactly(risk_free: int, funding: int, premium: int) -> None:
    parts = rate_build_up(risk_free, funding, premium)
    assert parts.risk_free_e8 + parts.funding_premium_e8 + parts.expected_loss_premium_e8 == parts.rate_e8
    assert (parts.risk_free_e8, parts.funding_premium_e8, parts.expected_loss_premium_e8) == (
        risk_free,
        funding,
        premium,
    )


def test_a_premium_below_nothing_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="never negative"):
        rate_build_up(4_000_000, -1, 0)
    assert rate_build_up(-500_000, 700_000, 0).rate_e8 == 200_000


def test_a_rate_is_rounded_half_up_to_a_hundred_millionth() -> None:
    assert rate_in_e8(np.array([0.0, 0.0004952413, 4.9e-9, 5e-9, 1.0])).tolist() == [0, 49_524, 0, 1, 100_000_000]
