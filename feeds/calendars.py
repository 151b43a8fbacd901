"""When each market is open, by the exchange's own calendar. Weekdays are never a substitute."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from domain.errors import DeskNotReady

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Market:
    """A market the desk lends in."""

    calendar: str
    """Name of the exchange in ``exchange_calendars``."""
    currency: str
    lot_size_shares: int
    """Shares in the smallest order."""
    first_day: date
    """Earliest day the desk asks this calendar about."""


MARKETS: Final = {
    "US": Market(calendar="XNYS", currency="USD", lot_size_shares=1, first_day=date(1990, 1, 2)),
    "CN": Market(calendar="XSHG", currency="CNY", lot_size_shares=100, first_day=date(1990, 12, 19)),
}
"""Markets by the prefix of an instrument id (``US.AIG``, ``CN.600000``)."""


def is_session(market: str, day: date) -> bool:
    """Whether ``market`` trades on ``day``."""
    sessions = _sessions(market)
    _must_be_known(market, day, sessions)
    at = int(np.searchsorted(sessions, np.datetime64(day, "D")))
    return bool(at < len(sessions) and sessions[at] == np.datetime64(day, "D"))


def sessions_between(market: str, first: date, last: date) -> list[date]:
    """Sessions from ``first`` to ``last``, both included, oldest first."""
    sessions = _sessions(market)
    _must_be_known(market, first, sessions)
    _must_be_known(market, last, sessions)
    start, stop = np.datetime64(first, "D"), np.datetime64(last, "D")
    found: list[date] = sessions[(sessions >= start) & (sessions <= stop)].tolist()
    return found


def session_after(market: str, day: date, n: int = 1) -> date:
    """The ``n``-th session strictly after ``day``; a negative ``n`` counts sessions strictly before it."""
    assert n != 0, "the zeroth session after a day is no session"
    sessions = _sessions(market)
    _must_be_known(market, day, sessions)
    asked = np.datetime64(day, "D")
    at = int((sessions <= asked).sum()) + n - 1 if n > 0 else int((sessions < asked).sum()) + n
    if not 0 <= at < len(sessions):
        raise DeskNotReady(
            f"The calendar of {MARKETS[market].calendar} knows sessions from {sessions[0]} to {sessions[-1]}, but "
            f"session {n:+d} from {day} was asked for. Nothing was written; update exchange_calendars."
        )
    found: date = sessions[at].item()
    return found


def opens_at(market: str, day: date) -> datetime:
    """The UTC instant at which ``market`` opens on ``day``, which must be a session."""
    assert is_session(market, day), f"{market} is closed on {day}"
    opened: datetime = _calendar(market).session_open(day.isoformat()).to_pydatetime()
    return opened.astimezone(UTC)


def closes_at(market: str, day: date) -> datetime:
    """The UTC instant at which ``market`` closes on ``day``, which must be a session; half days close early."""
    assert is_session(market, day), f"{market} is closed on {day}"
    closed: datetime = _calendar(market).session_close(day.isoformat()).to_pydatetime()
    return closed.astimezone(UTC)


def _must_be_known(market: str, day: date, sessions: "NDArray[np.datetime64]") -> None:
    first, last = MARKETS[market].first_day, sessions[-1].item()
    if not first <= day <= last:
        raise DeskNotReady(
            f"The calendar of {MARKETS[market].calendar} covers {first} to {last}, but {day} was asked for. Nothing "
            f"was written; choose a day inside, or update exchange_calendars."
        )


@cache
def _sessions(market: str) -> "NDArray[np.datetime64]":
    return _calendar(market).sessions.to_numpy().astype("datetime64[D]")


@cache
def _calendar(market: str) -> "ExchangeCalendar":
    # Imported here because it costs most of a second, and most readings never ask for an hour.
    import exchange_calendars

    rules = MARKETS[market]
    return exchange_calendars.get_calendar(rules.calendar, start=rules.first_day.isoformat())
