"""Market: what exchanges and vendors tell us, verbatim, kept by business day and batch."""

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd

from assets.deliveries import keep, keep_range
from assets.lake import Lake
from assets.partitions import business_day, business_days, business_days_of
from assets.retries import retried_if_it_may_pass
from domain.errors import NoPrices
from domain.money import half_up
from feeds.folders import MarketFolder

_MARKET: dict[str, Any] = {"group_name": "market", "owners": ["team:market"], "partitions_def": business_days}


@dg.asset(**_MARKET, kinds={"parquet"}, backfill_policy=dg.BackfillPolicy.single_run())
def raw_market__instruments(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], market: dg.ResourceParam[MarketFolder]
) -> dg.MaterializeResult[Any]:
    """What can be traded, as the vendor describes it. One row per instrument and delivery day."""
    _, day = business_days_of(context)
    return keep(lake, "raw_market__instruments", market.instruments(day, datetime.now(UTC)), day)


@dg.asset(**_MARKET, kinds={"parquet"}, backfill_policy=dg.BackfillPolicy.single_run())
def raw_market__daily_bars(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], market: dg.ResourceParam[MarketFolder]
) -> dg.MaterializeResult[Any]:
    """Unadjusted open, high, low, close and volume. One row per instrument and session.

    A range of days is read in one run. A range without a single bar is refused: it is a wrong folder or a wrong day,
    and a desk must not be valued on silence.
    """
    first, last = business_days_of(context)
    delivery = market.daily_bars(first, last, datetime.now(UTC))
    if delivery.rows.empty:
        raise no_prices(market, first, last)
    return keep_range(lake, "raw_market__daily_bars", delivery, first, last)


class Since(dg.Config):
    """How far back a delivery reaches; without a day, only to the day of the run."""

    since: str | None = None


@dg.asset(**_MARKET, kinds={"parquet"}, backfill_policy=dg.BackfillPolicy.single_run())
def raw_market__corporate_actions(
    context: dg.AssetExecutionContext,
    config: Since,
    lake: dg.ResourceParam[Lake],
    market: dg.ResourceParam[MarketFolder],
) -> dg.MaterializeResult[Any]:
    """Splits and cash dividends by ex-date. One row per instrument, ex-date and kind."""
    first, last = business_days_of(context)
    first = min(first, date.fromisoformat(config.since)) if config.since else first
    delivery = market.corporate_actions(first, last, datetime.now(UTC))
    return keep_range(lake, "raw_market__corporate_actions", delivery, first, last)


@dg.asset(**_MARKET, kinds={"parquet"}, backfill_policy=dg.BackfillPolicy.single_run())
def raw_market__rates(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], market: dg.ResourceParam[MarketFolder]
) -> dg.MaterializeResult[Any]:
    """Risk-free rates the vendor delivers. One row per currency, tenor and the day it is of; may be empty."""
    _, day = business_days_of(context)
    return keep_range(lake, "raw_market__rates", market.rates(day, datetime.now(UTC)), day, day)


class Batch(dg.Config):
    """One price batch, named by the UTC instant it was cut."""

    batch: str


@dg.asset(
    **_MARKET,
    kinds={"parquet"},
)
@retried_if_it_may_pass()
def raw_market__prices(
    context: dg.AssetExecutionContext,
    config: Batch,
    lake: dg.ResourceParam[Lake],
    market: dg.ResourceParam[MarketFolder],
) -> dg.MaterializeResult[Any]:
    """Quotes of one intraday batch, verbatim. One row per instrument and quote; a batch read twice is kept once."""
    day = business_day(context)
    known = set(instruments_on(lake, day)["instrument_id"])
    delivery = market.prices(config.batch, known, datetime.now(UTC))
    return keep(lake, "raw_market__prices", delivery, day, config.batch)


@dg.asset(
    group_name="market",
    owners=["team:market"],
    partitions_def=business_days,
    kinds={"duckdb"},
    deps=["stg_market__daily_bars", "raw_market__daily_bars", "raw_market__corporate_actions"],
)
def calc_market__previous_closes(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.MaterializeResult[Any]:
    """The last close before the day, as it stands after the day's splits. One row per instrument ever traded.

    However old it is: a halted share keeps its last price, and says from which day it is. Made once a morning, so that
    a tick does not read all history for a price that no longer moves.
    """
    day = business_day(context)
    closes = lake.query(
        "select instrument_id, max(as_of_date) as price_date, arg_max(price_close_e4, as_of_date) as price_close_e4, "
        "arg_max(source, as_of_date) as source from stg_market__daily_bars where as_of_date < ? group by 1 order by 1",
        [day],
    )
    splits = lake.query(
        "select instrument_id, as_of_date as ex_date, split_ratio from stg_market__corporate_actions "
        "where kind = 'split' and as_of_date <= ?",
        [day],
    )
    rows = carry_over_splits(closes, splits).assign(known_at=datetime.now(UTC))
    lake.write("calc_market__previous_closes", rows, day)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(rows), "split_since": int((rows["split_ratio"] != 1).sum())}
    )


def carry_over_splits(closes: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Restate each close for the splits after its day, so that a split is not mistaken for a crash."""
    since = splits.merge(closes[["instrument_id", "price_date"]], on="instrument_id")
    ratios = since[since["ex_date"] > since["price_date"]].groupby("instrument_id")["split_ratio"].prod()
    rows = closes.assign(split_ratio=closes["instrument_id"].map(ratios).fillna(1.0).astype(float))
    rows["price_e4"] = [
        half_up(int(close) * 1_000_000_000, round(ratio * 1_000_000_000))
        for close, ratio in zip(rows["price_close_e4"], rows["split_ratio"], strict=True)
    ]
    return rows.drop(columns="price_close_e4")


raw_feeds__quarantine = dg.AssetSpec(
    "raw_feeds__quarantine",
    deps=["raw_market__instruments", "raw_market__daily_bars", "raw_market__corporate_actions", "raw_market__prices"],
    group_name="market",
    owners=["team:market"],
    kinds={"parquet"},
    description="Rows no reader could believe, with file, line and reason. "
    "Written beside the table they were kept from.",
)


def instruments_on(lake: Lake, day: date) -> pd.DataFrame:
    """Instruments as last described on or before ``day``, one row each."""
    return lake.query(
        "select * from stg_market__instruments where effective_from_date <= ? and effective_until_date > ? "
        "order by instrument_id",
        [day, day],
    )


def no_prices(market: MarketFolder, first: date, last: date) -> NoPrices:
    """Say which days the folder does hold."""
    sessions = market.sessions()
    held = f"It holds {sessions[0]} to {sessions[-1]}." if sessions else "It holds no day at all."
    asked = f"{first}" if first == last else f"{first} to {last}"
    return NoPrices(
        f"A business day needs at least one daily bar, but {market.root} has none for {asked}. {held} "
        f"Nothing was written; choose a day it holds, or deliver the missing file and rerun."
    )
