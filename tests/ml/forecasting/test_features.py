from datetime import date

import numpy as np
import pandas as pd

from ml.forecasting.features import FEATURES, TARGET, TARGET_KNOWN_ON, build_features, hash_features


def market(days: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(7)
    sessions = pd.bdate_range("2026-01-05", periods=days).date
    shares = [f"{place}.{number}" for place in ("US", "CN") for number in range(3)]
    return pd.DataFrame(
        [
            {"instrument_id": share, "as_of_date": day, "return_ratio": random.normal(0, 0.01 * (1 + place))}
            for place, share in enumerate(shares)
            for day in sessions
            # The second market keeps holidays of its own.
            if share.startswith("US") or day.day not in (1, 2, 3)
        ]
    )


def test_shuffling_the_future_changes_no_feature_of_the_past() -> None:
    returns = market()
    today = date(2026, 4, 15)
    future = returns["as_of_date"] > today
    shuffled = returns.copy()
    shuffled.loc[future, "return_ratio"] = (
        returns.loc[future, "return_ratio"].sample(frac=1, random_state=1).to_numpy() * 3
    )
    past = [
        rows.loc[rows["as_of_date"] <= pd.Timestamp(today), list(FEATURES)]
        for rows in (build_features(returns, 5), build_features(shuffled, 5))
    ]
    pd.testing.assert_frame_equal(*past, check_exact=True)


def test_the_target_is_dated_by_the_day_that_completes_it() -> None:
    """On the share's own calendar: five sessions may be more days than five where there are holidays."""
    rows = build_features(market(), 5)
    for _, history in rows.groupby("instrument_id"):
        known_on = history[TARGET_KNOWN_ON]
        assert (known_on.iloc[:-5].to_numpy() == history["as_of_date"].iloc[5:].to_numpy()).all()
        assert known_on.iloc[-5:].isna().all()
        assert history[TARGET].iloc[-5:].isna().all()
        assert history[TARGET].iloc[:-5].notna().all()


def test_a_market_is_not_moved_by_another() -> None:
    returns = market()
    louder = returns.assign(
        return_ratio=returns["return_ratio"].where(returns["instrument_id"].str.startswith("CN"), 0.2)
    )
    columns = ["market_volatility_5d_over_ewma_ratio", "market_volatility_20d_over_ewma_ratio"]
    for before, after in zip(
        build_features(returns, 5).groupby("instrument_id"),
        build_features(louder, 5).groupby("instrument_id"),
        strict=True,
    ):
        if before[0].startswith("CN"):
            pd.testing.assert_frame_equal(before[1][columns], after[1][columns])


def test_a_return_nobody_knows_is_left_out() -> None:
    returns = market(30)
    returns.loc[3, "return_ratio"] = np.nan
    assert len(build_features(returns, 5)) == len(returns) - 1


def test_no_returns_make_no_features() -> None:
    rows = build_features(market(30).head(0), 5)
    assert rows.empty
    assert set(FEATURES) <= set(rows.columns)


def test_the_hash_names_the_data() -> None:
    returns = market(60)
    rows = build_features(returns, 5)
    assert hash_features(rows) == hash_features(build_features(returns.sample(frac=1, random_state=3), 5))
    returns.loc[40, "return_ratio"] += 1e-9
    assert hash_features(rows) != hash_features(build_features(returns, 5))
