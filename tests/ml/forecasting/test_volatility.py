import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from domain.forecasting.volatility import VOLATILITY_FLOOR_RATIO
from ml.errors import ModelNotUsable, TooLittleHistory
from ml.forecasting.features import FEATURES
from ml.forecasting.volatility import Fitted, TrainingResult, features_before, forecast, predict, train

TODAY = date(2026, 6, 17)


@pytest.fixture(scope="module")
def training(steady_market: pd.DataFrame) -> TrainingResult:
    return train(steady_market, TODAY)


def boosted(returns: pd.DataFrame) -> Fitted:
    """Trees small enough to read, taught by LightGBM on the given features."""
    import lightgbm

    rows = features_before(returns, TODAY).dropna()
    data = lightgbm.Dataset(rows[list(FEATURES)].to_numpy(), label=np.log(rows["volatility_realised_ratio"]).to_numpy())
    trees = lightgbm.train({"num_leaves": 4, "verbosity": -1, "num_threads": 1}, data, num_boost_round=5)
    return Fitted("lightgbm", 5, date(2026, 6, 16), trees=trees.model_to_string())


def test_all_four_methods_are_scored_on_the_same_unseen_days(training: TrainingResult) -> None:
    scores = training.scores
    assert set(scores["method"]) == {"random_walk", "ewma", "garch", "lightgbm"}
    assert len(set(scores["observations"])) == 1
    assert scores["qlike"].is_monotonic_increasing
    assert training.winner.method == next(method for method in scores["method"] if method in ("garch", "lightgbm"))


def test_a_model_that_learns_a_steady_volatility_beats_following_the_noise(training: TrainingResult) -> None:
    assert training.qlike(training.winner.method) < training.qlike(training.baseline)


def test_a_model_taught_in_a_storm_loses_to_a_rule_of_thumb_in_the_calm(settling_market: pd.DataFrame) -> None:
    training = train(settling_market, TODAY)
    assert training.qlike(training.winner.method) > training.qlike(training.baseline)


def test_training_again_finds_the_same(training: TrainingResult, steady_market: pd.DataFrame) -> None:
    again = train(steady_market.sample(frac=1, random_state=5), TODAY)
    pd.testing.assert_frame_equal(again.scores, training.scores, check_exact=True)
    assert again.winner.files() == training.winner.files()
    assert again.features_hash == training.features_hash


def test_training_reads_nothing_of_the_day_it_is_for_or_later(
    training: TrainingResult, steady_market: pd.DataFrame
) -> None:
    later = steady_market[steady_market["as_of_date"] > date(2026, 6, 10)].assign(return_ratio=0.3)
    later["as_of_date"] = [day + (TODAY - date(2026, 6, 11)) for day in later["as_of_date"]]
    assert later["as_of_date"].min() == TODAY
    again = train(pd.concat([steady_market, later]), TODAY)
    assert again.winner.files() == training.winner.files()
    assert again.winner.data_until == date(2026, 6, 16)


def test_a_saved_model_forecasts_as_the_fitted_one(training: TrainingResult, steady_market: pd.DataFrame) -> None:
    rows = features_before(steady_market, TODAY)
    for fitted in (training.winner, boosted(steady_market)):
        loaded = Fitted.from_files(fitted.files())
        assert loaded.files() == fitted.files()
        pd.testing.assert_frame_equal(predict(loaded, rows), predict(fitted, rows), check_exact=True)


def test_a_forecast_of_a_past_day_does_not_know_what_followed(
    training: TrainingResult, steady_market: pd.DataFrame
) -> None:
    for fitted in (None, training.winner, boosted(steady_market)):
        shorter = predict(fitted, features_before(steady_market, date(2026, 3, 2)))
        longer = predict(fitted, features_before(steady_market, TODAY))
        assert len(shorter) < len(longer)
        known = features_before(steady_market, TODAY)["as_of_date"] < pd.Timestamp(2026, 3, 2)
        assert (
            shorter.dropna()["volatility_ratio"].to_numpy() == longer[known].dropna()["volatility_ratio"].to_numpy()
        ).all()


def test_a_model_for_other_features_is_refused(steady_market: pd.DataFrame) -> None:
    files = boosted(steady_market).files()
    files["model.json"] = files["model.json"].replace(b"return_5d_over_ewma_ratio", b"moon_phase_ratio")
    with pytest.raises(ModelNotUsable, match=r"moon_phase_ratio.*Nothing was forecast.*materialize"):
        Fitted.from_files(files)


def test_a_share_garch_cannot_be_fitted_to_keeps_its_ewma(
    steady_market: pd.DataFrame, training: TrainingResult
) -> None:
    fitted = Fitted("garch", 5, date(2026, 6, 16), garch=dict(list(training.winner.garch.items())[:1]))
    rows = features_before(steady_market, TODAY)
    predicted = predict(fitted, rows)
    is_ewma = predicted["method"] == "ewma"
    assert 0 < is_ewma.sum() < len(rows)
    assert predicted.loc[is_ewma, "volatility_ratio"].equals(
        rows.loc[is_ewma, "volatility_ewma_ratio"].clip(lower=VOLATILITY_FLOOR_RATIO).rename("volatility_ratio")
    )


def test_young_and_silent_shares_are_taken_to_be_wild(steady_market: pd.DataFrame) -> None:
    silent = (steady_market["instrument_id"] == "US.1") & (steady_market["as_of_date"] > date(2026, 5, 1))
    young = (steady_market["instrument_id"] == "US.2") & (steady_market["as_of_date"] < date(2026, 6, 1))
    rows = features_before(steady_market[~silent & ~young], TODAY)
    forecasts = forecast(None, rows, ["US.1", "US.2", "US.4", "US.NEW", "HK.NEW", "CN.0"]).set_index("instrument_id")
    assert list(forecasts.index[forecasts["method"] == "fallback"]) == ["US.1", "US.2", "US.NEW", "HK.NEW"]
    assert forecasts["volatility_ratio"].notna().all()
    assert (
        forecasts["volatility_ratio"]["US.NEW"]
        > rows["volatility_ewma_ratio"][rows["instrument_id"] == "US.4"].iloc[-1] * 0.99
    )
    assert forecasts["data_until"]["US.4"] == date(2026, 6, 16)


def test_without_twenty_returns_anywhere_there_is_no_forecast(steady_market: pd.DataFrame) -> None:
    rows = features_before(steady_market[steady_market["as_of_date"] > date(2026, 6, 1)], TODAY)
    with pytest.raises(
        TooLittleHistory, match=r"at least 20 daily returns.*Nothing was written; load older daily bars"
    ):
        forecast(None, rows, ["US.1"])


def test_too_short_a_past_is_not_fitted(steady_market: pd.DataFrame) -> None:
    with pytest.raises(TooLittleHistory, match=r"needs 135 days.*No model was fitted"):
        train(steady_market[steady_market["as_of_date"] > date(2026, 1, 5)], TODAY)


def test_a_champion_is_met_again_only_on_days_new_to_it(steady_market: pd.DataFrame, training: TrainingResult) -> None:
    assert training.rematch is None
    known_everything = train(steady_market, TODAY, champion=training.winner)
    assert known_everything.rematch is None
    old = train(steady_market, TODAY, champion=replace(training.winner, data_until=date(2026, 3, 1)))
    assert old.rematch is not None
    assert old.rematch[0] != old.rematch[1]


def test_reading_this_file_imports_no_model_library() -> None:
    """A tick must not pay for what only a fit needs."""
    import subprocess

    heavy = "{'mlflow', 'evidently', 'arch', 'lightgbm', 'statsmodels', 'sklearn'}"
    code = f"import sys, ml.registry, ml.drift, ml.forecasting.volatility; print(sorted({heavy} & set(sys.modules)))"
    root = __file__.rsplit("/tests/", 1)[0]
    asked = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"
