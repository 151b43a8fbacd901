"""Ledger: the books as of one head, extracted for the warehouse.

The pipeline reads the books; it does not keep them.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import sqlalchemy as sa
from sqlalchemy import Engine

from assets.lake import Lake
from assets.partitions import business_day, business_days
from assets.retries import retried_if_it_may_pass
from books import schema
from books.corporate_actions import book_dividend, book_split
from books.engine import reading, writing
from books.entitlements import entitlements
from books.extract import extract
from books.positions import quantities
from domain.errors import UnpricedPosition

BOOK_TABLES = {
    "raw_books__accounts": "Margin accounts. One row per account.",
    "raw_books__contracts": "Open loans with their principal and term. One row per contract.",
    "raw_books__positions": "Shares held, negative when sold short. One row per account and instrument.",
    "raw_books__ledger_accounts": "The chart of accounts. One row per ledger account.",
    "raw_books__transfers": "Postings booked on the day, each with its hash. One row per transfer.",
    "raw_books__security_transfers": "Shares moved, booked on the day, each with its hash. One row per transfer.",
    "raw_books__holdings": "What every name owns and every place holds. One row per ledger account and instrument.",
    "raw_books__third_parties": "Banks, custodians and lenders. One row per third party.",
    "raw_clients__accesses": "Devices accounts were used from, by hash. One row per access of the day.",
    "raw_clients__counterparties": "Clients' own bank accounts, by blind index. One row per account and bank account.",
    "raw_books__balances": "Balance of every ledger account, debits positive. One row per ledger account.",
}


@dg.asset(
    group_name="ledger",
    owners=["team:ledger"],
    kinds={"sqlalchemy"},
    partitions_def=business_days,
    deps=["raw_market__corporate_actions", "calc_market__previous_closes"],
)
@retried_if_it_may_pass()
def calc_ledger__entitlements(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], books: dg.ResourceParam[Engine]
) -> dg.MaterializeResult[Any]:
    """Splits and dividends of the day, booked for everyone who held the share before it.

    One row per action and account. A fraction of a share is paid out at the previous close, carried over the split.
    """
    day, known_at = business_day(context), datetime.now(UTC)
    actions = lake.read_between("raw_market__corporate_actions", day, day)
    with writing(books) as connection:
        held = {instrument for _, instrument, _ in quantities(connection, effective_before=day)}
        circumstances: dict[str, Any] = {"ex_date": day, "booked_on": day, "known_at": known_at}
        action: Any
        for action in actions[actions["instrument_id"].isin(held)].sort_values(["kind", "instrument_id"]).itertuples():
            if action.kind == "split":
                price_e4 = _close_after_split(lake, action.instrument_id, day)
                book_split(connection, action.instrument_id, action.split_ratio, price_e4=price_e4, **circumstances)
            else:
                book_dividend(connection, action.instrument_id, int(action.dividend_e4), **circumstances)
    rows = entitlements(books, day).assign(known_at=known_at)
    lake.write("calc_ledger__entitlements", rows, day)
    return dg.MaterializeResult(
        metadata={"dagster/row_count": len(rows), "actions": len(actions), "accounts": rows["account_id"].nunique()}
    )


def _close_after_split(lake: Lake, instrument_id: str, day: date) -> int:
    """Previous close of one share as it stands after the split, in ten-thousandths."""
    closes = lake.read("calc_market__previous_closes", day).set_index("instrument_id")["price_e4"]
    if instrument_id not in closes:
        raise UnpricedPosition(
            f"The split of {instrument_id} on {day} leaves fractions of a share to be paid at its previous close, but "
            f"it has none. Nothing was booked; load its history (job load_history), then rerun start_of_day."
        )
    return int(closes[instrument_id])


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            table,
            deps=["calc_ledger__entitlements"],
            description=description,
            group_name="clients" if table == "raw_books__accounts" or "clients" in table else "ledger",
            owners=["team:ledger"],
            kinds={"sqlalchemy", "parquet"},
            partitions_def=business_days,
        )
        for table, description in BOOK_TABLES.items()
    ]
)
def raw_books(
    context: dg.AssetExecutionContext, books: dg.ResourceParam[Engine], lake: dg.ResourceParam[Lake]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Read the books in one transaction, so that all of them stand on the same ledger head.

    Days something was booked on and that nobody extracted come first, and every day begins where the lake's last one
    ended: the lake keeps the whole journal, whatever is booked while a close is under way.
    """
    day = business_day(context)
    for missed in days_not_extracted(books, lake, day):
        for table, rows in extract(books, missed, datetime.now(UTC), head_before(lake, missed)).items():
            lake.write(table, rows, missed)
    tables = extract(books, day, datetime.now(UTC), head_before(lake, day))
    head = next(iter(tables["raw_books__accounts"].column("ledger_head").to_pylist()), "0:empty")
    for table, rows in tables.items():
        lake.write(table, rows, day)
        yield dg.MaterializeResult(asset_key=table, metadata={"dagster/row_count": rows.num_rows, "ledger_head": head})


def head_before(lake: Lake, day: date) -> int | None:
    """The entry the lake's last day before this one ended with; None where there is none."""
    earlier = [held for held in lake.days("raw_books__balances") if held < day]
    if not earlier:
        return None
    heads = lake.read("raw_books__balances", max(earlier))["ledger_head"]
    return next((int(str(head).partition(":")[0]) for head in heads), None)


def days_not_extracted(books: Engine, lake: Lake, before: date) -> list[date]:
    """Days before one on which something moved in the books and which the lake does not hold, oldest first.

    Looked for backwards until a day the lake does hold: what lies before it was extracted with it.
    """
    event, held, day = schema.event.c, set(lake.days("raw_books__transfers")), before
    missed: list[date] = []
    moved = sa.select(event.booked_on).where(event.kind.in_(("transfer", "security_transfer")))
    with reading(books) as connection:
        while True:
            earlier = moved.where(event.booked_on < day).order_by(event.booked_on.desc()).limit(1)
            found = connection.execute(earlier).scalar_one_or_none()
            if found is None or found in held:
                return missed[::-1]
            missed.append(found)
            day = found
