import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.forecasting.scores import mean_absolute_error, qlike, root_mean_squared_error

variances = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20).map(np.array)


@given(variances)
def test_a_perfect_forecast_scores_zero(realised: np.ndarray) -> None:
    for score in (qlike, root_mean_squared_error, mean_absolute_error):
        assert score(realised, realised) == pytest.approx(0, abs=1e-12)


@given(variances, st.floats(1.1, 10))
def test_too_low_costs_more_than_too_high(realised: np.ndarray, factor: float) -> None:
    assert qlike(realised, realised / factor) > qlike(realised, realised * factor) > 0


def test_errors_are_in_the_unit_of_what_was_forecast() -> None:
    realised, forecast = np.array([0.2, 0.3]), np.array([0.3, 0.6])
    assert mean_absolute_error(realised, forecast) == pytest.approx(0.2)
    assert root_mean_squared_error(realised, forecast) == pytest.approx(np.sqrt(0.05))


def test_what_cannot_be_scored_is_a_bug() -> None:
    one, none = np.array([0.1]), np.array([0.0])
    for realised, forecast in ((none, one), (one, none), (np.array([np.nan]), one), (np.array([]), np.array([]))):
        with pytest.raises(AssertionError):
            qlike(realised, forecast)
