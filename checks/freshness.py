"""How old a number may be; the limits are the house's, in rulebooks/house/freshness.yaml."""

from collections.abc import Callable

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days
from domain.rulebook import Rulebook, freshness_limits


@dg.asset_check(
    asset="int_collateral__positions_priced", partitions_def=business_days, additional_deps=["raw_market__daily_bars"]
)
def prices_are_fresh(
    context: dg.AssetCheckExecutionContext,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Callable[[str], Rulebook]],
) -> dg.AssetCheckResult:
    """No position closes on a price older than the house allows.

    A warning: a halted share keeps its last price by rule.
    """
    day = business_day(context)
    limits = freshness_limits(rulebooks("house.freshness").governing(on=day))
    stale = lake.query(
        "select instrument_id, min(price_date) as price_date from int_collateral__positions_priced "
        "where as_of_date = ? and slice = 'close' and date_diff('day', price_date, as_of_date) > ? "
        "group by 1 order by 1",
        [day, limits.daily_bars_days],
    )
    return dg.AssetCheckResult(
        passed=stale.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(stale)} instruments stand on a price older than {limits.daily_bars_days} days.",
        metadata={"instruments": dg.MetadataValue.json(stale["instrument_id"].tolist()[:20])},
    )
