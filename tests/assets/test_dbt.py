"""What dbt did is told to Dagster model by model, and what it could not do stops the day and says why."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.lake import Lake
from domain.errors import DeskNotReady

MODEL, AFTER = "stg_market__rates", "int_market__slices"


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module under test; importing it may parse the project, whose profile asks where the desk is."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOMBARD_LAKE", str(home / "lake"))
        environment.setenv("LOMBARD_WAREHOUSE", str(home / "warehouse.duckdb"))
        from assets import dbt

    return dbt


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one model, parsed and described after it was written."""
    for name, text in {"models/one.sql": "select 1", "target/catalogue.json": '{"passes": {}}'}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8")
    os.utime(tmp_path / "models" / "one.sql", (1_000, 1_000))
    return tmp_path


def answer(returncode: int, said: str, asked: list[Any]) -> Any:
    def run(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, returncode, stdout=said, stderr="")

    return run


def test_a_project_described_since_it_changed_is_not_parsed_again(
    dbt: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "run", answer(0, "", asked))
    assert dbt.catalogue_of(project) == {"passes": {}}
    assert asked == []


@pytest.mark.parametrize("change", ["a younger model", "no description"])
def test_a_project_that_cannot_be_parsed_names_the_model_to_mend(
    dbt: Any, project: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "run", answer(2, "Compilation Error in model one", asked))
    if change == "no description":
        (project / "target" / "catalogue.json").unlink()
    else:
        os.utime(project / "target" / "catalogue.json", (500, 500))
    with pytest.raises(DeskNotReady, match="mend the model it names:\nCompilation Error in model one"):
        dbt.catalogue_of(project)
    assert ["parse" in command for command in asked] == [True]


Build = Callable[..., tuple[dg.ExecuteInProcessResult, list[str]]]


@pytest.fixture
def build(dbt: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build two models of the desk with a dbt that reports what it is told to."""

    def run(returncode: int, *reported: tuple[str, str], said: str = "") -> Any:
        commands: list[str] = []

        def told(*arguments: Any) -> "subprocess.CompletedProcess[str]":
            commands.extend(map(str, arguments))
            results = [
                {
                    "unique_id": name,
                    "status": status,
                    "execution_time": 0.1,
                    "failures": 2,
                    "message": f"{status} {name}",
                }
                for name, status in reported
            ]
            target = tmp_path / "dbt"
            target.mkdir(exist_ok=True)
            (target / "run_results.json").write_text(json.dumps({"results": results}), encoding="utf-8")
            return subprocess.CompletedProcess([], returncode, stdout=said, stderr="")

        monkeypatch.setattr(dbt, "run_dbt", told)
        lake = Lake(tmp_path / "lake", tmp_path / "warehouse.duckdb")
        assets = dg.AssetSelection.assets(MODEL, AFTER)
        job = dg.Definitions(
            assets=[dbt.dbt_before_calc], jobs=[dg.define_asset_job("built", assets)], resources={"lake": lake}
        )
        with dg.DagsterInstance.ephemeral() as instance:
            quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
            result = job.resolve_job_def("built").execute_in_process(
                instance=instance, partition_key="2026-06-17", run_config=quiet, raise_on_error=False
            )
        return result, commands

    return run


def made(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key]


def test_only_the_models_asked_for_are_built_for_the_day_and_without_unit_tests(build: Build) -> None:
    result, command = build(0, (f"model.lombard.{MODEL}", "success"), (f"model.lombard.{AFTER}", "success"))
    assert result.success
    assert command[command.index("--select") + 1 :] == sorted([MODEL, AFTER])
    assert json.loads(command[command.index("--vars") + 1]) == {"as_of_date": "2026-06-17"}
    assert command[command.index("--exclude-resource-type") + 1] == "unit_test"


def test_every_model_is_reported_by_its_own_name(build: Build) -> None:
    result, _ = build(0, (f"model.lombard.{MODEL}", "success"), (f"model.lombard.{AFTER}", "success"))
    assert sorted(made(result)) == sorted([MODEL, AFTER])


@pytest.mark.parametrize("status", ["error", "skipped"])
def test_a_model_that_was_not_built_is_not_said_to_be(build: Build, status: str) -> None:
    result, _ = build(1, (f"model.lombard.{MODEL}", "error"), (f"model.lombard.{AFTER}", status))
    assert not result.success
    assert made(result) == []


def test_a_model_that_fails_stops_the_day_and_is_named(build: Build) -> None:
    result, _ = build(1, (f"model.lombard.{MODEL}", "success"), (f"model.lombard.{AFTER}", "error"))
    (failed,) = result.get_step_failure_events()
    assert f"model.lombard.{AFTER}: error" in failed.step_failure_data.error.message  # type: ignore[union-attr]
    assert "nothing was published" in failed.step_failure_data.error.message  # type: ignore[union-attr]


def test_a_test_that_fails_is_a_check_that_failed_and_stops_the_day(dbt: Any, build: Build) -> None:
    unique_id = next(name for name, (asset, _) in dbt._CATALOGUE["check_of"].items() if asset == MODEL)
    both = [(f"model.lombard.{name}", "success") for name in (MODEL, AFTER)]
    result, _ = build(1, *both, (unique_id, "fail"))
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.asset_key.to_user_string(), evaluation.passed) == (MODEL, False)
    assert evaluation.metadata["failing_rows"].value == 2
    assert not result.success


@pytest.mark.parametrize("status", ["pass", "warn"])
def test_a_test_that_passes_or_only_warns_lets_the_day_go_on(dbt: Any, build: Build, status: str) -> None:
    unique_id = next(name for name, (asset, _) in dbt._CATALOGUE["check_of"].items() if asset == MODEL)
    both = [(f"model.lombard.{name}", "success") for name in (MODEL, AFTER)]
    result, _ = build(0, *both, (unique_id, status))
    assert result.success
    assert [one.passed for one in result.get_asset_check_evaluations()] == [True]


def test_a_dbt_that_breaks_off_is_not_believed_by_the_report_of_an_earlier_run(build: Build) -> None:
    """Killed, or unable to parse: what stands in the report then is another run's."""
    result, _ = build(2, (f"model.lombard.{MODEL}", "success"), said="Parsing Error in model one")
    assert made(result) == []
    (failed,) = result.get_step_failure_events()
    assert "Parsing Error in model one" in failed.step_failure_data.error.message  # type: ignore[union-attr]
