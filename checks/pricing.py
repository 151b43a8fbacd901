"""Invariants of loan prices."""

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days


@dg.asset_check(asset="calc_pricing__loan_rates", blocking=True, partitions_def=business_days)
def the_parts_sum_to_the_rate(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Risk-free plus funding premium plus expected loss is the rate, to the last hundred-millionth.

    Blocking: a rate that its parts do not explain cannot be defended to a client.
    """
    rates = lake.read("calc_pricing__loan_rates", business_day(context))
    parts = rates["risk_free_e8"] + rates["funding_premium_e8"] + rates["expected_loss_premium_e8"]
    unexplained = rates[parts != rates["rate_e8"]]
    return dg.AssetCheckResult(
        passed=unexplained.empty,
        description=f"{len(unexplained)} of {len(rates)} rates differ from the sum of their parts.",
    )
