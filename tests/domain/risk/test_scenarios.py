"""Scenarios: what returns do to a portfolio, sign by sign."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.scenarios import portfolio_losses, simple_returns


def test_a_fall_loses_on_what_is_held_and_gains_on_what_is_owed() -> None:
    values = np.array([10_000, -4_000], dtype=np.int64)
    returns = np.array([[-0.10, 0.0], [0.0, -0.10], [0.05, 0.50]])
    assert portfolio_losses(values, returns).tolist() == pytest.approx([1_000, -400, 1_500])


@given(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_the_product_agrees_with_a_plain_loop(instruments: int, scenarios: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.integers(-(10**12), 10**12, instruments)
    returns = generator.normal(0, 0.2, (scenarios, instruments))
    slow = [-sum(float(r) * int(v) for r, v in zip(row, values, strict=True)) for row in returns]
    assert portfolio_losses(values, returns).tolist() == pytest.approx(slow, rel=1e-9, abs=1e-3)


def test_an_empty_portfolio_loses_nothing() -> None:
    assert portfolio_losses(np.zeros(0, dtype=np.int64), np.zeros((3, 0))).tolist() == [0.0, 0.0, 0.0]


def test_no_loss_is_not_minus_nothing() -> None:
    assert str(portfolio_losses(np.array([100]), np.zeros((1, 1)))[0]) == "0.0"


def test_a_scenario_that_says_nothing_of_an_instrument_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="every instrument"):
        portfolio_losses(np.array([100]), np.array([[np.nan]]))
    with pytest.raises(AssertionError):
        portfolio_losses(np.array([100]), np.zeros((3, 2)))


def test_logarithms_become_simple_returns() -> None:
    assert simple_returns(np.log([0.5, 1.0, 2.0])).tolist() == pytest.approx([-0.5, 0.0, 1.0])
