from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest

from assets import forecasting
from assets.lake import Lake
from assets.partitions import business_days
from assets.reports import Reports
from checks import forecasting as checks
from ml.registry import Registry

TODAY = date(2026, 6, 17)
SHARES = [f"{'CN' if number % 3 == 0 else 'US'}.{number}" for number in range(6)]


@dataclass
class Desk:
    lake: Lake
    registry: Registry
    reports: Reports

    def run(self, *assets_and_checks: Any, day: date = TODAY) -> dg.ExecuteInProcessResult:
        assets = [item for item in assets_and_checks if not isinstance(item, dg.AssetChecksDefinition)]
        defs = dg.Definitions(
            assets=assets,
            asset_checks=[item for item in assets_and_checks if isinstance(item, dg.AssetChecksDefinition)],
            jobs=[dg.define_asset_job("day", selection=dg.AssetSelection.all())],
            resources={"lake": self.lake, "registry": self.registry, "reports": self.reports},
        )
        return defs.resolve_job_def("day").execute_in_process(partition_key=day.isoformat(), raise_on_error=False)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MLflow database, made once: making it takes seconds."""
    home = tmp_path_factory.mktemp("mlflow")
    Registry(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts").champion("none", before=TODAY)
    return (home / "mlflow.db").read_bytes()


def desk(home: Path, volatility: np.ndarray, store: bytes) -> Desk:
    """A lake, and a warehouse with the two views that forecasting reads."""
    days = pd.bdate_range(end="2026-06-19", periods=len(volatility)).date
    returns = pd.concat(
        pd.DataFrame(
            {
                "instrument_id": share,
                "as_of_date": days,
                "return_ratio": volatility * np.random.default_rng(number).standard_normal(len(days)),
            }
        )
        for number, share in enumerate(SHARES)
    )
    instruments = pd.DataFrame({"instrument_id": [*SHARES, "US.NEW"], "source": "synthetic"})
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.register("returns", returns)
        connection.register("instruments", instruments)
        connection.execute(
            "create table int_market__daily_returns as select * replace (as_of_date::date as as_of_date) from returns"
        )
        connection.execute(
            "create table stg_market__instruments as select *, date '2020-01-01' as effective_from_date, "
            "date '9999-12-31' as effective_until_date from instruments"
        )
    lake = Lake(home / "lake", home / "warehouse.duckdb")
    lake.prepare()
    (home / "mlflow.db").write_bytes(store)
    return Desk(lake, Registry(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts"), Reports(home / "reports"))


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, empty_store: bytes) -> tuple[Desk, dg.ExecuteInProcessResult]:
    """A desk whose model is promoted, after its whole day of forecasting."""
    steady = desk(tmp_path_factory.mktemp("steady"), np.full(260, 0.012), empty_store)
    result = steady.run(
        forecasting.model_forecasting__volatility_5d,
        forecasting.calc_forecasting__volatility,
        forecasting.calc_forecasting__drift,
        checks.every_instrument_has_a_forecast,
        checks.drift_share_is_tolerable,
        checks.the_champion_beats_the_baseline,
    )
    return steady, result


def test_a_day_of_forecasting_ends_well(steady: tuple[Desk, dg.ExecuteInProcessResult]) -> None:
    _, result = steady
    assert result.success
    evaluations = {found.check_name: found.passed for found in result.get_asset_check_evaluations()}
    assert evaluations["every_instrument_has_a_forecast"]
    assert evaluations["the_champion_beats_the_baseline"]
    assert "drift_share_is_tolerable" in evaluations


def test_every_forecast_names_its_model_and_the_last_day_it_knew(
    steady: tuple[Desk, dg.ExecuteInProcessResult],
) -> None:
    desk_, _ = steady
    rows = desk_.lake.read("calc_forecasting__volatility", TODAY).set_index("instrument_id")
    assert sorted(rows.index) == sorted([*SHARES, "US.NEW"])
    assert set(rows["data_until"]) == {date(2026, 6, 16)}
    assert set(rows["model_version"]) == {"1"}
    assert set(rows["source"]) == {"synthetic"}
    assert rows["method"]["US.NEW"] == "fallback"
    assert rows["volatility_ratio"].between(0.1, 0.4).all()


def test_scores_mark_the_method_in_force(steady: tuple[Desk, dg.ExecuteInProcessResult]) -> None:
    desk_, _ = steady
    scores = desk_.lake.read("calc_forecasting__scores", TODAY)
    assert set(scores["method"]) == {"random_walk", "ewma", "garch", "lightgbm"}
    (champion,) = scores[scores["is_champion"]].itertuples()
    assert champion.method in ("garch", "lightgbm")
    assert champion.model_version == "1"


def test_drift_is_told_per_feature_and_drawn(steady: tuple[Desk, dg.ExecuteInProcessResult]) -> None:
    desk_, _ = steady
    drift = desk_.lake.read("calc_forecasting__drift", TODAY)
    assert "volatility_forecast_ratio" in set(drift["feature"])
    assert drift["drift_score"].ge(0).all()
    assert Path(drift["report_path"].iloc[0]).stat().st_size > 100_000


def test_a_retried_training_adds_no_version(steady: tuple[Desk, dg.ExecuteInProcessResult]) -> None:
    desk_, _ = steady
    assert desk_.run(forecasting.model_forecasting__volatility_5d).success
    assert [version.version for version in desk_.registry._versions("forecasting.volatility_5d")] == [1]


def test_a_past_day_is_forecast_without_the_model_that_had_seen_it(
    steady: tuple[Desk, dg.ExecuteInProcessResult],
) -> None:
    desk_, _ = steady
    past = date(2026, 6, 10)
    assert desk_.run(forecasting.calc_forecasting__volatility, day=past).success
    rows = desk_.lake.read("calc_forecasting__volatility", past)
    assert set(rows["model_version"]) == {"baseline"}
    assert set(rows["data_until"]) == {date(2026, 6, 9)}


def test_a_missing_forecast_stops_the_day(steady: tuple[Desk, dg.ExecuteInProcessResult]) -> None:
    desk_, _ = steady
    other = date(2026, 6, 18)
    rows = desk_.lake.read("calc_forecasting__volatility", TODAY).assign(as_of_date=other)

    @dg.asset(partitions_def=business_days)
    def calc_forecasting__volatility() -> None:
        desk_.lake.write("calc_forecasting__volatility", rows[rows["instrument_id"] != "US.1"], other)

    @dg.asset(partitions_def=business_days, deps=[calc_forecasting__volatility])
    def calc_collateral__haircuts() -> None:
        pass

    result = desk_.run(
        calc_forecasting__volatility, calc_collateral__haircuts, checks.every_instrument_has_a_forecast, day=other
    )
    assert not result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert "1 of 7 instruments lack a forecast" in str(evaluation.description)
    assert not result.asset_materializations_for_node("calc_collateral__haircuts")


def test_a_model_that_loses_is_not_promoted_and_the_desk_goes_on_with_the_ewma(
    tmp_path: Path, empty_store: bytes
) -> None:
    """Taught in a storm, tested in the calm after it."""
    settling = desk(tmp_path, np.repeat([0.012, 0.024, 0.0072], [120, 95, 45]), empty_store)
    result = settling.run(
        forecasting.model_forecasting__volatility_5d,
        forecasting.calc_forecasting__volatility,
        checks.the_champion_beats_the_baseline,
    )
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.severity is dg.AssetCheckSeverity.WARN
    rows = settling.lake.read("calc_forecasting__volatility", TODAY)
    assert set(rows["model_version"]) == {"baseline"}
    assert set(rows["method"]) == {"ewma", "fallback"}
    (version,) = settling.registry._versions("forecasting.volatility_5d")
    assert version.tags["is_promoted"] == "false"
    assert "does not beat the best baseline" in version.tags["promotion"]
    assert settling.registry._aliased("forecasting.volatility_5d", "challenger") is not None
    assert settling.registry._aliased("forecasting.volatility_5d", "champion") is None


def test_too_little_history_fits_no_model_and_still_forecasts(tmp_path: Path, empty_store: bytes) -> None:
    young = desk(tmp_path, np.full(60, 0.012), empty_store)
    result = young.run(
        forecasting.model_forecasting__volatility_5d,
        forecasting.calc_forecasting__volatility,
        checks.the_champion_beats_the_baseline,
        checks.every_instrument_has_a_forecast,
    )
    assert result.success
    assert young.lake.read("calc_forecasting__scores", TODAY).empty
    assert set(young.lake.read("calc_forecasting__volatility", TODAY)["method"]) == {"ewma", "fallback"}
