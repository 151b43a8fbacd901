"""Tail measures: the published case, the definition read slowly, and what every tail measure must satisfy."""

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import TooFewScenarios
from domain.risk.loss import expected_shortfall, loss_beyond_collateral, value_at_risk

samples = st.builds(
    lambda seed, count, spread: np.random.default_rng(seed).integers(-spread, spread + 1, count).astype(np.float64),
    st.integers(0, 2**32 - 1),
    st.integers(50, 120),
    st.sampled_from([1, 3, 10**9]),
)
"""Whole losses, so that sums are exact; of few distinct values in two cases of three, so that ties are common."""

levels = st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(95, 100), Fraction(975, 1000), Fraction(99, 100)])


def slow_tail(losses: np.ndarray, level: Fraction) -> tuple[Fraction, Fraction]:
    """The quantile function, averaged piece by piece in exact fractions."""
    ascending = sorted(Fraction(float(loss)) for loss in losses)
    count = len(ascending)
    quantile = ascending[ceil(count * level) - 1]
    average = Fraction(0)
    for rank, outcome in enumerate(ascending, start=1):
        width = min(Fraction(rank, count), Fraction(1)) - max(Fraction(rank - 1, count), level)
        average += max(Fraction(0), width) * outcome
    return quantile, average / (1 - level)


@pytest.mark.parametrize("golden", ["RK-002"], indirect=True)
def test_the_tail_of_twenty_losses(golden: Any) -> None:
    losses, asked = np.array(golden.given["losses"]), [Fraction(level) for level in golden.given["levels"]]
    assert [value_at_risk(losses, level) for level in asked] == golden.expected["value_at_risk"]
    shortfalls = [expected_shortfall(losses, level) for level in asked]
    assert shortfalls == pytest.approx(golden.expected["expected_shortfall"], rel=1e-9)


@given(samples, levels)
def test_the_measures_agree_with_their_slow_twin(losses: np.ndarray, level: Fraction) -> None:
    quantile, average = slow_tail(losses, level)
    assert value_at_risk(losses, level) == quantile
    assert expected_shortfall(losses, level) == pytest.approx(float(average), rel=1e-9, abs=1e-6)


@given(samples, levels)
def test_the_shortfall_is_never_below_the_value_at_risk(losses: np.ndarray, level: Fraction) -> None:
    assert expected_shortfall(losses, level) >= value_at_risk(losses, level)


@given(st.floats(-1e12, 1e12), levels)
def test_a_loss_that_is_always_the_same_is_its_own_tail(loss: float, level: Fraction) -> None:
    losses = np.full(60, loss)
    assert value_at_risk(losses, level) == expected_shortfall(losses, level) == loss


@given(samples, levels, st.integers(-(10**9), 10**9))
def test_a_certain_loss_is_added_to_both(losses: np.ndarray, level: Fraction, certain: int) -> None:
    assert value_at_risk(losses + certain, level) == value_at_risk(losses, level) + certain
    assert expected_shortfall(losses + certain, level) == pytest.approx(
        expected_shortfall(losses, level) + certain, rel=1e-9, abs=1e-6
    )


@given(samples, levels, st.sampled_from([0.5, 2.0, 1024.0]))
def test_a_position_twice_as_large_loses_twice_as_much(losses: np.ndarray, level: Fraction, times: float) -> None:
    assert value_at_risk(losses * times, level) == value_at_risk(losses, level) * times
    assert expected_shortfall(losses * times, level) == pytest.approx(
        expected_shortfall(losses, level) * times, rel=1e-9
    )


@given(st.integers(50, 100), levels, st.integers(0, 2**32 - 1))
def test_two_books_together_never_lose_more_than_apart(count: int, level: Fraction, seed: int) -> None:
    one, other = np.random.default_rng(seed).standard_normal((2, count))
    apart = expected_shortfall(one, level) + expected_shortfall(other, level)
    assert expected_shortfall(one + other, level) <= apart + 1e-9


@given(samples, levels, st.integers(0, 2**32 - 1))
def test_the_order_of_scenarios_does_not_matter(losses: np.ndarray, level: Fraction, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(losses)
    assert expected_shortfall(shuffled, level) == expected_shortfall(losses, level)


def test_a_level_is_exact_where_a_float_would_not_be() -> None:
    losses = np.arange(1.0, 101.0)
    assert 100 * 0.55 > 55  # A float would take the 56th.
    assert value_at_risk(losses, Fraction(55, 100)) == 55
    assert expected_shortfall(losses, Fraction(55, 100)) == 78  # The mean of 56 to 100.
    assert value_at_risk(losses, Fraction(99, 100)) == 99
    assert expected_shortfall(losses, Fraction(99, 100)) == 100


@pytest.mark.parametrize(("level", "fewest"), [(Fraction(99, 100), 50), (Fraction(975, 1000), 20), (Fraction(1, 2), 1)])
def test_too_few_outcomes_are_refused_by_number(level: Fraction, fewest: int) -> None:
    value_at_risk(np.zeros(fewest), level)
    for measure in (value_at_risk, expected_shortfall):
        with pytest.raises(
            TooFewScenarios, match=rf"at {float(level)} needs at least {fewest} outcomes, but got {fewest - 1}\."
        ):
            measure(np.zeros(fewest - 1), level)


def test_a_missing_loss_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        value_at_risk(np.array([1.0, np.nan]), Fraction(1, 2))


@pytest.mark.parametrize("golden", ["RK-015"], indirect=True)
def test_an_account_is_sold_out_only_below_its_line(golden: Any) -> None:
    value, debt, beta = (np.array(column, dtype=np.float64) for column in zip(*golden.given["accounts"], strict=True))
    after = value * (1 + beta * golden.given["shock"])
    assert after.tolist() == pytest.approx(golden.expected["values"])
    lost = loss_beyond_collateral(after, debt, golden.given["call_line"], golden.given["cost"])
    assert lost.tolist() == pytest.approx(golden.expected["losses"], abs=1e-9)


def test_an_account_on_its_line_is_not_sold() -> None:
    lost = loss_beyond_collateral(np.array([130.0, 129.9, 0.0]), np.full(3, 100.0), 1.3, 0.5)
    assert lost.tolist() == pytest.approx([0.0, 35.05, 100.0])
