"""Invariants of forecasts and of the models behind them."""

import dagster as dg
import numpy as np

from assets.lake import Lake
from assets.market import instruments_on
from assets.partitions import business_day, business_days

DRIFT_SHARE_MAX_RATIO = 0.5
"""Share of drifted columns from which the model is asked about the market of another time; Evidently's own default."""


@dg.asset_check(
    asset="calc_forecasting__volatility",
    blocking=True,
    partitions_def=business_days,
    additional_deps=["stg_market__instruments"],
)
def every_instrument_has_a_forecast(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Every instrument of the day has one forecast, finite and above zero.

    Blocking: without one its haircut would fall back to the base and its loan price to the floor, both too low on a
    wild day, and both looking right.
    """
    day = business_day(context)
    forecasts = lake.read("calc_forecasting__volatility", day)
    usable = forecasts[np.isfinite(forecasts["volatility_ratio"]) & (forecasts["volatility_ratio"] > 0)]
    instruments = set(instruments_on(lake, day)["instrument_id"])
    missing = sorted(instruments - set(usable["instrument_id"]))
    repeated = sorted(set(forecasts.loc[forecasts["instrument_id"].duplicated(), "instrument_id"]))
    return dg.AssetCheckResult(
        passed=not missing and not repeated,
        description=f"{len(missing)} of {len(instruments)} instruments lack a forecast, {len(repeated)} have two.",
        metadata={"missing": dg.MetadataValue.json(missing[:20]), "repeated": dg.MetadataValue.json(repeated[:20])},
    )


@dg.asset_check(asset="calc_forecasting__drift", partitions_def=business_days)
def drift_share_is_tolerable(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Less than half of what the model sees has drifted.

    A warning: in a crash everything drifts, and a forecast is still needed; a person decides whether to fit again.
    """
    drift = lake.read("calc_forecasting__drift", business_day(context))
    share = float(drift["is_drifted"].mean()) if len(drift) else 0.0
    return dg.AssetCheckResult(
        passed=share < DRIFT_SHARE_MAX_RATIO,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{int(drift['is_drifted'].sum())} of {len(drift)} columns drifted from the days before.",
        metadata={"drifted": dg.MetadataValue.json(sorted(drift.loc[drift["is_drifted"].astype(bool), "feature"]))},
    )


@dg.asset_check(asset="model_forecasting__volatility_5d", partitions_def=business_days)
def the_champion_beats_the_baseline(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """The method in force had a lower QLIKE than both rules of thumb, on days it had not seen.

    A warning: a desk without a champion forecasts by the EWMA, which is safe and merely less sharp.
    """
    rows = lake.read("calc_forecasting__scores", business_day(context))
    scores = rows.set_index("method")["qlike"]
    champion = rows.loc[rows["is_champion"].astype(bool), "method"]
    if champion.empty:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="No method was scored: there is too little history. The desk forecasts by the EWMA.",
        )
    method = str(champion.iloc[0])
    baseline = float(scores[["random_walk", "ewma"]].min())
    return dg.AssetCheckResult(
        passed=bool(scores[method] < baseline),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{method} is in force with a QLIKE of {scores[method]:.4f}; the best baseline has {baseline:.4f}.",
        metadata={"qlike_champion": float(scores[method]), "qlike_baseline": baseline},
    )
