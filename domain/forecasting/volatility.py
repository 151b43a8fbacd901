"""Volatility: what is forecast (the realised volatility of the next days), and two recursions that forecast it.

Returns are daily log returns as plain fractions; volatilities are annualised fractions, so 0.25 means 25 % a year.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SESSIONS_PER_YEAR: Final = 252
"""Trading days a year, for turning a daily variance into an annual one."""

VOLATILITY_FLOOR_RATIO: Final = 0.01
"""No share is calmer than 1 % a year; below it a price was merely not moving, and a logarithm would say infinity."""


@dataclass(frozen=True, slots=True)
class GarchParameters:
    """GARCH(1,1) with a constant mean, for returns in the unit the parameters were fitted in."""

    mean: float
    omega: float
    alpha: float
    beta: float

    @property
    def persistence(self) -> float:
        """Share of today's excess variance expected to be left tomorrow; below 1 for a variance that exists."""
        return self.alpha + self.beta


def realised_volatility(returns: FloatArray, horizon_days: int) -> FloatArray:
    """Volatility that the ``horizon_days`` sessions *after* each day turned out to have: the target of a forecast.

    Parameters
    ----------
    returns : (n_days,)
        Daily log returns of one instrument, oldest first.
    horizon_days : int
        Sessions looked ahead; at least 1.

    Returns
    -------
    (n_days,)
        Annualised ratio, root mean square without subtracting a mean; NaN for the last ``horizon_days`` days, whose
        future is not known. Element t reads returns t+1 … t+horizon only.
    """
    target = np.full(returns.shape, np.nan)
    target[:-horizon_days] = trailing_volatility(returns, horizon_days)[horizon_days:]
    return target


def trailing_volatility(returns: FloatArray, window_days: int) -> FloatArray:
    """Volatility of the ``window_days`` sessions up to and including each day.

    Parameters
    ----------
    returns : (n_days,)
        Daily log returns of one instrument, oldest first; a NaN makes every window it falls into NaN.
    window_days : int
        At least 1.

    Returns
    -------
    (n_days,)
        Annualised ratio; NaN for the first ``window_days - 1`` days.
    """
    assert returns.ndim == 1
    assert window_days >= 1
    volatility = np.full(returns.shape, np.nan)
    if len(returns) >= window_days:
        # Summing each window afresh keeps a day's value free of what came before it; running sums would not.
        windows = sliding_window_view(np.square(returns), window_days)
        volatility[window_days - 1 :] = np.sqrt(windows.mean(axis=1) * SESSIONS_PER_YEAR)
    return volatility


def garch_variances(returns: FloatArray, parameters: GarchParameters, presample: float | None = None) -> FloatArray:
    """Conditional variance of every day, and of the day after the last.

    ``h[t] = omega + alpha * e[t-1]**2 + beta * h[t-1]`` with ``e = returns - mean``.

    Parameters
    ----------
    returns : (n_days,)
        Returns in the unit of ``parameters``, oldest first, without NaN.
    parameters : GarchParameters
        Fitted on data before the days that are judged.
    presample : float, optional
        Stands for both ``e**2`` and ``h`` before the first day. By default the mean squared residual of ``returns``,
        which looks ahead: pass the training sample's own when filtering days outside it.

    Returns
    -------
    (n_days + 1,)
        Daily variance; element t reads returns before t only, so the last one is the forecast for tomorrow.

    Source
    ------
    Bollerslev (1986), doi:10.1016/0304-4076(86)90063-1; start values as in Fiorentini, Calzolari and Panattoni (1996),
    doi:10.1002/(SICI)1099-1255(199607)11:4<399::AID-JAE401>3.0.CO;2-R. The `arch` package starts from an exponentially
    weighted average instead, so its first variances differ; the difference decays with ``beta ** t``.
    """
    assert returns.ndim == 1
    assert np.isfinite(returns).all(), "fill or drop missing returns before filtering"
    squares = np.square(returns - parameters.mean)
    before = float(squares.mean()) if presample is None else presample
    variances = np.empty(len(returns) + 1)
    variance = parameters.omega + (parameters.alpha + parameters.beta) * before
    variances[0] = variance
    for day, square in enumerate(squares.tolist(), start=1):
        variance = parameters.omega + parameters.alpha * square + parameters.beta * variance
        variances[day] = variance
    return variances


def garch_log_likelihood(returns: FloatArray, parameters: GarchParameters) -> float:
    """Gaussian log likelihood of ``returns`` (n_days,), constants included, under ``parameters``."""
    variances = garch_variances(returns, parameters)[:-1]
    squares = np.square(returns - parameters.mean)
    return float(-0.5 * np.sum(np.log(2 * np.pi) + np.log(variances) + squares / variances))


def garch_volatility(variance_next: FloatArray, parameters: GarchParameters, horizon_days: int) -> FloatArray:
    """Volatility expected over the next ``horizon_days`` sessions, given the variance expected for the next one.

    Parameters
    ----------
    variance_next : (n_days,)
        Daily variance of the following session, as :func:`garch_variances` gives it.
    parameters : GarchParameters
        Of fractional returns (not percent).
    horizon_days : int
        At least 1.

    Returns
    -------
    (n_days,)
        Annualised ratio. Each further day's variance is ``omega + (alpha + beta)`` times the day before's, so
        a persistence of 1 needs no special case.
    """
    assert horizon_days >= 1
    variance = variance_next
    total = variance_next
    for _ in range(horizon_days - 1):
        variance = parameters.omega + parameters.persistence * variance
        total = total + variance
    volatility: FloatArray = np.sqrt(total * (SESSIONS_PER_YEAR / horizon_days))
    return volatility
