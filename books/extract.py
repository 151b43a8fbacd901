"""The books as read-only tables for the pipeline: one moment, one ledger head, the same numbers whenever asked."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from books import schema
from books.engine import Books, reading
from books.journal import LedgerHead, ledger_head
from books.positions import quantities
from domain.ledger import BANK_CODES, GENESIS_HASH, Account, client_accounts, desk_accounts

_TEXT, _COUNT, _DAY = pa.string(), pa.int64(), pa.date32()
_CIRCUMSTANCES: Final = {"source": _TEXT, "as_of_date": _DAY, "known_at": pa.timestamp("us", tz="UTC")}
_HEAD: Final = {"ledger_head": _TEXT, **_CIRCUMSTANCES}

COLUMNS: Final[dict[str, dict[str, pa.DataType]]] = {
    "raw_books__accounts": {
        "account_id": _TEXT, "client_id": _TEXT, "market": _TEXT, "currency": _TEXT, "rulebook": _TEXT,
        "opened_on": _DAY, **_HEAD,
    },
    "raw_books__contracts": {
        "contract_id": _TEXT, "account_id": _TEXT, "currency": _TEXT, "principal_minor": _COUNT, "opened_on": _DAY,
        "matures_on": _DAY, **_HEAD,
    },
    "raw_books__positions": {"account_id": _TEXT, "instrument_id": _TEXT, "quantity_shares": _COUNT, **_HEAD},
    "raw_books__ledger_accounts": {
        "ledger_account_id": _TEXT, "code": _TEXT, "kind": _TEXT, "account_id": _TEXT, "currency": _TEXT, **_HEAD,
    },
    "raw_books__transfers": {
        "sequence": _COUNT, "transfer_id": _TEXT, "template": _TEXT, "debit_account_id": _TEXT,
        "credit_account_id": _TEXT, "amount_minor": _COUNT, "currency": _TEXT, "effective_on": _DAY,
        "entry_hash": _TEXT, **_CIRCUMSTANCES,
    },
    "raw_books__balances": {"ledger_account_id": _TEXT, "currency": _TEXT, "balance_minor": _COUNT, **_HEAD},
}  # fmt: skip
"""What the pipeline is handed: table, column, type. Money in minor units, balances with debits positive."""


def extract(books: Books, day: date, known_at: datetime) -> dict[str, pa.Table]:
    """Every table of the books as they stood when ``day`` closed (or stand, if it has not), in one read transaction.

    Only entries up to :func:`closing_head` count, so a day asked for again gives the same numbers and the same head.
    ``raw_books__transfers`` holds the transfers since the head of the day before. Everything a synthetic account owns
    or moves carries ``source = 'synthetic'``.
    """
    with reading(books) as connection:
        head = closing_head(connection, day)
        ledger = _ledger_accounts(connection, head)
        rows = {
            "raw_books__accounts": _accounts(connection, head),
            "raw_books__contracts": _contracts(connection, head),
            "raw_books__positions": _positions(connection, head),
            "raw_books__ledger_accounts": [
                (a.ledger_account_id, a.code, a.kind, a.account_id, a.currency, source) for a, source in ledger
            ],
            "raw_books__transfers": _transfers(connection, day, head, ledger),
            "raw_books__balances": _balances(connection, head, ledger),
        }
    return {table: _table(table, rows[table], str(head), day, known_at) for table in COLUMNS}


def closing_head(connection: sa.Connection, day: date) -> LedgerHead:
    """The entry a business day is valued on: the last one before the first effect of its own close.

    Interest and calls of the close follow from its numbers. Were they counted among them, a close run twice would find
    other numbers than it found at first. They, and whatever is booked after them, belong to the next day.
    """
    last, event = ledger_head(connection, day), schema.event.c
    of_the_day = event.booked_on == day
    interest = sa.select(sa.func.min(event.sequence)).join_from(schema.event, schema.transfer)
    calls = sa.select(sa.func.min(event.sequence)).join_from(schema.event, schema.margin_call)
    effects = [
        connection.execute(interest.where(of_the_day, schema.transfer.c.template == "interest_accrued")).scalar(),
        connection.execute(calls.where(of_the_day, schema.margin_call.c.slice == "close")).scalar(),
    ]
    first_effect = min((sequence for sequence in effects if sequence is not None), default=None)
    if first_effect is None:
        return last
    before = sa.select(event.sequence, event.entry_hash).where(event.sequence < first_effect)
    row = connection.execute(before.order_by(event.sequence.desc()).limit(1)).one_or_none()
    return LedgerHead(row.sequence, row.entry_hash) if row else LedgerHead(0, GENESIS_HASH)


def bank_movements(books: Books, day: date) -> pd.DataFrame:
    """What our own bank accounts (1010, 1110) saw on ``day``; money in is positive.

    Columns bank_account_id, reference (the transfer's id), value_date, amount_minor, currency; one row per transfer.
    """
    columns = ["bank_account_id", "reference", "value_date", "amount_minor", "currency"]
    rows = []
    with reading(books) as connection:
        for row in connection.execute(_transfers_of(connection, day, closing_head(connection, day))):
            for ledger_account_id, sign in ((row.debit_account_id, 1), (row.credit_account_id, -1)):
                if ledger_account_id.partition(".")[0] in BANK_CODES:
                    amount = sign * row.amount_minor
                    rows.append((ledger_account_id, row.transfer_id, row.effective_on, amount, row.currency))
    return pd.DataFrame(rows, columns=columns).astype({"amount_minor": "int64"})


def _accounts(connection: sa.Connection, head: LedgerHead) -> Sequence[sa.Row[Any]]:
    account = schema.account.c
    query = sa.select(
        account.account_id,
        account.client_id,
        account.market,
        account.currency,
        account.rulebook,
        account.opened_on,
        account.source,
    )
    return connection.execute(query.where(account.sequence <= head.sequence).order_by(account.account_id)).all()


def _contracts(connection: sa.Connection, head: LedgerHead) -> Sequence[sa.Row[Any]]:
    contract = schema.contract.c
    query = sa.select(
        contract.contract_id,
        contract.account_id,
        contract.currency,
        contract.principal_minor,
        contract.opened_on,
        contract.matures_on,
        schema.account.c.source,
    ).join_from(schema.contract, schema.account, contract.account_id == schema.account.c.account_id)
    return connection.execute(query.where(contract.sequence <= head.sequence).order_by(contract.contract_id)).all()


def _positions(connection: sa.Connection, head: LedgerHead) -> list[tuple[str, str, int, str]]:
    account = schema.account.c
    source_of = {row[0]: row[1] for row in connection.execute(sa.select(account.account_id, account.source))}
    held = quantities(connection, until_sequence=head.sequence)
    return [(account_id, instrument, shares, source_of[account_id]) for account_id, instrument, shares in held]


def _ledger_accounts(connection: sa.Connection, head: LedgerHead) -> list[tuple[Account, str]]:
    """Every ledger account there is at ``head``, with the source of whoever it belongs to."""
    currency, account = schema.currency.c, schema.account.c
    desk = sa.select(currency.currency, currency.source).where(currency.sequence <= head.sequence)
    clients = sa.select(account.account_id, account.currency, account.source).where(account.sequence <= head.sequence)
    accounts: list[tuple[Account, str]] = []
    for row in connection.execute(desk.order_by(currency.currency)):
        accounts += [(a, row[1]) for a in desk_accounts(row[0])]
    for row in connection.execute(clients.order_by(account.account_id)):
        accounts += [(a, row[2]) for a in client_accounts(row[0], row[1])]
    return accounts


def _transfers_of(connection: sa.Connection, day: date, head: LedgerHead) -> sa.Select[Any]:
    """Transfers after the head of the last day before ``day`` that has entries, up to ``head``."""
    booked_on = schema.event.c.booked_on
    previous = connection.execute(sa.select(sa.func.max(booked_on)).where(booked_on < day)).scalar()
    after = closing_head(connection, previous).sequence if previous else 0
    query = sa.select(schema.transfer, schema.event.c.entry_hash).join_from(schema.transfer, schema.event)
    sequence = schema.transfer.c.sequence
    return query.where(sequence > after, sequence <= head.sequence).order_by(sequence)


def _transfers(
    connection: sa.Connection, day: date, head: LedgerHead, ledger: list[tuple[Account, str]]
) -> list[tuple[Any, ...]]:
    client_source = {a.ledger_account_id: source for a, source in ledger if a.account_id is not None}
    desk_source = {a.ledger_account_id: source for a, source in ledger if a.account_id is None}
    rows = []
    for row in connection.execute(_transfers_of(connection, day, head)):
        # A transfer is as synthetic as the client it concerns; one between desk-wide accounts, as the desk.
        source = (
            client_source.get(row.debit_account_id)
            or client_source.get(row.credit_account_id)
            or desk_source[row.debit_account_id]
        )
        rows.append((*row, source))
    return rows


def _balances(
    connection: sa.Connection, head: LedgerHead, ledger: list[tuple[Account, str]]
) -> list[tuple[str, str, int, str]]:
    balance = {account.ledger_account_id: 0 for account, _ in ledger}
    transfer = schema.transfer.c
    for column, sign in ((transfer.debit_account_id, 1), (transfer.credit_account_id, -1)):
        query = sa.select(column, sa.func.sum(transfer.amount_minor)).where(transfer.sequence <= head.sequence)
        for row in connection.execute(query.group_by(column)):
            balance[str(row[0])] += sign * int(str(row[1]))
    return [(a.ledger_account_id, a.currency, balance[a.ledger_account_id], source) for a, source in ledger]


def _table(table: str, rows: Iterable[Sequence[Any]], head: str, day: date, known_at: datetime) -> pa.Table:
    """Rows with their source last, as an Arrow table with head and circumstances filled in."""
    types = COLUMNS[table]
    names = [name for name in types if name not in ("ledger_head", "as_of_date", "known_at")]
    columns = dict(zip(names, zip(*rows, strict=True), strict=False)) or dict.fromkeys(names, ())
    count = len(columns["source"])
    same = {"ledger_head": head, "as_of_date": day, "known_at": known_at}
    arrays = [
        pa.array(columns[name], type=dtype) if name in columns else pa.repeat(pa.scalar(same[name], type=dtype), count)
        for name, dtype in types.items()
    ]
    return pa.table(arrays, schema=pa.schema(list(types.items())))
