"""Opening the books with a whole desk at once: clients, accounts, loans, deposits and holdings in one transaction."""

import hashlib
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final, Protocol

import pandas as pd
import sqlalchemy as sa

from books.client_states import applied_entries
from books.clients import account_entry, client_entries, open_currencies
from books.contracts import contract_entry
from books.engine import Books, writing
from books.frames import day_of, records
from books.journal import Entry, LedgerHead, book, ledger_head
from books.positions import shares_delivered, short_opened
from books.posting import post
from books.third_parties import third_party_entry
from books.vault import Vault
from domain.ledger import AnyTransfer, Transfer, ledger_account_id

_INVENTED: Final = "an application made up with its client; nothing was submitted, checked or decided"
_NO_EVIDENCE: Final = hashlib.sha256(_INVENTED.encode()).hexdigest()

CAPITAL_PER_LOAN: Final = 2
"""Capital paid in per unit of money lent, so that the desk can lend as much again."""


class ClientBook(Protocol):
    """A desk's clients as five tables; each has a ``source`` column."""

    @property
    def clients(self) -> pd.DataFrame:
        """Columns client_id, name."""

    @property
    def accounts(self) -> pd.DataFrame:
        """Columns account_id, client_id, market, currency, rulebook, opened_on."""

    @property
    def contracts(self) -> pd.DataFrame:
        """Columns contract_id, account_id, currency, principal_minor, opened_on, matures_on."""

    @property
    def positions(self) -> pd.DataFrame:
        """Columns account_id, instrument_id, quantity_shares."""

    @property
    def deposits(self) -> pd.DataFrame:
        """Columns account_id, amount_minor, currency."""


def seed(books: Books, book_of_clients: ClientBook, *, vault: Vault, booked_on: date, known_at: datetime) -> LedgerHead:
    """Enter the whole book and the transfers that open it; seeding the same book again changes nothing.

    Every client's application runs from draft to active, and each of its steps says that it is invented.
    Capital is paid in, deposits are received, and every contract's loan is drawn, all booked and effective on
    ``booked_on``. Holdings count from the day their account was opened.
    """
    with writing(books) as connection:
        accounts = book_of_clients.accounts
        sources = dict(zip(accounts["currency"], accounts["source"], strict=True))
        open_currencies(connection, sources, booked_on, known_at)
        book(connection, _client_entries(connection, vault, book_of_clients, booked_on), booked_on, known_at)
        book(connection, _party_entries(book_of_clients), booked_on, known_at)
        book(connection, _third_party_entries(book_of_clients, booked_on), booked_on, known_at)
        post(connection, _opening_transfers(book_of_clients, booked_on), booked_on=booked_on, known_at=known_at)
        return ledger_head(connection)


def _client_entries(connection: sa.Connection, vault: Vault, desk: ClientBook, booked_on: date) -> Iterator[Entry]:
    clients = [(row["client_id"], row["name"], row["source"]) for row in records(desk.clients)]
    yield from client_entries(connection, vault, clients, booked_on)
    for source in sorted({source for _, _, source in clients}):
        of_source = [client_id for client_id, _, of in clients if of == source]
        yield from applied_entries(of_source, source, _INVENTED, _NO_EVIDENCE, booked_on)


def _party_entries(desk: ClientBook) -> Iterator[Entry]:
    for row in records(desk.accounts):
        yield account_entry(
            row["account_id"],
            row["client_id"],
            row["market"],
            row["currency"],
            row["rulebook"],
            day_of(row["opened_on"]),
            row["source"],
        )
    for row in records(desk.contracts):
        yield contract_entry(
            row["contract_id"],
            row["account_id"],
            row["currency"],
            int(row["principal_minor"]),
            day_of(row["opened_on"]),
            day_of(row["matures_on"]),
        )


def _third_party_entries(desk: ClientBook, booked_on: date) -> Iterator[Entry]:
    """The banks, custodian and lender of each currency: who holds what the books count."""
    sources = dict(zip(desk.accounts["currency"], desk.accounts["source"], strict=True))
    for currency, source in sorted(sources.items()):
        for role, code in (("segregated_bank", "1010"), ("own_bank", "1110"), ("custodian", None), ("lender", None)):
            proves = ledger_account_id(code, currency) if code else None
            third_party_id, name = f"{role}.{currency}", f"{role.replace('_', ' ')} for {currency}"
            yield third_party_entry(third_party_id, role, name, source, booked_on, proves)


def _opening_transfers(desk: ClientBook, booked_on: date) -> list[AnyTransfer]:
    transfers: list[AnyTransfer] = []
    lent = desk.contracts.groupby("currency")["principal_minor"].sum()
    for currency, total in sorted(lent.items(), key=lambda pair: str(pair[0])):
        bank, capital = ledger_account_id("1110", str(currency)), ledger_account_id("3010", str(currency))
        amount = CAPITAL_PER_LOAN * int(total)
        transfers.append(
            Transfer(f"capital.{currency}", "capital_paid_in", bank, capital, amount, str(currency), booked_on)
        )
    for row in records(desk.deposits):
        bank, money = ledger_account_id("1010", row["currency"]), ledger_account_id("2010", row["account_id"])
        name, amount = f"deposit.{row['account_id']}", int(row["amount_minor"])
        transfers.append(Transfer(name, "client_deposit", bank, money, amount, row["currency"], booked_on))
    for row in records(desk.contracts):
        loan, bank = ledger_account_id("1210", row["account_id"]), ledger_account_id("1110", row["currency"])
        name, amount = f"loan.{row['contract_id']}", int(row["principal_minor"])
        transfers.append(Transfer(name, "loan_drawn", loan, bank, amount, row["currency"], booked_on))
    return transfers + _opening_holdings(desk)


def _opening_holdings(desk: ClientBook) -> list[AnyTransfer]:
    account_of = {row["account_id"]: row for row in records(desk.accounts)}
    transfers: list[AnyTransfer] = []
    for row in records(desk.positions):
        account_id, instrument_id, shares = row["account_id"], row["instrument_id"], int(row["quantity_shares"])
        name, account = f"opening.{account_id}.{instrument_id}", account_of[account_id]
        currency, opened_on = account["currency"], day_of(account["opened_on"])
        if shares > 0:
            place = f"custodian.{currency}"
            transfers.append(shares_delivered(name, account_id, place, instrument_id, shares, opened_on))
        elif shares < 0:
            lender = f"lender.{currency}"
            transfers.append(short_opened(name, account_id, lender, instrument_id, -shares, opened_on))
    return transfers
