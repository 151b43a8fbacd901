"""The two rules of thumb a model has to beat before the desk believes it."""

from typing import Final

import numpy as np

from domain.forecasting.volatility import SESSIONS_PER_YEAR, FloatArray, trailing_volatility

RANDOM_WALK_WINDOW_DAYS: Final = 20
"""A month of sessions: five would follow the target's own noise, sixty would sleep through a crash."""

EWMA_DECAY: Final = 0.94
"""Weight kept from one session to the next. Source: RiskMetrics Technical Document, 4th edition (1996), daily data."""

EWMA_SEED_DAYS: Final = 20
"""Sessions whose mean square starts the average; none of them gets a value, which would have looked ahead."""


def random_walk_volatility(returns: FloatArray) -> FloatArray:
    """Forecast that the coming days will be as the last month was; (n_days,) annualised, NaN in the first 19 days."""
    return trailing_volatility(returns, RANDOM_WALK_WINDOW_DAYS)


def ewma_volatility(returns: FloatArray, decay: float = EWMA_DECAY) -> FloatArray:
    """Forecast by the exponentially weighted average of squared returns.

    ``v[t] = decay * v[t-1] + (1 - decay) * r[t]**2``, started at the mean square of the first 20 sessions. Its forecast
    is flat, so it serves every horizon.

    Parameters
    ----------
    returns : (n_days,)
        Daily log returns of one instrument, oldest first, without NaN.
    decay : float, default=0.94
        In (0, 1).

    Returns
    -------
    (n_days,)
        Annualised ratio for the sessions after each day, reading returns up to that day; NaN for the first 19 days.
    """
    assert 0 < decay < 1
    assert np.isfinite(returns).all(), "fill or drop missing returns before averaging"
    volatility = np.full(returns.shape, np.nan)
    if len(returns) < EWMA_SEED_DAYS:
        return volatility
    squares = np.square(returns)
    variance = float(squares[:EWMA_SEED_DAYS].mean())
    volatility[EWMA_SEED_DAYS - 1] = variance
    for day, square in enumerate(squares[EWMA_SEED_DAYS:].tolist(), start=EWMA_SEED_DAYS):
        variance = decay * variance + (1 - decay) * square
        volatility[day] = variance
    annualised: FloatArray = np.sqrt(volatility * SESSIONS_PER_YEAR)
    return annualised
