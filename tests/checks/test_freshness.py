"""A position on an old price is told; how old is old is the house's word."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from checks.freshness import prices_are_fresh
from rulebooks import load_rulebook


@pytest.mark.parametrize(("days_old", "passes"), [(0, True), (1, True), (2, False), (9, False)])
def test_a_price_older_than_the_house_allows_warns_and_is_named(
    evaluate: Callable[..., Any], build_views: Callable[..., None], days_old: int, passes: bool
) -> None:
    day = date(2026, 6, 17)
    build_views(
        int_collateral__positions_priced=pd.DataFrame(
            {
                "as_of_date": [day, day],
                "slice": "close",
                "instrument_id": ["US.TODAY", "US.OLDER"],
                "price_date": [day, day - timedelta(days=days_old)],
            }
        )
    )
    found = evaluate(prices_are_fresh, rulebooks=load_rulebook)
    assert (found.passed, found.blocking, found.severity.value) == (passes, False, "WARN")
    assert found.metadata["instruments"].value == ([] if passes else ["US.OLDER"])
