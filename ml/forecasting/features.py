"""Features of an instrument on a day, made of returns up to that day and of nothing later."""

import hashlib
from typing import Final

import numpy as np
import pandas as pd

from domain.forecasting.baselines import ewma_volatility, random_walk_volatility
from domain.forecasting.volatility import (
    SESSIONS_PER_YEAR,
    VOLATILITY_FLOOR_RATIO,
    realised_volatility,
    trailing_volatility,
)

FEATURES: Final = (
    "volatility_ewma_ratio",
    "volatility_5d_over_ewma_ratio",
    "volatility_20d_over_ewma_ratio",
    "volatility_60d_over_ewma_ratio",
    "downside_20d_over_ewma_ratio",
    "return_absolute_1d_over_ewma_ratio",
    "return_absolute_largest_20d_over_ewma_ratio",
    "return_5d_over_ewma_ratio",
    "market_volatility_5d_over_ewma_ratio",
    "market_volatility_20d_over_ewma_ratio",
)
"""What a model sees, in the order it sees it; the order is part of a saved model.

All but the first are in units of the share's own EWMA. What is learnt in calm markets then still reads a crash, and
drift means that volatility behaves otherwise, not merely that there is more of it.
"""

TARGET: Final = "volatility_realised_ratio"
TARGET_KNOWN_ON: Final = "target_known_on"
"""The day whose close completes the target; a row may teach a model only after it."""

KEYS: Final = ["instrument_id", "as_of_date"]


def clean_returns(returns: pd.DataFrame) -> pd.DataFrame:
    """Sort by instrument and day, with days as timestamps, and drop days without a finite return."""
    cleaned = returns[[*KEYS, "return_ratio"]].assign(
        instrument_id=returns["instrument_id"].astype(str),
        as_of_date=pd.to_datetime(returns["as_of_date"]),
        return_ratio=returns["return_ratio"].astype(float),
    )
    cleaned = cleaned[np.isfinite(cleaned["return_ratio"])]
    return cleaned.sort_values(KEYS, ignore_index=True)


def build_features(returns: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """One row per instrument and day of ``returns``: the features, both baselines, and the target.

    Parameters
    ----------
    returns : DataFrame[instrument_id, as_of_date, return_ratio]
        Daily log returns.
    horizon_days : int
        Sessions the target looks ahead.

    Returns
    -------
    DataFrame[instrument_id, as_of_date, return_ratio, *FEATURES, volatility_random_walk_ratio, TARGET, TARGET_KNOWN_ON]
        Sorted by instrument and day. NaN where a window is not yet full. The target and the day it is known on, which
        alone read the future, are missing for the last ``horizon_days`` days of each instrument.
    """
    cleaned = clean_returns(returns)
    own = [_own_features(group, horizon_days) for _, group in cleaned.groupby("instrument_id", sort=False)]
    rows = pd.concat(own, ignore_index=True) if own else _own_features(cleaned, horizon_days)
    return _with_market_features(rows)


def hash_features(rows: pd.DataFrame) -> str:
    """Name the training data by its content, so that two fits on the same data can be told from two on different."""
    columns = [*KEYS, *FEATURES, TARGET]
    digest = hashlib.sha256(",".join(columns).encode())
    digest.update(pd.util.hash_pandas_object(rows[columns], index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _own_features(history: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    returns = history["return_ratio"].to_numpy()
    ewma = ewma_volatility(returns)
    level = np.maximum(ewma, VOLATILITY_FLOOR_RATIO)
    level_daily = level / np.sqrt(SESSIONS_PER_YEAR)
    series = pd.Series(returns)
    return history.assign(
        volatility_ewma_ratio=ewma,
        volatility_5d_over_ewma_ratio=trailing_volatility(returns, 5) / level,
        volatility_20d_over_ewma_ratio=trailing_volatility(returns, 20) / level,
        volatility_60d_over_ewma_ratio=trailing_volatility(returns, 60) / level,
        downside_20d_over_ewma_ratio=trailing_volatility(np.minimum(returns, 0.0), 20) / level,
        return_absolute_1d_over_ewma_ratio=np.abs(returns) / level_daily,
        return_absolute_largest_20d_over_ewma_ratio=series.abs().rolling(20).max().to_numpy() / level_daily,
        return_5d_over_ewma_ratio=series.rolling(5).sum().to_numpy() / level_daily,
        volatility_random_walk_ratio=random_walk_volatility(returns),
        volatility_realised_ratio=realised_volatility(returns, horizon_days),
        target_known_on=history["as_of_date"].shift(-horizon_days),
    )


def _with_market_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the volatility of the typical share of each market (the mean over shares of squared returns, trailing)."""
    rows = rows.assign(market=rows["instrument_id"].str.split(".").str[0], square=np.square(rows["return_ratio"]))
    daily = rows.groupby(["market", "as_of_date"], as_index=False)["square"].mean()
    level = rows["volatility_ewma_ratio"].clip(lower=VOLATILITY_FLOOR_RATIO)
    for days in (5, 20):
        # Each market's days follow each other in ``daily``; its root mean square return stands for its return.
        daily["volatility"] = daily.groupby("market")["square"].transform(
            lambda squares, days=days: trailing_volatility(np.sqrt(squares.to_numpy()), days)
        )
        volatility = rows.merge(daily, on=["market", "as_of_date"], how="left")["volatility"]
        rows[f"market_volatility_{days}d_over_ewma_ratio"] = volatility.to_numpy() / level
    return rows.drop(columns=["market", "square"])
