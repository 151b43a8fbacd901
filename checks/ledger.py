"""Invariants of the books as extracted."""

from typing import Any, Final

import dagster as dg
import pandas as pd
from sqlalchemy import Engine

from assets.lake import Lake
from assets.partitions import business_day, business_days
from books.audit import verify

CLOSES_LOOKED_BACK_ON: Final = 5
"""How many closed days are added up again at each close: enough for a week, however long the history."""

_LINES_CHANGED: Final = """
with lines as (
    select
        as_of_date,
        currency,
        split_part(ledger_account_id, '.', 1) as code,
        effective_on,
        sum(signed_minor) as moved_minor,
        count(*) as lines
    from int_ledger__journal_lines
    where as_of_date between ? and ?
    group by 1, 2, 3, 4
),
kept as (
    select as_of_date, currency, code, effective_on, debits_minor - credits_minor as moved_minor, lines
    from fct_ledger__turnover_daily
    where as_of_date between ? and ?
)
select distinct
    coalesce(kept.as_of_date, lines.as_of_date) as known_on,
    coalesce(kept.code, lines.code) as code,
    coalesce(kept.currency, lines.currency) as currency
from kept
full outer join lines using (as_of_date, currency, code, effective_on)
where kept.moved_minor is distinct from lines.moved_minor or kept.lines is distinct from lines.lines
order by 1, 2, 3
"""

_BALANCES_CHANGED: Final = """
with kept as (
    select * from fct_ledger__trial_balance_daily where as_of_date = known_on and known_on between ? and ?
),
told as (
    select closes.known_on, turnover.currency, turnover.code,
        sum(turnover.debits_minor) as debits_minor, sum(turnover.credits_minor) as credits_minor
    from (select distinct known_on from kept) as closes
    inner join fct_ledger__turnover_daily as turnover
        on closes.known_on >= turnover.effective_on and closes.known_on >= turnover.as_of_date
    group by 1, 2, 3
)
select coalesce(kept.known_on, told.known_on) as known_on,
    coalesce(kept.code, told.code) as code,
    coalesce(kept.currency, told.currency) as currency
from kept
full outer join told using (known_on, currency, code)
where kept.debits_minor is distinct from told.debits_minor or kept.credits_minor is distinct from told.credits_minor
order by 1, 2, 3
"""


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
    entries = verify(books).entries
    return dg.AssetCheckResult(passed=True, description=f"{entries} entries verified.", metadata={"entries": entries})


@dg.asset_check(asset="raw_books__balances", blocking=True, partitions_def=business_days)
def no_client_owes_us_their_own_money(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """What is owed to a client (2010) is never less than nothing.

    Blocking: an overdrawn client was paid with the money of the others, and the total still looks right.
    """
    balances = lake.read("raw_books__balances", business_day(context))
    money = balances[balances["ledger_account_id"].str.startswith("2010.")]
    overdrawn = money[money["balance_minor"] > 0]
    return dg.AssetCheckResult(
        passed=overdrawn.empty,
        description=f"{len(overdrawn)} of {len(money)} clients have less than nothing with us.",
        metadata={"overdrawn": sorted(overdrawn["ledger_account_id"])[:20]},
    )


@dg.asset_check(
    asset="raw_books__holdings", additional_deps=["raw_books__positions"], blocking=True, partitions_def=business_days
)
def every_share_is_in_a_name_and_a_place(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Per instrument names and places sum to nothing, and a position is what is in the name (9020) less what is owed
    (9110).

    Blocking: shares in a name and in no place cannot be delivered, and are lent against all the same.
    """  # noqa: D205
    day = business_day(context)
    holdings = lake.read("raw_books__holdings", day)
    net = holdings.groupby("instrument_id")["balance_shares"].sum()
    unplaced = net[net != 0]
    named = holdings[holdings["code"].isin(["9020", "9110"])]
    held = -named.groupby(["account_id", "instrument_id"])["balance_shares"].sum()
    positions = lake.read("raw_books__positions", day).set_index(["account_id", "instrument_id"])["quantity_shares"]
    differing = held.sub(positions, fill_value=0).loc[lambda difference: difference != 0]
    return dg.AssetCheckResult(
        passed=unplaced.empty and differing.empty,
        description=(
            f"{len(net)} instruments, {len(unplaced)} not in as many places as names; {len(positions)} positions, "
            f"{len(differing)} not what their holdings say."
        ),
        metadata={
            "instruments": sorted(map(str, unplaced.index))[:20],
            "positions": sorted(f"{account} {instrument}" for account, instrument in differing.index)[:20],
        },
    )


@dg.asset_check(
    asset="fct_ledger__roll_forward_daily",
    additional_deps=["raw_books__balances"],
    blocking=True,
    partitions_def=business_days,
)
def the_books_agree_with_the_ledger(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """For each ledger account the balance the books keep is the last closing plus every line since.

    Blocking: two ledgers that differ by a cent are both believed, and one of them is wrong.
    """
    day = business_day(context)
    differing = lake.query(
        """
        with rolled as (
            select ledger_account_id, currency, closing_minor from fct_ledger__roll_forward_daily where as_of_date = ?
        ),
        kept as (
            select ledger_account_id, currency, balance_minor from stg_books__balances where as_of_date = ?
        )
        select
            coalesce(kept.ledger_account_id, rolled.ledger_account_id) as ledger_account_id,
            coalesce(kept.balance_minor, 0) as books_minor,
            coalesce(rolled.closing_minor, 0) as ledger_minor
        from kept
        full outer join rolled
            on kept.ledger_account_id = rolled.ledger_account_id and kept.currency = rolled.currency
        where coalesce(kept.balance_minor, 0) != coalesce(rolled.closing_minor, 0)
        order by 1
        """,
        [day, day],
    )
    told = [f"{row.ledger_account_id}: books {row.books_minor}, ledger {row.ledger_minor}" for row in _rows(differing)]
    return dg.AssetCheckResult(
        passed=differing.empty,
        description=f"{len(differing)} ledger accounts differ, minor units: {'; '.join(told[:5]) or 'none'}.",
        metadata={"differing": told[:20]},
    )


@dg.asset_check(asset="fct_ledger__control_accounts", blocking=True, partitions_def=business_days)
def sub_ledgers_equal_their_control_accounts(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Clients' accounts one by one add up to what the journal moved in their class, and loans do not pass their
    contracts.

    A loan that was paid back in part is smaller than its contract. Blocking: money lent without a contract earns
    nothing, and nobody is asked for it.
    """  # noqa: D205
    rows = lake.query(
        "select * from fct_ledger__control_accounts where as_of_date = ? order by code, currency",
        [business_day(context)],
    )
    differing = rows[rows["difference_minor"] != 0]
    lent = rows[rows["code"] == "1210"]
    uncovered = lent[lent["sub_ledger_minor"] > lent["contracts_minor"].fillna(0)]
    return dg.AssetCheckResult(
        passed=differing.empty and uncovered.empty,
        description=(
            f"{len(rows)} control accounts; differing: {_named(differing, 'difference_minor')}; lent without a "
            f"contract: {_named(uncovered, 'sub_ledger_minor')}."
        ),
        metadata={"control_accounts": len(rows)},
    )


@dg.asset_check(asset="fct_ledger__trial_balance_daily", blocking=True, partitions_def=business_days)
def closed_days_are_never_restated(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """What the last closes kept is still what their lines add up to, as known then.

    Blocking: a past that changes without a new version was changed by somebody, and no reader would know.
    """
    closes = lake.query(
        "select distinct known_on from fct_ledger__trial_balance_daily where known_on <= ? order by 1 desc limit ?",
        [business_day(context), CLOSES_LOOKED_BACK_ON],
    )["known_on"]
    first, last = (closes.min(), closes.max()) if len(closes) else (business_day(context),) * 2
    restated = pd.concat([lake.query(_LINES_CHANGED, [first, last] * 2), lake.query(_BALANCES_CHANGED, [first, last])])
    told = [f"{row.known_on} {row.code} {row.currency}" for row in _rows(restated)]
    return dg.AssetCheckResult(
        passed=restated.empty,
        description=f"{len(restated)} figures of closed days changed: {'; '.join(told[:5]) or 'none'}.",
        metadata={"restated": told[:20]},
    )


def _rows(frame: pd.DataFrame) -> list[Any]:
    return list(frame.itertuples(index=False))


def _named(rows: pd.DataFrame, column: str) -> str:
    return ", ".join(f"{row.code} {row.currency} {getattr(row, column)}" for row in _rows(rows)) or "none"
