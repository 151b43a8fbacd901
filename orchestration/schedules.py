"""When the desk's day begins and ends: the exchanges' own calendars decide whether it is one."""

from datetime import date

import dagster as dg

from feeds.calendars import MARKETS, is_session
from orchestration.jobs import end_of_day, start_of_day, train_models


def _is_open_anywhere(day: date) -> bool:
    return any(is_session(market, day) for market in MARKETS)


def _request(day: date) -> dg.RunRequest | dg.SkipReason:
    if not _is_open_anywhere(day):
        return dg.SkipReason(f"No exchange of the desk is open on {day}.")
    return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())


@dg.schedule(job=start_of_day, cron_schedule="0 0 * * 1-5", execution_timezone="UTC")
def start_of_day_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Before Shanghai opens (01:30 UTC), on every day an exchange is open."""
    return _request(context.scheduled_execution_time.date())


@dg.schedule(job=end_of_day, cron_schedule="30 21 * * 1-5", execution_timezone="UTC")
def end_of_day_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """After New York has closed in both of its clocks, on every day an exchange is open."""
    return _request(context.scheduled_execution_time.date())


@dg.schedule(job=train_models, cron_schedule="0 23 * * 5", execution_timezone="UTC")
def train_models_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Every Friday night, on the week's last session."""
    return _request(context.scheduled_execution_time.date())


ALL_SCHEDULES = [start_of_day_schedule, end_of_day_schedule, train_models_schedule]
