import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.forecasting.volatility import (
    SESSIONS_PER_YEAR,
    GarchParameters,
    garch_variances,
    garch_volatility,
    realised_volatility,
    trailing_volatility,
)

histories = st.lists(st.floats(-0.2, 0.2), min_size=12, max_size=40).map(np.array)
parameters = st.builds(
    GarchParameters,
    mean=st.floats(-0.001, 0.001),
    omega=st.floats(1e-7, 1e-4),
    alpha=st.floats(0, 0.3),
    beta=st.floats(0, 0.69),
)


def test_the_target_is_the_volatility_of_the_days_after() -> None:
    returns = np.array([0.01, 0.02, -0.03, 0.04])
    assert realised_volatility(returns, 2)[:2] == pytest.approx(
        np.sqrt(252 / 2 * np.array([0.02**2 + 0.03**2, 0.03**2 + 0.04**2]))
    )
    assert np.isnan(realised_volatility(returns, 2)[2:]).all()


@given(histories)
def test_todays_target_is_what_trailing_volatility_will_say_at_the_horizon(returns: np.ndarray) -> None:
    assert realised_volatility(returns, 5)[:-5] == pytest.approx(trailing_volatility(returns, 5)[5:])


def test_a_history_shorter_than_the_window_has_no_volatility() -> None:
    assert np.isnan(trailing_volatility(np.array([0.01, 0.02]), 3)).all()
    assert np.isnan(realised_volatility(np.array([0.01, 0.02]), 5)).all()
    assert trailing_volatility(np.array([]), 5).shape == (0,)


@given(histories, parameters)
def test_garch_reads_only_days_before(returns: np.ndarray, fitted: GarchParameters) -> None:
    """Given where it starts from; by default it starts from the mean of the whole sample."""
    changed = returns.copy()
    changed[6:] = changed[6:][::-1] * 2
    before, after = (garch_variances(history, fitted, presample=1e-4) for history in (returns, changed))
    assert (before[:7] == after[:7]).all()


@given(histories, parameters)
def test_garch_agrees_with_its_slow_twin(returns: np.ndarray, fitted: GarchParameters) -> None:
    """Unrolled: every variance as the weighted sum of all squares before it."""
    squares = np.concatenate([[1e-4], np.square(returns - fitted.mean)])
    variances = garch_variances(returns, fitted, presample=1e-4)
    for day, variance in enumerate(variances):
        weights = fitted.beta ** np.arange(day, -1, -1)
        unrolled = (
            np.sum(weights * (fitted.omega + fitted.alpha * squares[: day + 1])) + fitted.beta ** (day + 1) * 1e-4
        )
        assert variance == pytest.approx(unrolled, rel=1e-9)


@given(st.floats(1e-6, 1e-2), parameters, st.integers(1, 20))
def test_the_forecast_over_many_days_agrees_with_the_closed_form(
    variance_next: float, fitted: GarchParameters, horizon_days: int
) -> None:
    left = fitted.persistence
    long_run = fitted.omega / (1 - left)
    total = horizon_days * long_run + (variance_next - long_run) * (1 - left**horizon_days) / (1 - left)
    expected = np.sqrt(total * SESSIONS_PER_YEAR / horizon_days)
    assert garch_volatility(np.array([variance_next]), fitted, horizon_days)[0] == pytest.approx(expected, rel=1e-9)


def test_a_persistence_of_one_needs_no_special_case() -> None:
    integrated = GarchParameters(0.0, 1e-6, 0.1, 0.9)
    total = 5 * 1e-4 + 1e-6 * (1 + 2 + 3 + 4)
    assert garch_volatility(np.array([1e-4]), integrated, 5)[0] == pytest.approx(np.sqrt(total * 252 / 5))


def test_a_missing_return_is_a_bug_not_a_calm_day() -> None:
    with pytest.raises(AssertionError, match="missing returns"):
        garch_variances(np.array([0.01, np.nan]), GarchParameters(0.0, 1e-6, 0.1, 0.8))
