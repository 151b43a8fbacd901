"""The exchange's own calendar decides what a business day is."""

from datetime import UTC, date, datetime

import pytest

from domain.errors import DeskNotReady
from feeds.calendars import MARKETS, closes_at, is_session, opens_at, session_after, sessions_between


@pytest.mark.parametrize(
    ("market", "day", "trades"),
    [
        pytest.param("US", date(2008, 9, 15), True, id="an ordinary Monday is a session"),
        pytest.param("US", date(2008, 9, 14), False, id="a Sunday is none"),
        pytest.param("US", date(2025, 7, 4), False, id="Independence Day is none"),
        pytest.param("CN", date(2025, 10, 1), False, id="the National Day of China is none"),
        pytest.param("CN", date(2025, 9, 28), False, id="a make-up working Sunday is no session"),
        pytest.param("CN", date(2025, 7, 4), True, id="China trades on the Fourth of July"),
    ],
)
def test_a_market_trades_when_its_own_exchange_says_so(market: str, day: date, trades: bool) -> None:
    assert is_session(market, day) is trades


def test_sessions_between_skip_the_weekend() -> None:
    assert sessions_between("US", date(2008, 9, 12), date(2008, 9, 15)) == [date(2008, 9, 12), date(2008, 9, 15)]


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        pytest.param(date(2008, 9, 12), 1, date(2008, 9, 15), id="after Friday comes Monday"),
        pytest.param(date(2008, 9, 13), 1, date(2008, 9, 15), id="after Saturday comes Monday"),
        pytest.param(date(2008, 9, 12), 2, date(2008, 9, 16), id="two sessions after Friday is Tuesday"),
        pytest.param(date(2008, 9, 15), -1, date(2008, 9, 12), id="before Monday comes Friday"),
        pytest.param(date(2008, 9, 14), -1, date(2008, 9, 12), id="before Sunday comes Friday"),
    ],
)
def test_cure_days_count_sessions_not_days(day: date, n: int, expected: date) -> None:
    assert session_after("US", day, n) == expected


def test_hours_are_instants_of_the_exchange_zone_and_half_days_close_early() -> None:
    assert opens_at("US", date(2008, 9, 15)) == datetime(2008, 9, 15, 13, 30, tzinfo=UTC)
    assert opens_at("US", date(2008, 12, 15)) == datetime(2008, 12, 15, 14, 30, tzinfo=UTC)
    assert closes_at("US", date(2025, 11, 28)) == datetime(2025, 11, 28, 18, 0, tzinfo=UTC)
    assert opens_at("CN", date(2020, 1, 3)) == datetime(2020, 1, 3, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("market", sorted(MARKETS))
def test_a_day_the_calendar_does_not_cover_is_refused_not_guessed(market: str) -> None:
    with pytest.raises(DeskNotReady, match=r"covers .* but 2090-01-02 was asked for"):
        is_session(market, date(2090, 1, 2))
    with pytest.raises(DeskNotReady, match="update exchange_calendars"):
        session_after(market, date(2026, 6, 17), 5_000)
