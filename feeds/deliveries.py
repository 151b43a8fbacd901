"""What a reading hands over: the rows we believe, and beside them every row we do not, with the rule it broke."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

QUARANTINE: Final = (
    "feed", "batch", "reason", "explanation", "raw_text", "file", "line", "source", "as_of_date", "known_at",
)  # fmt: skip
"""Columns of ``raw_feeds__quarantine``."""

RAW_TEXT_CHARACTERS_MAX: Final = 2_000
"""Longer raw text is cut: the quarantine is for reading, the file itself is the evidence."""

WHOLE_FILE: Final = 0
"""Line number of a quarantined file that could not be split into lines."""


@dataclass(frozen=True)
class Delivery:
    """Rows in the columns of their table, and the rows held back in the columns of ``raw_feeds__quarantine``."""

    rows: pd.DataFrame
    quarantined: pd.DataFrame


@dataclass(frozen=True)
class Reading:
    """What all rows of one reading share: which feed, whose word, since when we know it, and which batch."""

    feed: str
    source: str
    known_at: datetime
    batch: str = ""

    def __post_init__(self) -> None:
        """A moment without a zone is no moment."""
        assert self.known_at.tzinfo is not None, "known_at must carry its time zone"


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read at all, with how it begins."""

    reason: str
    explanation: str
    raw: bytes = b""


@dataclass
class Screening:
    """Rows on their way to being believed: each requirement moves the rows that break it to quarantine.

    ``rows`` carry, beside their own columns, ``file``, ``line``, ``raw_text``, ``source`` and ``as_of_date``. A row
    leaves at the first requirement it breaks, so later requirements may rely on earlier ones.
    """

    rows: pd.DataFrame
    reading: Reading
    refused: list[dict[str, Any]] = field(default_factory=list)

    def keep_days(self, first: date, last: date) -> None:
        """Leave aside, without a reproach, the rows that describe a day outside ``first`` to ``last``."""
        inside = [first <= day <= last for day in self.rows["as_of_date"]]
        self.rows = self.rows[np.array(inside, dtype=bool)]

    def require(self, reason: str, holds: Callable[[pd.DataFrame], ArrayLike], explanation: str) -> None:
        """Keep the rows for which ``holds`` is true; ``explanation`` is a format string over the row's columns."""
        if self.rows.empty:
            return
        good = np.asarray(holds(self.rows), dtype=bool)
        if good.all():
            return
        for row in self.rows[~good].to_dict("records"):
            self.refused.append(
                quarantine(
                    self.reading.feed, self.reading.batch, row["file"], row["line"], reason,
                    explanation.format(**_in_words(row)), row["raw_text"], row["source"], row["as_of_date"],
                    self.reading.known_at,
                )
            )  # fmt: skip
        self.rows = self.rows[good]

    def refuse_file(self, file: str, fault: Fault, as_of_date: date) -> None:
        """Hold back a whole file; the delivery goes on with the others."""
        self.refused.append(refused_file(self.reading, file, fault, as_of_date))

    def refuse_line(self, file: str, line: int, raw: str | bytes, fault: Fault, as_of_date: date) -> None:
        """Hold back one line, or one record, that never became a row."""
        self.refused.append(
            quarantine(
                self.reading.feed, self.reading.batch, file, line, fault.reason, fault.explanation, raw,
                self.reading.source, as_of_date, self.reading.known_at,
            )
        )  # fmt: skip

    def delivery(self, columns: Sequence[str]) -> Delivery:
        """Hand over what is left in ``columns``, and what was held back."""
        if self.rows.empty:
            return Delivery(empty_frame(columns), frame_of(QUARANTINE, self.refused))
        rows = self.rows.assign(known_at=pd.Timestamp(self.reading.known_at))
        return Delivery(rows[list(columns)].reset_index(drop=True), frame_of(QUARANTINE, self.refused))


def quarantine(
    feed: str,
    batch: str,
    file: str,
    line: int,
    reason: str,
    explanation: str,
    raw_text: str | bytes,
    source: str,
    as_of_date: date,
    known_at: datetime,
) -> dict[str, Any]:
    """One row of ``raw_feeds__quarantine``; ``reason`` is the rule that was broken, stated positively.

    Raw bytes are kept as text with escapes, so that what came can be shown without being obeyed.
    """
    if isinstance(raw_text, bytes):
        raw_text = raw_text[:RAW_TEXT_CHARACTERS_MAX].decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")
    values = (
        feed, batch, reason, explanation, raw_text[:RAW_TEXT_CHARACTERS_MAX], file, int(line), source, as_of_date,
        known_at,
    )  # fmt: skip
    return dict(zip(QUARANTINE, values, strict=True))


def refused_file(reading: Reading, file: str, fault: Fault, as_of_date: date) -> dict[str, Any]:
    """The quarantine row of a whole file."""
    return quarantine(
        reading.feed, reading.batch, file, WHOLE_FILE, fault.reason, fault.explanation, fault.raw, reading.source,
        as_of_date, reading.known_at,
    )  # fmt: skip


def empty_frame(columns: Sequence[str]) -> pd.DataFrame:
    """No rows, in ``columns``."""
    return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})


def frame_of(columns: Sequence[str], records: list[dict[str, Any]]) -> pd.DataFrame:
    """``records`` as a frame of exactly ``columns``."""
    return pd.DataFrame.from_records(records, columns=list(columns)) if records else empty_frame(columns)


def together(deliveries: Iterable[Delivery]) -> Delivery:
    """Several deliveries of one table as one, in their order."""
    found = list(deliveries)
    assert found, "nothing was delivered, not even an empty delivery"
    return Delivery(_stacked([one.rows for one in found]), _stacked([one.quarantined for one in found]))


def _stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else frames[0]


def _in_words(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): _price(value) if str(name).endswith("_e4") else value for name, value in row.items()}


def _price(value: Any) -> str:
    return "nothing" if pd.isna(value) else f"{value / 10_000:.4f}"
