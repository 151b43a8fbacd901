"""How a delivery from outside is kept: good rows in their table, unbelievable ones in quarantine, both counted."""

from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from assets.lake import Lake
from assets.schemas import TABLES
from feeds.deliveries import Delivery

_QUARANTINE = "raw_feeds__quarantine"


def keep(lake: Lake, table: str, delivery: Delivery, as_of_date: date, part: str = "all") -> dg.MaterializeResult[Any]:
    """Write one day of a delivery and what was quarantined from it; good rows never wait for bad ones."""
    lake.write(table, delivery.rows, as_of_date, part)
    lake.write(_QUARANTINE, delivery.quarantined, as_of_date, f"{table}.{part}")
    return dg.MaterializeResult(metadata=counts(delivery))


def keep_range(lake: Lake, table: str, delivery: Delivery, first: date, last: date) -> dg.MaterializeResult[Any]:
    """Write a delivery that spans days, one part per day; a day it does not mention keeps its good rows."""
    good, bad, part = _by_day(delivery.rows), _by_day(delivery.quarantined), f"{table}.all"
    for day, rows in good.items():
        lake.write(table, rows, day)
    for day, rows in bad.items():
        lake.write(_QUARANTINE, rows, day, part)
    # What an earlier delivery had in quarantine, and this one no longer has, was corrected.
    for day in lake.days(_QUARANTINE):
        spoken_of = first <= day <= last or day in good
        if spoken_of and day not in bad and any(file.stem == part for file in lake.parts(_QUARANTINE, day)):
            lake.write(_QUARANTINE, TABLES[_QUARANTINE].empty_table(), day, part)
    span: dict[str, Any] = {"first_day": str(first), "last_day": str(last), "days": len(good)}
    return dg.MaterializeResult(metadata=span | counts(delivery))


def counts(delivery: Delivery) -> dict[str, Any]:
    """Rows kept and quarantined, with the reasons, for the Dagster UI."""
    reasons = delivery.quarantined["reason"].value_counts().to_dict() if len(delivery.quarantined) else {}
    return {
        "dagster/row_count": len(delivery.rows),
        "quarantined": len(delivery.quarantined),
        "quarantine_reasons": dg.MetadataValue.json({str(reason): int(count) for reason, count in reasons.items()}),
        "source": ", ".join(sorted(set(delivery.rows["source"]))) or "none",
    }


def _by_day(rows: pd.DataFrame) -> dict[date, pd.DataFrame]:
    days: Any = rows.groupby("as_of_date", sort=True)
    return {day.date() if isinstance(day, pd.Timestamp) else day: of_the_day for day, of_the_day in days}
