"""Reads comma-separated files as strictly as a ledger reads postings: no guessing of types, quotes or encodings.

A fault of the file (half written, wrong header, not text) refuses the file; a fault of a line refuses the line.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.errors import DeliveryRefused
from feeds.deliveries import Fault, Reading, Screening, empty_frame

FILE_BYTES_MAX: Final = 200 * 2**20
"""A larger file is not a delivery of ours; reading it would take the desk's memory."""

LINE_BYTES_MAX: Final = 65_536
"""A longer line is damage, not data."""

PRICE: Final = r"^-?[0-9]{1,11}(\.[0-9]{1,8})?$"
"""A plain price: at most 11 digits before the point, so that ten-thousandths stay exact in every later step."""

COUNT: Final = r"^-?[0-9]{1,15}$"
"""A plain whole number."""

NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9 ._:/|@+-]{0,127}$"
"""An identifier: plain ASCII beginning with a letter or digit, so that no spreadsheet takes it for a formula."""

SOURCE: Final = r"^[a-z][a-z0-9_]{0,31}$"
"""Who says so, in plain lower case."""

INSTANT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
"""A UTC instant; local times have an hour that happens twice."""

DAY: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
"""A day, written one way only."""

_NEXT: Final = "Nothing of it was taken; have it delivered again whole."
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Sheet:
    """The data lines of one believed file (line 2 of the file is ``lines[0]``) and its trailer lines."""

    file: str
    lines: list[str]
    trailer: list[str]


def read_bytes(file: Path, root: Path) -> bytes | Fault:
    """The content of a regular file that really lies under ``root``, or why it cannot be had."""
    try:
        if not file.resolve(strict=True).is_relative_to(root.resolve()):
            return Fault("file_must_be_readable", f"{file.name} is a link that leads out of {root.name}. {_NEXT}")
        if not file.is_file():
            return Fault("file_must_be_readable", f"{file.name} is not a regular file. {_NEXT}")
        size = file.stat().st_size
        if size > FILE_BYTES_MAX:
            return Fault("file_must_be_readable", f"{file.name} has {size:,} bytes, over {FILE_BYTES_MAX:,}. {_NEXT}")
        return file.read_bytes()
    except OSError as failure:
        return Fault("file_must_be_readable", f"{file.name} cannot be opened ({failure.strerror}). {_NEXT}")


def read_sheet(file: Path, root: Path, header: str, trailer_required: bool = False) -> Sheet | Fault:
    """Read one of the desk's own files: header byte for byte, UTF-8, a final newline, and a trailer that agrees."""
    raw = read_bytes(file, root)
    if isinstance(raw, Fault):
        return raw
    fault = _fault_of_bytes(file.name, raw, header)
    if fault is not None:
        return fault
    lines = raw.decode("utf-8").split("\n")[1:-1]
    count = len(lines)
    while count and lines[count - 1].startswith("#"):
        count -= 1
    sheet = Sheet(file.name, lines[:count], lines[count:])
    return _fault_of_trailer(sheet, raw, trailer_required) or sheet


def sheet_or_refusal(file: Path, root: Path, header: str, trailer_required: bool = False) -> Sheet:
    """The sheet, or :class:`DeliveryRefused`: for deliveries that count whole or not at all."""
    found = read_sheet(file, root, header, trailer_required)
    if isinstance(found, Fault):
        raise DeliveryRefused(f"{file} was refused, {found.reason}: {found.explanation}")
    return found


def source_of(sheet: Sheet, otherwise: str) -> str:
    """Who speaks in ``sheet``, by its first line: what is made up must say so even where a line cannot be read."""
    last = sheet.lines[0].rpartition(",")[2] if sheet.lines else ""
    return last if re.fullmatch(SOURCE, last) else otherwise


def screen_sheets(sheets: Sequence[tuple[date, Sheet]], header: str, reading: Reading) -> Screening:
    """The lines of ``sheets`` (each with the day it describes) as text columns, screened for their shape."""
    lines = [line for _, sheet in sheets for line in sheet.lines]
    counts = [len(sheet.lines) for _, sheet in sheets]
    places: dict[str, Any] = {
        "file": np.repeat(np.array([sheet.file for _, sheet in sheets], dtype=object), counts),
        "line": np.concatenate([np.arange(2, count + 2) for count in counts]) if counts else np.array([], dtype=int),
        "as_of_date": np.repeat(np.array([day for day, _ in sheets], dtype=object), counts),
    }
    screening = screen_lines(lines, header.split(","), places, reading)
    screening.require(
        "columns_must_match", lambda rows: matches(rows["source"], SOURCE),
        "The source must be plain lower-case letters, digits and underscores, but got {source!a}.",
    )  # fmt: skip
    return screening


def screen_lines(
    lines: list[str] | pa.Array, names: Sequence[str], places: dict[str, Any], reading: Reading
) -> Screening:
    """Split ``lines`` at commas into the text columns ``names``; lines with another number of fields are held back.

    ``places`` are further columns, one value a line, among them ``file``, ``line`` and ``as_of_date``.
    """
    if not len(lines):
        return Screening(empty_frame([*names, *places, "raw_text", "source"]), reading)
    texts = lines if isinstance(lines, pa.Array) else pa.array(lines, pa.string())
    raw_text = texts.to_numpy(zero_copy_only=False)
    frame = pd.DataFrame({"raw_text": raw_text, "source": reading.source, **places})
    parts = pc.split_pattern(texts, ",")
    fits = pc.list_value_length(parts).to_numpy(zero_copy_only=False) == len(names)
    screening = Screening(frame, reading)
    screening.require(
        "columns_must_match", lambda rows: fits,
        f"The line must have {len(names)} fields ({', '.join(names)}), but has another number.",
    )  # fmt: skip
    fields = parts.filter(pa.array(fits)).flatten()
    columns = {
        name: fields.take(pa.array(np.arange(at, len(fields), len(names)))).to_pandas().to_numpy(dtype=object)
        for at, name in enumerate(names)
    }
    screening.rows = screening.rows.assign(**columns).reset_index(drop=True)
    return screening


def matches(texts: pd.Series, pattern: str) -> NDArray[np.bool_]:
    """Which ``texts`` are of the form ``pattern``; the digits meant are 0 to 9 of ASCII only."""
    found: NDArray[np.bool_] = pc.match_substring_regex(pa.array(texts, pa.string()), pattern).to_numpy(
        zero_copy_only=False
    )
    return found


def to_e4(texts: pd.Series) -> NDArray[np.int64]:
    """Ten-thousandths of plain prices, rounded half up, away from zero on ties."""
    exact = pc.cast(pa.array(texts, pa.string()), pa.decimal128(20, 8))
    rounded = pc.round(exact, ndigits=4, round_mode="half_towards_infinity")
    return _whole(pc.multiply(rounded, pa.scalar(Decimal(10_000), pa.decimal128(5))))


def to_e8(texts: pd.Series) -> NDArray[np.int64]:
    """Hundred-millionths of plain rates."""
    exact = pc.cast(pa.array(texts, pa.string()), pa.decimal128(20, 8))
    return _whole(pc.multiply(exact, pa.scalar(Decimal(100_000_000), pa.decimal128(9))))


def to_count(texts: pd.Series) -> NDArray[np.int64]:
    """Whole numbers of plain counts."""
    return pc.cast(pa.array(texts, pa.string()), pa.int64()).to_numpy(zero_copy_only=False)


def or_nothing(texts: pd.Series) -> "pd.api.extensions.ExtensionArray":
    """Ten-thousandths of plain prices, nothing where the field is blank."""
    blank = (texts == "").to_numpy(dtype=bool)
    return pd.arrays.IntegerArray(to_e4(texts.where(~blank, "0")), blank)


def day_or_nothing(text: str) -> date | None:
    """The day written as ``2026-06-17``; nothing for another form, or a day that does not exist."""
    try:
        return date.fromisoformat(text) if re.fullmatch(DAY, text) else None
    except ValueError:
        return None


def to_days(texts: pd.Series) -> NDArray[np.object_]:
    """Days written as ``2026-06-17``; nothing for another form, or a day that does not exist."""
    known = {text: day_or_nothing(text) for text in set(texts)}
    return np.array([known[text] for text in texts], dtype=object)


def to_instants(texts: pd.Series) -> pd.Series:
    """UTC instants; ``NaT`` for a form or an instant that does not exist, leap seconds included."""
    shaped = texts.where(matches(texts, INSTANT), None)
    return pd.to_datetime(shaped, format="ISO8601", errors="coerce", utc=True).astype("datetime64[us, UTC]")


def _whole(numbers: pa.Array) -> NDArray[np.int64]:
    return pc.cast(numbers, pa.decimal128(38, 0)).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _fault_of_bytes(name: str, raw: bytes, header: str) -> Fault | None:
    if not raw:
        return Fault("file_must_be_readable", f"{name} is empty: not even its header came. {_NEXT}")
    if raw.startswith(_BOM):
        return Fault("file_must_be_readable", f"{name} begins with a byte order mark. {_NEXT}", raw)
    if b"\0" in raw:
        return Fault("file_must_be_readable", f"{name} holds a NUL byte at {raw.index(0)}. {_NEXT}", raw)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as failure:
        return Fault("file_must_be_readable", f"{name} is not UTF-8 from byte {failure.start} on. {_NEXT}", raw)
    if not raw.endswith(b"\n"):
        return Fault("file_must_be_readable", f"{name} is half written: its last line has no end. {_NEXT}", raw)
    first, _, _ = raw.partition(b"\n")
    if first != header.encode():
        came = first[:200].decode("utf-8", errors="backslashreplace")
        return Fault("columns_must_match", f"The first line must be {header!r}, but is {came!a}. {_NEXT}", raw)
    if raw.count(b'"') % 2:
        return Fault("file_must_be_readable", f"{name} holds a quote that is never closed. {_NEXT}", raw)
    if len(raw) > LINE_BYTES_MAX and max(map(len, raw.split(b"\n"))) > LINE_BYTES_MAX:
        return Fault("file_must_be_readable", f"{name} holds a line over {LINE_BYTES_MAX:,} bytes. {_NEXT}", raw)
    return None


def _fault_of_trailer(sheet: Sheet, raw: bytes, required: bool) -> Fault | None:
    promised = [line for line in sheet.trailer if line.startswith("#rows,")]
    if not promised and not required:
        return None
    counted = f"#rows,{len(sheet.lines)}"
    if promised == [counted]:
        return None
    said = ", ".join(promised)[:200] or "none"
    why = f"{sheet.file} must end with the trailer {counted!r}, which counts its rows, but has {said!a}. {_NEXT}"
    return Fault("file_must_be_readable", why, raw)
