"""Tail measures of a sample of losses, and the loss that collateral does not cover. A loss is positive."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from domain.errors import TooFewScenarios

Floats = NDArray[np.float64]


def value_at_risk(losses: Floats, level: Fraction) -> float:
    """Loss that is not exceeded with probability ``level``: the ⌈n·level⌉-th smallest of n.

    Parameters
    ----------
    losses : (n_scenarios,)
        Finite; positive is a loss. Any unit.
    level : Fraction
        Exact, because n × 0.99 as a float may fall on the wrong side of a whole number.

    Raises
    ------
    TooFewScenarios
        The tail would hold less than half an outcome.
    """
    ascending, rank = _ranked(losses, level)
    return float(ascending[rank - 1])


def expected_shortfall(losses: Floats, level: Fraction) -> float:
    """Average loss in the worst ``1 − level`` of outcomes, counting the outcome on the edge by the part that is in it.

    This is the exact average of the sample's quantile function, hence sub-additive and never below value at risk.
    Parameters and errors are those of :func:`value_at_risk`.

    Source
    ------
    Acerbi and Tasche (2002), doi:10.1016/S0378-4266(02)00283-2, equation 4.12.
    """
    ascending, rank = _ranked(losses, level)
    edge = ascending[rank - 1]
    tail = len(losses) * (1 - level)
    # Averaging distances from the edge keeps the result at or above it, whatever the rounding.
    return float(edge + np.sum(ascending[rank:] - edge) / float(tail))


def loss_beyond_collateral(value: Floats, debt: Floats, call_line_ratio: float, cost_ratio: float) -> Floats:
    """What the desk loses on each account ``(n_accounts,)`` that is called and sold out, after the cost of selling.

    An account still above the call line loses the desk nothing: nobody sells it.
    """
    assert value.shape == debt.shape
    missing = np.maximum(0.0, debt - (1 - cost_ratio) * value)
    return np.where(value < call_line_ratio * debt, missing, 0.0)


def _ranked(losses: Floats, level: Fraction) -> tuple[Floats, int]:
    """Losses in rising order, and the one-based rank of the quantile."""
    assert losses.ndim == 1
    assert 0 < level < 1
    outcomes_min = -(-1 // (2 * (1 - level)))
    if len(losses) < outcomes_min:
        raise TooFewScenarios(
            f"A tail measure at {float(level):g} needs at least {outcomes_min} outcomes, but got {len(losses)}. "
            f"Nothing was written; load a longer history of prices, or ask for a lower level."
        )
    assert np.isfinite(losses).all(), "a loss is a number"
    rank = -(-len(losses) * level.numerator // level.denominator)
    return np.sort(losses), rank
