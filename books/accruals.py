"""Interest earned on loans, posted once per contract and day."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.frames import records
from books.journal import LedgerHead, batches, refused
from books.posting import post
from domain.ledger import Transfer, ledger_account_id


def post_accruals(
    books: Books, accruals: pd.DataFrame | Iterable[Mapping[str, Any]], *, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Post interest (columns contract_id, account_id, transfer_id, currency, interest_minor); nothing for zero."""
    rows = records(accruals)
    transfers = [
        Transfer(
            str(row["transfer_id"]),
            "interest_accrued",
            ledger_account_id("1220", str(row["account_id"])),
            ledger_account_id("4010", str(row["currency"])),
            int(row["interest_minor"]),
            str(row["currency"]),
            booked_on,
        )
        for row in rows
        if int(row["interest_minor"]) != 0
    ]
    with writing(books) as connection:
        _require_contracts(connection, rows)
        return post(connection, transfers, booked_on=booked_on, known_at=known_at)


def _require_contracts(connection: sa.Connection, rows: list[Mapping[str, Any]]) -> None:
    contract = schema.contract.c
    query = sa.select(contract.contract_id, contract.account_id)
    account_of: dict[str, str] = {}
    for batch in batches(sorted({str(row["contract_id"]) for row in rows})):
        account_of |= {row[0]: row[1] for row in connection.execute(query.where(contract.contract_id.in_(batch)))}
    for row in rows:
        if account_of.get(str(row["contract_id"])) != row["account_id"]:
            raise refused(
                f"Accrual {row['transfer_id']}",
                "contract_must_belong_to_account",
                f"contract {row['contract_id']} is not one of account {row['account_id']}",
            )
