"""The coordinates assets are kept by: the business day, and within it the slice."""

from datetime import date
from typing import Any

import dagster as dg

FIRST_DAY = date(1998, 1, 1)
"""No older day can be asked for; the oldest market data we read begins here."""

business_days = dg.TimeWindowPartitionsDefinition(
    cron_schedule="0 0 * * 1-5", start=FIRST_DAY.isoformat(), fmt="%Y-%m-%d", timezone="UTC", end_offset=1
)
"""Monday to Friday.

Whether an exchange was open is the calendar's word (``feeds/calendars.py``), not the partition's.
"""


class Slice(dg.Config):
    """Which moment of the business day is valued: ``open``, a price batch by its name, or ``close``."""

    slice: str = "close"


def business_day(context: Any) -> date:
    """Return the one business day a run or check is about."""
    return date.fromisoformat(context.partition_key)


def business_days_of(context: Any) -> tuple[date, date]:
    """First and last business day of a run that may cover a range."""
    keys = context.partition_keys
    return date.fromisoformat(keys[0]), date.fromisoformat(keys[-1])
