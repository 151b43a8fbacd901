"""The exchanges' own calendars decide whether a day is one."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from orchestration.schedules import ALL_SCHEDULES, end_of_day_schedule, start_of_day_schedule, train_models_schedule


def evaluate(schedule: dg.ScheduleDefinition, moment: str) -> Any:
    return schedule(
        dg.build_schedule_context(scheduled_execution_time=datetime.fromisoformat(moment).replace(tzinfo=UTC))
    )


@pytest.mark.parametrize("day", ["2026-01-01", "2026-06-19"])
@pytest.mark.parametrize("schedule", [start_of_day_schedule, end_of_day_schedule])
def test_a_day_on_which_no_exchange_is_open_is_left_out(schedule: dg.ScheduleDefinition, day: str) -> None:
    """New Year's Day; and Juneteenth, which is the Dragon Boat Festival in 2026."""
    skipped = evaluate(schedule, f"{day}T00:00")
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == f"No exchange of the desk is open on {day}."


@pytest.mark.parametrize("day", ["2026-12-25", "2026-10-01", "2026-06-17"])
@pytest.mark.parametrize("schedule", [start_of_day_schedule, end_of_day_schedule])
def test_a_day_on_which_one_exchange_is_open_is_a_business_day(schedule: dg.ScheduleDefinition, day: str) -> None:
    """Christmas in Shanghai, National Day in New York, and a day on which both are open."""
    asked = evaluate(schedule, f"{day}T21:30")
    assert isinstance(asked, dg.RunRequest)
    assert (asked.run_key, asked.partition_key) == (day, day)


@pytest.mark.parametrize(
    ("schedule", "hour"),
    [
        (start_of_day_schedule, "0 0 * * 1-5"),
        (end_of_day_schedule, "30 21 * * 1-5"),
        (train_models_schedule, "0 23 * * 5"),
    ],
)
def test_the_day_begins_before_shanghai_and_ends_after_new_york(schedule: dg.ScheduleDefinition, hour: str) -> None:
    assert (schedule.cron_schedule, schedule.execution_timezone) == (hour, "UTC")


def test_every_schedule_asks_for_a_job_the_desk_has(definitions: dg.Definitions) -> None:
    for schedule in ALL_SCHEDULES:
        assert definitions.resolve_job_def(schedule.job_name).partitions_def is not None
