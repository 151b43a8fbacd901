"""Which business day a number describes, and the refusal to mix two."""

from collections.abc import Iterable
from datetime import date

from domain.errors import MixedAsOf


def common_as_of(days: Iterable[date]) -> date:
    """Return the one business day all inputs describe; raises :class:`MixedAsOf` for none or several."""
    distinct = sorted(set(days))
    if len(distinct) != 1:
        named = ", ".join(day.isoformat() for day in distinct[:5]) or "no day at all"
        raise MixedAsOf(
            f"All inputs must describe one business day, but these describe {len(distinct)}: {named}. Materialize the "
            f"stale upstream for the missing day, then rerun this one."
        )
    return distinct[0]
