"""How far forecasts were from what happened. Lower is better everywhere."""

import numpy as np

from domain.forecasting.volatility import FloatArray


def qlike(variance_realised: FloatArray, variance_forecast: FloatArray) -> float:
    """Mean quasi-likelihood loss ``x - ln(x) - 1`` with ``x`` = realised over forecast variance; 0 is perfect.

    It punishes a forecast that is too low more than one that is too high, as a lender would, and ranks forecasts
    rightly even though realised variance is only a noisy stand-in for the true one.

    Parameters
    ----------
    variance_realised, variance_forecast : (n_observations,)
        Variances (not volatilities) in one unit; all strictly positive, none NaN.

    Source
    ------
    Patton (2011), doi:10.1016/j.jeconom.2010.03.034, in the form normalised to zero at a perfect forecast.
    """
    _require_pairs(variance_realised, variance_forecast)
    assert (variance_realised > 0).all(), "floor realised variances of zero before scoring"
    assert (variance_forecast > 0).all(), "a forecast of no variance cannot be scored"
    ratio = variance_realised / variance_forecast
    return float(np.mean(ratio - np.log(ratio) - 1))


def mean_squared_error(realised: FloatArray, forecast: FloatArray) -> float:
    """Mean squared distance of two (n_observations,) arrays, in their unit squared."""
    _require_pairs(realised, forecast)
    return float(np.mean(np.square(realised - forecast)))


def root_mean_squared_error(realised: FloatArray, forecast: FloatArray) -> float:
    """Root of :func:`mean_squared_error`, in the unit of the inputs."""
    return float(np.sqrt(mean_squared_error(realised, forecast)))


def mean_absolute_error(realised: FloatArray, forecast: FloatArray) -> float:
    """Mean absolute distance of two (n_observations,) arrays, in their unit."""
    _require_pairs(realised, forecast)
    return float(np.mean(np.abs(realised - forecast)))


def _require_pairs(realised: FloatArray, forecast: FloatArray) -> None:
    assert realised.ndim == 1
    assert realised.shape == forecast.shape
    assert len(realised) > 0, "a score of no observations means nothing"
    assert np.isfinite(realised).all() and np.isfinite(forecast).all(), "score only pairs that are both known"
