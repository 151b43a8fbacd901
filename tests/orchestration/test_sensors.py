"""Every price batch becomes one run, oldest first, and none twice."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.lake import Lake
from orchestration.sensors import BATCHES_PER_TICK_MAX, alert_sensor, on_price_batch


class ToldBatches:
    """A market folder that holds the batches it was told to."""

    def __init__(self, *batches: str) -> None:
        self.batches = sorted(batches)

    def batches_after(self, cursor: str) -> list[str]:
        return [batch for batch in self.batches if batch > cursor]


class KeptBatches:
    """A lake that has kept the batches it was told to."""

    def __init__(self, *batches: str) -> None:
        self.batches = sorted(batches)

    def days(self, table: str) -> list[date]:
        assert table == "raw_market__prices"
        return sorted({datetime.strptime(batch, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).date() for batch in self.batches})

    def parts(self, table: str, as_of_date: date) -> list[Path]:
        return [Path(f"{batch}.parquet") for batch in self.batches if batch.startswith(f"{as_of_date:%Y%m%d}")]


def tick(market: ToldBatches, cursor: str | None = None, kept: KeptBatches | None = None) -> Any:
    resources = {"market": market, "lake": kept or KeptBatches()}
    return on_price_batch(dg.build_sensor_context(cursor=cursor, resources=resources))


def test_each_batch_is_one_run_whose_key_is_the_batch() -> None:
    result = tick(ToldBatches("20260617T140000Z", "20260617T150000Z"))
    assert [run.run_key for run in result.run_requests] == ["20260617T140000Z", "20260617T150000Z"]
    assert [run.tags["lombard/batch"] for run in result.run_requests] == ["20260617T140000Z", "20260617T150000Z"]
    assert result.cursor == "20260617T150000Z"


def test_a_run_values_the_day_and_the_slice_of_its_batch() -> None:
    (run,) = tick(ToldBatches("20260617T013000Z")).run_requests
    assert run.partition_key == "2026-06-17"
    steps = run.run_config["ops"]
    assert steps["raw_market__prices"]["config"] == {"batch": "20260617T013000Z"}
    sliced = {step for step, told in steps.items() if told["config"] == {"slice": "20260617T013000Z"}}
    assert sliced == {"calc_margin__requirements", "calc_risk__slices", "published"}


def test_only_batches_after_the_cursor_are_asked_for() -> None:
    market = ToldBatches("20260617T140000Z", "20260617T150000Z")
    assert [run.run_key for run in tick(market, "20260617T140000Z").run_requests] == ["20260617T150000Z"]


def test_a_sensor_that_has_never_run_begins_after_the_last_batch_the_desk_has_kept() -> None:
    """Else the first evening of a desk the demo made would value that whole day again."""
    market = ToldBatches("20260616T140000Z", "20260617T140000Z", "20260617T150000Z")
    kept = KeptBatches("20260616T140000Z", "20260617T140000Z")
    assert [run.run_key for run in tick(market, kept=kept).run_requests] == ["20260617T150000Z"]


def test_the_cursor_goes_before_what_was_kept() -> None:
    """A batch that failed was asked for; one that was kept after it does not hide those between."""
    market = ToldBatches("20260617T140000Z", "20260617T150000Z")
    asked = tick(market, "20260616T200000Z", KeptBatches("20260617T150000Z"))
    assert [run.run_key for run in asked.run_requests] == ["20260617T140000Z", "20260617T150000Z"]


def test_a_writer_killed_before_its_first_batch_does_not_stop_the_sensor(tmp_path: Path) -> None:
    """It may leave the folder of a day without a file in it."""
    lake = Lake(tmp_path / "lake", tmp_path / "warehouse.duckdb")
    (lake.root / "raw_market__prices" / "as_of_date=2026-06-17").mkdir(parents=True)
    context = dg.build_sensor_context(resources={"market": ToldBatches("20260617T140000Z"), "lake": lake})
    assert isinstance(on_price_batch(context), dg.SensorResult)


@pytest.mark.parametrize(("cursor", "said"), [(None, "the beginning"), ("20260617T150000Z", "20260617T150000Z")])
def test_no_new_batch_is_said_and_asks_for_nothing(cursor: str | None, said: str) -> None:
    skipped = tick(ToldBatches(), cursor)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == f"No price batch after {said}."


def test_an_outage_is_caught_up_ten_batches_at_a_time_without_losing_one() -> None:
    names = [f"20260617T{hour:02}{minute:02}00Z" for hour in (14, 15) for minute in range(0, 60, 5)]
    market, cursor, asked = ToldBatches(*names), None, []
    while isinstance(result := tick(market, cursor), dg.SensorResult):
        assert result.run_requests is not None
        assert len(result.run_requests) <= BATCHES_PER_TICK_MAX == 10
        asked += [run.run_key for run in result.run_requests]
        cursor = result.cursor
    assert asked == names


def test_both_sensors_run_without_being_switched_on(tmp_path: Path) -> None:
    for sensor in (on_price_batch, alert_sensor(tmp_path)):
        assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


def test_a_run_request_fits_the_job_it_asks_for(definitions: dg.Definitions) -> None:
    """Dagster itself reads the request: partition, steps and configuration must be those of the job."""
    context = dg.build_sensor_context(
        resources={"market": ToldBatches("20260617T140000Z"), "lake": KeptBatches()},
        definitions=definitions,
        sensor_name="on_price_batch",
    )
    (run,) = on_price_batch.evaluate_tick(context).run_requests or []
    job = definitions.resolve_job_def("intraday_revaluation")
    assert job.partitions_def is not None
    assert job.partitions_def.has_partition_key(run.partition_key or "")
    assert set(run.run_config["ops"]) <= {node.name for node in job.graph.nodes}
