"""Features of an instrument on a day, made of returns up to that day and of nothing later."""

import hashlib
from typing import Final

import numpy as np
import pandas as pd

from domain.forecasting.baselines import ewma_volatility, random_walk_volatility
from domain.forecasting.volatility import realised_volatility, trailing_volatility

FEATURES: Final = (
    "volatility_5d_ratio",
    "volatility_20d_ratio",
    "volatility_60d_ratio",
    "volatility_ewma_ratio",
    "downside_20d_ratio",
    "return_absolute_1d_ratio",
    "return_absolute_largest_20d_ratio",
    "return_5d_ratio",
    "market_volatility_5d_ratio",
    "market_volatility_20d_ratio",
)
"""What a model sees, in the order it sees it; the order is part of a saved model."""

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
    rows["market"] = rows["instrument_id"].str.split(".").str[0]
    return rows.merge(_market_features(rows), on=["market", "as_of_date"], how="left").drop(columns="market")


def hash_features(rows: pd.DataFrame) -> str:
    """Name the training data by its content, so that two fits on the same data can be told from two on different."""
    columns = [*KEYS, *FEATURES, TARGET]
    digest = hashlib.sha256(",".join(columns).encode())
    digest.update(pd.util.hash_pandas_object(rows[columns], index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _own_features(history: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    returns = history["return_ratio"].to_numpy()
    series = pd.Series(returns)
    return history.assign(
        volatility_5d_ratio=trailing_volatility(returns, 5),
        volatility_20d_ratio=trailing_volatility(returns, 20),
        volatility_60d_ratio=trailing_volatility(returns, 60),
        volatility_ewma_ratio=ewma_volatility(returns),
        downside_20d_ratio=trailing_volatility(np.minimum(returns, 0.0), 20),
        return_absolute_1d_ratio=np.abs(returns),
        return_absolute_largest_20d_ratio=series.abs().rolling(20).max().to_numpy(),
        return_5d_ratio=series.rolling(5).sum().to_numpy(),
        volatility_random_walk_ratio=random_walk_volatility(returns),
        volatility_realised_ratio=realised_volatility(returns, horizon_days),
        target_known_on=history["as_of_date"].shift(-horizon_days),
    )


def _market_features(rows: pd.DataFrame) -> pd.DataFrame:
    """Volatility of the typical share of each market: the mean over shares of squared returns, trailing."""
    squares = rows.assign(square=np.square(rows["return_ratio"]))
    daily = squares.groupby(["market", "as_of_date"], as_index=False)["square"].mean()
    markets = [
        days.assign(
            market_volatility_5d_ratio=trailing_volatility(np.sqrt(days["square"].to_numpy()), 5),
            market_volatility_20d_ratio=trailing_volatility(np.sqrt(days["square"].to_numpy()), 20),
        )
        for _, days in daily.groupby("market", sort=False)
    ]
    return (
        pd.concat(markets, ignore_index=True) if markets else daily.assign(**dict.fromkeys(FEATURES[-2:], np.nan))
    ).drop(columns="square")
