"""Every setting has a default, the environment goes before it, and a setting that cannot be used is named."""

import json
import os
from pathlib import Path

import pytest

from domain.errors import DeskError
from orchestration.settings import QUIET, REPOSITORY, inherited_environment, load_settings


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert settings.home == REPOSITORY / ".desk"
    assert settings.books_url == f"sqlite:///{settings.home / 'books.db'}"
    assert settings.market_folder == settings.landing == settings.home / "landing"
    assert (settings.dagster_port, settings.mlflow_port) == (3000, 5000)


def test_everything_of_a_desk_lies_below_its_home(home: Path) -> None:
    settings = load_settings()
    folders = [
        settings.lake, settings.warehouse, settings.published, settings.landing, settings.reports, settings.alerts,
        settings.mlflow_artifacts, settings.dagster_home,
    ]  # fmt: skip
    assert [folder for folder in folders if not folder.is_relative_to(home)] == []
    assert settings.mlflow_store.startswith(f"sqlite:///{home}")


def test_the_environment_goes_before_the_defaults(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = {"MARKET": str(tmp_path / "prices"), "BOOKS_URL": "postgresql+psycopg://desk@localhost/books",
            "DAGSTER_PORT": "3100", "MLFLOW_PORT": "5100"}  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(f"LOMBARD_{name}", value)
    settings = load_settings()
    assert settings.home == home
    assert settings.market_folder == tmp_path / "prices"
    assert settings.books_url == told["BOOKS_URL"]
    assert (settings.dagster_port, settings.mlflow_port) == (3100, 5100)


def test_an_argument_goes_before_the_environment(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOMBARD_MARKET", str(tmp_path / "told by the environment"))
    settings = load_settings(tmp_path / "other", tmp_path / "prices")
    assert (settings.home, settings.market_folder) == (tmp_path / "other", tmp_path / "prices")


def test_a_setting_left_blank_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "MARKET", "BOOKS_URL", "DAGSTER_PORT", "MLFLOW_PORT"):
        monkeypatch.setenv(f"LOMBARD_{name}", "")
    assert load_settings().home == REPOSITORY / ".desk"
    assert load_settings().dagster_port == 3000


def test_a_desk_remembers_the_market_it_was_opened_on(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    load_settings(market_folder=tmp_path / "lean").remember()
    assert load_settings().market_folder == tmp_path / "lean"
    assert [file.name for file in home.iterdir()] == ["desk.json"]


def test_a_market_named_now_goes_before_the_one_remembered(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    load_settings(market_folder=tmp_path / "lean").remember()
    monkeypatch.setenv("LOMBARD_MARKET", str(tmp_path / "landing"))
    assert load_settings().market_folder == tmp_path / "landing"


def test_child_processes_are_told_where_the_desk_is_and_to_send_nothing_home(home: Path) -> None:
    load_settings().apply()
    child = inherited_environment({"MORE": "1"})
    assert child["LOMBARD_LAKE"] == str(home / "lake")
    assert child["LOMBARD_WAREHOUSE"] == str(home / "warehouse.duckdb")
    assert child["DAGSTER_HOME"] == str(home / "dagster")
    assert {name: child[name] for name in QUIET} == QUIET
    assert child["DAGSTER_DISABLE_TELEMETRY"] == "true"
    assert child["MORE"] == "1"
    assert "MORE" not in os.environ


@pytest.mark.parametrize("port", ["three thousand", "3000.5", "0", "-1", "65536", "８０"])
def test_a_port_that_is_none_names_the_setting(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("LOMBARD_MLFLOW_PORT", port)
    with pytest.raises(DeskError, match="LOMBARD_MLFLOW_PORT"):
        load_settings()


@pytest.mark.parametrize("damaged", ["", "{", "[]", json.dumps({"market": "/data"})])
def test_a_damaged_memory_of_the_market_is_told_in_words(home: Path, damaged: str) -> None:
    home.mkdir()
    (home / "desk.json").write_text(damaged, encoding="utf-8")
    with pytest.raises(DeskError, match=r"desk\.json"):
        load_settings()
