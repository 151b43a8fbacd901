"""Clients: the lines their movements are watched by, as the rulebooks have them, for the models that watch."""

from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final

import dagster as dg
import pandas as pd

from assets.lake import Lake
from assets.partitions import business_day, business_days
from domain.clients.rules import AlertLines, LargeValueLines
from domain.money import EXPONENTS
from domain.rulebook import Rulebook, alert_lines, large_value_lines
from feeds.calendars import MARKETS

CASH_LINE_OF_MARKET: Final = {"US": "us_cash", "CN": "cn_cash"}
"""Which line of the rulebook says from where cash is reported; a market that is not named reports none."""


@dg.asset(group_name="clients", owners=["team:clients"], kinds={"python"}, partitions_def=business_days)
def calc_clients__monitoring_thresholds(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Callable[[str], Rulebook]],
) -> dg.MaterializeResult[Any]:
    """When a pattern of movements is an alert, as the edition of the day says. One row per market and currency.

    A currency the rulebook has no amounts for keeps its row: what is said in hours, days and ratios binds it too.
    """
    day = business_day(context)
    edition = rulebooks("house.aml").governing(on=day)
    rows = monitoring_thresholds(alert_lines(edition), large_value_lines(edition))
    known: dict[str, Any] = {"source": "rulebooks", "known_at": datetime.now(UTC)}
    lake.write("calc_clients__monitoring_thresholds", rows.assign(**known), day)
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "house_edition": edition.name})


def monitoring_thresholds(lines: AlertLines, large_value: LargeValueLines) -> pd.DataFrame:
    """The lines as a table, whole numbers throughout; ratios in hundred-millionths."""
    same = {
        "structuring_hours": lines.structuring_hours,
        "structuring_count": lines.structuring_count_min,
        "velocity_hours": lines.velocity_hours,
        "velocity_out_e8": _in_e8(lines.velocity_out_ratio),
        "velocity_traded_e8": _in_e8(lines.velocity_traded_ratio),
        "burst_multiple": lines.burst_multiple,
        "burst_days": lines.burst_days,
        "burst_active_days": lines.burst_active_days_min,
        "dormant_days": lines.dormant_days,
        "device_accounts": lines.device_accounts_min,
        "device_days": lines.device_days,
        "house_edition": lines.edition,
    }
    rows = []
    for market in MARKETS:
        cash = large_value.from_minor.get(CASH_LINE_OF_MARKET.get(market, ""), {})
        for currency in EXPONENTS:
            split = lines.structuring.get(currency)
            amounts = {
                "structuring_floor_minor": split.floor_minor if split else None,
                "structuring_limit_minor": split.limit_minor if split else None,
                "large_cash_from_minor": cash.get(currency),
            }
            rows.append({"market": market, "currency": currency, **amounts, **same})
    return pd.DataFrame(rows).astype(dict.fromkeys(amounts, "Int64"))


def _in_e8(ratio: Fraction) -> int:
    scaled = ratio * 10**8
    assert scaled.denominator == 1, "a ratio of the rulebook has at most eight decimals"
    return int(scaled)
