"""The desk's day as jobs. One run at a time holds the warehouse, and every job ends with a publication."""

import dagster as dg

from assets.partitions import business_days

WAREHOUSE = {"lombard/warehouse": "writer", "dagster/max_runtime": "3600"}
"""Runs with this tag never overlap (``dagster.yaml``): DuckDB has one writer, and a second batch must not land between
a first batch's requirement and its publication."""

SLICED = ["calc_margin__requirements", "calc_risk__slices", "published"]
"""Steps that value one slice of the day."""

_BOOKS = [
    "calc_ledger__entitlements", "raw_books__accounts", "raw_books__contracts", "raw_books__positions",
    "raw_books__ledger_accounts", "raw_books__transfers", "raw_books__security_transfers", "raw_books__balances",
    "raw_books__holdings", "raw_books__third_parties", "raw_clients__accesses", "raw_clients__counterparties",
]  # fmt: skip
_SEGREGATION = [
    "calc_ledger__control",
    "calc_ledger__locked_shares",
    "calc_ledger__reserve_lines",
    "calc_ledger__reserve",
]
_REFERENCE = ["raw_market__instruments", "raw_market__corporate_actions", "raw_market__rates"]
_BEFORE_CALC = dg.AssetSelection.tag("lombard/dbt", "before_calc")
_AFTER_CALC = dg.AssetSelection.tag("lombard/dbt", "after_calc")
_PRICED = dg.AssetSelection.checks(
    dg.AssetCheckKey(dg.AssetKey("int_collateral__positions_priced"), "every_position_is_priced")
)
_TIGHTENED = dg.AssetSelection.checks(
    dg.AssetCheckKey(dg.AssetKey("calc_margin__requirements"), "the_house_never_asks_less_than_the_exchange")
)


def sliced(name: str, **more: dict[str, str]) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    """Run configuration that tells every sliced step which moment of the day it values."""
    steps = {step: {"config": {"slice": name}} for step in SLICED}
    return {"ops": steps | {step: {"config": config} for step, config in more.items()}}


DEFAULT_CONFIG = {
    "start_of_day": sliced("open"),
    "end_of_day": sliced("close", calc_margin__calls={"slice": "close"}),
}
"""What a job values unless it is told otherwise."""

load_history = dg.define_asset_job(
    "load_history",
    selection=dg.AssetSelection.assets("raw_market__daily_bars"),
    description="Daily bars of a range of days, in one run.",
    tags=WAREHOUSE,
    executor_def=dg.in_process_executor,
)

load_reference = dg.define_asset_job(
    "load_reference",
    selection=dg.AssetSelection.assets(*_REFERENCE),
    description="Instruments, rates and every corporate action since a day, as the vendor describes them on this one.",
    tags=WAREHOUSE,
    executor_def=dg.in_process_executor,
)

train_models = dg.define_asset_job(
    "train_models",
    selection=dg.AssetSelection.assets("model_forecasting__volatility_5d"),
    description="Fit, validate by walking forward, register; promote only what beats the baseline out of sample.",
    tags=WAREHOUSE,
    executor_def=dg.in_process_executor,
)

start_of_day = dg.define_asset_job(
    "start_of_day",
    selection=dg.AssetSelection.assets(
        *_BOOKS, "raw_market__instruments", "raw_market__corporate_actions", "raw_market__rates",
        "calc_market__previous_closes", "calc_forecasting__volatility", "calc_collateral__haircuts",
        "calc_risk__scenarios", *SLICED,
    )
    | _PRICED,
    config=DEFAULT_CONFIG["start_of_day"],
    description="Book the day's corporate actions, take the forecast and the haircuts of the day, value the opening.",
    tags=WAREHOUSE,
    executor_def=dg.in_process_executor,
)  # fmt: skip

intraday_revaluation = dg.define_asset_job(
    "intraday_revaluation",
    selection=dg.AssetSelection.assets("raw_market__prices", *SLICED).without_checks() | _PRICED | _TIGHTENED,
    description="One price batch becomes one published slice. Never waits for dbt: the views follow by themselves.",
    tags={**WAREHOUSE, "dagster/priority": "10"},
    executor_def=dg.in_process_executor,
)

end_of_day = dg.define_asset_job(
    "end_of_day",
    selection=dg.AssetSelection.assets(
        "raw_market__daily_bars", *_BOOKS[1:], "calc_margin__calls", "calc_pricing__loan_rates",
        "calc_pricing__accruals", "raw_custodian__positions", "raw_bank__movements", "calc_reconciliation__breaks",
        "calc_forecasting__drift", *_SEGREGATION, "calc_ledger__checkpoints",
        "calc_clients__monitoring_thresholds", *SLICED,
    )
    | _BEFORE_CALC
    | _AFTER_CALC
    | dg.AssetSelection.checks_for_assets("raw_market__prices"),
    config=DEFAULT_CONFIG["end_of_day"],
    description="Value the close, issue calls, price every loan, accrue interest, reconcile, keep the day and seal it.",
    tags=WAREHOUSE,
    executor_def=dg.in_process_executor,
)  # fmt: skip

ALL_JOBS = [load_history, load_reference, train_models, start_of_day, intraday_revaluation, end_of_day]
PARTITIONS = business_days
