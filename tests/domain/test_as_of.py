"""A computation describes one business day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.as_of import common_as_of
from domain.errors import MixedAsOf


@given(st.dates(), st.integers(1, 50))
def test_one_day_repeated_is_one_day(day: date, times: int) -> None:
    assert common_as_of([day] * times) == day


def test_two_days_are_refused_by_name() -> None:
    with pytest.raises(MixedAsOf, match=r"describe 2: 2026-01-05, 2026-01-06\. Materialize the stale upstream"):
        common_as_of([date(2026, 1, 6), date(2026, 1, 5), date(2026, 1, 6)])


def test_no_day_at_all_is_refused() -> None:
    with pytest.raises(MixedAsOf, match="no day at all"):
        common_as_of([])


def test_a_long_list_of_days_is_cut() -> None:
    with pytest.raises(MixedAsOf, match="describe 9") as refusal:
        common_as_of(date(2026, 1, day) for day in range(1, 10))
    assert "2026-01-05" in str(refusal.value)
    assert "2026-01-06" not in str(refusal.value)
