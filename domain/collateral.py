"""What pledged shares are worth as security, given how much they may move before they could be sold."""

import numpy as np
from numpy.typing import NDArray

SESSIONS_PER_YEAR = 252
"""Sessions an annualised volatility is spread over."""


def haircut_of_the_day(
    base_ratio: NDArray[np.float64], volatility_ratio: NDArray[np.float64], multiplier: float, horizon_days: int
) -> NDArray[np.float64]:
    """Share of market value not lent against: the house's base, or what the forecast may take, whichever is more.

    Parameters
    ----------
    base_ratio : (n_instruments,)
        Haircut of the house's schedule, from 0 to 1.
    volatility_ratio : (n_instruments,)
        Annualised volatility forecast, >= 0; NaN where none was made, which leaves the base.
    multiplier : float
        Standard deviations the haircut must cover.
    horizon_days : int
        Sessions between a call and the last share sold.

    Returns
    -------
    (n_instruments,)
        From the base to 1; a forecast never lowers a haircut.
    """
    assert base_ratio.shape == volatility_ratio.shape
    assert ((base_ratio >= 0) & (base_ratio <= 1)).all()
    assert not (volatility_ratio < 0).any(), "a volatility is never negative"
    forecast = multiplier * volatility_ratio * np.sqrt(horizon_days / SESSIONS_PER_YEAR)
    haircut: NDArray[np.float64] = np.minimum(1.0, np.fmax(base_ratio, forecast))
    assert (haircut >= base_ratio).all()
    return haircut
