import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.forecasting.baselines import EWMA_SEED_DAYS, ewma_volatility, random_walk_volatility

histories = st.lists(st.floats(-0.2, 0.2), min_size=25, max_size=60).map(np.array)


def test_a_steady_share_is_forecast_to_stay_steady() -> None:
    returns = np.tile([0.01, -0.01], 30)
    expected = 0.01 * np.sqrt(252)
    assert random_walk_volatility(returns)[19:] == pytest.approx(np.full(41, expected))
    assert ewma_volatility(returns)[19:] == pytest.approx(np.full(41, expected))


@given(histories)
def test_ewma_agrees_with_its_slow_twin(returns: np.ndarray) -> None:
    """Unrolled: the seed and every later square, each weighted by its age."""
    squares = np.square(returns)
    for day in range(EWMA_SEED_DAYS - 1, len(returns)):
        later = squares[EWMA_SEED_DAYS : day + 1]
        weights = 0.06 * 0.94 ** np.arange(len(later) - 1, -1, -1)
        variance = 0.94 ** len(later) * squares[:EWMA_SEED_DAYS].mean() + np.sum(weights * later)
        assert ewma_volatility(returns)[day] == pytest.approx(np.sqrt(variance * 252), rel=1e-9, abs=1e-12)


@given(histories)
def test_no_rule_of_thumb_reads_the_future(returns: np.ndarray) -> None:
    for rule in (random_walk_volatility, ewma_volatility):
        assert np.array_equal(rule(returns)[:22], rule(returns[:22]), equal_nan=True)


@pytest.mark.parametrize("days", [0, 1, 19])
def test_before_twenty_days_there_is_no_forecast(days: int) -> None:
    assert np.isnan(ewma_volatility(np.full(days, 0.01))).all()
    assert np.isnan(random_walk_volatility(np.full(days, 0.01))).all()
