"""Reads a TongDaXin folder: ``vipdoc/{sh,sz}/lday/*.day``, daily bars in records of 32 bytes, unadjusted.

A suspended share has no record for the day; that is how the exchange works, not damage.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from domain.errors import NoPrices
from feeds import delimited
from feeds.bars import (
    BARS,
    days_of,
    existing_days,
    opens_as_prices,
    require_readable_and_ascending,
    require_sound_bars,
)
from feeds.calendars import MARKETS, is_session, opens_at
from feeds.deliveries import Delivery, Fault, Reading, Screening, empty_frame
from feeds.prices import instant_of
from feeds.rates import RATES
from feeds.reference import ACTIONS, INSTRUMENTS

RECORD: Final = np.dtype(
    [("day", "<u4"), ("open", "<u4"), ("high", "<u4"), ("low", "<u4"), ("close", "<u4"), ("turnover", "<f4"),
     ("volume", "<u4"), ("reserved", "<u4")]
)  # fmt: skip
"""One day: prices in hundredths of a yuan (funds: thousandths), turnover in yuan, volume in shares."""


class Kind(NamedTuple):
    """What the first digits of a code say about an instrument."""

    asset_class: str
    board: str
    price_limit_ratio: float
    e4_per_unit: int
    """Ten-thousandths of a yuan in one unit of the file."""


_KINDS: Final = (
    (re.compile(r"sh60[0-9]{4}"), Kind("equity", "main", 0.10, 100)),
    (re.compile(r"sh68[0-9]{4}"), Kind("equity", "star", 0.20, 100)),
    (re.compile(r"sz00[0-9]{4}"), Kind("equity", "main", 0.10, 100)),
    (re.compile(r"sz30[0-9]{4}"), Kind("equity", "chinext", 0.20, 100)),
    (re.compile(r"sh5[168][0-9]{4}|sz15[0-9]{4}"), Kind("etf", "main", 0.10, 10)),
    (re.compile(r"sh(?:000|880)[0-9]{3}|sz399[0-9]{3}"), Kind("index", "main", float("nan"), 100)),
)


@dataclass(frozen=True)
class TongDaXinFolder:
    """``root`` holds ``sh/lday`` or ``sz/lday`` or both."""

    root: Path
    vendor: str = "tongdaxin"

    def instruments(self, day: date, known_at: datetime) -> Delivery:
        """Shares and funds with a bar on or before ``day``; nobody can lend on an index."""
        rows = [
            {
                "instrument_id": _instrument(file), "symbol": file.stem[2:], "market": "CN",
                "currency": MARKETS["CN"].currency, "asset_class": kind.asset_class, "board": kind.board,
                "lot_size_shares": MARKETS["CN"].lot_size_shares, "price_limit_ratio": kind.price_limit_ratio,
                "source": self.vendor, "as_of_date": day,
            }
            for file, kind in self._files()
            if any(known <= _number(day) for known in self._days(file)[:1])
        ]  # fmt: skip
        screening = Screening(pd.DataFrame(rows), Reading("instruments", self.vendor, known_at))
        return screening.delivery(INSTRUMENTS)

    def daily_bars(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Bars from ``first`` to ``last``; ``line`` is the number of the record."""
        screening = Screening(empty_frame(BARS), Reading("daily_bars", self.vendor, known_at))
        frames = []
        for file, kind in self._files():
            raw = delimited.read_bytes(file, self.root)
            if isinstance(raw, Fault):
                screening.refuse_file(file.name, raw, last)
                continue
            whole = len(raw) - len(raw) % RECORD.itemsize
            if whole < len(raw) or not raw:
                half = Fault(
                    "file_must_be_readable",
                    f"The last record of {file.name} must have {RECORD.itemsize} bytes, but has {len(raw) - whole}; it "
                    f"is half written. The records before it were read.",
                )
                screening.refuse_line(file.name, whole // RECORD.itemsize + 1, raw[whole:].hex(), half, last)
            records = np.frombuffer(raw[:whole], dtype=RECORD)
            frames.append(_bars(file, kind, records, _number(first), _number(last), last))
        if any(map(len, frames)):
            screening.rows = pd.concat(frames, ignore_index=True).assign(source=self.vendor)
            require_readable_and_ascending(screening)
            require_sound_bars(screening)
        return screening.delivery(BARS)

    def corporate_actions(self, first: date, last: date, known_at: datetime) -> Delivery:
        """None: the folder's day files say nothing of rights."""
        return Screening(empty_frame(ACTIONS), Reading("corporate_actions", self.vendor, known_at)).delivery(ACTIONS)

    def rates(self, day: date, known_at: datetime) -> Delivery:
        """None: the folder has no rates."""
        return Screening(empty_frame(RATES), Reading("rates", self.vendor, known_at)).delivery(RATES)

    def sessions(self) -> list[date]:
        """Days on which at least one share or fund has a bar."""
        days = [self._days(file) for file, _ in self._files()]
        return sorted(set(days_of(np.unique(np.concatenate(days))))) if days else []

    def batches_after(self, cursor: str) -> list[str]:
        """None: a folder of daily bars does not grow while a day runs."""
        return []

    def batches_of(self, day: date) -> list[str]:
        """The one batch of the opens, named by the opening instant; none on a day without bars."""
        if day not in set(self.sessions()) or not is_session("CN", day):
            return []
        return [f"{opens_at('CN', day):%Y%m%dT%H%M%SZ}"]

    def prices(self, batch: str, instruments: set[str], known_at: datetime) -> Delivery:
        """The opens of the day of ``batch``; raises :class:`NoPrices` on a day without bars."""
        quoted_at = instant_of(batch)
        bars = self.daily_bars(quoted_at.date(), quoted_at.date(), known_at)
        if bars.rows.empty:
            raise NoPrices(
                f"The batch {batch} needs bars of {quoted_at.date()}, but {self.root} has none. Nothing was written; "
                f"choose one of the folder's sessions."
            )
        return opens_as_prices(bars, batch, quoted_at, instruments, Reading("prices", self.vendor, known_at, batch))

    def _files(self) -> list[tuple[Path, Kind]]:
        """Day files of shares and funds; indices, bonds and B shares are not collateral here."""
        found = []
        for exchange in ("sh", "sz"):
            for file in sorted((self.root / exchange / "lday").glob("*.day")):
                kind = kind_of(file.stem)
                if kind is not None and kind.asset_class != "index":
                    found.append((file, kind))
        return found

    def _days(self, file: Path) -> "np.ndarray":
        raw = delimited.read_bytes(file, self.root)
        if isinstance(raw, Fault):
            return np.array([], dtype=np.int64)
        records = np.frombuffer(raw[: len(raw) - len(raw) % RECORD.itemsize], dtype=RECORD)
        days = np.unique(existing_days(records["day"].astype(np.int64)))
        return days[days > 0]


def kind_of(code: str) -> Kind | None:
    """What a code like ``sh600000`` stands for; nothing for a bond, a B share or a stranger."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(code)), None)


def _bars(file: Path, kind: Kind, records: "np.ndarray", first: int, last: int, delivered: date) -> pd.DataFrame:
    numbers = existing_days(records["day"].astype(np.int64))
    wanted = (numbers == 0) | ((numbers >= first) & (numbers <= last))
    days = np.full(len(records), delivered, dtype=object)
    days[numbers > 0] = days_of(numbers[numbers > 0])
    columns: dict[str, Any] = {
        "instrument_id": _instrument(file),
        "volume_shares": records["volume"].astype(np.int64),
        "file": file.name,
        "line": np.arange(1, len(records) + 1),
        "bar_day": numbers,
        "previous": np.concatenate([[0], numbers])[:-1],
        "as_of_date": days,
    }
    for name in ("open", "high", "low", "close"):
        columns[f"price_{name}_e4"] = records[name].astype(np.int64) * kind.e4_per_unit
    chosen = pd.DataFrame(columns)[wanted]
    return chosen.assign(raw_text=list(map(str, records[wanted].tolist())))


def _instrument(file: Path) -> str:
    return f"CN.{file.stem[2:]}"


def _number(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
