"""A desk per story, in a folder of its own. The synthetic day is run once and looked at by many tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from feeds.synthetic import DeskPlan
from orchestration.demo import run_day
from orchestration.desk import Desk, quieten
from orchestration.settings import load_settings
from serving.published import Publication, open_publication


@dataclass(frozen=True)
class Day:
    """A desk after one synthetic trading day."""

    desk: Desk
    plan: DeskPlan

    @property
    def publication(self) -> Publication:
        return open_publication(self.desk.settings.published)


@pytest.fixture(scope="session")
def synthetic_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    quieten()
    home = tmp_path_factory.mktemp("synthetic_day") / "desk"
    desk = Desk(load_settings(home=home, market_folder=home / "landing"))
    plan = DeskPlan(accounts=200, sessions=220)
    with (home.parent / "terminal.txt").open("w") as terminal:
        run_day(desk, plan, Console(file=terminal))
    yield Day(desk, plan)
    desk.instance.dispose()


def empty_desk(home: Path, market_folder: Path) -> Desk:
    """A desk made ready, without clients and without history."""
    quieten()
    desk = Desk(load_settings(home=home, market_folder=market_folder))
    desk.prepare()
    return desk
