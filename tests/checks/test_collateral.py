"""No position is valued without a price, and no haircut falls below the house's base."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest

from checks.collateral import every_position_is_priced, haircuts_are_never_below_the_base

Keep, Evaluate, BuildViews = Callable[..., None], Callable[..., Any], Callable[..., None]


def positions(*prices_e4: int | None, day: date = date(2026, 6, 17)) -> pd.DataFrame:
    names = [f"US.{place}" for place in range(len(prices_e4))]
    prices = pd.array(list(prices_e4), dtype="Int64")
    return pd.DataFrame({"as_of_date": day, "slice": "close", "instrument_id": names, "price_e4": prices})


def test_positions_that_all_have_a_price_pass(evaluate: Evaluate, build_views: BuildViews) -> None:
    build_views(int_collateral__positions_priced=positions(1, 500_000))
    assert evaluate(every_position_is_priced).passed


@pytest.mark.parametrize("price_e4", [None, 0, -1])
def test_one_position_without_a_usable_price_stops_the_day_and_is_named(
    evaluate: Evaluate, build_views: BuildViews, price_e4: int | None
) -> None:
    build_views(int_collateral__positions_priced=positions(500_000, price_e4))
    found = evaluate(every_position_is_priced)
    assert (found.passed, found.blocking) == (False, True)
    assert found.metadata["instruments"].value == ["US.1"]


def test_an_unpriced_position_of_another_day_is_that_days_trouble(evaluate: Evaluate, build_views: BuildViews) -> None:
    build_views(int_collateral__positions_priced=pd.concat([positions(1), positions(None, day=date(2026, 6, 16))]))
    assert evaluate(every_position_is_priced).passed


@pytest.mark.parametrize(("haircut", "passes"), [(0.30, True), (1.0, True), (0.29, False), (1.01, False)])
def test_a_haircut_lies_between_the_base_and_all(keep: Keep, evaluate: Evaluate, haircut: float, passes: bool) -> None:
    keep("calc_collateral__haircuts", {"haircut_base_ratio": 0.30, "haircut_ratio": haircut})
    found = evaluate(haircuts_are_never_below_the_base)
    assert (found.passed, found.blocking, found.severity.value) == (passes, False, "WARN")
