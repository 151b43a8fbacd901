"""Risk: what the pledged portfolio may lose, slice by slice through the day."""

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from assets.lake import Lake
from assets.margin import accounts_valued
from assets.partitions import Slice, business_day, business_days
from domain.errors import TooFewScenarios
from domain.risk.loss import expected_shortfall, value_at_risk
from domain.risk.scenarios import portfolio_losses

SCENARIOS_MAX = 500
"""Days of history the scenarios of the day are drawn from."""

VAR_LEVEL, ES_LEVEL = Fraction(99, 100), Fraction(975, 1000)

_RISK: dict[str, Any] = {
    "group_name": "risk",
    "owners": ["team:risk"],
    "partitions_def": business_days,
    "kinds": {"numpy"},
}


@dg.asset(**_RISK, deps=["int_market__daily_returns", "raw_market__daily_bars", "raw_market__corporate_actions"])
def calc_risk__scenarios(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.MaterializeResult[Any]:
    """Returns every instrument had on each of the last sessions, replayed as tomorrow.

    One row per instrument and session. A session on which an instrument did not trade moves it by nothing.
    """
    day = business_day(context)
    returns = lake.query(
        "select instrument_id, as_of_date as scenario_date, return_ratio from int_market__daily_returns "
        "where as_of_date < ? and as_of_date in "
        "(select distinct as_of_date from int_market__daily_returns where as_of_date < ? order by 1 desc limit ?)",
        [day, day, SCENARIOS_MAX],
    )
    rows = returns.assign(return_ratio=np.expm1(returns["return_ratio"]), known_at=datetime.now(UTC))
    rows["source"] = lake.query("select any_value(source) as source from stg_market__instruments")["source"].iloc[0]
    lake.write("calc_risk__scenarios", rows, day)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(rows), "scenarios": int(returns["scenario_date"].nunique())}
    )


@dg.asset(**_RISK, deps=["calc_margin__requirements", "calc_risk__scenarios", "int_margin__accounts_valued"])
def calc_risk__slices(
    context: dg.AssetExecutionContext, config: Slice, lake: dg.ResourceParam[Lake]
) -> dg.MaterializeResult[Any]:
    """The book at one moment: value, debt, equity, accounts in call, VaR and ES. One row per currency and slice."""
    day = business_day(context)
    accounts = accounts_valued(lake, day, config.slice).merge(
        lake.read("calc_margin__requirements", day, config.slice)[["account_id", "requirement_minor"]], on="account_id"
    )
    accounts["accounts_in_call"] = accounts["equity_minor"] < accounts["requirement_minor"]
    held = lake.query(
        "select currency, instrument_id, sum(market_value_minor)::bigint as market_value_minor "
        "from int_collateral__positions_priced where as_of_date = ? and slice = ? group by all order by all",
        [day, config.slice],
    )
    scenarios = lake.read("calc_risk__scenarios", day).pivot(
        index="scenario_date", columns="instrument_id", values="return_ratio"
    )
    rows = pd.DataFrame(
        [_slice(str(currency), of_one, held, scenarios) for currency, of_one in accounts.groupby("currency")]
    ).assign(slice=config.slice, sliced_at=datetime.now(UTC), known_at=datetime.now(UTC))
    lake.write("calc_risk__slices", rows, day, config.slice)
    return dg.MaterializeResult(
        metadata={
            "slice": config.slice,
            "accounts_in_call": int(rows["accounts_in_call"].sum()),
            **{
                f"{column}_{currency}": int(amount)
                for column in ("var_99_minor", "equity_minor")
                for currency, amount in zip(rows["currency"], rows[column], strict=True)
            },
        }
    )


def _slice(currency: str, accounts: pd.DataFrame, held: pd.DataFrame, scenarios: pd.DataFrame) -> dict[str, Any]:
    """Sum one currency's accounts and put its pledged shares through every scenario."""
    values = held[held["currency"] == currency].set_index("instrument_id")["market_value_minor"]
    returns = scenarios.reindex(columns=values.index)
    # Days before an instrument existed, or without any market of this currency, say nothing about it.
    returns = returns.dropna(how="all").fillna(0.0)
    if returns.empty:
        raise TooFewScenarios(
            f"VaR in {currency} needs a history of daily returns, but none of its {len(values)} instruments has one. "
            f"Load history (job load_history) for a year before the day, then rerun start_of_day. Nothing was written."
        )
    losses = portfolio_losses(values.to_numpy(np.float64), returns.to_numpy(np.float64))
    return {
        "currency": currency,
        "accounts": len(accounts),
        "accounts_in_call": int(accounts["accounts_in_call"].sum()),
        "market_value_minor": int(accounts["market_value_minor"].sum()),
        "debt_minor": int(accounts["debt_minor"].sum()),
        "equity_minor": int(accounts["equity_minor"].sum()),
        "var_99_minor": round(value_at_risk(losses, VAR_LEVEL)),
        "es_975_minor": round(expected_shortfall(losses, ES_LEVEL)),
        "scenarios": len(losses),
        "ledger_head": accounts["ledger_head"].iloc[0],
        "source": accounts["source"].iloc[0],
    }
