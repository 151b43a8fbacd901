"""Reconciliation: whether custodian and bank agree with the books, line by line."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import Engine

from assets.deliveries import keep
from assets.lake import Lake
from assets.partitions import business_day, business_days
from books.extract import bank_movements
from domain.reconciliation import Line, reconcile
from domain.rulebook import Rulebook
from domain.rulebook import tolerance as allowed_difference
from feeds.bank_statements import read_bank_statement
from feeds.custodian_statements import read_custodian_statement

_RECONCILIATION: dict[str, Any] = {
    "group_name": "reconciliation",
    "owners": ["team:operations"],
    "partitions_def": business_days,
}


class Landing:
    """The folder custodian and bank deliver into; below it ``custodian/`` and ``bank/``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


@dg.asset(**_RECONCILIATION, kinds={"parquet"})
def raw_custodian__positions(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], landing: dg.ResourceParam[Landing]
) -> dg.MaterializeResult[Any]:
    """What the custodian says it holds for us. One row per line of its statement."""
    day = business_day(context)
    delivery = read_custodian_statement(landing.folder, day, datetime.now(UTC))
    return keep(lake, "raw_custodian__positions", delivery, day)


@dg.asset(**_RECONCILIATION, kinds={"parquet"})
def raw_bank__movements(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], landing: dg.ResourceParam[Landing]
) -> dg.MaterializeResult[Any]:
    """What the bank says moved on our accounts. One row per line of its statement."""
    day = business_day(context)
    delivery = read_bank_statement(landing.folder, day, datetime.now(UTC))
    return keep(lake, "raw_bank__movements", delivery, day)


@dg.asset(
    **_RECONCILIATION,
    kinds={"python"},
    deps=["raw_custodian__positions", "raw_bank__movements", "stg_books__positions", "stg_books__transfers"],
)
def calc_reconciliation__breaks(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    books: dg.ResourceParam[Engine],
    rulebooks: dg.ResourceParam[Callable[[str], Rulebook]],
) -> dg.MaterializeResult[Any]:
    """Every difference between the books and the outside, with its class. One row per break.

    Positions are compared share for share per account and instrument, cash movement by movement per bank reference.
    """
    day = business_day(context)
    allowed = allowed_difference(rulebooks("house.reconciliation").governing(on=day))
    held = lake.read("raw_books__positions", day)
    moved = bank_movements(books, day)
    custodian, bank = lake.read("raw_custodian__positions", day), lake.read("raw_bank__movements", day)
    breaks = [
        *_breaks("positions", _position_lines(held), _position_lines(custodian), allowed.quantity_shares),
        *_breaks("cash", _cash_lines(moved), _cash_lines(bank), allowed.amount_minor),
    ]
    rows = pd.DataFrame(breaks, columns=_COLUMNS).assign(
        source=next(iter([*custodian["source"], *bank["source"]]), "none"), known_at=datetime.now(UTC)
    )
    lake.write("calc_reconciliation__breaks", rows, day)
    classes = (rows["subject"] + ": " + rows["break_class"]).value_counts().sort_index()
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "compared": len(held) + len(moved),
            "classes": {str(name): int(count) for name, count in classes.items()},
        }
    )


_COLUMNS = [
    "subject", "key", "break_class", "internal_value", "external_value", "difference", "currency", "explanation",
    "file", "line",
]  # fmt: skip


def _breaks(subject: str, internal: list[Line], external: list[Line], tolerance: int) -> list[tuple[Any, ...]]:
    """Compare two sides of one subject, and say of each break what it is a break of."""
    return [
        (subject, b.key, b.break_class, b.internal_value, b.external_value, b.difference, b.currency, b.explanation,
         b.file, b.line)
        for b in reconcile(internal, external, tolerance, quantity_tolerance=tolerance)
    ]  # fmt: skip


def _position_lines(positions: pd.DataFrame) -> list[Line]:
    keys = positions["account_id"] + "/" + positions["instrument_id"]
    places = positions[["file", "line"]].itertuples(index=False) if "file" in positions else [("", 0)] * len(positions)
    return [
        Line(key, quantity=int(quantity), file=file, line=int(line))
        for key, quantity, (file, line) in zip(keys, positions["quantity_shares"], places, strict=True)
    ]


def _cash_lines(movements: pd.DataFrame) -> list[Line]:
    places = movements[["file", "line"]].itertuples(index=False) if "file" in movements else [("", 0)] * len(movements)
    columns = ["bank_account_id", "reference", "amount_minor", "value_date", "currency"]
    return [
        Line(f"{account}/{reference}", amount_minor=int(amount), day=day, currency=currency, file=file, line=int(line))
        for (account, reference, amount, day, currency), (file, line) in zip(
            movements[columns].itertuples(index=False), places, strict=True
        )
    ]
