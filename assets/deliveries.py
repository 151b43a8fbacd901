"""How a delivery from outside is kept: good rows in their table, unbelievable ones in quarantine, both counted."""

from datetime import date
from typing import Any

import dagster as dg
import pandas as pd

from assets.lake import Lake
from feeds.deliveries import Delivery


def keep(lake: Lake, table: str, delivery: Delivery, as_of_date: date, part: str = "all") -> dg.MaterializeResult[Any]:
    """Write one day of a delivery and what was quarantined from it; good rows never wait for bad ones."""
    lake.write(table, delivery.rows, as_of_date, part)
    lake.write("raw_feeds__quarantine", delivery.quarantined, as_of_date, f"{table}.{part}")
    return dg.MaterializeResult(metadata=counts(delivery))


def keep_range(lake: Lake, table: str, delivery: Delivery, first: date, last: date) -> dg.MaterializeResult[Any]:
    """Write a delivery that spans days, one part per day; a day it does not mention is left as it was."""
    for name, rows, part in (
        (table, delivery.rows, "all"),
        ("raw_feeds__quarantine", delivery.quarantined, f"{table}.all"),
    ):
        for day, of_the_day in rows.groupby("as_of_date", sort=True):
            lake.write(name, of_the_day, _as_date(day), part)
    days = delivery.rows["as_of_date"].nunique()
    span: dict[str, Any] = {"first_day": str(first), "last_day": str(last), "days": days}
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


def _as_date(day: Any) -> date:
    return day.date() if isinstance(day, pd.Timestamp) else day
