"""Good rows never wait for bad ones, and a delivery that comes again replaces what it brought before."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd

from assets.deliveries import counts, keep, keep_range
from assets.lake import Lake
from feeds.deliveries import Delivery

DAY = date(2026, 6, 17)
BARS, QUARANTINE = "raw_market__daily_bars", "raw_feeds__quarantine"
Rows = Callable[..., pd.DataFrame]


def delivery(rows_of: Rows, good: list[dict[str, Any]], bad: list[dict[str, Any]]) -> Delivery:
    return Delivery(rows_of(BARS, *good), rows_of(QUARANTINE, *bad))


def test_good_rows_are_kept_and_bad_ones_stand_beside_them(lake: Lake, rows_of: Rows) -> None:
    told = delivery(rows_of, [{"instrument_id": "US.X"}], [{"reason": "bar_must_be_unique"}])
    result = keep(lake, BARS, told, DAY)
    assert lake.read(BARS, DAY)["instrument_id"].tolist() == ["US.X"]
    assert lake.read(QUARANTINE, DAY, f"{BARS}.all")["reason"].tolist() == ["bar_must_be_unique"]
    assert result.metadata is not None
    assert (result.metadata["dagster/row_count"], result.metadata["quarantined"]) == (1, 1)


def test_a_corrected_delivery_empties_its_quarantine(lake: Lake, rows_of: Rows) -> None:
    keep(lake, BARS, delivery(rows_of, [], [{"reason": "bar_must_be_unique"}]), DAY)
    keep(lake, BARS, delivery(rows_of, [{}], []), DAY)
    assert lake.read(QUARANTINE, DAY).empty


def test_a_range_is_kept_day_by_day_and_other_days_are_left_as_they_were(lake: Lake, rows_of: Rows) -> None:
    before, later = DAY - timedelta(days=2), DAY - timedelta(days=1)
    keep(lake, BARS, delivery(rows_of, [{"instrument_id": "US.OLD"}], []), DAY)
    good = [{"instrument_id": "US.X", "as_of_date": day} for day in (before, later, before)]
    result = keep_range(lake, BARS, delivery(rows_of, good, []), before, DAY)
    assert [len(lake.read(BARS, day)) for day in (before, later, DAY)] == [2, 1, 1]
    assert lake.read(BARS, DAY)["instrument_id"].tolist() == ["US.OLD"]
    assert result.metadata is not None
    assert result.metadata["days"] == 2


def test_a_range_delivered_again_and_corrected_empties_the_quarantine_of_its_days(lake: Lake, rows_of: Rows) -> None:
    """Else the day's page would go on showing rows as not believed that have been believed since."""
    keep_range(lake, BARS, delivery(rows_of, [{}], [{"reason": "price_must_be_positive"}]), DAY, DAY)
    keep_range(lake, BARS, delivery(rows_of, [{}, {"instrument_id": "US.X"}], []), DAY, DAY)
    assert lake.read_between(QUARANTINE, DAY, DAY).empty


def test_an_empty_delivery_counts_nothing_and_has_no_source(rows_of: Rows) -> None:
    told = counts(delivery(rows_of, [], []))
    assert (told["dagster/row_count"], told["quarantined"], told["source"]) == (0, 0, "none")


def test_reasons_are_counted_each_by_itself(rows_of: Rows) -> None:
    bad = [{"reason": "bar_must_be_unique"}, {"reason": "price_must_be_positive"}, {"reason": "bar_must_be_unique"}]
    assert counts(delivery(rows_of, [], bad))["quarantine_reasons"].value == {
        "bar_must_be_unique": 2,
        "price_must_be_positive": 1,
    }
