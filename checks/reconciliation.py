"""Invariants of reconciliation."""

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days

BREAK_CLASSES = {
    "duplicate_internal", "duplicate_external", "missing_internal", "missing_external", "quantity_break",
    "amount_break", "currency_break", "date_break",
}  # fmt: skip
"""What a difference can be; a class beyond these has no owner."""


@dg.asset_check(asset="calc_reconciliation__breaks", partitions_def=business_days)
def every_break_is_classified(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """A break without a class has no owner and is never closed. A warning: the break itself is already on the page."""
    breaks = lake.read("calc_reconciliation__breaks", business_day(context))
    unknown = breaks[~breaks["break_class"].isin(BREAK_CLASSES)]
    return dg.AssetCheckResult(
        passed=unknown.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(unknown)} of {len(breaks)} breaks have no known class.",
    )


@dg.asset_check(asset="calc_reconciliation__breaks", partitions_def=business_days)
def the_books_agree_with_the_world(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Custodian and bank say what our books say. A warning: a break is work for operations, not a reason to stop."""
    breaks = lake.read("calc_reconciliation__breaks", business_day(context))
    counts = {str(kind): int(count) for kind, count in breaks["break_class"].value_counts().items()}
    return dg.AssetCheckResult(
        passed=breaks.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(breaks)} breaks: {counts or 'none'}.",
        metadata={"break_classes": dg.MetadataValue.json(counts)},
    )
