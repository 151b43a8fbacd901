"""The haircut of the day is the house's base, raised where the forecast fears more."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pandas as pd
import pytest

from assets.collateral import calc_collateral__haircuts
from assets.lake import Lake
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)


@pytest.fixture
def haircuts(lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """A calm share, a wild one, one beyond all bounds and one nobody forecast."""
    names = ["US.CALM", "US.WILD", "US.MAD", "US.NEW"]
    build_views(
        stg_market__instruments=pd.DataFrame({"instrument_id": names}).assign(
            asset_class="equity",
            board="nyse",
            source="synthetic",
            effective_from_date=date(2026, 1, 5),
            effective_until_date=date(9999, 12, 31),
        )
    )
    forecasts = zip(names[:3], (0.20, 1.40, 9.0), strict=True)
    told = [{"instrument_id": name, "volatility_ratio": ratio, "model_version": "3"} for name, ratio in forecasts]
    lake.write("calc_forecasting__volatility", rows_of("calc_forecasting__volatility", *told), DAY)
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_collateral__haircuts(context, lake=lake, rulebooks=load_rulebook)
    return lake.read("calc_collateral__haircuts", DAY).set_index("instrument_id")


def test_a_calm_share_keeps_the_houses_base(haircuts: pd.DataFrame) -> None:
    assert haircuts.loc["US.CALM", "haircut_ratio"] == haircuts.loc["US.CALM", "haircut_base_ratio"] == 0.30


def test_a_wild_share_is_cut_by_what_five_days_may_take(haircuts: pd.DataFrame) -> None:
    expected = 3.0 * 1.40 * (5 / 252) ** 0.5
    assert haircuts.loc["US.WILD", "haircut_ratio"] == pytest.approx(expected)
    assert haircuts.loc["US.WILD", "haircut_forecast_ratio"] == pytest.approx(expected)
    assert haircuts.loc["US.WILD", "model_version"] == "3"


def test_a_haircut_takes_no_more_than_all(haircuts: pd.DataFrame) -> None:
    assert haircuts.loc["US.MAD", "haircut_ratio"] == 1.0


def test_every_haircut_names_the_edition_it_stood_on(haircuts: pd.DataFrame) -> None:
    assert set(haircuts["house_edition"]) == {"house.margin@2000-01-01"}
    assert len(haircuts) == 4
