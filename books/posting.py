"""The one way money moves: transfers are judged one by one and written as one batch, or not at all."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from books import schema
from books.clients import ledger_accounts
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, append, batches, ledger_head
from domain.errors import TransferRefused
from domain.ledger import TEMPLATES_PAID_FROM_CLIENT_MONEY, Account, Rejection, Transfer, judge


def post(books: Books, transfers: Sequence[Transfer], *, booked_on: date, known_at: datetime) -> LedgerHead:
    """Post a batch in one transaction; what was posted before stays, what breaks a rule refuses the whole batch."""
    with writing(books) as connection:
        append(connection, judged_entries(connection, transfers), booked_on, known_at)
        return ledger_head(connection)


def judged_entries(connection: sa.Connection, transfers: Sequence[Transfer]) -> Iterator[Entry]:
    """Journal entries of the transfers that are new; raises :class:`TransferRefused` at the first broken rule."""
    accounts: dict[str, Account] = {}
    for batch in batches(transfers):
        touched = {t.debit_account_id for t in batch} | {t.credit_account_id for t in batch}
        accounts |= ledger_accounts(connection, touched)
    posted = _posted(connection, [transfer.transfer_id for transfer in transfers])
    payers = {t.debit_account_id for t in transfers if t.template in TEMPLATES_PAID_FROM_CLIENT_MONEY}
    available = _available(connection, payers) if payers else {}
    for transfer in transfers:
        existing = posted.get(transfer.transfer_id)
        is_limited = transfer.template in TEMPLATES_PAID_FROM_CLIENT_MONEY
        limit = available[transfer.debit_account_id] if is_limited else None
        debit, credit = accounts.get(transfer.debit_account_id), accounts.get(transfer.credit_account_id)
        if rejection := judge(transfer, debit, credit, existing, limit):
            raise _refused(transfer, rejection)
        if existing is None:
            posted[transfer.transfer_id] = transfer
            for account_id, sign in ((transfer.debit_account_id, -1), (transfer.credit_account_id, 1)):
                if account_id in available:
                    available[account_id] += sign * transfer.amount_minor
            yield _entry(transfer)


def _posted(connection: sa.Connection, transfer_ids: Iterable[str]) -> dict[str, Transfer]:
    columns = [column for column in schema.transfer.columns if column.name != "sequence"]
    query = sa.select(*columns)
    posted = {}
    for batch in batches(transfer_ids):
        row: Any
        for row in connection.execute(query.where(schema.transfer.c.transfer_id.in_(batch))):
            posted[row.transfer_id] = Transfer(*row)
    return posted


def _available(connection: sa.Connection, ledger_account_ids: set[str]) -> dict[str, int]:
    """Credit balance of each account: what was credited less what was debited."""
    available = dict.fromkeys(ledger_account_ids, 0)
    table = schema.transfer.c
    for column, sign in ((table.credit_account_id, 1), (table.debit_account_id, -1)):
        for batch in batches(sorted(ledger_account_ids)):
            query = sa.select(column, sa.func.sum(table.amount_minor)).where(column.in_(batch)).group_by(column)
            for row in connection.execute(query):
                available[str(row[0])] += sign * int(str(row[1]))
    return available


def _entry(transfer: Transfer) -> Entry:
    what: dict[str, Value] = {name: getattr(transfer, name) for name in Transfer.__slots__}
    return Entry("transfer", transfer.transfer_id, transfer.effective_on, what)


def _refused(transfer: Transfer, rejection: Rejection) -> TransferRefused:
    return TransferRefused(
        f"Transfer {transfer.transfer_id} refused, {rejection}: {transfer.amount_minor} from "
        f"{transfer.debit_account_id} to {transfer.credit_account_id} effective {transfer.effective_on}. "
        f"Nothing was written; correct it and post again under a new transfer_id."
    )
