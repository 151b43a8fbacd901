"""Reads a folder of the QuantConnect Lean layout: daily bars in zips, factor files, map files and the policy rate.

Bars are as they traded. A Lean file is keyed by ticker, and tickers are reused: map files say whose a row is.
"""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.errors import NoPrices
from domain.money import PRICE_UNITS
from feeds import delimited
from feeds.bars import (
    BARS,
    FOUR_PRICES,
    days_of,
    existing_days,
    opens_as_prices,
    require_readable_and_ascending,
    require_sound_bars,
)
from feeds.calendars import MARKETS, is_session, opens_at
from feeds.deliveries import Delivery, Fault, Reading, Screening, empty_frame, refused_file
from feeds.prices import instant_of
from feeds.rates import read_lean_rates
from feeds.reference import ACTIONS, INSTRUMENTS

ZIP_RATIO_MAX: Final = 100
"""A member that unpacks to more than this many times its size is a bomb, not prices."""

EX_DATE_GAP_DAYS_MAX: Final = 10
"""A corporate action whose next bar is later than this fell into a gap of the data and touches no bar."""

FACTOR_ERROR_MAX: Final = 2e-7
"""Factors are printed with seven decimals, so a ratio of two of them near 1 is this far off at most."""

_BOARDS: Final = {"N": "nyse", "P": "nyse", "Q": "nasdaq"}
_FUND_EXCHANGES: Final = {"P", "Z"}
"""NYSE Arca and Cboe BZX list funds; Lean does not say what an instrument is. Funds elsewhere count as equity."""

_FOREVER: Final = 9999_12_31
_ENCRYPTED: Final = 0x1
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError, ValueError, struct.error,
)  # fmt: skip
_MAP_ROW: Final = re.compile(r"([0-9]{8}),([A-Za-z0-9.]{1,16})(?:,([A-Z]?))?", re.ASCII)
_FACTOR_ROW: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})" + r",([0-9]{1,9}(?:\.[0-9]{1,12})?)" * 3, re.ASCII)


@dataclass(frozen=True)
class Company:
    """Who an instrument id stands for, and which ticker its rows stand under when (both days included)."""

    instrument_id: str
    symbol: str
    exchange: str
    tickers: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class LeanFolder:
    """``root`` holds ``equity/usa/daily`` and its sibling folders."""

    root: Path
    vendor: str = "quantconnect_lean"

    def instruments(self, day: date, known_at: datetime) -> Delivery:
        """Companies with a bar on or before ``day``, as of ``day``; map files that cannot be read are held back."""
        days = self._days_by_company()
        companies, faults = self._companies()
        screening = Screening(empty_frame(INSTRUMENTS), Reading("instruments", self.vendor, known_at))
        for name, fault in faults:
            screening.refuse_file(name, fault, day)
        rows = [
            {
                "instrument_id": company.instrument_id, "symbol": company.symbol, "market": "US",
                "currency": MARKETS["US"].currency,
                "asset_class": "etf" if company.exchange in _FUND_EXCHANGES else "equity",
                "board": _BOARDS.get(company.exchange, "nyse"), "lot_size_shares": MARKETS["US"].lot_size_shares,
                "price_limit_ratio": np.nan, "source": self.vendor, "as_of_date": day,
            }
            for company in companies
            if company.instrument_id in days and days[company.instrument_id][0] <= _number(day)
        ]  # fmt: skip
        screening.rows = pd.DataFrame(rows)
        return screening.delivery(INSTRUMENTS)

    def daily_bars(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Bars from ``first`` to ``last``; rows that belong to an older company of the same ticker are held back."""
        reading = Reading("daily_bars", self.vendor, known_at)
        companies, _ = self._companies()
        lines: list[pa.Array] = []
        places: list[pd.DataFrame] = []
        faults: list[dict[str, Any]] = []
        for file in self._zips():
            text = unpack(file, self.root)
            if isinstance(text, Fault):
                faults.append(refused_file(reading, file.name, text, last))
                continue
            some_lines, some_places = _lines_between(file, text, _number(first), _number(last), companies)
            lines.append(some_lines)
            places.append(some_places)
        screening = Screening(empty_frame(BARS), reading)
        if lines:
            screening = _screen_bars(pa.concat_arrays(lines), pd.concat(places, ignore_index=True), reading, last)
        screening.refused = faults + screening.refused
        return screening.delivery(BARS)

    def corporate_actions(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Splits and cash dividends, from the steps of the factor files, with an ex-date from ``first`` to ``last``."""
        screening = Screening(empty_frame(ACTIONS), Reading("corporate_actions", self.vendor, known_at))
        days = self._days_by_company()
        rows: list[dict[str, Any]] = []
        for file in sorted((self._usa / "factor_files").glob("*.csv")):
            instrument_id = _instrument(file.stem)
            if instrument_id not in days:
                continue
            who = {"instrument_id": instrument_id, "file": file.name, "source": self.vendor}
            actions = _actions(_factors(file, self.root, screening, last), days[instrument_id])
            rows.extend(who | action for action in actions if first <= action["as_of_date"] <= last)
        screening.rows = pd.DataFrame(rows)
        return screening.delivery(ACTIONS)

    def rates(self, day: date, known_at: datetime) -> Delivery:
        """The policy rate in dollars on or before ``day``; empty where the folder has none."""
        return read_lean_rates(self.root, Reading("rates", self.vendor, known_at), day)

    def sessions(self) -> list[date]:
        """Days on which at least one company has a bar."""
        days = self._days_by_company().values()
        return sorted(set(days_of(np.unique(np.concatenate(list(days))))) if days else set())

    def batches_after(self, cursor: str) -> list[str]:
        """None: a folder of daily bars does not grow while a day runs."""
        return []

    def batches_of(self, day: date) -> list[str]:
        """The one batch of the opens, named by the opening instant; none on a day without bars."""
        if not is_session("US", day) or day not in set(self.sessions()):
            return []
        return [f"{opens_at('US', day):%Y%m%dT%H%M%SZ}"]

    def prices(self, batch: str, instruments: set[str], known_at: datetime) -> Delivery:
        """The opens of the day of ``batch``; raises :class:`NoPrices` on a day without bars."""
        quoted_at = instant_of(batch)
        reading = Reading("prices", self.vendor, known_at, batch)
        bars = self.daily_bars(quoted_at.date(), quoted_at.date(), known_at)
        if bars.rows.empty:
            raise NoPrices(
                f"The batch {batch} needs bars of {quoted_at.date()}, but {self._usa / 'daily'} has none. Nothing was "
                f"written; choose one of the folder's sessions."
            )
        return opens_as_prices(bars, batch, quoted_at, instruments, reading)

    @property
    def _usa(self) -> Path:
        return self.root / "equity" / "usa"

    def _zips(self) -> list[Path]:
        return sorted(file for file in (self._usa / "daily").glob("*.zip") if not file.name.startswith("."))

    def _companies(self) -> tuple[list[Company], list[tuple[str, Fault]]]:
        """Companies of the map files and of tickers no map file mentions, and the map files that cannot be read."""
        companies: list[Company] = []
        faults: list[tuple[str, Fault]] = []
        for file in sorted((self._usa / "map_files").glob("*.csv")):
            found = _company(file, self.root)
            if isinstance(found, Fault):
                faults.append((file.name, found))
                # Nobody owns the rows of a ticker whose map cannot be read: guessing could name the wrong company.
                found = Company(_instrument(file.stem), file.stem.upper(), "", ((file.stem.lower(), 0, 0),))
            companies.append(found)
        mapped = {ticker for company in companies for ticker, _, _ in company.tickers}
        for file in self._zips():
            ticker = file.stem.lower()
            if ticker not in mapped:
                companies.append(Company(_instrument(ticker), ticker.upper(), "", ((ticker, 0, _FOREVER),)))
        return companies, faults

    def _days_by_company(self) -> dict[str, NDArray[np.int64]]:
        """Bar days (20080915) of each company, ascending, read from the beginnings of the lines only."""
        companies, _ = self._companies()
        found: dict[str, list[NDArray[np.int64]]] = {}
        for file in self._zips():
            text = unpack(file, self.root)
            if isinstance(text, Fault):
                continue
            days = _bar_days(_lines(text))
            owners = _owners(file, days, companies)
            for name in {owner for owner in owners if owner is not None}:
                found.setdefault(name, []).append(days[owners == name])
        return {name: np.unique(np.concatenate(days)) for name, days in found.items()}


def unpack(file: Path, root: Path) -> str | Fault:
    """The text of the one member of a zip, within bounds of size and ratio."""
    raw = delimited.read_bytes(file, root)
    if isinstance(raw, Fault):
        return raw
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            members = archive.infolist()
            if len(members) != 1 or members[0].is_dir():
                return _unreadable(file, f"it must hold exactly one file, but holds {len(members)} entries", raw)
            size, packed = members[0].file_size, max(members[0].compress_size, 1)
            if size > delimited.FILE_BYTES_MAX or size > ZIP_RATIO_MAX * packed:
                return _unreadable(file, f"{packed:,} bytes would unpack to {size:,}", raw)
            if members[0].flag_bits & _ENCRYPTED:
                return _unreadable(file, "its member is encrypted", raw)
            with archive.open(members[0]) as member:
                content = member.read(delimited.FILE_BYTES_MAX + 1)
    except _DAMAGE as damage:
        return _unreadable(file, f"it is damaged or half written ({damage})", raw)
    if not content or not content.isascii() or b"\0" in content:
        return _unreadable(file, "its member must be plain ASCII text, but is empty or is not", content or raw)
    return content.decode("ascii")


def _unreadable(file: Path, why: str, raw: bytes) -> Fault:
    return Fault("file_must_be_readable", f"{file.name} cannot be read: {why}. Have the file delivered again.", raw)


def _screen_bars(lines: pa.Array, places: pd.DataFrame, reading: Reading, last: date) -> Screening:
    names = ["time", "open", "high", "low", "close", "volume"]
    numbers = places["bar_day"].to_numpy()
    days = np.full(len(places), last, dtype=object)
    days[numbers > 0] = days_of(numbers[numbers > 0])
    columns = {str(name): places[name].to_numpy() for name in places} | {"as_of_date": days}
    screening = delimited.screen_lines(lines, names, columns, reading)
    require_readable_and_ascending(screening)
    screening.require(
        "ticker_must_be_mapped", lambda rows: rows["instrument_id"].notna(),
        "On {as_of_date} the ticker of {file} belonged to no company of the map files: an older company, not today's.",
    )  # fmt: skip
    screening.require(
        "number_must_be_plain",
        lambda rows: np.logical_and.reduce([delimited.matches(rows[name], delimited.COUNT) for name in names[1:]]),
        "Prices times 10,000 and the volume must be plain whole numbers, but the row reads {raw_text!a}.",
    )  # fmt: skip
    rows = screening.rows
    prices = {column: delimited.to_count(rows[name]) for column, name in zip(FOUR_PRICES, names[1:5], strict=True)}
    screening.rows = rows.assign(volume_shares=delimited.to_count(rows["volume"]), **prices)
    require_sound_bars(screening)
    return screening


def _lines(text: str) -> pa.Array:
    return pa.array(text.removesuffix("\n").split("\n"), pa.string())


def _bar_days(lines: pa.Array) -> NDArray[np.int64]:
    """The day each line begins with (20080915), zero where it begins with none."""
    shaped = pc.match_substring_regex(lines, "^[0-9]{8} [0-9]{2}:[0-9]{2},")
    numbers = pc.cast(pc.if_else(shaped, pc.utf8_slice_codeunits(lines, 0, 8), "0"), pa.int64())
    return existing_days(numbers.to_numpy(zero_copy_only=False))


def _owners(file: Path, days: NDArray[np.int64], companies: list[Company]) -> NDArray[np.object_]:
    """The instrument each row of a ticker's file belongs to, nothing where no company held the ticker that day."""
    owners = np.full(len(days), None, dtype=object)
    for company in companies:
        for ticker, first, last in company.tickers:
            if ticker == file.stem.lower():
                owners[(days >= first) & (days <= last) & (days > 0)] = company.instrument_id
    return owners


def _lines_between(
    file: Path, text: str, first: int, last: int, companies: list[Company]
) -> tuple[pa.Array, pd.DataFrame]:
    """Lines of the days asked for, and those without a readable day, with the place and owner of each."""
    lines = _lines(text)
    days = _bar_days(lines)
    wanted = (days == 0) | ((days >= first) & (days <= last))
    places = pd.DataFrame(
        {
            "file": np.full(len(days), file.name, dtype=object),
            "line": np.arange(1, len(days) + 1),
            "bar_day": days,
            "previous": np.concatenate([[0], days])[:-1],
            "instrument_id": _owners(file, days, companies),
        }
    )
    return lines.filter(pa.array(wanted)), places[wanted]


def _company(file: Path, root: Path) -> Company | Fault:
    raw = delimited.read_bytes(file, root)
    if isinstance(raw, Fault):
        return raw
    found = [_MAP_ROW.fullmatch(line) for line in raw.decode("ascii", errors="replace").split()]
    rows = [(int(row[1]), row[2].lower(), row[3] or "") for row in found if row is not None]
    if not rows or len(rows) != len(found) or rows != sorted(rows, key=lambda row: row[0]):
        why = f"{file.name} must hold lines of day, ticker and exchange in order of time. Its bars are held back."
        return Fault("file_must_be_readable", why, raw)
    starts = [rows[0][0], *(day + 1 for day, _, _ in rows[:-1])]
    # The first line only says when the company begins; its ticker holds on that day even where the second differs.
    tickers = [(ticker, min(start, day), day) for start, (day, ticker, _) in zip(starts, rows, strict=True)]
    if len(rows) > 1 and rows[0][1] == rows[1][1]:
        tickers = [(rows[1][1], rows[0][0], rows[1][0]), *tickers[2:]]
    return Company(_instrument(file.stem), rows[-1][1].upper(), rows[-1][2], tuple(tickers))


def _factors(file: Path, root: Path, screening: Screening, last: date) -> list[tuple[int, date, float, float, float]]:
    """Line, day, price factor, split factor and reference price of each sound row; others are held back."""
    raw = delimited.read_bytes(file, root)
    if isinstance(raw, Fault):
        screening.refuse_file(file.name, raw, last)
        return []
    rows: list[tuple[int, date, float, float, float]] = []
    for line, text in enumerate(raw.decode("ascii", errors="backslashreplace").split(), start=1):
        row = _FACTOR_ROW.fullmatch(text)
        day = delimited.day_or_nothing(f"{row[1]}-{row[2]}-{row[3]}") if row else None
        if row is None:
            fault = Fault(
                "number_must_be_plain", f"The line must be a day and three numbers, but reads {text[:200]!a}."
            )
        elif day is None:
            fault = Fault("date_must_be_readable", f"The line must begin with a day that exists, but reads {text!a}.")
        elif rows and day <= rows[-1][1]:
            fault = Fault("time_must_not_go_backwards", f"Rows must ascend in time, but {day} follows {rows[-1][1]}.")
        else:
            rows.append((line, day, float(row[4]), float(row[5]), float(row[6])))
            continue
        screening.refuse_line(file.name, line, text, fault, last)
    return rows


def _actions(
    factors: list[tuple[int, date, float, float, float]], bar_days: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    """What happened between two factor rows: factors hold up to their row's day, so the next bar is the ex-date."""
    for (line, day, price_factor, split_factor, reference), after in pairwise(factors):
        at = int(np.searchsorted(bar_days, _number(day), side="right"))
        if not 0 < at < len(bar_days):
            continue
        ex_date = days_of(bar_days[at : at + 1])[0]
        if (ex_date - day).days > EX_DATE_GAP_DAYS_MAX:
            continue
        place = {"line": line, "as_of_date": ex_date}
        if split_factor != after[3] and split_factor > 0:
            ratio = _simple_ratio(after[3] / split_factor)
            yield place | {"kind": "split", "split_ratio": ratio, "dividend_e4": 0}
        if 0 < price_factor < after[2]:
            dividend_e4 = _simple_dividend_e4(reference, price_factor / after[2])
            if dividend_e4:
                yield place | {"kind": "cash_dividend", "split_ratio": 1.0, "dividend_e4": dividend_e4}


def _simple_ratio(ratio: float) -> float:
    """The small fraction that seven printed digits of two factors stand for: 7.00001 shares for one are seven."""
    simple = float(Fraction(ratio).limit_denominator(100))
    return simple if abs(simple / ratio - 1) < 2e-5 else round(ratio, 6)


def _simple_dividend_e4(reference: float, ratio: float) -> int:
    """The dividend with the fewest decimals that a ratio of two factors of seven digits can stand for."""
    dividend = reference * (1 - ratio)
    uncertainty = reference * FACTOR_ERROR_MAX
    simple = next((d for d in (2, 3) if abs(round(dividend, d) - dividend) <= uncertainty), 4)
    return round(round(dividend, simple) * PRICE_UNITS)


def _instrument(stem: str) -> str:
    return f"US.{stem.upper()}"


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
