"""What a delivery from outside must be, asked by Great Expectations of every raw table at the close."""

from typing import Any

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_days, business_days_of
from checks.expectations.suites import SUITES, validate


def _as_delivered(table: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=table,
        name="the_delivery_meets_expectations",
        partitions_def=business_days,
        description=f"Great Expectations suite of {table}: {len(SUITES[table])} expectations of what came from "
        "outside. A warning: rows that cannot be believed are quarantined on arrival; this watches over the reader "
        "that did so.",
    )
    def check(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
        rows = lake.read_between(table, *business_days_of(context))
        result = validate(table, rows)
        failed = [one for one in result["results"] if not one["success"]]
        return dg.AssetCheckResult(
            passed=bool(result["success"]),
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(result['results']) - len(failed)} of {len(result['results'])} expectations met on "
            f"{len(rows)} rows.",
            metadata={"rows": len(rows), "failed": dg.MetadataValue.json(_brief(failed))},
        )

    return check


def _brief(failed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was expected and what came, without the library's envelope."""
    return [
        {
            "expectation": one["expectation_config"]["type"],
            "asked": {k: v for k, v in one["expectation_config"]["kwargs"].items() if k != "batch_id"},
            "observed": {
                k: one["result"].get(k) for k in ("unexpected_count", "partial_unexpected_list", "observed_value")
            },
        }
        for one in failed
    ]


delivery_checks = [_as_delivered(table) for table in SUITES]
