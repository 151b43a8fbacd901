"""Loan contracts: what a client borrowed, from when, until when."""

from datetime import date, datetime

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, refused, require_known


def open_contract(
    books: Books,
    contract_id: str,
    account_id: str,
    *,
    currency: str,
    principal_minor: int,
    opened_on: date,
    matures_on: date,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Enter a contract; the loan itself is drawn by posting a ``financed_buy_settled`` transfer."""
    entry = contract_entry(contract_id, account_id, currency, principal_minor, opened_on, matures_on)
    with writing(books) as connection:
        require_known(connection, schema.account.c.account_id, [account_id], f"Contract {contract_id}")
        in_currency = sa.select(schema.account.c.currency).where(schema.account.c.account_id == account_id)
        account_currency: str = connection.execute(in_currency).scalar_one()
        if account_currency != currency:
            explanation = f"{currency} lent to account {account_id}, which is kept in {account_currency}"
            raise refused(f"Contract {contract_id}", "currency_must_match_the_account", explanation)
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def contract_entry(
    contract_id: str, account_id: str, currency: str, principal_minor: int, opened_on: date, matures_on: date
) -> Entry:
    """The journal entry that opens a contract."""
    if principal_minor <= 0:
        raise refused(f"Contract {contract_id}", "principal_must_be_positive", f"{principal_minor} {currency} lent")
    if matures_on <= opened_on:
        raise refused(f"Contract {contract_id}", "maturity_must_follow_opening", f"{opened_on} until {matures_on}")
    what: dict[str, Value] = {
        "contract_id": contract_id,
        "account_id": account_id,
        "currency": currency,
        "principal_minor": principal_minor,
        "opened_on": opened_on,
        "matures_on": matures_on,
    }
    return Entry("contract", contract_id, opened_on, what)
