"""An instrument without a forecast stops the day; drift and a weak champion are told to a person."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from checks.forecasting import (
    drift_share_is_tolerable,
    every_instrument_has_a_forecast,
    the_champion_beats_the_baseline,
)

Keep, Evaluate, BuildViews = Callable[..., None], Callable[..., Any], Callable[..., None]


@pytest.fixture
def two_instruments(build_views: BuildViews) -> None:
    build_views(
        stg_market__instruments=pd.DataFrame({"instrument_id": ["US.X", "US.Y"]}).assign(
            effective_from_date=date(2026, 1, 5), effective_until_date=date(9999, 12, 31)
        )
    )


def forecast(instrument_id: str, volatility_ratio: float | None = 0.3) -> dict[str, Any]:
    return {"instrument_id": instrument_id, "volatility_ratio": volatility_ratio}


@pytest.mark.usefixtures("two_instruments")
def test_every_instrument_with_one_usable_forecast_passes(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_forecasting__volatility", forecast("US.X"), forecast("US.Y"))
    assert evaluate(every_instrument_has_a_forecast).passed


@pytest.mark.usefixtures("two_instruments")
@pytest.mark.parametrize("volatility", [0.0, -0.1, np.nan, np.inf, None])
def test_a_forecast_that_cannot_be_used_is_none(keep: Keep, evaluate: Evaluate, volatility: float | None) -> None:
    keep("calc_forecasting__volatility", forecast("US.X"), forecast("US.Y", volatility))
    found = evaluate(every_instrument_has_a_forecast)
    assert (found.passed, found.blocking) == (False, True)
    assert found.metadata["missing"].value == ["US.Y"]


@pytest.mark.usefixtures("two_instruments")
def test_two_forecasts_for_one_instrument_stop_the_day(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_forecasting__volatility", forecast("US.X"), forecast("US.Y"), forecast("US.Y"))
    found = evaluate(every_instrument_has_a_forecast)
    assert (found.passed, found.metadata["repeated"].value) == (False, ["US.Y"])


@pytest.mark.parametrize(("drifted", "passes"), [(0, True), (1, True), (2, False), (4, False)])
def test_drift_of_half_of_what_the_model_sees_warns(keep: Keep, evaluate: Evaluate, drifted: int, passes: bool) -> None:
    keep("calc_forecasting__drift", *[{"feature": f"f{n}", "is_drifted": n < drifted} for n in range(4)])
    found = evaluate(drift_share_is_tolerable)
    assert (found.passed, found.blocking, found.severity.value) == (passes, False, "WARN")


def score(method: str, qlike: float, is_champion: bool = False) -> dict[str, Any]:
    return {"method": method, "qlike": qlike, "is_champion": is_champion}


@pytest.mark.parametrize(("champion_qlike", "passes"), [(0.9, True), (1.0, False), (1.4, False)])
def test_a_champion_must_beat_the_better_of_both_rules_of_thumb(
    keep: Keep, evaluate: Evaluate, champion_qlike: float, passes: bool
) -> None:
    keep(
        "calc_forecasting__scores", score("random_walk", 1.5), score("ewma", 1.0),
        score("ridge", champion_qlike, is_champion=True),
    )  # fmt: skip
    found = evaluate(the_champion_beats_the_baseline)
    assert (found.passed, found.blocking, found.severity.value) == (passes, False, "WARN")


def test_a_desk_too_young_to_score_says_that_it_forecasts_by_the_ewma(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_forecasting__scores")
    found = evaluate(the_champion_beats_the_baseline)
    assert not found.passed
    assert "forecasts by the EWMA" in found.description
