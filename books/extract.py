"""The books as read-only tables for the pipeline: one moment, one ledger head, the same numbers whenever asked."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from books import schema
from books.engine import Books, reading
from books.journal import LedgerHead, batches, ledger_head
from books.ledger_accounts import all_ledger_accounts
from books.positions import quantities
from books.rules import chart_on
from domain.ledger import (
    BANK_CODES,
    GENESIS_HASH,
    Account,
    AnyTransfer,
    SecurityTransfer,
    Sums,
    Transfer,
    add_credit,
    add_debit,
    moved,
)

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
        "event_id": _TEXT, "phase": _TEXT, "pending_id": _TEXT, "expires_on": _DAY, "reverses": _TEXT,
        "approval_id": _TEXT, "counterparty": _TEXT, "channel": _TEXT, "booked_on": _DAY, "entry_hash": _TEXT,
        **_CIRCUMSTANCES,
    },
    "raw_books__security_transfers": {
        "sequence": _COUNT, "transfer_id": _TEXT, "template": _TEXT, "debit_account_id": _TEXT,
        "credit_account_id": _TEXT, "quantity_shares": _COUNT, "instrument_id": _TEXT, "effective_on": _DAY,
        "event_id": _TEXT, "phase": _TEXT, "pending_id": _TEXT, "expires_on": _DAY, "reverses": _TEXT,
        "approval_id": _TEXT, "booked_on": _DAY, "entry_hash": _TEXT, **_CIRCUMSTANCES,
    },
    "raw_books__balances": {
        "ledger_account_id": _TEXT, "currency": _TEXT, "balance_minor": _COUNT, "debits_pending_minor": _COUNT,
        "credits_pending_minor": _COUNT, **_HEAD,
    },
    "raw_books__holdings": {
        "ledger_account_id": _TEXT, "code": _TEXT, "account_id": _TEXT, "instrument_id": _TEXT,
        "balance_shares": _COUNT, "debits_pending_shares": _COUNT, "credits_pending_shares": _COUNT, **_HEAD,
    },
    "raw_books__third_parties": {
        "third_party_id": _TEXT, "role": _TEXT, "name": _TEXT, "ledger_account_id": _TEXT, **_HEAD,
    },
    "raw_clients__accesses": {
        "access_id": _TEXT, "account_id": _TEXT, "device_hash": _TEXT, "accessed_at": pa.timestamp("us", tz="UTC"),
        **_CIRCUMSTANCES,
    },
    "raw_clients__counterparties": {"account_id": _TEXT, "counterparty": _TEXT, **_CIRCUMSTANCES},
}  # fmt: skip
"""What the pipeline is handed: table, column, type. Money in minor units, balances with debits positive."""

KNOWN_WHEN_BOOKED: Final = frozenset({"raw_books__transfers", "raw_books__security_transfers"})
"""Tables whose rows are known since they were booked, and not since they were extracted."""

Ledger = list[tuple[Account, str]]
"""Ledger accounts, each with the source of whoever it belongs to."""


def extract(books: Books, day: date, known_at: datetime, after: int | None = None) -> dict[str, pa.Table]:
    """Every table of the books as they stood when ``day`` closed (or stand, if it has not), in one read transaction.

    Only entries up to :func:`closing_head` count, so a day asked for again gives the same numbers and the same head.
    The tables of transfers hold those booked ``after`` an entry (since the head of the day before, where none is named;
    name the one last extracted, and nothing is left between two days), each known since it was booked. Balances and
    holdings are the books' own projections, taken back to that head. Everything a synthetic account owns or moves
    carries ``source = 'synthetic'``.
    """
    with reading(books) as connection:
        head = closing_head(connection, day)
        is_empty = head.sequence == 0
        ledger = [] if is_empty else list(all_ledger_accounts(connection, chart_on(connection, day), head.sequence))
        since = _previous_head(connection, day) if after is None else after
        rows = {
            "raw_books__accounts": _accounts(connection, head),
            "raw_books__contracts": _contracts(connection, head),
            "raw_books__positions": _positions(connection, head),
            "raw_books__ledger_accounts": [
                (a.ledger_account_id, a.code, a.kind, a.account_id, a.currency, source)
                for a, source in ledger
                if a.currency is not None
            ],
            "raw_books__transfers": _transfers(connection, schema.transfer, since, head, ledger),
            "raw_books__security_transfers": _transfers(connection, schema.security_transfer, since, head, ledger),
            "raw_books__balances": _balances(connection, head, ledger),
            "raw_books__holdings": _holdings(connection, head, ledger),
            "raw_books__third_parties": _third_parties(connection, head),
            "raw_clients__accesses": _accesses(connection, since, head),
            "raw_clients__counterparties": _counterparties(connection, head),
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
        head = closing_head(connection, day)
        has_moved = schema.transfer.c.phase.is_(None) | (schema.transfer.c.phase == "post")
        since = _previous_head(connection, day)
        for row in connection.execute(_transfers_of(schema.transfer, since, head).where(has_moved)):
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


def _transfers_of(table: sa.Table, after: int, head: LedgerHead) -> sa.Select[Any]:
    """Transfers booked after an entry, up to ``head``."""
    event = schema.event.c
    query = sa.select(table, event.booked_on, event.entry_hash, event.known_at).join_from(table, schema.event)
    return query.where(table.c.sequence > after, table.c.sequence <= head.sequence).order_by(table.c.sequence)


def _previous_head(connection: sa.Connection, day: date) -> int:
    """The head of the last day before ``day`` that has entries."""
    event = schema.event.c
    previous = connection.execute(sa.select(sa.func.max(event.booked_on)).where(event.booked_on < day)).scalar()
    return closing_head(connection, previous).sequence if previous else 0


def _transfers(
    connection: sa.Connection, table: sa.Table, after: int, head: LedgerHead, ledger: Ledger
) -> list[tuple[Any, ...]]:
    source_of = {account.ledger_account_id: source for account, source in ledger}
    client_source = {a.ledger_account_id: source for a, source in ledger if a.account_id is not None}
    rows = []
    for row in connection.execute(_transfers_of(table, after, head)):
        # A transfer is as synthetic as the client it concerns; one between desk-wide accounts, as the desk.
        source = (
            client_source.get(row.debit_account_id)
            or client_source.get(row.credit_account_id)
            or source_of[row.debit_account_id]
        )
        *told, known_at = row
        rows.append((*told, source, known_at))
    return rows


def _balances(connection: sa.Connection, head: LedgerHead, ledger: Ledger) -> list[tuple[Any, ...]]:
    sums = sums_at(connection, schema.transfer, head)
    rows: list[tuple[Any, ...]] = []
    for account, source in ledger:
        if account.currency is not None:
            of = sums.get((account.ledger_account_id, account.currency), Sums())
            told = (of.balance, of.debits_pending, of.credits_pending)
            rows.append((account.ledger_account_id, account.currency, *told, source))
    return rows


def _holdings(connection: sa.Connection, head: LedgerHead, ledger: Ledger) -> list[tuple[Any, ...]]:
    known = {account.ledger_account_id: (account, source) for account, source in ledger}
    rows: list[tuple[Any, ...]] = []
    for (name, instrument_id), of in sorted(sums_at(connection, schema.security_transfer, head).items()):
        if of != Sums() and (of.balance or of.debits_pending or of.credits_pending):
            account, source = known.get(name, (None, "first edition"))
            told = (of.balance, of.debits_pending, of.credits_pending)
            owner = account.account_id if account else None
            rows.append((name, name.partition(".")[0], owner, instrument_id, *told, source))
    return rows


def _third_parties(connection: sa.Connection, head: LedgerHead) -> Sequence[sa.Row[Any]]:
    party = schema.third_party.c
    query = sa.select(party.third_party_id, party.role, party.name, party.ledger_account_id, party.source)
    return connection.execute(query.where(party.sequence <= head.sequence).order_by(party.third_party_id)).all()


def _accesses(connection: sa.Connection, after: int, head: LedgerHead) -> Sequence[sa.Row[Any]]:
    """Devices accounts were used from, after an entry."""
    access, account = schema.access.c, schema.account.c
    query = sa.select(
        access.access_id, access.account_id, access.device_hash, schema.event.c.known_at, account.source
    ).join_from(schema.access, schema.event)
    query = query.join(schema.account, account.account_id == access.account_id)
    since = access.sequence > after
    return connection.execute(query.where(since, access.sequence <= head.sequence).order_by(access.sequence)).all()


def _counterparties(connection: sa.Connection, head: LedgerHead) -> Sequence[sa.Row[Any]]:
    """The bank accounts each client said are their own, by blind index."""
    detail, account = schema.client_detail.c, schema.account.c
    query = sa.select(account.account_id, detail.blind_index, account.source).distinct()
    query = query.join_from(schema.client_detail, schema.account, account.client_id == detail.client_id)
    query = query.where(detail.field == "bank_account", detail.blind_index.is_not(None))
    query = query.where(detail.sequence <= head.sequence, account.sequence <= head.sequence)
    return connection.execute(query.order_by(account.account_id, detail.blind_index)).all()


def sums_at(connection: sa.Connection, table: sa.Table, head: LedgerHead) -> dict[tuple[str, str], Sums]:
    """The projections as they stood at ``head``: as they stand, less what was booked since."""
    projection = schema.balance if table is schema.transfer else schema.holding
    sums = {(str(row[0]), str(row[1])): Sums(*map(int, row[2:6])) for row in connection.execute(sa.select(projection))}
    for transfer, pending in _since(connection, table, head):
        posted, reserved = moved(transfer, pending)
        debit, credit = (transfer.debit_account_id, transfer.unit), (transfer.credit_account_id, transfer.unit)
        sums[debit] = add_debit(sums[debit], -posted, -reserved)
        sums[credit] = add_credit(sums[credit], -posted, -reserved)
    return sums


def _since(
    connection: sa.Connection, table: sa.Table, head: LedgerHead
) -> Iterator[tuple[AnyTransfer, AnyTransfer | None]]:
    """Transfers booked after ``head``, each with the pending one it resolves."""
    kind: Any = Transfer if table is schema.transfer else SecurityTransfer
    columns = [column for column in table.columns if column.name != "sequence"]
    later = connection.execute(sa.select(*columns).where(table.c.sequence > head.sequence)).all()
    names = sorted({row.pending_id for row in later if row.pending_id is not None})
    pending: dict[str, AnyTransfer] = {}
    for batch in batches(names):
        found = connection.execute(sa.select(*columns).where(table.c.transfer_id.in_(batch)))
        pending |= {row.transfer_id: kind(*row) for row in found}
    for row in later:
        yield kind(*row), pending.get(row.pending_id)


def _table(table: str, rows: Iterable[Sequence[Any]], head: str, day: date, known_at: datetime) -> pa.Table:
    """Rows with their source last, as an Arrow table with head and circumstances filled in.

    Where a row knows itself since when it is known, that moment comes after its source.
    """
    types = COLUMNS[table]
    told = ("ledger_head", "as_of_date") if table in KNOWN_WHEN_BOOKED else ("ledger_head", "as_of_date", "known_at")
    names = [name for name in types if name not in told]
    columns = dict(zip(names, zip(*rows, strict=True), strict=False)) or dict.fromkeys(names, ())
    count = len(columns["source"])
    same = {"ledger_head": head, "as_of_date": day, "known_at": known_at}
    arrays = [
        pa.array(columns[name], type=dtype) if name in columns else pa.repeat(pa.scalar(same[name], type=dtype), count)
        for name, dtype in types.items()
    ]
    return pa.table(arrays, schema=pa.schema(list(types.items())))
