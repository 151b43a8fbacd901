"""What the market tells is kept by day and batch; silence is refused."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from assets.lake import Lake
from assets.market import (
    Batch,
    calc_market__previous_closes,
    carry_over_splits,
    instruments_on,
    no_prices,
    raw_market__daily_bars,
    raw_market__prices,
)
from assets.partitions import FIRST_DAY
from domain.errors import NoPrices
from feeds.deliveries import Delivery

DAY = date(2026, 6, 17)
Rows = Callable[..., pd.DataFrame]


class ToldMarket:
    """A folder that holds the sessions and deliveries it was told to."""

    vendor, root = "landing", Path("landing")

    def __init__(self, sessions: list[date], bars: Delivery | None = None, quotes: Delivery | None = None) -> None:
        self._sessions, self._bars, self._quotes = sessions, bars, quotes
        self.asked: set[str] = set()

    def sessions(self) -> list[date]:
        return self._sessions

    def daily_bars(self, first: date, last: date, known_at: datetime) -> Delivery:
        assert self._bars is not None
        return self._bars

    def prices(self, batch: str, instruments: set[str], known_at: datetime) -> Delivery:
        assert self._quotes is not None
        self.asked = instruments
        return self._quotes


def described(*rows: tuple[str, date, date]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["instrument_id", "effective_from_date", "effective_until_date"])


@pytest.mark.parametrize(
    ("sessions", "told"),
    [([], "It holds no day at all"), ([date(2026, 1, 5), date(2026, 6, 16)], "It holds 2026-01-05 to 2026-06-16")],
)
def test_a_day_without_a_bar_says_which_days_the_folder_holds(sessions: list[date], told: str) -> None:
    refusal = str(no_prices(ToldMarket(sessions), DAY, DAY))  # type: ignore[arg-type]
    assert f"has none for 2026-06-17. {told}." in refusal
    assert "Nothing was written; choose a day it holds" in refusal


def test_a_desk_is_never_valued_on_silence(lake: Lake, rows_of: Rows) -> None:
    silent = Delivery(rows_of("raw_market__daily_bars"), rows_of("raw_feeds__quarantine"))
    with (
        dg.build_asset_context(partition_key=DAY.isoformat()) as context,
        pytest.raises(NoPrices, match="has none for 2026-06-17"),
    ):
        raw_market__daily_bars(context, lake=lake, market=ToldMarket([], bars=silent))
    assert lake.days("raw_market__daily_bars") == []


def test_an_instrument_is_what_its_last_description_on_or_before_the_day_says(
    lake: Lake, build_views: Callable[..., None]
) -> None:
    build_views(
        stg_market__instruments=described(
            ("US.X", date(2026, 6, 1), date(2026, 6, 17)),
            ("US.X", date(2026, 6, 17), date(9999, 12, 31)),
            ("US.NEXT", date(2026, 6, 18), date(9999, 12, 31)),
        )
    )
    assert instruments_on(lake, DAY)["effective_from_date"].tolist() == [DAY]
    assert instruments_on(lake, date(2026, 5, 29)).empty


def test_a_batch_read_twice_is_kept_once(lake: Lake, rows_of: Rows, build_views: Callable[..., None]) -> None:
    build_views(stg_market__instruments=described(("US.X", date(2026, 6, 1), date(9999, 12, 31))))
    quotes = rows_of("raw_market__prices", {"instrument_id": "US.X", "batch": "20260617T140000Z"})
    market = ToldMarket([DAY], quotes=Delivery(quotes, rows_of("raw_feeds__quarantine")))
    for _ in range(2):
        with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
            raw_market__prices(context, Batch(batch="20260617T140000Z"), lake=lake, market=market)
    assert len(lake.read("raw_market__prices", DAY)) == 1
    assert [file.stem for file in lake.parts("raw_market__prices", DAY)] == ["20260617T140000Z"]
    assert market.asked == {"US.X"}


def closes(*rows: tuple[str, date, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["instrument_id", "price_date", "price_close_e4"])


def splits(*rows: tuple[str, date, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["instrument_id", "ex_date", "split_ratio"])


def test_a_split_since_the_last_close_is_not_mistaken_for_a_crash() -> None:
    """A halted share that split three for two and two for one is worth a third of its last close."""
    told = closes(("US.HALTED", date(2026, 6, 10), 300_000), ("US.X", date(2026, 6, 16), 500_000))
    since = splits(("US.HALTED", date(2026, 6, 12), 1.5), ("US.HALTED", DAY, 2.0), ("US.X", date(2026, 6, 16), 4.0))
    rows = carry_over_splits(told, since).set_index("instrument_id")
    assert rows["price_e4"].to_dict() == {"US.HALTED": 100_000, "US.X": 500_000}
    assert rows["split_ratio"].to_dict() == {"US.HALTED": 3.0, "US.X": 1.0}


def test_the_previous_close_is_the_last_before_the_day_however_old(
    lake: Lake, build_views: Callable[..., None]
) -> None:
    bars = [("US.X", date(2026, 6, 16), 2), ("US.X", date(2026, 6, 15), 1), ("US.X", DAY, 3), ("US.OLD", FIRST_DAY, 9)]
    told = pd.DataFrame(bars, columns=["instrument_id", "as_of_date", "price_close_e4"]).assign(source="synthetic")
    actions = [
        ("US.OLD", "split", DAY, 2.0),
        ("US.X", "cash_dividend", DAY, 9.0),
        ("US.X", "split", date(2026, 6, 18), 5),
    ]
    build_views(
        stg_market__daily_bars=told,
        stg_market__corporate_actions=pd.DataFrame(
            actions, columns=["instrument_id", "kind", "as_of_date", "split_ratio"]
        ),
    )
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_market__previous_closes(context, lake=lake)
    rows = lake.read("calc_market__previous_closes", DAY).set_index("instrument_id")
    assert rows["price_e4"].to_dict() == {"US.OLD": 5, "US.X": 2}
    assert rows["price_date"].to_dict() == {"US.OLD": FIRST_DAY, "US.X": date(2026, 6, 16)}
