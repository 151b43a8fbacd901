"""Interest on debit balances: day count, changes of rate, tiers. Each posting is rounded once, half up."""

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Literal

from domain.money import RATE_UNITS, half_up

DayCount = Literal["act/360", "act/365", "30/360 US"]
"""How a period becomes a fraction of a year. ``act/365`` divides by 365 in leap years too."""


def days_accrued(first: date, until: date) -> int:
    """Days that bear interest: the first one counts, the last one does not."""
    assert first <= until, "interest does not run backwards"
    return (until - first).days


def year_fraction(first: date, until: date, day_count: DayCount) -> Fraction:
    """Part of a year that bears interest, exactly; ``first`` counts, ``until`` does not.

    ``30/360 US`` counts every month as thirty days: a 31st is a 30th (at the end only if the period also began on one),
    and so is the last day of February, at the end only if the period began on one.
    """
    if day_count != "30/360 US":
        return Fraction(days_accrued(first, until), 360 if day_count == "act/360" else 365)
    assert first <= until, "interest does not run backwards"
    starts_at_end_of_february = _is_end_of_february(first)
    first_day = 30 if first.day == 31 or starts_at_end_of_february else first.day
    last_day = until.day
    if (last_day == 31 and first_day == 30) or (starts_at_end_of_february and _is_end_of_february(until)):
        last_day = 30
    months = 12 * (until.year - first.year) + until.month - first.month
    return Fraction(30 * months + last_day - first_day, 360)


def interest_of_period_minor(principal_minor: int, rate_e8: int, years: Fraction) -> int:
    """Interest at one annual rate over a fraction of a year, in minor units, rounded once."""
    assert principal_minor >= 0 and rate_e8 >= 0 and years >= 0
    return half_up(principal_minor * rate_e8 * years.numerator, RATE_UNITS * years.denominator)


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


def _is_end_of_february(day: date) -> bool:
    return day.month == 2 and (day + timedelta(days=1)).month == 3
