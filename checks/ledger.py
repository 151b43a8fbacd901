"""Invariants of the books as extracted."""

import dagster as dg
from sqlalchemy import Engine

from assets.lake import Lake
from assets.partitions import business_day, business_days
from books.journal import verify_chain


@dg.asset_check(asset="raw_books__balances", blocking=True, partitions_def=business_days)
def debits_equal_credits(context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]) -> dg.AssetCheckResult:
    """In every currency the balances of the whole ledger add up to nothing.

    Blocking: a ledger out of balance has made or lost money, and every equity computed from it would look right.
    """
    balances = lake.read("raw_books__balances", business_day(context))
    net = {str(currency): sum(map(int, of_one)) for currency, of_one in balances.groupby("currency")["balance_minor"]}
    out_of_balance = {currency: total for currency, total in net.items() if total != 0}
    return dg.AssetCheckResult(
        passed=not out_of_balance,
        description=f"{len(balances)} balances in {len(net)} currencies; out of balance: {out_of_balance or 'none'}.",
        metadata={"net_minor": dg.MetadataValue.json(net)},
    )


@dg.asset_check(asset="raw_books__balances", blocking=True, partitions_def=business_days)
def client_money_is_segregated(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """What the segregated bank account (1010) holds is exactly what we owe to clients (2010), per currency.

    Blocking: a difference means client money was used for something else.
    """
    day = business_day(context)
    ledger_accounts = lake.read("raw_books__ledger_accounts", day)[["ledger_account_id", "code"]]
    balances = lake.read("raw_books__balances", day).merge(ledger_accounts, on="ledger_account_id", validate="1:1")
    segregated = balances[balances["code"].isin(["1010", "2010"])]
    by_currency = segregated.groupby("currency")["balance_minor"]
    net = {str(currency): sum(map(int, of_one)) for currency, of_one in by_currency}
    return dg.AssetCheckResult(
        passed=not any(net.values()),
        description=f"Client bank minus client money payable, minor units: {net}.",
        metadata={"difference_minor": dg.MetadataValue.json(net)},
    )


@dg.asset_check(asset="raw_books__transfers", blocking=True, partitions_def=business_days)
def the_ledger_chain_is_intact(
    context: dg.AssetCheckExecutionContext, books: dg.ResourceParam[Engine]
) -> dg.AssetCheckResult:
    """Every entry of the books carries the hash of all before it.

    Blocking: a history that was rewritten proves nothing.
    """
    entries = verify_chain(books)
    return dg.AssetCheckResult(passed=True, description=f"{entries} entries verified.", metadata={"entries": entries})
