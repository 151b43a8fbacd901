"""What a portfolio would lose if given returns happened to it now."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def portfolio_losses(market_value_minor: NDArray[np.int64] | Floats, returns_ratio: Floats) -> Floats:
    """Loss of the whole portfolio in each scenario.

    Parameters
    ----------
    market_value_minor : (n_instruments,)
        Signed value now; a short is negative and loses when its price rises.
    returns_ratio : (n_scenarios, n_instruments)
        Simple returns, 0.1 is a rise by a tenth; never missing (:func:`simple_returns` turns logarithms into them).

    Returns
    -------
    (n_scenarios,)
        In minor units as floats; positive is a loss.
    """
    assert returns_ratio.ndim == 2
    assert returns_ratio.shape[1:] == market_value_minor.shape
    assert np.isfinite(returns_ratio).all(), "a scenario says something of every instrument"
    losses: Floats = 0.0 - returns_ratio @ market_value_minor.astype(np.float64)
    return losses


def simple_returns(log_returns: Floats) -> Floats:
    """Logarithmic returns as simple ones; only these multiply with a value."""
    returns: Floats = np.expm1(log_returns)
    return returns
