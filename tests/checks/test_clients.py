"""An account nobody watches stops the day."""

from collections.abc import Callable
from typing import Any

import pytest

from checks.clients import every_account_is_watched


@pytest.mark.parametrize(("currency", "is_watched"), [("USD", True), ("HKD", False)])
def test_an_account_without_lines_to_be_watched_by_stops_the_day(
    keep: Callable[..., None], evaluate: Callable[..., Any], currency: str, is_watched: bool
) -> None:
    keep(
        "calc_clients__monitoring_thresholds", {"market": "US", "currency": "USD"}, {"market": "CN", "currency": "HKD"}
    )
    accounts = [{"account_id": "A1", "market": "US", "currency": "USD"}]
    keep("raw_books__accounts", *accounts, {"account_id": "A2", "market": "US", "currency": currency})
    found = evaluate(every_account_is_watched)
    assert (found.passed, found.blocking) == (is_watched, True)
    assert found.metadata["accounts"].value == ([] if is_watched else ["A2"])
