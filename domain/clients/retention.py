"""Until when a record must be kept: the latest day any of the laws it falls under asks for."""

from collections.abc import Iterable
from datetime import date

from domain.clients.rules import RetentionTerms
from domain.errors import RuleNotInForce


def kept_until(regime: str, record_on: date, relationship_ended_on: date | None, terms: RetentionTerms) -> date | None:
    """First day on which one regime lets a record be destroyed; None while the relationship it counts from goes on."""
    rule = terms.regimes.get(regime)
    if rule is None:
        raise RuleNotInForce(
            f"A record must be kept under one of {', '.join(terms.regimes)}, but {regime!r} was asked for. Nothing was "
            f"destroyed; name a known regime, or add it to rulebooks/house/retention.yaml."
        )
    start = record_on if rule.counts_from == "record" else relationship_ended_on
    return None if start is None else years_after(start, rule.years)


def earliest_destruction(
    regimes: Iterable[str], record_on: date, relationship_ended_on: date | None, terms: RetentionTerms
) -> date | None:
    """First day on which every regime lets a record be destroyed: the latest of them all, or None while one waits.

    A record under no regime is kept, too: nobody has said yet that it may go.
    """
    days = [kept_until(regime, record_on, relationship_ended_on, terms) for regime in sorted(set(regimes))]
    known = [day for day in days if day is not None]
    return max(known) if days and len(known) == len(days) else None


def years_after(day: date, years: int) -> date:
    """The same day ``years`` later; 29 February becomes 1 March, for a day too long breaks no law."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)
