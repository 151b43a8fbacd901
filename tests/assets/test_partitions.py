"""The coordinates of the desk: every weekday is a business day, and a run knows which it is about."""

from datetime import date

import dagster as dg
import pytest

from assets.partitions import FIRST_DAY, Slice, business_day, business_days


@pytest.mark.parametrize(
    ("day", "is_kept"), [("2026-06-17", True), ("2026-06-20", False), ("2026-06-21", False), ("2008-09-15", True)]
)
def test_weekdays_are_business_days_and_weekends_are_not(day: str, is_kept: bool) -> None:
    assert business_days.has_partition_key(day) is is_kept


def test_no_day_before_the_oldest_price_can_be_asked_for() -> None:
    assert business_days.get_first_partition_key() == FIRST_DAY.isoformat() == "1998-01-01"


def test_the_day_that_is_under_way_can_be_valued() -> None:
    under_way = business_days.get_last_partition_window()
    assert under_way is not None
    assert under_way.start.date() <= date.today() or date.today().weekday() >= 5  # noqa: DTZ011  Any clock will do.
    assert date.fromisoformat(business_days.get_last_partition_key() or "") == under_way.start.date()


def test_a_run_is_about_the_day_of_its_partition() -> None:
    with dg.build_asset_context(partition_key="2026-06-17") as context:
        assert business_day(context) == date(2026, 6, 17)


def test_a_slice_nobody_names_is_the_close() -> None:
    assert Slice().slice == "close"
