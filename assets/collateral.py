"""Collateral: what a share is worth as security, given how much it may move before it could be sold."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import numpy as np

from assets.lake import Lake
from assets.market import instruments_on
from assets.partitions import business_day, business_days
from domain.collateral import haircut_of_the_day
from domain.rulebook import Rulebook, haircut_schedule


@dg.asset(
    group_name="collateral",
    owners=["team:risk"],
    kinds={"numpy"},
    partitions_def=business_days,
    deps=["stg_market__instruments", "raw_market__instruments", "calc_forecasting__volatility"],
)
def calc_collateral__haircuts(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Callable[[str], Rulebook]],
) -> dg.MaterializeResult[Any]:
    """Haircut of the day: the house's base, or what five days of forecast volatility may take, whichever is more.

    One row per instrument and business day.
    """
    day = business_day(context)
    edition = rulebooks("house.margin").governing(on=day)
    schedule = haircut_schedule(edition)
    instruments = instruments_on(lake, day)[["instrument_id", "asset_class", "board", "source"]]
    forecast = lake.read("calc_forecasting__volatility", day)[["instrument_id", "volatility_ratio", "model_version"]]
    rows = instruments.merge(forecast, on="instrument_id", how="left", validate="one_to_one")
    base = np.array([schedule.base_ratio(*words) for words in rows[["asset_class", "board"]].itertuples(index=False)])
    volatility = rows["volatility_ratio"].to_numpy(np.float64)
    rows = rows.assign(
        haircut_base_ratio=base,
        haircut_forecast_ratio=schedule.volatility_multiplier * volatility * np.sqrt(schedule.horizon_days / 252),
        haircut_ratio=haircut_of_the_day(base, volatility, schedule.volatility_multiplier, schedule.horizon_days),
        house_edition=edition.name,
        known_at=datetime.now(UTC),
    )
    lake.write("calc_collateral__haircuts", rows.drop(columns=["asset_class", "board"]), day)
    raised = int((rows["haircut_ratio"] > base).sum())
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "raised_by_the_forecast": raised,
            "haircut_mean": float(rows["haircut_ratio"].mean()) if len(rows) else 0.0,
            "house_edition": edition.name,
        }
    )
