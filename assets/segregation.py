"""Segregation: what must be locked up and reserved for customers in the United States, as reports of the close.

China's rule, that clients' money at the bank equals what is owed to clients, is no report: the books refuse to break
it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any, Final

import dagster as dg
import pandas as pd

from assets.lake import Lake
from assets.margin import accounts_valued
from assets.partitions import business_day, business_days
from domain.rulebook import Edition, Rulebook, control_terms, reserve_terms
from domain.segregation import (
    Holding,
    Reserve,
    ReserveTerms,
    choose_locked,
    net_debit_minor,
    reserve_requirement,
    securities_to_segregate,
)

CURRENCY: Final = "USD"
"""The rule binds brokers in the United States, whose accounts here are kept in dollars."""

CODES_OF_ITEM: Final = {1: ("2010",), 2: ("2110", "2120"), 3: ("2410",), 10: ("1210", "1220", "1320"), 11: ("1410",)}
"""Which classes of the chart make up each line of Exhibit A; the desk has nothing that the other lines ask for."""

TABLES: Final = {
    "calc_ledger__control": "The 140 % test of possession or control. One row per account in debt and business day.",
    "calc_ledger__locked_shares": "Shares to lock up for each account. One row per account, instrument and day.",
    "calc_ledger__reserve_lines": "Exhibit A of the reserve formula. One row per line and business day.",
    "calc_ledger__reserve": "What must lie in the special reserve account. One row per currency and business day.",
}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            table,
            deps=["int_margin__accounts_valued", "int_collateral__positions_priced", "raw_market__daily_bars",
                  "raw_books__balances"],
            description=description,
            group_name="ledger",
            owners=["team:ledger"],
            kinds={"pandas"},
            partitions_def=business_days,
        )
        for table, description in TABLES.items()
    ]
)  # fmt: skip
def segregation_reports(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    rulebooks: dg.ResourceParam[Callable[[str], Rulebook]],
) -> Iterator[dg.MaterializeResult[Any]]:
    """SEC Rule 15c3-3 at the close: what is locked up, what may be pledged, and the reserve, computed daily."""
    day = business_day(context)
    edition = rulebooks("us.rule_15c3_3").governing(on=day)
    accounts = accounts_valued(lake, day, "close")
    accounts = accounts[(accounts["market"] == "US") & (accounts["debt_minor"] + accounts["short_value_minor"] > 0)]
    control = control_report(accounts, edition)
    lines, reserve = reserve_report(_balances(lake, day), edition)
    frames = {
        "calc_ledger__control": control,
        "calc_ledger__locked_shares": locked_report(control, _positions(lake, day), edition),
        "calc_ledger__reserve_lines": lines,
        "calc_ledger__reserve": reserve,
    }
    for table, rows in frames.items():
        lake.write(table, rows.assign(rulebook_edition=edition.name, known_at=datetime.now(UTC)), day)
        yield dg.MaterializeResult(asset_key=table, metadata={"dagster/row_count": len(rows)})


def control_report(accounts: pd.DataFrame, edition: Edition) -> pd.DataFrame:
    """What each account's debt lets the desk pledge of its shares, and what it must lock up."""
    terms = control_terms(edition)
    owed = accounts["debt_minor"] + accounts["interest_minor"] - accounts["cash_minor"]
    debits = [
        net_debit_minor(-int(debit), int(short))
        for debit, short in zip(owed, accounts["short_value_minor"], strict=True)
    ]
    tested = [
        securities_to_segregate(int(value), debit, terms)
        for value, debit in zip(accounts["long_value_minor"], debits, strict=True)
    ]
    return accounts[["account_id", "currency", "long_value_minor", "ledger_head", "source"]].assign(
        net_debit_minor=debits,
        pledgeable_minor=[one.pledgeable_minor for one in tested],
        to_segregate_minor=[one.to_segregate_minor for one in tested],
    )


def locked_report(control: pd.DataFrame, positions: pd.DataFrame, edition: Edition) -> pd.DataFrame:
    """Which shares to lock up: the choice that locks least above what must be."""
    held = dict(list(positions.groupby("account_id")))
    rows: list[tuple[Any, ...]] = []
    account: Any
    for account in control.itertuples():
        mine = held.get(account.account_id)
        if mine is None or account.to_segregate_minor == 0:
            continue
        holdings = [
            Holding(str(name), int(shares), int(price))
            for name, shares, price in mine[["instrument_id", "quantity_shares", "price_e4"]].itertuples(index=False)
        ]
        locked = choose_locked(holdings, int(account.to_segregate_minor), str(account.currency)).quantity_shares
        rows += [
            (account.account_id, one.instrument_id, one.quantity_shares, locked.get(one.instrument_id, 0), one.price_e4,
             account.ledger_head, account.source)
            for one in holdings
        ]  # fmt: skip
    names = ["account_id", "instrument_id", "quantity_shares", "locked_shares", "price_e4", "ledger_head", "source"]
    return pd.DataFrame(rows, columns=names)


def reserve_report(balances: pd.DataFrame, edition: Edition) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Exhibit A line by line, and what it comes to; the desk uses the alternative method and computes daily."""
    terms = reserve_terms(edition)
    amount_of = {item: _owed(balances, codes) for item, codes in CODES_OF_ITEM.items()}
    on_deposit = max(0, int(balances.loc[balances["code"] == "1010", "balance_minor"].sum()))
    result = reserve_requirement(amount_of, on_deposit, "alternative", "daily", terms)
    same = {
        "currency": CURRENCY,
        "ledger_head": next(iter(balances["ledger_head"]), "0:empty"),
        "source": "synthetic" if (balances["source"] == "synthetic").any() else next(iter(balances["source"]), "books"),
    }
    return _lines(terms, amount_of).assign(**same), _summary(result).assign(**same)


def _lines(terms: ReserveTerms, amount_of: dict[int, int]) -> pd.DataFrame:
    told = [(one.item, one.side, one.title, amount_of.get(one.item, 0)) for one in terms.items]
    return pd.DataFrame(told, columns=["item", "side", "title", "amount_minor"])


def _summary(reserve: Reserve) -> pd.DataFrame:
    names = [
        "credits_minor", "debits_minor", "reduction_minor", "required_minor", "on_deposit_minor", "movement_minor",
    ]  # fmt: skip
    row: dict[str, Any] = {name: getattr(reserve, name) for name in names}
    return pd.DataFrame([row | {"method": "alternative", "frequency": "daily"}])


def _owed(balances: pd.DataFrame, codes: tuple[str, ...]) -> int:
    """Total of some classes, each on its own side and never below nothing."""
    total = int(balances.loc[balances["code"].isin(codes), "balance_minor"].sum())
    return max(0, -total if codes[0].startswith("2") else total)


def _balances(lake: Lake, day: date) -> pd.DataFrame:
    accounts = lake.read("raw_books__ledger_accounts", day)[["ledger_account_id", "code"]]
    balances = lake.read("raw_books__balances", day).merge(accounts, on="ledger_account_id", validate="1:1")
    return balances[balances["currency"] == CURRENCY]


def _positions(lake: Lake, day: date) -> pd.DataFrame:
    return lake.query(
        "select account_id, instrument_id, quantity_shares, price_e4 from int_collateral__positions_priced "
        "where as_of_date = ? and slice = 'close' and quantity_shares > 0 order by account_id, instrument_id",
        [day],
    )
