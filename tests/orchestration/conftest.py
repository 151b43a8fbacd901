"""The desk's definitions, imported once, with the environment left as it was found."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest

from orchestration.settings import load_settings

SETTINGS = ("HOME", "MARKET", "BOOKS_URL", "DAGSTER_PORT", "MLFLOW_PORT")


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """No setting of whoever runs the tests reaches a test, and none of a test's reaches the next."""
    with mock.patch.dict(os.environ):
        for name in SETTINGS:
            os.environ.pop(f"LOMBARD_{name}", None)
        yield


@pytest.fixture(scope="session")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """Everything the desk keeps, checks and runs."""
    home = tmp_path_factory.mktemp("home")
    with mock.patch.dict(os.environ, LOMBARD_HOME=str(home)):
        from orchestration.definitions import build_definitions

        return build_definitions(load_settings(home))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a desk of this test's own would live; nothing is there yet."""
    home = tmp_path / "home"
    monkeypatch.setenv("LOMBARD_HOME", str(home))
    return home
