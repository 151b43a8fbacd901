"""A table has one name everywhere, and a project that cannot be read says which model to mend."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from domain.errors import DeskNotReady


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module under test; importing it may parse the project, whose profile asks where the desk is."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOMBARD_LAKE", str(home / "lake"))
        environment.setenv("LOMBARD_WAREHOUSE", str(home / "warehouse.duckdb"))
        from assets import dbt

    return dbt


@pytest.mark.parametrize(
    ("model", "subject"),
    [
        ("fct_margin__calls", "margin"),
        ("int_market__daily_returns", "market"),
        ("stg_books__positions", "ledger"),
        ("stg_feeds__quarantine", "market"),
        ("stg_bank__movements", "reconciliation"),
        ("stg_custodian__positions", "reconciliation"),
        ("dim_clients__accounts", "clients"),
    ],
)
def test_a_model_belongs_to_the_subject_in_its_name(dbt: Any, model: str, subject: str) -> None:
    assert dbt.subject_of(model) == subject


def test_an_asset_is_named_as_its_table_is(dbt: Any) -> None:
    translator = dbt.DeskTranslator()
    assert translator.get_asset_key({"name": "fct_margin__calls"}).to_user_string() == "fct_margin__calls"
    assert translator.get_tags({"name": "any", "tags": ["before_calc", "nightly"]}) == {"lombard/dbt": "before_calc"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one model, parsed a moment after it was written."""
    for name, text in {"models/one.sql": "select 1", "target/manifest.json": "{}"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text, encoding="utf-8")
    os.utime(tmp_path / "models" / "one.sql", (1_000, 1_000))
    return tmp_path


def answer(returncode: int, said: str, asked: list[Any]) -> Any:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, returncode, stdout=said, stderr="")

    return run


def test_a_project_parsed_since_it_changed_is_not_parsed_again(
    dbt: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "run", answer(0, "", asked))
    os.utime(project / "models", (1_000, 1_000))
    assert dbt.manifest_of(project) == project / "target" / "manifest.json"
    assert asked == []


def test_a_project_younger_than_its_manifest_is_parsed(
    dbt: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(subprocess, "run", answer(0, "", asked))
    os.utime(project / "target" / "manifest.json", (500, 500))
    dbt.manifest_of(project)
    assert [command[1] for command in asked] == ["parse"]


def test_a_project_dbt_cannot_parse_names_the_model_to_mend(
    dbt: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", answer(2, "Compilation Error in model one", []))
    (project / "target" / "manifest.json").unlink()
    with pytest.raises(DeskNotReady, match="mend the model it names:\nCompilation Error in model one"):
        dbt.manifest_of(project)
