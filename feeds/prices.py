"""Reads the desk's own landing folder: daily bars, intraday price batches and reference data as strict CSV."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from domain.errors import DeliveryRefused
from feeds import delimited
from feeds.bars import BARS, FOUR_PRICES, PRICES, require_sound_bars
from feeds.deliveries import Delivery, Fault, Reading, Screening, refused_file
from feeds.rates import read_rates
from feeds.reference import currency_of, read_corporate_actions, read_instruments

DAILY_HEADER: Final = "instrument_id,open,high,low,close,volume,currency,source"
INTRADAY_HEADER: Final = "instrument_id,quoted_at,price,bid,ask,volume,currency,source"
BATCH: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
"""A batch is named by its UTC instant: ``20260617T140000Z``."""

_NO_BARS_BYTES: Final = len(DAILY_HEADER) + len("\n#rows,0\n")
_SQUARE: Final = 10_000
_FEN_E4: Final = 100
"""Chinese price limits are rounded to the fen."""


@dataclass(frozen=True)
class LandingFolder:
    """A folder into which prices and reference data of the desk land."""

    root: Path
    vendor: str

    def instruments(self, day: date, known_at: datetime) -> Delivery:
        """The instruments the desk can lend on, as of ``day``."""
        return read_instruments(self.root, Reading("instruments", self.vendor, known_at), day)

    def daily_bars(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Bars of every delivered day from ``first`` to ``last``; a file that cannot be read is held back whole."""
        reading = Reading("daily_bars", self.vendor, known_at)
        files, misnamed = self._daily_files()
        # The day before the first tells where the first day's price limits lie.
        wanted = [day for day in files if first <= day <= last]
        before = [day for day in files if day < first][-1:] if wanted else []
        screening = self._bars({day: files[day] for day in before + wanted}, reading)
        self._require_limits(screening, before + wanted)
        screening.keep_days(first, last)
        screening.refused = [row for row in screening.refused if row["as_of_date"] >= first]
        for file in misnamed:
            fault = Fault("date_must_be_readable", f"{file.name} must be named for a day, like 2026-06-17.csv.")
            screening.refuse_file(file.name, fault, last)
        return screening.delivery(BARS)

    def corporate_actions(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Splits and cash dividends with an ex-date from ``first`` to ``last``."""
        known = set(self.instruments(last, known_at).rows["instrument_id"])
        reading = Reading("corporate_actions", self.vendor, known_at)
        return read_corporate_actions(self.root, reading, known, first, last)

    def rates(self, day: date, known_at: datetime) -> Delivery:
        """The latest rate of each currency on or before ``day``."""
        return read_rates(self.root, Reading("rates", self.vendor, known_at), day)

    def sessions(self) -> list[date]:
        """Days of which a daily file holds more than its header."""
        return [day for day, file in self._daily_files()[0].items() if file.stat().st_size > _NO_BARS_BYTES]

    def batches_after(self, cursor: str) -> list[str]:
        """Names of complete batches later than ``cursor``; a file whose last line has no end is still growing."""
        return [name for name in self._batches() if name > cursor and _is_complete(self._batch_file(name))]

    def batches_of(self, day: date) -> list[str]:
        """Names of complete batches of ``day``."""
        prefix = f"{day:%Y%m%d}T"
        return [name for name in self._batches() if name.startswith(prefix) and _is_complete(self._batch_file(name))]

    def prices(self, batch: str, instruments: set[str], known_at: datetime) -> Delivery:
        """Quotes of one batch; raises :class:`DeliveryRefused` where the file cannot be believed as a whole."""
        closed = instant_of(batch)
        day = closed.date()
        file = self._batch_file(batch)
        if not file.exists():
            raise DeliveryRefused(
                f"The price batch {batch} must be the file {file}, which is not there. Nothing was written; have the "
                f"batch delivered, or ask for one of batches_of({day})."
            )
        sheet = delimited.sheet_or_refusal(file, self.root, INTRADAY_HEADER)
        reading = Reading("prices", self.vendor, known_at, batch)
        screening = delimited.screen_sheets([(day, sheet)], INTRADAY_HEADER, reading)
        require_known(screening, instruments)
        _require_quotes(screening, closed)
        if len(screening.rows):
            self._require_limits_of_quotes(screening, day)
        screening.rows = screening.rows.assign(batch=batch)
        return screening.delivery(PRICES)

    def _bars(self, files: dict[date, Path], reading: Reading) -> Screening:
        sheets, faults = [], []
        for day, file in files.items():
            sheet = delimited.read_sheet(file, self.root, DAILY_HEADER)
            if isinstance(sheet, Fault):
                faults.append(refused_file(reading, file.name, sheet, day))
            else:
                sheets.append((day, sheet))
        screening = delimited.screen_sheets(sheets, DAILY_HEADER, reading)
        screening.refused = faults + screening.refused
        require_known(
            screening, set(self.instruments(max(files, default=date.max), reading.known_at).rows["instrument_id"])
        )
        _require_plain_bars(screening)
        require_sound_bars(screening)
        return screening

    def _require_limits(self, screening: Screening, days: list[date]) -> None:
        """Hold back bars beyond the exchange's price limit around the close delivered the session before."""
        limits = self._limits(screening.reading)
        if not screening.rows["instrument_id"].isin(limits.index).any():
            return
        place = {day: at for at, day in enumerate(days)}
        rows = screening.rows.sort_values(["instrument_id", "as_of_date"], kind="stable")
        before = rows.assign(at=rows["as_of_date"].map(place)).groupby("instrument_id", sort=False)
        follows = before["at"].diff() == 1
        rows = rows.assign(previous_e4=before["price_close_e4"].shift().where(follows))
        screening.rows = self._with_limits(rows, limits, screening.reading).sort_values(["as_of_date", "line"])
        screening.require(
            "price_must_respect_the_limit",
            lambda rows: rows["unlimited"]
            | ((rows["price_low_e4"] >= rows["floor_e4"]) & (rows["price_high_e4"] <= rows["ceiling_e4"])),
            "Prices of {instrument_id} must lie between {floor_e4} and {ceiling_e4} around the previous close "
            "{previous_e4}, but low and high are {price_low_e4} and {price_high_e4}.",
        )  # fmt: skip

    def _require_limits_of_quotes(self, screening: Screening, day: date) -> None:
        """Hold back quotes beyond the exchange's price limit around the close delivered the session before."""
        limits = self._limits(screening.reading)
        before = [(known, file) for known, file in self._daily_files()[0].items() if known < day][-1:]
        if not before or not screening.rows["instrument_id"].isin(limits.index).any():
            return
        bars = self._bars(dict(before), Reading("daily_bars", self.vendor, screening.reading.known_at)).rows
        closes = dict(zip(bars["instrument_id"], bars.get("price_close_e4", []), strict=True))
        rows = screening.rows.assign(previous_e4=screening.rows["instrument_id"].map(closes).astype(float))
        screening.rows = self._with_limits(rows, limits, screening.reading)
        screening.require(
            "price_must_respect_the_limit",
            lambda rows: rows["unlimited"] | rows["price_e4"].between(rows["floor_e4"], rows["ceiling_e4"]),
            "The price of {instrument_id} must lie between {floor_e4} and {ceiling_e4} around the previous close "
            "{previous_e4}, but is {price_e4}.",
        )  # fmt: skip

    def _limits(self, reading: Reading) -> pd.Series:
        """Price limits by instrument in ten-thousandths; instruments without one are left out."""
        instruments = self.instruments(date.max, reading.known_at).rows.set_index("instrument_id")
        return (instruments["price_limit_ratio"].dropna().astype(float) * _SQUARE).round().astype("int64")

    def _with_limits(self, rows: pd.DataFrame, limits: pd.Series, reading: Reading) -> pd.DataFrame:
        """Add floor and ceiling; ``unlimited`` where no limit is set, no close is known, or a right goes off."""
        actions = self.corporate_actions(rows["as_of_date"].min(), rows["as_of_date"].max(), reading.known_at).rows
        ex_dates = set(zip(actions["instrument_id"], actions["as_of_date"], strict=True))
        goes_ex = [at in ex_dates for at in zip(rows["instrument_id"], rows["as_of_date"], strict=True)]
        limit = rows["instrument_id"].map(limits).fillna(0).astype("int64")
        previous = rows["previous_e4"].fillna(0).astype("int64")
        return rows.assign(
            floor_e4=_half_up_to_fen(previous * (_SQUARE - limit)),
            ceiling_e4=_half_up_to_fen(previous * (_SQUARE + limit)),
            unlimited=(limit == 0) | (previous == 0) | np.array(goes_ex, dtype=bool),
        )

    def _daily_files(self) -> tuple[dict[date, Path], list[Path]]:
        """Daily files by day, oldest first, and the files whose names are no day."""
        found: dict[date, Path] = {}
        misnamed = []
        for file in _files_of(self.root / "daily"):
            day = delimited.day_or_nothing(file.stem)
            if day is None:
                misnamed.append(file)
            else:
                found[day] = file
        return found, misnamed

    def _batches(self) -> list[str]:
        return [file.stem for file in _files_of(self.root / "intraday") if BATCH.fullmatch(file.stem)]

    def _batch_file(self, batch: str) -> Path:
        return self.root / "intraday" / f"{batch}.csv"


def require_known(screening: Screening, instruments: set[str]) -> None:
    """Hold back rows of instruments the desk does not know, or in another currency than their market's."""
    strangers = set(screening.rows["instrument_id"].unique()) - instruments
    screening.rows = screening.rows.assign(
        alike=screening.rows["instrument_id"].map({name: _alike(name, instruments) for name in strangers})
    )
    screening.require(
        "instrument_must_be_known", lambda rows: ~rows["instrument_id"].isin(strangers),
        "{instrument_id!a} is not among the instruments of the desk{alike}.",
    )  # fmt: skip
    screening.require(
        "currency_must_match_the_instrument", lambda rows: rows["currency"] == currency_of(rows["instrument_id"]),
        "{instrument_id} trades in its market's currency, but the line says {currency!a}.",
    )  # fmt: skip


def instant_of(batch: str) -> datetime:
    """The UTC instant a batch is named by; raises :class:`DeliveryRefused` for another name."""
    named = pd.to_datetime(batch, format="%Y%m%dT%H%M%SZ", errors="coerce") if BATCH.fullmatch(batch) else pd.NaT
    if pd.isna(named):
        raise DeliveryRefused(
            f"A price batch must be named by its UTC instant, like 20260617T140000Z, but got {batch!a}. Nothing was "
            f"written; ask for one of batches_of(day)."
        )
    instant: datetime = named.to_pydatetime().replace(tzinfo=UTC)
    return instant


def _require_plain_bars(screening: Screening) -> None:
    names = ["open", "high", "low", "close"]
    screening.require(
        "number_must_be_plain",
        lambda rows: np.logical_and.reduce([delimited.matches(rows[name], delimited.PRICE) for name in names])
        & delimited.matches(rows["volume"], delimited.COUNT),
        "Prices must be plain decimals and the volume a plain whole number, but they are {open!a}, {high!a}, {low!a}, "
        "{close!a}, {volume!a}.",
    )  # fmt: skip
    rows = screening.rows
    prices = {
        column: delimited.to_e4(rows[name])
        for column, name in zip(FOUR_PRICES, ("open", "high", "low", "close"), strict=True)
    }
    screening.rows = rows.assign(volume_shares=delimited.to_count(rows["volume"]), **prices)


def _require_quotes(screening: Screening, closed: datetime) -> None:
    screening.require(
        "number_must_be_plain",
        lambda rows: delimited.matches(rows["price"], delimited.PRICE)
        & ((rows["bid"] == "") | delimited.matches(rows["bid"], delimited.PRICE))
        & ((rows["ask"] == "") | delimited.matches(rows["ask"], delimited.PRICE))
        & delimited.matches(rows["volume"], delimited.COUNT),
        "Price, bid and ask must be plain decimals (bid and ask may be blank) and the volume a plain whole number, but "
        "they are {price!a}, {bid!a}, {ask!a}, {volume!a}.",
    )  # fmt: skip
    rows = screening.rows
    screening.rows = rows.assign(
        price_e4=delimited.to_e4(rows["price"]),
        bid_e4=delimited.or_nothing(rows["bid"]),
        ask_e4=delimited.or_nothing(rows["ask"]),
        volume_shares=delimited.to_count(rows["volume"]),
        quoted_text=rows["quoted_at"],
        quoted_at=delimited.to_instants(rows["quoted_at"]),
    )
    screening.require(
        "date_must_be_readable", lambda rows: rows["quoted_at"].notna(),
        "quoted_at must be a UTC instant that exists, written 2026-06-17T13:59:58Z, but is {quoted_text!a}.",
    )  # fmt: skip
    screening.require(
        "price_must_be_positive",
        lambda rows: (rows["price_e4"] > 0) & (rows["bid_e4"].fillna(1) > 0) & (rows["ask_e4"].fillna(1) > 0),
        "Every price must be above zero, but price, bid, ask are {price}, {bid}, {ask}.",
    )  # fmt: skip
    screening.require(
        "bid_must_not_exceed_ask", lambda rows: (rows["bid_e4"] <= rows["ask_e4"]).fillna(True),
        "The bid must not exceed the ask, but {bid} exceeds {ask}.",
    )  # fmt: skip
    screening.require(
        "volume_must_not_be_negative", lambda rows: rows["volume_shares"] >= 0,
        "The volume must be zero or more, but is {volume}.",
    )  # fmt: skip
    screening.require(
        "quote_must_not_come_from_the_future", lambda rows: rows["quoted_at"] <= pd.Timestamp(closed),
        "A quote of the batch {as_of_date} must not be later than the batch itself, but was quoted at {quoted_text}.",
    )  # fmt: skip
    screening.require(
        "quote_must_be_of_the_day", lambda rows: rows["quoted_at"].dt.date == closed.date(),
        "The quote must be of {as_of_date}, but was quoted at {quoted_text}.",
    )  # fmt: skip
    screening.require(
        "quote_must_be_unique", lambda rows: ~rows.duplicated(["instrument_id", "quoted_at"]),
        "{instrument_id} is already quoted at {quoted_text} in this batch; the first quote was kept.",
    )  # fmt: skip


def _alike(name: str, instruments: Iterable[str]) -> str:
    plain = unicodedata.normalize("NFKC", name).strip().upper()
    return f"; it only looks like {plain}" if plain in instruments else ""


def _half_up_to_fen(scaled: pd.Series) -> pd.Series:
    return (scaled + _SQUARE * _FEN_E4 // 2) // (_SQUARE * _FEN_E4) * _FEN_E4


def _files_of(folder: Path) -> list[Path]:
    """Delivered files by name; those in progress begin with a dot."""
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix == ".csv" and not file.name.startswith("."))


def _is_complete(file: Path) -> bool:
    with file.open("rb") as handle:
        size = handle.seek(0, 2)
        handle.seek(max(0, size - 1))
        return handle.read(1) == b"\n"
