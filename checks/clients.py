"""Invariants of watching clients."""

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days


@dg.asset_check(
    asset="calc_clients__monitoring_thresholds",
    additional_deps=["raw_books__accounts"],
    blocking=True,
    partitions_def=business_days,
)
def every_account_is_watched(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Every account of the books has lines that its movements are held to.

    Blocking: an account without lines raises no alert, and looks like one with nothing to hide.
    """
    day = business_day(context)
    accounts = lake.read("raw_books__accounts", day)[["account_id", "market", "currency"]]
    lines = lake.read("calc_clients__monitoring_thresholds", day)[["market", "currency", "house_edition"]]
    watched = accounts.merge(lines, on=["market", "currency"], how="left", validate="many_to_one")
    unwatched = watched[watched["house_edition"].isna()]
    return dg.AssetCheckResult(
        passed=unwatched.empty,
        description=f"{len(unwatched)} of {len(watched)} accounts have no lines to be watched by.",
        metadata={"accounts": sorted(unwatched["account_id"])[:20]},
    )
