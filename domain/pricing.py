"""The price of a margin loan: how likely collateral ends short of the debt, by how much, and the rate that pays for it.

The collateral is a geometric Brownian motion until it first touches the call line. From there the desk has a gap, the
days to cure and to sell, in which the value may also jump; what is then missing is the loss. The model and its defaults
are this desk's convention (first passage: Harrison 1985; jumps: Merton 1976, doi:10.1016/0304-405X(76)90022-2).
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from domain.money import RATE_UNITS, ratio_of_minor
from domain.rulebook import PricingTerms

VOLATILITY_MIN = 1e-6
"""Annual volatility below which the formulas lose their digits; what never moves is priced as moving this much."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shortfall:
    """What the gap may cost, per loan ``(n_loans,)``: probability that something is missing, and the mean amount."""

    probability: Floats
    amount: Floats


@dataclass(frozen=True)
class ExpectedLoss:
    """Expected loss per loan ``(n_loans,)`` over the horizon, and the parts it is made of.

    ``rate_ratio`` is a fraction of the debt and equals ``pd_ratio`` × ``lgd_ratio``.
    """

    first_passage: Floats
    shortfall_probability: Floats
    shortfall: Floats
    pd_ratio: Floats
    lgd_ratio: Floats
    rate_ratio: Floats


@dataclass(frozen=True, slots=True)
class RateParts:
    """A client's annual rate in hundred-millionths, part by part in the order people read them."""

    risk_free_e8: int
    funding_premium_e8: int
    expected_loss_premium_e8: int
    operations_e8: int = 0
    liquidity_e8: int = 0
    capital_charge_e8: int = 0

    @property
    def rate_e8(self) -> int:
        """The rate: exactly the sum of its parts."""
        return (
            self.risk_free_e8
            + self.funding_premium_e8
            + self.expected_loss_premium_e8
            + self.operations_e8
            + self.liquidity_e8
            + self.capital_charge_e8
        )


def first_passage_probability(
    value: Floats, barrier: Floats, drift_ratio: float, volatility_ratio: Floats, years: float
) -> Floats:
    """Probability that a value touches the barrier below it within the horizon.

    Parameters
    ----------
    value, barrier, volatility_ratio : (n_loans,)
        Values in one common unit, >= 0; volatility per year. A value at or below its barrier has touched it: 1. A
        barrier of zero is never touched: 0.
    drift_ratio : float
        Growth of the expected value per year.
    years : float
        Horizon, > 0.

    Returns
    -------
    (n_loans,)
        From 0 to 1.
    """
    value, barrier, volatility_ratio = np.broadcast_arrays(value, barrier, volatility_ratio)
    touched, apart = value <= barrier, (value > barrier) & (barrier > 0)
    probability = np.where(touched & (barrier > 0), 1.0, 0.0)
    # Only where the two differ is there a logarithm to take.
    sigma = np.maximum(volatility_ratio[apart], VOLATILITY_MIN)
    drift = drift_ratio - sigma**2 / 2
    distance, spread = np.log(barrier[apart]) - np.log(value[apart]), sigma * np.sqrt(years)
    direct = _normal_distribution((distance - drift * years) / spread)
    # The reflected paths: a large factor times a small probability, multiplied as logarithms lest the factor overflow.
    reflected = np.exp(
        np.minimum(0.0, 2 * drift * distance / sigma**2 + _log_normal_distribution((distance + drift * years) / spread))
    )
    probability[apart] = np.minimum(1.0, direct + reflected)
    return probability


def shortfall_at_gap(
    start: Floats,
    debt: Floats,
    drift_ratio: float,
    volatility_ratio: Floats,
    years: float,
    cost_ratio: float,
    jumps_per_year: float = 0.0,
    jump_mean_ratio: float = 0.0,
    jump_deviation_ratio: float = 0.0,
) -> Shortfall:
    """What is missing when collateral worth ``start`` is sold after the gap, at a cost, against ``debt``.

    Parameters
    ----------
    start, debt, volatility_ratio : (n_loans,)
        Value when the gap begins and what is owed, in one common unit, >= 0; volatility per year without jumps.
    drift_ratio : float
        Growth of the expected value per year.
    years : float
        Length of the gap, > 0.
    cost_ratio : float
        Part of the value lost in selling, from 0 to below 1.
    jumps_per_year, jump_mean_ratio, jump_deviation_ratio : float
        Poisson intensity; mean and deviation of the logarithm of one jump. The drift is compensated, so that jumps
        widen the distribution and leave its mean alone.

    Returns
    -------
    Shortfall
        Probability in [0, 1], amount in the unit of ``debt`` and never above it. Without debt both are zero.
    """
    start, debt, volatility_ratio = np.broadcast_arrays(start, debt, volatility_ratio)
    probability = np.where((debt > 0) & (start <= 0), 1.0, 0.0)
    amount = np.where(start <= 0, debt, 0.0)
    moving = (debt > 0) & (start > 0)
    sigma, owed = np.maximum(volatility_ratio[moving], VOLATILITY_MIN), debt[moving]
    compensation = jumps_per_year * (exp(jump_mean_ratio + jump_deviation_ratio**2 / 2) - 1)
    mean = log(1 - cost_ratio) + np.log(start[moving]) + (drift_ratio - sigma**2 / 2 - compensation) * years
    short_probability, short_amount = np.zeros_like(mean), np.zeros_like(mean)
    for jumps, weight in enumerate(_poisson_weights(jumps_per_year * years)):
        center, variance = mean + jumps * jump_mean_ratio, sigma**2 * years + jumps * jump_deviation_ratio**2
        d2 = (center - np.log(owed)) / np.sqrt(variance)
        short_probability += weight * _normal_distribution(-d2)
        recovered = np.exp(center + variance / 2) * _normal_distribution(-d2 - np.sqrt(variance))
        short_amount += weight * np.maximum(0.0, owed * _normal_distribution(-d2) - recovered)
    probability[moving] = np.minimum(1.0, short_probability)
    amount[moving] = np.minimum(owed, short_amount)
    return Shortfall(probability, amount)


def expected_loss(assets: Floats, debt: Floats, volatility_ratio: Floats, terms: PricingTerms) -> ExpectedLoss:
    """Expected loss of lending ``debt`` against ``assets`` over the horizon of the terms.

    Parameters
    ----------
    assets, debt : (n_loans,)
        In one common unit (minor units as floats will do), >= 0. An account already below the call line starts its gap
        where it stands, not at the line. Without debt every part is zero.
    volatility_ratio : (n_loans,)
        Annualised volatility of the assets; any floor is the caller's to apply.
    terms : PricingTerms
        The house edition in force.

    Returns
    -------
    ExpectedLoss
        Arrays ``(n_loans,)``; probabilities and ratios from 0 to 1.
    """
    assert assets.shape == debt.shape == volatility_ratio.shape
    assert np.isfinite(assets).all() and np.isfinite(debt).all() and np.isfinite(volatility_ratio).all()
    assert (assets >= 0).all() and (debt >= 0).all() and (volatility_ratio >= 0).all()
    barrier = terms.call_line_ratio * debt
    touched = first_passage_probability(assets, barrier, terms.drift_ratio, volatility_ratio, terms.horizon_years)
    gap = shortfall_at_gap(
        np.minimum(assets, barrier),
        debt,
        terms.drift_ratio,
        volatility_ratio,
        terms.gap_days / terms.days_per_year,
        terms.liquidation_cost_ratio,
        terms.jumps_per_year,
        terms.jump_mean_ratio,
        terms.jump_deviation_ratio,
    )
    pd_ratio = touched * (1 - terms.cure_probability) * gap.probability
    at_risk = debt * gap.probability
    lgd_ratio = np.minimum(1.0, np.divide(gap.amount, at_risk, out=np.zeros_like(at_risk), where=at_risk > 0))
    return ExpectedLoss(touched, gap.probability, gap.amount, pd_ratio, lgd_ratio, pd_ratio * lgd_ratio)


def expected_loss_minor(exposure_minor: int, pd_ratio: float, lgd_ratio: float) -> int:
    """Expected loss on an exposure in minor units: its probability of default times the part then lost."""
    return ratio_of_minor(exposure_minor, pd_ratio * lgd_ratio)


def rate_in_e8(rate_ratio: Floats) -> NDArray[np.int64]:
    """Annual rates >= 0 as whole hundred-millionths, half up."""
    assert np.isfinite(rate_ratio).all() and (rate_ratio >= 0).all()
    rates: NDArray[np.int64] = np.floor(rate_ratio * RATE_UNITS + 0.5).astype(np.int64)
    return rates


def capital_charge_e8(capital_ratio: float, hurdle_e8: int, risk_free_e8: int) -> int:
    """Rate that pays for the capital a loan ties up: its share of the debt times the return asked above risk-free."""
    return ratio_of_minor(hurdle_e8 - risk_free_e8, capital_ratio)


def rate_build_up(
    risk_free_e8: int,
    funding_premium_e8: int,
    expected_loss_premium_e8: int,
    *,
    operations_e8: int = 0,
    liquidity_e8: int = 0,
    capital_charge_e8: int = 0,
) -> RateParts:
    """Annual rate of a loan: risk-free, plus what funding costs above it, plus expected loss, plus what else is asked.

    Every part is whole hundred-millionths, so the rate is exactly their sum. Only the risk-free rate may be negative.
    """
    premiums = (funding_premium_e8, expected_loss_premium_e8, operations_e8, liquidity_e8, capital_charge_e8)
    assert min(premiums) >= 0, "a premium is never negative"
    return RateParts(risk_free_e8, *premiums)


def _poisson_weights(expected: float) -> list[float]:
    """Probabilities of 0, 1, 2… jumps, as far as they matter to sixteen digits."""
    if expected == 0:
        return [1.0]
    weights, jumps = [exp(-expected)], 0
    while jumps < expected or weights[-1] > 1e-18:
        jumps += 1
        weights.append(exp(log(weights[-1]) + log(expected / jumps)))
    return weights


# SciPy's special functions take longer to import than a tick may wait, and no tick prices a loan.


def _normal_distribution(x: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(x), dtype=np.float64)


def _log_normal_distribution(x: Floats) -> Floats:
    from scipy.special import log_ndtr

    return np.asarray(log_ndtr(x), dtype=np.float64)
