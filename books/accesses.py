"""Accesses: from which devices an account was used; a device is a hash, made where the client stands."""

import re
from datetime import date, datetime
from typing import Final

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, book, ledger_head, refused, require_known

_HASH: Final = re.compile(r"[0-9a-f]{64}")


def record_access(
    books: Books, access_id: str, account_id: str, device_hash: str, *, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Enter one use of an account; ``device_hash`` is a SHA-256, so that no device can be told from it."""
    if not _HASH.fullmatch(device_hash):
        explanation = f"a device is named by the SHA-256 of its fingerprint, but {len(device_hash)} characters came"
        raise refused(f"Access {access_id}", "device_must_be_hashed", explanation)
    what = {"access_id": access_id, "account_id": account_id, "device_hash": device_hash}
    with writing(books) as connection:
        require_known(connection, schema.account.c.account_id, [account_id], f"Access {access_id}")
        book(connection, [Entry("access", access_id, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)
