"""Invariants of collateral."""

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days


@dg.asset_check(
    asset="int_collateral__positions_priced",
    blocking=True,
    partitions_def=business_days,
    additional_deps=[
        "raw_market__prices",
        "raw_market__daily_bars",
        "calc_market__previous_closes",
        "raw_books__positions",
    ],
)
def every_position_is_priced(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """No position reaches the margin engine without a price, in any slice of the day.

    Blocking: a requirement computed without a price would be zero, and zero is the one wrong answer nobody would
    notice.
    """
    counted = lake.query(
        "select count(*) as positions, count(*) filter (where price_e4 is null or price_e4 <= 0) as unpriced, "
        "list(distinct instrument_id) filter (where price_e4 is null or price_e4 <= 0) as instruments "
        "from int_collateral__positions_priced where as_of_date = ?",
        [business_day(context)],
    ).iloc[0]
    instruments = sorted(counted["instruments"]) if counted["instruments"] is not None else []
    return dg.AssetCheckResult(
        passed=int(counted["unpriced"]) == 0,
        description=f"{counted['unpriced']} of {counted['positions']} priced positions of the day "
        "have no usable price.",
        metadata={"unpriced": int(counted["unpriced"]), "instruments": dg.MetadataValue.json(instruments[:20])},
    )


@dg.asset_check(asset="calc_collateral__haircuts", partitions_def=business_days)
def haircuts_are_never_below_the_base(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """A forecast can raise a haircut, never lower it. A warning: the value used is the stricter of the two anyway."""
    haircuts = lake.read("calc_collateral__haircuts", business_day(context))
    below = haircuts[(haircuts["haircut_ratio"] < haircuts["haircut_base_ratio"]) | (haircuts["haircut_ratio"] > 1)]
    return dg.AssetCheckResult(
        passed=below.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(below)} of {len(haircuts)} haircuts lie outside base to one.",
    )
