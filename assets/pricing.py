"""Pricing: what each loan should cost, part by part, and the interest it earned today."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
from sqlalchemy import Engine

from assets.lake import Lake
from assets.margin import accounts_valued
from assets.partitions import business_day, business_days
from assets.retries import retried_if_it_may_pass
from books.accruals import post_accruals
from domain.interest import accrued_interest_minor
from domain.pricing import expected_loss, rate_build_up, rate_in_e8
from domain.rulebook import PricingTerms, Rulebook, pricing_terms
from feeds.calendars import MARKETS, session_after

_PRICING: dict[str, Any] = {"group_name": "pricing", "owners": ["team:pricing"], "partitions_def": business_days}
_READS = ["int_margin__accounts_valued", "int_collateral__positions_priced", "stg_books__contracts"]

Rulebooks = Callable[[str], Rulebook]


@dg.asset(
    **_PRICING,
    kinds={"numpy"},
    deps=[*_READS, "stg_market__rates", "calc_forecasting__volatility", "raw_market__daily_bars"],
)
def calc_pricing__loan_rates(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Rulebooks],
) -> dg.MaterializeResult[Any]:
    """Annual rate of every open loan: risk-free, plus funding premium, plus expected loss; the parts sum to the rate.

    One row per contract and business day. The expected loss is that of the account's whole collateral at the close.
    """
    day = business_day(context)
    edition = rulebooks("house.pricing").governing(on=day)
    terms = pricing_terms(edition)
    loans = lake.query("select * from stg_books__contracts where as_of_date = ? order by contract_id", [day])
    rows = loans.merge(_expected_loss(lake, day, terms), on="account_id", how="left", validate="many_to_one")
    risk_free = terms.risk_free_e8 | _risk_free(lake, day)
    parts = [
        rate_build_up(risk_free[currency], terms.funding_premium_e8[currency], int(premium))
        for currency, premium in zip(rows["currency"], rows["expected_loss_premium_e8"], strict=True)
    ]
    rows = rows.assign(
        risk_free_e8=[part.risk_free_e8 for part in parts],
        funding_premium_e8=[part.funding_premium_e8 for part in parts],
        rate_e8=[part.rate_e8 for part in parts],
        house_edition=edition.name,
        known_at=datetime.now(UTC),
    )
    columns = [
        "contract_id", "account_id", "currency", "principal_minor", "risk_free_e8", "funding_premium_e8",
        "expected_loss_premium_e8", "rate_e8", "pd_ratio", "lgd_ratio", "volatility_ratio", "house_edition",
        "ledger_head", "source", "known_at",
    ]  # fmt: skip
    lake.write("calc_pricing__loan_rates", rows[columns], day)
    mean = np.average(rows["rate_e8"], weights=rows["principal_minor"]) / 1e8 if len(rows) else 0.0
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows), "rate_mean_ratio": float(mean)})


@dg.asset(
    **_PRICING,
    kinds={"sqlalchemy"},
    deps=["calc_pricing__loan_rates"],
)
@retried_if_it_may_pass()
def calc_pricing__accruals(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    books: dg.ResourceParam[Engine],
    rulebooks: dg.ResourceParam[Rulebooks],
) -> dg.MaterializeResult[Any]:
    """One calendar day's interest on every open loan, posted to the books. One row per contract and business day.

    The first day counts and the last does not, so the days since the previous accrual are those before this one.
    """
    day, known_at = business_day(context), datetime.now(UTC)
    terms = pricing_terms(rulebooks("house.pricing").governing(on=day))
    rates = lake.read("calc_pricing__loan_rates", day)
    opened = lake.query("select contract_id, opened_on from stg_books__contracts where as_of_date = ?", [day])
    rows = rates.merge(opened, on="contract_id", validate="one_to_one")
    since = last_accrual_before(lake, day)
    rows["days"] = [(day - max(since, start)).days for start in _as_dates(rows["opened_on"])]
    rows["basis_days"] = [terms.basis_days[currency] for currency in rows["currency"]]
    rows["interest_minor"] = [
        accrued_interest_minor(int(principal), int(rate), int(days), int(basis))
        for principal, rate, days, basis in rows[["principal_minor", "rate_e8", "days", "basis_days"]].itertuples(
            index=False
        )
    ]
    rows = rows[rows["interest_minor"] > 0].assign(
        transfer_id=lambda due: [f"interest/{day}/{contract}" for contract in due["contract_id"]], known_at=known_at
    )
    columns = [
        "contract_id", "account_id", "transfer_id", "currency", "principal_minor", "rate_e8", "days", "basis_days",
        "interest_minor", "source", "known_at",
    ]  # fmt: skip
    head = post_accruals(books, rows[columns], booked_on=day, known_at=known_at)
    lake.write("calc_pricing__accruals", rows[columns], day)
    totals = rows.groupby("currency")["interest_minor"].sum()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "interest_minor": {str(currency): int(total) for currency, total in totals.items()},
            "ledger_head_after": str(head),
        }
    )


def last_accrual_before(lake: Lake, day: date) -> date:
    """The day interest was last accrued to; the last session of any market on a desk that never accrued.

    Asked of what was done, not of the calendar, so that a day on which no close ran is owed by the next one.
    """
    accrued = [done for done in lake.days("calc_pricing__accruals") if done < day]
    return accrued[-1] if accrued else max(session_after(market, day, -1) for market in MARKETS)


def _account_volatility(lake: Lake, day: date) -> pd.DataFrame:
    """Volatility of each account's collateral as if its shares fell together.

    It is weighted by value and never diversified away.
    """
    positions = lake.query(
        "select account_id, instrument_id, abs(market_value_minor)::double as weight "
        "from int_collateral__positions_priced where as_of_date = ? and slice = 'close' and market_value_minor <> 0",
        [day],
    ).merge(lake.read("calc_forecasting__volatility", day)[["instrument_id", "volatility_ratio"]], on="instrument_id")
    positions["weighted"] = positions["weight"] * positions["volatility_ratio"]
    sums = positions.groupby("account_id")[["weight", "weighted"]].sum()
    return (sums["weighted"] / sums["weight"]).rename("volatility_ratio").reset_index()


def _expected_loss(lake: Lake, day: date, terms: PricingTerms) -> pd.DataFrame:
    """Expected loss of lending to each account for a year, as a rate on its debt."""
    accounts = accounts_valued(lake, day, "close").merge(_account_volatility(lake, day), on="account_id", how="left")
    floor = terms.volatility_floor_ratio
    volatility = np.maximum(accounts["volatility_ratio"].fillna(floor).to_numpy(np.float64), floor)
    owed = accounts["debt_minor"] + accounts["interest_minor"] + accounts["short_value_minor"]
    assets = np.maximum(accounts["assets_minor"].to_numpy(np.float64), 0)
    loss = expected_loss(assets, owed.to_numpy(np.float64), volatility, terms)
    return pd.DataFrame(
        {
            "account_id": accounts["account_id"],
            "volatility_ratio": volatility,
            "pd_ratio": loss.pd_ratio,
            "lgd_ratio": loss.lgd_ratio,
            "expected_loss_premium_e8": rate_in_e8(loss.rate_ratio),
        }
    )


def _risk_free(lake: Lake, day: date) -> dict[str, int]:
    """The vendor's latest rate of each currency, where one was delivered."""
    delivered = lake.query(
        "select currency, arg_max(rate_e8, as_of_date) as rate_e8 from stg_market__rates "
        "where as_of_date <= ? group by 1",
        [day],
    )
    return {
        str(currency): int(rate) for currency, rate in zip(delivered["currency"], delivered["rate_e8"], strict=True)
    }


def _as_dates(days: pd.Series) -> list[date]:
    return [day.date() if isinstance(day, datetime) else day for day in days]
