"""Third parties: the banks, custodians, lenders and clearing houses that hold what the books count."""

from datetime import date, datetime
from typing import Final

from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, refused

ROLES: Final = ("segregated_bank", "own_bank", "custodian", "lender", "clearing_house", "borrower")
"""What a third party is to the desk."""


def enter_third_party(
    books: Books,
    third_party_id: str,
    role: str,
    name: str,
    *,
    source: str,
    booked_on: date,
    known_at: datetime,
    ledger_account_id: str | None = None,
) -> LedgerHead:
    """Enter a third party; ``ledger_account_id`` names the account that a bank's statement proves (``1010.USD``)."""
    entry = third_party_entry(third_party_id, role, name, source, booked_on, ledger_account_id)
    with writing(books) as connection:
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def third_party_entry(
    third_party_id: str, role: str, name: str, source: str, effective_on: date, ledger_account_id: str | None = None
) -> Entry:
    """The journal entry that enters a third party."""
    if role not in ROLES:
        raise refused(f"Third party {third_party_id}", "role_must_be_known", f"{role} is none of {', '.join(ROLES)}")
    what: dict[str, Value] = {
        "third_party_id": third_party_id,
        "role": role,
        "name": name,
        "ledger_account_id": ledger_account_id,
        "source": source,
    }
    return Entry("third_party", third_party_id, effective_on, what)
