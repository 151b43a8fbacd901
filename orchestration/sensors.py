"""What wakes the desk up. A sensor looks and asks; it never computes."""

from pathlib import Path

import dagster as dg

from assets.lake import Lake
from feeds.folders import MarketFolder
from feeds.prices import instant_of
from orchestration.failures import describe_failure, write_alert
from orchestration.jobs import intraday_revaluation, sliced

BATCHES_PER_TICK_MAX = 10
"""Catch up after an outage ten batches at a time, so one bad night cannot flood the queue."""


@dg.sensor(job=intraday_revaluation, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def on_price_batch(
    context: dg.SensorEvaluationContext, market: dg.ResourceParam[MarketFolder], lake: dg.ResourceParam[Lake]
) -> dg.SensorResult | dg.SkipReason:
    """Request one revaluation per price batch, oldest first. The batch name is the run key: seen twice, valued once.

    Without a cursor it begins after the last batch the desk has kept.
    """
    seen = context.cursor or last_batch_kept(lake)
    batches = market.batches_after(seen)[:BATCHES_PER_TICK_MAX]
    if not batches:
        return dg.SkipReason(f"No price batch after {seen or 'the beginning'}.")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=batch,
                partition_key=instant_of(batch).date().isoformat(),
                run_config=sliced(batch, raw_market__prices={"batch": batch}),
                tags={"lombard/batch": batch},
            )
            for batch in batches
        ],
        cursor=batches[-1],
    )


def last_batch_kept(lake: Lake) -> str:
    """Name of the newest price batch in the lake; nothing where there is none."""
    days = lake.days("raw_market__prices")
    return lake.parts("raw_market__prices", days[-1])[-1].stem if days else ""


def alert_sensor(alerts: Path) -> dg.SensorDefinition:
    """Leave one readable file per failed run in ``alerts``."""

    @dg.run_failure_sensor(
        name="on_run_failure", minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING
    )
    def on_run_failure(context: dg.RunFailureSensorContext) -> None:
        """Write down what failed, where, whether it helps to try again, and what to do next."""
        write_alert(alerts, describe_failure(context))

    return on_run_failure
