"""Expected credit loss: which stage a loan is in, what is set aside for it, and what it still earns.

IFRS 9 and its Chinese twin CAS 22, with the American expedient for collateral the client must top up. Thresholds come
from ``rulebooks/house/impairment.yaml``; probabilities and severities from the pricing models, as ratios. Amounts are
whole minor units, rounded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Final, Literal, NamedTuple

from domain.money import half_up, ratio_of_minor

Stage = Literal[1, 2, 3]
"""1: as granted. 2: the risk has risen significantly. 3: impaired."""

RATIO_UNITS: Final = 1_000_000_000
"""Ratios of assets to debt are compared as whole billionths, so that 1.3 means 13/10 exactly."""


@dataclass(frozen=True)
class StagingTerms:
    """When a loan leaves a stage: past due for longer than these days, or assets over debt below this ratio."""

    significant_past_due_days: int
    impaired_past_due_days: int
    impaired_ratio: float
    edition: str

    def __post_init__(self) -> None:
        """A loan comes to stage 2 before it comes to stage 3."""
        assert 0 <= self.significant_past_due_days < self.impaired_past_due_days
        assert self.impaired_ratio > 0


class LossPeriod(NamedTuple):
    """A stretch of the loan's life: what is owed then, the chance that it defaults in it, and the part then lost.

    ``years`` is the time from today to the end of the stretch, where the loss is assumed to fall.
    """

    exposure_minor: int
    marginal_pd_ratio: float
    lgd_ratio: float
    years: float


class AllowanceMovement(NamedTuple):
    """What brings an allowance to where it belongs: the ledger's template, and the amount."""

    template: str
    amount_minor: int


def loan_stage(
    assets_minor: int,
    owed_minor: int,
    days_past_due: int,
    close_line_ratio: float,
    terms: StagingTerms,
    *,
    is_in_litigation: bool = False,
) -> Stage:
    """Stage of a loan by its account's maintenance ratio 维持担保比例, its days past due, and the courts.

    ``close_line_ratio`` is the 平仓线 of the account's own rulebook; standing on a line is not below it. An account
    that owes nothing is in stage 1 unless it is late or in court.
    """
    assert owed_minor >= 0 and days_past_due >= 0 and close_line_ratio >= terms.impaired_ratio
    is_impaired = _is_below(assets_minor, owed_minor, terms.impaired_ratio)
    if is_impaired or is_in_litigation or days_past_due > terms.impaired_past_due_days:
        return 3
    if _is_below(assets_minor, owed_minor, close_line_ratio) or days_past_due > terms.significant_past_due_days:
        return 2
    return 1


def twelve_month_loss(periods: Sequence[LossPeriod]) -> float:
    """Loss in minor units, not yet rounded, from defaults within a year: EAD × PD × LGD, not discounted."""
    _require_a_life(periods)
    return fsum(period.exposure_minor * _loss_ratio(period) for period in periods if period.years <= 1)


def lifetime_loss(periods: Sequence[LossPeriod], effective_rate: float) -> float:
    """Loss in minor units, not yet rounded, from defaults at any time, discounted at the loan's effective rate."""
    assert effective_rate > -1
    _require_a_life(periods)
    return fsum(
        period.exposure_minor * _loss_ratio(period) / (1 + effective_rate) ** period.years for period in periods
    )


def loss_allowance_minor(stage: Stage, periods: Sequence[LossPeriod], effective_rate: float) -> int:
    """What must be set aside: the loss of twelve months in stage 1, of the whole life from stage 2 on.

    The loss of twelve months is not discounted, so that for a loan of some months it passes the discounted one of its
    life; a loan that got worse keeps the larger of the two.
    """
    year = twelve_month_loss(periods)
    loss = year if stage == 1 else max(year, lifetime_loss(periods, effective_rate))
    return _half_up(loss)


def interest_base_minor(stage: Stage, gross_minor: int, allowance_minor: int) -> int:
    """Amount that interest income is computed on: what is owed; in stage 3 only what is expected to come back."""
    assert 0 <= allowance_minor <= gross_minor
    return gross_minor - allowance_minor if stage == 3 else gross_minor


def maintained_collateral_loss_minor(amortised_cost_minor: int, collateral_minor: int, loss_ratio: float) -> int:
    """Loss on the part that collateral does not cover (US CECL, ASC 326-20-35-6); covered in full, none.

    Allowed only where the client must keep topping the collateral up, and is expected to: a margin loan before its
    call has failed. ``loss_ratio`` is the part of what is uncovered that will not come back.
    """
    assert amortised_cost_minor >= 0 and 0 <= loss_ratio <= 1
    return ratio_of_minor(max(0, amortised_cost_minor - max(0, collateral_minor)), loss_ratio)


def ecl_movement(before_minor: int, after_minor: int) -> AllowanceMovement | None:
    """Charge or release that brings an allowance from ``before`` to ``after``; None where nothing moves."""
    assert before_minor >= 0 and after_minor >= 0
    if after_minor == before_minor:
        return None
    if after_minor > before_minor:
        return AllowanceMovement("ecl_charged", after_minor - before_minor)
    return AllowanceMovement("ecl_released", before_minor - after_minor)


def _is_below(assets_minor: int, owed_minor: int, ratio: float) -> bool:
    return assets_minor * RATIO_UNITS < owed_minor * round(ratio * RATIO_UNITS)


def _loss_ratio(period: LossPeriod) -> float:
    return period.marginal_pd_ratio * period.lgd_ratio


def _half_up(amount: float) -> int:
    # Counted to a millionth of a minor unit, so that a tie is not decided by how 0.005 is held in binary.
    return half_up(round(amount * 1_000_000), 1_000_000)


def _require_a_life(periods: Sequence[LossPeriod]) -> None:
    ends = [period.years for period in periods]
    assert ends and ends[0] > 0 and ends == sorted(set(ends)), "stretches follow each other in time"
    assert ends[-1] <= 1 or 1 in ends, "one stretch ends with the first year, or it would be counted by halves"
    assert all(period.exposure_minor >= 0 and 0 <= period.lgd_ratio <= 1 for period in periods)
    assert all(period.marginal_pd_ratio >= 0 for period in periods)
    # A loan defaults once; the slack is that of a sum of floats.
    assert fsum(period.marginal_pd_ratio for period in periods) <= 1 + 1e-9
