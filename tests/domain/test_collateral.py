"""A forecast may raise a haircut and never lower it."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.collateral import haircut_of_the_day

ratios = st.floats(0, 1)
volatilities = st.floats(0, 20)


def haircut(base: float, volatility: float, multiplier: float = 3.0, horizon_days: int = 5) -> float:
    return float(haircut_of_the_day(np.array([base]), np.array([volatility]), multiplier, horizon_days)[0])


@pytest.mark.parametrize(
    ("base", "volatility", "expected"),
    [
        (0.30, 0.20, 0.30),  # 3 × 20 % × √(5/252) = 8.5 %: the base binds.
        (0.30, 1.00, 3 * sqrt(5 / 252)),
        (0.30, 3.00, 1.0),
        (0.30, 0.00, 0.30),
        (0.30, np.nan, 0.30),
        (1.00, 5.00, 1.00),
        (0.00, 0.00, 0.00),
    ],
)
def test_the_haircut_of_the_day_by_hand(base: float, volatility: float, expected: float) -> None:
    assert haircut(base, volatility) == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.tuples(ratios, volatilities), min_size=1, max_size=20), st.floats(0, 5), st.integers(1, 30))
def test_the_kernel_agrees_with_its_slow_twin(book: list[tuple[float, float]], multiplier: float, days: int) -> None:
    fast = haircut_of_the_day(np.array([b for b, _ in book]), np.array([v for _, v in book]), multiplier, days)
    slow = [min(1.0, max(base, multiplier * volatility * sqrt(days / 252))) for base, volatility in book]
    assert fast == pytest.approx(slow, rel=1e-12)


@given(ratios, volatilities, volatilities)
def test_more_volatility_never_lowers_a_haircut(base: float, one: float, other: float) -> None:
    assert base <= haircut(base, min(one, other)) <= haircut(base, max(one, other)) <= 1


def test_a_negative_volatility_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="never negative"):
        haircut(0.3, -0.1)
