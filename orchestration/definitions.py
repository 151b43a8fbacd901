"""The composition root: everything the desk keeps, checks and runs, as one code location.

Importing it must stay quick, because every run starts with it: MLflow, Great Expectations, Evidently, statsmodels, arch
and LightGBM are imported by the functions that use them.
"""

import warnings

import dagster as dg

from orchestration.settings import Settings, load_settings

warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from assets import (  # noqa: E402  The warnings these decorators give are silenced first.
    checkpoints,
    clients,
    collateral,
    dbt,
    forecasting,
    ledger,
    margin,
    market,
    pricing,
    published,
    reconciliation,
    risk,
    segregation,
)
from checks import clients as client_checks  # noqa: E402
from checks import collateral as collateral_checks  # noqa: E402
from checks import forecasting as forecasting_checks  # noqa: E402
from checks import freshness  # noqa: E402
from checks import ledger as ledger_checks  # noqa: E402
from checks import margin as margin_checks  # noqa: E402
from checks import market as market_checks  # noqa: E402
from checks import pricing as pricing_checks  # noqa: E402
from checks import reconciliation as reconciliation_checks  # noqa: E402
from orchestration.jobs import ALL_JOBS  # noqa: E402
from orchestration.resources import build_resources  # noqa: E402
from orchestration.schedules import ALL_SCHEDULES  # noqa: E402
from orchestration.sensors import alert_sensor, on_price_batch  # noqa: E402

ASSET_MODULES = [
    market, ledger, dbt, forecasting, collateral, margin, risk, pricing, reconciliation, segregation, checkpoints,
    clients, published,
]  # fmt: skip
CHECK_MODULES = [
    ledger_checks, collateral_checks, margin_checks, pricing_checks, reconciliation_checks, market_checks,
    forecasting_checks, client_checks, freshness,
]  # fmt: skip


def build_definitions(settings: Settings) -> dg.Definitions:
    """Wire the desk described by ``settings``; opens no file and no database."""
    settings.apply()
    return dg.Definitions(
        assets=dg.load_assets_from_modules(ASSET_MODULES, include_specs=True),
        asset_checks=dg.load_asset_checks_from_modules(CHECK_MODULES),
        jobs=ALL_JOBS,
        schedules=ALL_SCHEDULES,
        sensors=[on_price_batch, alert_sensor(settings.alerts)],
        resources=build_resources(settings),
    )


defs = build_definitions(load_settings())
