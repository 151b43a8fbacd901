"""Clients and their accounts: who the desk knows, and which ledger accounts come with them."""

from datetime import date, datetime

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, require_known
from domain.money import exponent


def open_client(
    books: Books, client_id: str, name: str, *, source: str, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Enter a client."""
    with writing(books) as connection:
        book(connection, [client_entry(client_id, name, source, booked_on)], booked_on, known_at)
        return ledger_head(connection)


def open_account(
    books: Books,
    account_id: str,
    client_id: str,
    *,
    market: str,
    currency: str,
    rulebook: str,
    opened_on: date,
    source: str,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Open a margin account for a client; the first account of a currency opens the desk's own accounts in it."""
    entry = account_entry(account_id, client_id, market, currency, rulebook, opened_on, source)
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id], f"Account {account_id}")
        open_currencies(connection, {currency: source}, booked_on, known_at)
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def open_currencies(
    connection: sa.Connection, source_of_currency: dict[str, str], booked_on: date, known_at: datetime
) -> None:
    """Open the desk-wide ledger accounts of currencies that have none yet."""
    known: set[str] = set(connection.execute(sa.select(schema.currency.c.currency)).scalars())
    entries = []
    for currency, source in sorted(source_of_currency.items()):
        exponent(currency)
        if currency not in known:
            entries.append(Entry("currency", currency, booked_on, {"currency": currency, "source": source}))
    book(connection, entries, booked_on, known_at)


def client_entry(client_id: str, name: str, source: str, effective_on: date) -> Entry:
    """The journal entry that enters a client."""
    return Entry("client", client_id, effective_on, {"client_id": client_id, "name": name, "source": source})


def account_entry(
    account_id: str, client_id: str, market: str, currency: str, rulebook: str, opened_on: date, source: str
) -> Entry:
    """The journal entry that opens an account."""
    what: dict[str, Value] = {
        "account_id": account_id,
        "client_id": client_id,
        "market": market,
        "currency": currency,
        "rulebook": rulebook,
        "opened_on": opened_on,
        "source": source,
    }
    return Entry("account", account_id, opened_on, what)
