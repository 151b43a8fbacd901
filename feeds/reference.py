"""Reads the desk's own reference files: instruments and corporate actions."""

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from feeds import delimited
from feeds.calendars import MARKETS
from feeds.deliveries import Delivery, Reading

INSTRUMENTS: Final = (
    "instrument_id", "symbol", "market", "currency", "asset_class", "board", "lot_size_shares", "price_limit_ratio",
    "source", "as_of_date", "known_at",
)  # fmt: skip
"""Columns of ``raw_market__instruments``."""

ACTIONS: Final = (
    "instrument_id", "kind", "split_ratio", "dividend_e4", "file", "line", "source", "as_of_date", "known_at",
)  # fmt: skip
"""Columns of ``raw_market__corporate_actions``. A split pays 0; a dividend's split ratio is 1."""

INSTRUMENTS_HEADER: Final = (
    "instrument_id,symbol,market,currency,asset_class,board,lot_size_shares,price_limit_ratio,source"
)
ACTIONS_HEADER: Final = "instrument_id,ex_date,kind,split_ratio,dividend,source"
INSTRUMENT: Final = r"^(US|CN)\.[A-Z0-9][A-Z0-9.]{0,15}$"
_LIMIT: Final = r"^(0\.[0-9]{1,4}|1)?$"


def read_instruments(root: Path, reading: Reading, day: date) -> Delivery:
    """All instruments of ``reference/instruments.csv``, as of ``day``; the file counts whole or not at all."""
    sheet = delimited.sheet_or_refusal(root / "reference" / "instruments.csv", root, INSTRUMENTS_HEADER)
    screening = delimited.screen_sheets([(day, sheet)], INSTRUMENTS_HEADER, reading)
    screening.require(
        "instrument_must_be_known",
        lambda rows: delimited.matches(rows["instrument_id"], INSTRUMENT)
        & (rows["instrument_id"] == rows["market"] + "." + rows["symbol"]),
        "The instrument id must be market, dot, symbol in plain capitals (US.AIG), but is {instrument_id!a} for market "
        "{market!a} and symbol {symbol!a}.",
    )  # fmt: skip
    screening.require(
        "currency_must_match_the_instrument", lambda rows: rows["currency"] == currency_of(rows["instrument_id"]),
        "{instrument_id} trades in its market's currency, but the line says {currency!a}.",
    )  # fmt: skip
    screening.require(
        "columns_must_match",
        lambda rows: rows["asset_class"].isin(["equity", "etf"])
        & rows["board"].isin(["main", "star", "chinext", "nyse", "nasdaq"]),
        "Asset class must be equity or etf and board main, star, chinext, nyse or nasdaq, but they are "
        "{asset_class!a} and {board!a}.",
    )  # fmt: skip
    screening.require(
        "number_must_be_plain",
        lambda rows: delimited.matches(rows["lot_size_shares"], r"^[1-9][0-9]{0,8}$")
        & delimited.matches(rows["price_limit_ratio"], _LIMIT),
        "The lot size must be a whole number above zero and the price limit a plain fraction up to 1 or blank, but "
        "they are {lot_size_shares!a} and {price_limit_ratio!a}.",
    )  # fmt: skip
    screening.require(
        "line_must_be_unique", lambda rows: ~rows.duplicated("instrument_id"),
        "{instrument_id} is already listed; the first line was kept.",
    )  # fmt: skip
    rows = screening.rows
    if len(rows):
        limits = pd.to_numeric(rows["price_limit_ratio"].where(rows["price_limit_ratio"] != "", None)).astype(float)
        screening.rows = rows.assign(
            lot_size_shares=delimited.to_count(rows["lot_size_shares"]), price_limit_ratio=limits
        )
    return screening.delivery(INSTRUMENTS)


def read_corporate_actions(root: Path, reading: Reading, known: set[str], first: date, last: date) -> Delivery:
    """Splits and cash dividends of ``known`` instruments with an ex-date from ``first`` to ``last``."""
    file = root / "reference" / "corporate_actions.csv"
    sheet = delimited.sheet_or_refusal(file, root, ACTIONS_HEADER)
    screening = delimited.screen_sheets([(last, sheet)], ACTIONS_HEADER, reading)
    if screening.rows.empty:
        return screening.delivery(ACTIONS)
    screening.rows = screening.rows.assign(ex_day=delimited.to_days(screening.rows["ex_date"]))
    screening.require(
        "date_must_be_readable", lambda rows: rows["ex_day"].notna(),
        "The ex-date must be a day that exists, written 2026-06-17, but is {ex_date!a}.",
    )  # fmt: skip
    screening.rows = screening.rows.assign(as_of_date=screening.rows["ex_day"])
    screening.keep_days(first, last)
    screening.require(
        "instrument_must_be_known", lambda rows: rows["instrument_id"].isin(known),
        "{instrument_id!a} is not among the instruments of reference/instruments.csv.",
    )  # fmt: skip
    screening.require(
        "columns_must_match", lambda rows: rows["kind"].isin(["split", "cash_dividend"]),
        "The kind must be split or cash_dividend, but is {kind!a}.",
    )  # fmt: skip
    screening.require(
        "number_must_be_plain", _plain_terms,
        "A split must carry a plain split_ratio and a cash dividend a plain dividend, but they are {split_ratio!a} "
        "and {dividend!a}.",
    )  # fmt: skip
    screening.rows = _with_terms(screening.rows)
    screening.require(
        "price_must_be_positive", lambda rows: np.where(_is_split(rows), rows["split_ratio"], rows["dividend_e4"]) > 0,
        "The terms of a {kind} must be above zero, but split_ratio is {split_ratio} and the dividend {dividend_e4}.",
    )  # fmt: skip
    screening.require(
        "line_must_be_unique", lambda rows: ~rows.duplicated(["instrument_id", "as_of_date", "kind"]),
        "{instrument_id} already has a {kind} on {as_of_date}; the first line was kept.",
    )  # fmt: skip
    return screening.delivery(ACTIONS)


def currency_of(instrument_ids: pd.Series) -> pd.Series:
    """The currency of each instrument's market, nothing where the market is none of ours."""
    return instrument_ids.str.partition(".")[0].map({name: market.currency for name, market in MARKETS.items()})


def _is_split(rows: pd.DataFrame) -> pd.Series:
    return rows["kind"] == "split"


def _terms(rows: pd.DataFrame) -> pd.Series:
    return rows["split_ratio"].where(_is_split(rows), rows["dividend"])


def _plain_terms(rows: pd.DataFrame) -> "np.ndarray":
    return delimited.matches(_terms(rows), delimited.PRICE)


def _with_terms(rows: pd.DataFrame) -> pd.DataFrame:
    if rows.empty:
        return rows
    terms = _terms(rows)
    return rows.assign(
        split_ratio=pd.to_numeric(terms.where(_is_split(rows), "1")).astype(float),
        dividend_e4=delimited.to_e4(terms.where(~_is_split(rows), "0")),
    )
