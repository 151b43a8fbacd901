"""The lines of the rulebook reach the warehouse as whole numbers, for every market and currency."""

from datetime import date

import dagster as dg
import pandas as pd
import pytest

from assets.clients import calc_clients__monitoring_thresholds
from assets.lake import Lake
from domain.money import EXPONENTS
from feeds.calendars import MARKETS
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)


@pytest.fixture
def thresholds(lake: Lake) -> pd.DataFrame:
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_clients__monitoring_thresholds(context, lake=lake, rulebooks=load_rulebook)
    return lake.read("calc_clients__monitoring_thresholds", DAY).set_index(["market", "currency"])


def test_every_market_and_currency_has_one_line(thresholds: pd.DataFrame) -> None:
    assert set(thresholds.index) == {(market, currency) for market in MARKETS for currency in EXPONENTS}
    assert thresholds.index.is_unique
    assert set(thresholds["house_edition"]) == {"house.aml@2000-01-01"}


def test_amounts_are_minor_units_and_ratios_hundred_millionths(thresholds: pd.DataFrame) -> None:
    dollars, yuan = thresholds.loc[("US", "USD")], thresholds.loc[("CN", "CNY")]
    assert (dollars["structuring_floor_minor"], dollars["structuring_limit_minor"]) == (300_000, 1_000_000)
    assert (yuan["structuring_floor_minor"], yuan["structuring_limit_minor"]) == (1_500_000, 5_000_000)
    assert (dollars["velocity_out_e8"], dollars["velocity_traded_e8"]) == (90_000_000, 10_000_000)
    assert (dollars["large_cash_from_minor"], yuan["large_cash_from_minor"]) == (1_000_001, 5_000_000)


def test_a_currency_without_amounts_is_still_watched_by_days_and_ratios(thresholds: pd.DataFrame) -> None:
    pounds = thresholds.loc[("US", "GBP")]
    assert pd.isna(pounds["structuring_limit_minor"]) and pd.isna(pounds["large_cash_from_minor"])
    assert (pounds["dormant_days"], pounds["burst_multiple"], pounds["device_accounts"]) == (180, 3, 3)
