"""Margin: what each account must keep, whether it does, and the call when it does not."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
from sqlalchemy import Engine

from assets.lake import Lake
from assets.partitions import Slice, business_day, business_days
from assets.retries import retried_if_it_may_pass
from books.calls import issue
from domain.calls import call_amounts
from domain.errors import NoPrices
from domain.margin import (
    account_ratio_requirement,
    effective_requirement,
    house_requirement,
    maintenance_requirement,
    requirement_per_account,
)
from domain.rulebook import AccountRatio, ChargePerPosition, Rulebook, call_terms, maintenance_rule
from feeds.calendars import session_after

_MARGIN: dict[str, Any] = {"group_name": "margin", "owners": ["team:margin"], "partitions_def": business_days}
_VIEWS = ["int_collateral__positions_priced", "int_margin__accounts_valued"]
_BENEATH = [
    "raw_market__prices",
    "raw_market__daily_bars",
    "calc_market__previous_closes",
    "raw_books__positions",
    "raw_books__balances",
]
"""Tables that move under the views: a tick does not pass through dbt, so the order must be said."""

Rulebooks = Callable[[str], Rulebook]


@dg.asset(**_MARGIN, kinds={"numpy"}, deps=[*_VIEWS, *_BENEATH, "calc_collateral__haircuts"])
def calc_margin__requirements(
    context: dg.AssetExecutionContext,
    config: Slice,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Rulebooks],
) -> dg.MaterializeResult[Any]:
    """Equity each account must keep: the exchange's rule, and the house's where it asks for more.

    One row per account and slice of the business day; an account without positions or debt must keep nothing.
    """
    day = business_day(context)
    accounts = accounts_valued(lake, day, config.slice)
    house = rulebooks("house.margin").governing(on=day)
    charged = [
        _charge(of_one_rulebook.copy(), lake, day, config.slice, rulebooks(str(name)), house.name)
        for name, of_one_rulebook in accounts.groupby("rulebook")
    ]
    rows = pd.concat(charged, ignore_index=True).sort_values("account_id")
    lake.write("calc_margin__requirements", rows, day, config.slice)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "slice": config.slice,
            "rulebook_editions": ", ".join(sorted(set(rows["rulebook_edition"]))),
            "ledger_head": rows["ledger_head"].iloc[0],
        }
    )


@dg.asset(
    **_MARGIN,
    kinds={"sqlalchemy"},
    deps=["calc_margin__requirements", *_VIEWS],
)
@retried_if_it_may_pass()
def calc_margin__calls(
    context: dg.AssetExecutionContext,
    config: Slice,
    lake: dg.ResourceParam[Lake],
    books: dg.ResourceParam[Engine],
    rulebooks: dg.ResourceParam[Rulebooks],
) -> dg.MaterializeResult[Any]:
    """Margin calls of the slice, issued into the books. One row per account in call.

    Each call names the prices, the rule edition, the house edition and the ledger head it stood on, so that it can be
    computed again from those alone.
    """
    day, known_at = business_day(context), datetime.now(UTC)
    requirements = lake.read("calc_margin__requirements", day, config.slice)
    accounts = accounts_valued(lake, day, config.slice)
    calls = requirements.merge(accounts[["account_id", "market", "equity_minor", "source"]], on="account_id")
    calls = calls.drop(columns="source_x").rename(columns={"source_y": "source"})
    calls["call_minor"] = call_amounts(
        calls["equity_minor"].to_numpy(), calls["requirement_minor"].to_numpy(), calls["restore_minor"].to_numpy()
    )
    calls = calls[calls["call_minor"] > 0]
    calls = _with_circumstances(calls, lake, day, config.slice, rulebooks).assign(known_at=known_at)
    head = issue(books, calls, booked_on=day, known_at=known_at)
    lake.write("calc_margin__calls", calls, day, config.slice)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(calls),
            "called_minor": {str(c): int(v) for c, v in calls.groupby("currency")["call_minor"].sum().items()},
            "ledger_head_after": str(head),
        }
    )


def accounts_valued(lake: Lake, day: date, slice_name: str) -> pd.DataFrame:
    """Every account as valued in one slice; raises :class:`NoPrices` where the slice does not exist."""
    accounts = lake.query(
        "select * from int_margin__accounts_valued where as_of_date = ? and slice = ? order by account_id",
        [day, slice_name],
    )
    if accounts.empty:
        raise NoPrices(
            f"No account is valued on {day} at {slice_name!r}: the day has no books, or no price, for that slice. "
            f"Nothing was written; run start_of_day for {day} and deliver its prices, then rerun."
        )
    return accounts


def _charge(
    accounts: pd.DataFrame, lake: Lake, day: date, slice_name: str, rulebook: Rulebook, house_edition: str
) -> pd.DataFrame:
    """Charge the accounts under one rulebook; what the house asks can only add."""
    rule = maintenance_rule(edition := rulebook.governing(on=day))
    if isinstance(rule, ChargePerPosition):
        exchange, house = _charge_positions(accounts, lake, day, slice_name, rule)
        restore = effective_requirement(exchange, house)
    else:
        assert isinstance(rule, AccountRatio)
        debt = (accounts["debt_minor"] + accounts["interest_minor"] + accounts["short_value_minor"]).to_numpy(np.int64)
        exchange, restore = account_ratio_requirement(debt, rule)
        house = np.zeros_like(exchange)
    return accounts[["account_id", "currency", "ledger_head", "source"]].assign(
        slice=slice_name,
        requirement_exchange_minor=exchange,
        requirement_house_minor=house,
        requirement_minor=effective_requirement(exchange, house),
        restore_minor=restore,
        rulebook_edition=edition.name,
        house_edition=house_edition,
        known_at=datetime.now(UTC),
    )


def _charge_positions(
    accounts: pd.DataFrame, lake: Lake, day: date, slice_name: str, rule: ChargePerPosition
) -> tuple[np.ndarray, np.ndarray]:
    positions = lake.query(
        "select account_id, quantity_shares, price_e4, market_value_minor, haircut_ratio "
        "from int_collateral__positions_priced "
        "where as_of_date = ? and slice = ? and quantity_shares <> 0 order by account_id, instrument_id",
        [day, slice_name],
    )
    place = pd.Index(accounts["account_id"]).get_indexer(positions["account_id"])
    positions, place = positions[place >= 0], place[place >= 0]
    price = positions["price_e4"].to_numpy(np.float64, na_value=np.nan)
    exchange_each = maintenance_requirement(
        positions["quantity_shares"].to_numpy(np.int64), np.nan_to_num(price).astype(np.int64), rule
    )
    # An instrument nobody forecast has no lending value: its haircut is the whole.
    haircut = positions["haircut_ratio"].to_numpy(np.float64, na_value=np.nan)
    house_each = house_requirement(
        positions["market_value_minor"].to_numpy(np.int64), np.where(np.isnan(haircut), 1.0, haircut)
    )
    return (
        requirement_per_account(exchange_each, place, len(accounts)),
        requirement_per_account(house_each, place, len(accounts)),
    )


def _with_circumstances(
    calls: pd.DataFrame, lake: Lake, day: date, slice_name: str, rulebooks: Rulebooks
) -> pd.DataFrame:
    """Add to each call its identity, its term, the prices it stood on and a sentence a client can read."""
    terms = call_terms(rulebooks("house.calls").governing(on=day))
    basis = _price_basis(lake, day, slice_name, set(calls["account_id"]))
    markets = sorted(set(calls["market"]))
    due = {market: session_after(market, day, terms.cure_days(market)) for market in markets}
    return calls.assign(
        call_id=[f"{day}/{slice_name}/{account}" for account in calls["account_id"]],
        shortfall_minor=np.maximum(0, -calls["equity_minor"].to_numpy(np.int64)),
        due_on=calls["market"].map(due).astype(object),
        price_basis=[basis.get(account, "[]") for account in calls["account_id"]],
        explanation=[
            f"Equity {equity} is below the requirement {required} under {edition}; {call} restores it to {restore} "
            f"(minor units of {currency})."
            for equity, required, edition, call, restore, currency in calls[
                ["equity_minor", "requirement_minor", "rulebook_edition", "call_minor", "restore_minor", "currency"]
            ].itertuples(index=False)
        ],
        as_of_date=day,
    )[
        [
            "slice", "call_id", "account_id", "currency", "equity_minor", "requirement_minor", "call_minor",
            "shortfall_minor", "due_on", "explanation", "price_basis", "rulebook_edition", "house_edition",
            "ledger_head", "source", "as_of_date",
        ]
    ]  # fmt: skip


def _price_basis(lake: Lake, day: date, slice_name: str, account_ids: set[str]) -> dict[str, str]:
    """For each account in call, the quantity and price of every position, as JSON."""
    positions = lake.query(
        "select account_id, instrument_id, quantity_shares, price_e4, price_kind, price_date "
        "from int_collateral__positions_priced where as_of_date = ? and slice = ? order by account_id, instrument_id",
        [day, slice_name],
    )
    positions = positions[positions["account_id"].isin(account_ids)]
    return {
        str(account): json.dumps(of_one.drop(columns="account_id").to_dict("records"), default=str)
        for account, of_one in positions.groupby("account_id")
    }
