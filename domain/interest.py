"""Interest on debit balances: day count, changes of rate, tiers. Each posting is rounded once, half up."""

from collections.abc import Sequence
from datetime import date

from domain.money import RATE_UNITS, half_up


def days_accrued(first: date, until: date) -> int:
    """Days that bear interest: the first one counts, the last one does not."""
    assert first <= until, "interest does not run backwards"
    return (until - first).days


def accrued_interest_minor(principal_minor: int, rate_e8: int, days: int, basis_days: int) -> int:
    """Interest of ``days`` at one annual rate, in minor units."""
    assert principal_minor >= 0 and rate_e8 >= 0 and days >= 0 and basis_days > 0
    return half_up(principal_minor * rate_e8 * days, RATE_UNITS * basis_days)


def accrued_at_rates_minor(
    principal_minor: int, rates: Sequence[tuple[date, int]], first: date, until: date, basis_days: int
) -> int:
    """Interest over a period in which the annual rate changes, rounded once for the whole posting.

    ``rates`` are (first day, rate) in order of time, the earliest not after ``first``; a day of change bears the new
    rate.
    """
    starts = [start for start, _ in rates]
    assert starts == sorted(set(starts)) and starts[0] <= first <= until
    ends = [*starts[1:], until]
    rate_days = sum(
        rate_e8 * max(0, (min(end, until) - max(start, first)).days)
        for (start, rate_e8), end in zip(rates, ends, strict=True)
    )
    return half_up(principal_minor * rate_days, RATE_UNITS * basis_days)


def tiered_interest_minor(
    principal_minor: int, tiers: Sequence[tuple[int | None, int]], days: int, basis_days: int
) -> int:
    """Interest where each part of the balance bears the rate of its own tier (marginal, not slab).

    ``tiers`` are (up to this balance in minor units, rate) in rising order; the last one is open (None).
    """
    tops = [top for top, _ in tiers[:-1] if top is not None]
    assert tiers[-1][0] is None and len(tops) == len(tiers) - 1 and tops == sorted(tops)
    below, rated = 0, 0
    for up_to, rate_e8 in tiers:
        top = principal_minor if up_to is None else min(up_to, principal_minor)
        rated += (top - below) * rate_e8
        below = top
    return half_up(rated * days, RATE_UNITS * basis_days)
