"""Plain values out of data frames: rows as dictionaries, days as days."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd


def records(rows: pd.DataFrame | Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows as dictionaries, whichever way they came."""
    if not isinstance(rows, pd.DataFrame):
        return list(rows)
    columns = {str(name): rows[name].tolist() for name in rows.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def day_of(value: date | str) -> date:
    """A day from a day, a timestamp, or ISO 8601 text."""
    if isinstance(value, datetime):
        return value.date()
    return date.fromisoformat(value) if isinstance(value, str) else value
