"""A failed run leaves one readable file: what failed, on which day, whether to try again, and what to do next."""

import importlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from domain import errors
from domain.errors import NoPrices, UnpricedPosition
from orchestration import failures
from orchestration.failures import DESK_ERRORS, Alert, describe_failure, may_help_to_retry, write_alert

REFUSAL = "No account is valued on 2026-06-17. Nothing was written; run start_of_day for 2026-06-17, then rerun."
DAYS = dg.DailyPartitionsDefinition("2026-06-01")


def fail_with(error: Exception, cause: Exception | None = None, day: str | None = "2026-06-17") -> Alert:
    """Run a job of one step that fails, and describe it as the sensor would."""

    @dg.op
    def calc_margin__requirements() -> None:
        raise error from cause

    @dg.job(partitions_def=DAYS if day else None)
    def intraday_revaluation() -> None:
        calc_margin__requirements()

    with dg.DagsterInstance.ephemeral() as instance:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = intraday_revaluation.execute_in_process(
            instance=instance, partition_key=day, raise_on_error=False, run_config=quiet
        )
        (ended,) = [event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"]
        context = dg.build_run_status_sensor_context(
            sensor_name="on_run_failure", dagster_event=ended, dagster_instance=instance, dagster_run=result.dagster_run
        )
        return describe_failure(context.for_run_failure())


def test_an_alert_says_what_failed_where_and_on_which_day() -> None:
    alert = fail_with(NoPrices(REFUSAL))
    assert (alert.job, alert.step, alert.business_day) == (
        "intraday_revaluation", "calc_margin__requirements", "2026-06-17",
    )  # fmt: skip
    assert alert.kind == "NoPrices"
    assert REFUSAL in alert.message


def test_what_somebody_can_act_on_tells_them_to_do_so() -> None:
    assert fail_with(NoPrices(REFUSAL)).next_step.startswith("Do what the message says")


def test_a_busy_engine_tells_them_to_try_again() -> None:
    alert = fail_with(OperationalError("select 1", {}, Exception("database is locked")))
    assert alert.kind == "OperationalError"
    assert alert.next_step.startswith("Re-execute the run")


def test_a_defect_sends_them_to_the_log() -> None:
    assert "this is a defect" in fail_with(ZeroDivisionError("division by zero")).next_step


def test_the_innermost_cause_is_the_one_that_is_told() -> None:
    alert = fail_with(RuntimeError("the step failed"), cause=UnpricedPosition("US.X has no price."))
    assert alert.kind == "UnpricedPosition"
    assert "US.X has no price." in alert.message


def test_a_desk_error_is_told_even_when_a_library_caused_it() -> None:
    """``raise TableNotInLake(...) from ArrowInvalid``: the sentence that says what to do is the desk's, not Arrow's."""
    alert = fail_with(NoPrices(REFUSAL), cause=ValueError("Not a Parquet file"))
    assert alert.kind == "NoPrices"
    assert REFUSAL in alert.message


def test_a_run_without_a_business_day_says_so() -> None:
    assert fail_with(NoPrices(REFUSAL), day=None).business_day == "none"


def test_every_failure_the_desk_can_act_on_is_known_by_name() -> None:
    assert {"DeskError", "NoPrices", "TableNotInLake", "DeskNotReady"} <= DESK_ERRORS
    assert {name for name in DESK_ERRORS if not issubclass(getattr(errors, name), errors.DeskError)} == set()


@pytest.mark.parametrize("module", ["domain.errors", "ml.errors"])
def test_failures_declared_beside_their_subject_are_known_too(module: str) -> None:
    told = [kind for kind in _kinds_of(module) if issubclass(kind, errors.DeskError)]
    assert told
    assert [kind.__name__ for kind in told if failures._next_step(kind.__name__)[:2] != "Do"] == []


def _kinds_of(module: str) -> list[type[Exception]]:

    found = vars(importlib.import_module(module)).values()
    return [
        kind for kind in found if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == module
    ]


@pytest.mark.parametrize(
    ("kind", "may_help"), [("OperationalError", True), ("TimeoutError", True), ("NoPrices", False), ("KeyError", False)]
)
def test_only_a_busy_engine_is_cured_by_trying_again(kind: str, may_help: bool) -> None:
    assert may_help_to_retry(kind) is may_help


ALERT = Alert(
    run_id="0123456789abcdef", job="end_of_day", business_day="2026-06-17", step="calc_margin__calls", kind="NoPrices",
    message=REFUSAL, next_step="Do what the message says.", at="2026-06-17T21:31:00+00:00",
)  # fmt: skip


def test_an_alert_is_readable_by_people_and_by_programs(tmp_path: Path) -> None:
    file = write_alert(tmp_path / "alerts", ALERT)
    text = file.read_text(encoding="utf-8")
    for line in ("business day: 2026-06-17", "kind: NoPrices", f"message: {REFUSAL}", "next step: Do what the message"):
        assert line in text
    assert json.loads(text.splitlines()[-1]) == asdict(ALERT)
    assert file.name == "2026-06-17T213100+0000-end_of_day-01234567.txt"


def test_an_alert_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(staged: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as while_cut:
        while_cut.setattr(Path, "replace", power_cut)
        with pytest.raises(OSError, match="No space left"):
            write_alert(tmp_path, ALERT)
    assert list(tmp_path.glob("*.txt")) == []
    write_alert(tmp_path, ALERT)
    assert len(list(tmp_path.glob("*.txt"))) == 1


def test_two_runs_that_fail_in_the_same_second_leave_two_alerts(tmp_path: Path) -> None:

    write_alert(tmp_path, ALERT)
    write_alert(tmp_path, replace(ALERT, run_id="fedcba9876543210"))
    assert len(list(tmp_path.glob("*.txt"))) == 2
