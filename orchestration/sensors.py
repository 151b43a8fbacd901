"""What wakes the desk up. A sensor looks and asks; it never computes."""

from pathlib import Path

import dagster as dg

from feeds.folders import MarketFolder
from feeds.prices import instant_of
from orchestration.failures import describe_failure, write_alert
from orchestration.jobs import intraday_revaluation, sliced

BATCHES_PER_TICK_MAX = 10
"""Catch up after an outage ten batches at a time, so one bad night cannot flood the queue."""


@dg.sensor(job=intraday_revaluation, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def on_price_batch(
    context: dg.SensorEvaluationContext, market: dg.ResourceParam[MarketFolder]
) -> dg.SensorResult | dg.SkipReason:
    """Request one revaluation per price batch, oldest first. The batch name is the run key: seen twice, valued once."""
    batches = market.batches_after(context.cursor or "")[:BATCHES_PER_TICK_MAX]
    if not batches:
        return dg.SkipReason(f"No price batch after {context.cursor or 'the beginning'}.")
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


def alert_sensor(alerts: Path) -> dg.SensorDefinition:
    """Leave one readable file per failed run in ``alerts``."""

    @dg.run_failure_sensor(
        name="on_run_failure", minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING
    )
    def on_run_failure(context: dg.RunFailureSensorContext) -> None:
        """Write down what failed, where, whether it helps to try again, and what to do next."""
        write_alert(alerts, describe_failure(context))

    return on_run_failure
