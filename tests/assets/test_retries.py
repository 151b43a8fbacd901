"""A busy engine is asked again; a bad delivery is not."""

from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from assets import retries
from assets.retries import RETRIES_MAX, retried_if_it_may_pass
from domain.errors import DeliveryRefused, DeskNotReady

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "SECONDS_BETWEEN_TRIES", 0)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def tries_of(failures: list[Exception], instance: dg.DagsterInstance) -> tuple[int, bool]:
    """How often a step was run that fails so, one failure per try, and whether it succeeded in the end."""
    tried = []

    @dg.asset
    @retried_if_it_may_pass()
    def step() -> None:
        tried.append(1)
        if len(tried) <= len(failures):
            raise failures[len(tried) - 1]

    result = dg.materialize([step], instance=instance, run_config=QUIET, raise_on_error=False)
    return len(tried), result.success


def locked() -> OperationalError:
    return OperationalError("insert", {}, Exception("database is locked"))


def test_a_locked_book_is_tried_again(instance: dg.DagsterInstance) -> None:
    refused = DeskNotReady("The books could not be written to.")
    refused.__cause__ = locked()
    assert tries_of([locked(), refused], instance) == (3, True)


def test_a_bad_delivery_is_not_tried_again(instance: dg.DagsterInstance) -> None:
    assert tries_of([DeliveryRefused("columns differ")] * 5, instance) == (1, False)


def test_tries_come_to_an_end(instance: dg.DagsterInstance) -> None:
    assert tries_of([locked() for _ in range(9)], instance) == (1 + RETRIES_MAX, False)
