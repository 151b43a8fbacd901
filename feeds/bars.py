"""What every daily bar must satisfy, whoever delivered it, and how a bar's open becomes the first price of a day."""

from datetime import date, datetime
from typing import Final

import numpy as np
import pandas as pd

from feeds.deliveries import Delivery, Reading, Screening

BARS: Final = (
    "instrument_id", "price_open_e4", "price_high_e4", "price_low_e4", "price_close_e4", "volume_shares", "file",
    "line", "source", "as_of_date", "known_at",
)  # fmt: skip
"""Columns of ``raw_market__daily_bars``."""

PRICES: Final = (
    "batch", "instrument_id", "price_e4", "bid_e4", "ask_e4", "volume_shares", "quoted_at", "file", "line", "source",
    "as_of_date", "known_at",
)  # fmt: skip
"""Columns of ``raw_market__prices``."""

FOUR_PRICES: Final = ("price_open_e4", "price_high_e4", "price_low_e4", "price_close_e4")


def require_sound_bars(screening: Screening) -> None:
    """Hold back bars whose prices contradict each other, and all but the first bar of an instrument and day."""
    screening.require(
        "price_must_be_positive", lambda rows: (rows[list(FOUR_PRICES)] > 0).all(axis=1),
        "Every price must be above zero, but open, high, low, close are {price_open_e4}, {price_high_e4}, "
        "{price_low_e4}, {price_close_e4}.",
    )  # fmt: skip
    screening.require(
        "volume_must_not_be_negative", lambda rows: rows["volume_shares"] >= 0,
        "The volume must be zero or more, but is {volume_shares}.",
    )  # fmt: skip
    screening.require(
        "high_must_not_be_below_low", lambda rows: rows["price_high_e4"] >= rows["price_low_e4"],
        "The high must not be below the low, but {price_high_e4} is below {price_low_e4}.",
    )  # fmt: skip
    screening.require(
        "price_must_lie_between_low_and_high",
        lambda rows: rows["price_open_e4"].between(rows["price_low_e4"], rows["price_high_e4"])
        & rows["price_close_e4"].between(rows["price_low_e4"], rows["price_high_e4"]),
        "Open {price_open_e4} and close {price_close_e4} must lie between low {price_low_e4} and high {price_high_e4}.",
    )  # fmt: skip
    screening.require(
        "bar_must_be_unique", lambda rows: ~rows.duplicated(["instrument_id", "as_of_date"]),
        "{instrument_id} already has a bar for {as_of_date}; the first one was kept.",
    )  # fmt: skip


def require_readable_and_ascending(screening: Screening) -> None:
    """Hold back rows of vendor files without a readable ``bar_day``, or older than the row before (``previous``)."""
    screening.require(
        "date_must_be_readable", lambda rows: rows["bar_day"] > 0,
        "The row must begin with a day that exists, but reads {raw_text!a}.",
    )  # fmt: skip
    screening.require(
        "time_must_not_go_backwards", lambda rows: rows["bar_day"] >= rows["previous"],
        "Rows must ascend in time, but {bar_day} follows {previous}.",
    )  # fmt: skip


def opens_as_prices(
    bars: Delivery, batch: str, quoted_at: datetime, instruments: set[str], reading: Reading
) -> Delivery:
    """The opens of one day's bars as the one batch a folder of daily bars can offer, quoted when the market opened.

    There is no bid, no ask and no volume yet at the open.
    """
    screening = Screening(bars.rows, reading)
    screening.rows = screening.rows.assign(raw_text=screening.rows["instrument_id"].astype(str))
    screening.require(
        "instrument_must_be_known", lambda rows: rows["instrument_id"].isin(instruments),
        "{instrument_id} is not among the instruments of the desk.",
    )  # fmt: skip
    nothing = pd.array([None] * len(screening.rows), dtype="Int64")
    screening.rows = screening.rows.assign(
        batch=batch,
        price_e4=screening.rows["price_open_e4"],
        bid_e4=nothing,
        ask_e4=nothing,
        volume_shares=0,
        quoted_at=pd.Timestamp(quoted_at),
    )
    delivery = screening.delivery(PRICES)
    held_back = bars.quarantined.assign(feed=reading.feed, batch=batch)
    return Delivery(
        delivery.rows, pd.concat([held_back, delivery.quarantined]) if len(held_back) else delivery.quarantined
    )


def days_of(numbers: "np.ndarray") -> "np.ndarray":
    """Days written as numbers (20080915) as ``date`` objects; ``numbers`` must be days that exist."""
    distinct, at = np.unique(numbers, return_inverse=True)
    days = [date(number // 10_000, number // 100 % 100, number % 100) for number in distinct.tolist()]
    return np.array(days, dtype=object)[at] if days else np.array([], dtype=object)


def existing_days(numbers: "np.ndarray") -> "np.ndarray":
    """``numbers`` (20080915) where they are days that exist, else zero."""
    distinct, at = np.unique(numbers, return_inverse=True)
    texts = pd.Series(distinct).astype(str).str.zfill(8)
    exists = pd.to_datetime(texts, format="%Y%m%d", errors="coerce").notna().to_numpy()
    return np.where(exists, distinct, 0)[at]
