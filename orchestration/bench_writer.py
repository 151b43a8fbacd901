"""What the measured writers post, and one of them as a process of its own: it starts with no more than it needs."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Barrier
from typing import Final

from books.engine import Books, open_books
from books.posting import post
from domain.ledger import Transfer

DAY: Final = date(2026, 6, 16)

TRANSFERS_PER_BATCH: Final = 100

NAMES_PER_WRITER: Final = 10_000_000
"""Writers count their transfers from numbers this far apart, so that no two ever use the same name."""

SENT_TWICE_EVERY: Final = 10


def deposits(count: int, accounts: int, names: Iterator[int]) -> list[Transfer]:
    """Deposits of clients in turn, under the next names, each of another amount than the one before it."""
    return [
        Transfer(f"t{number:09d}", "client_deposit", "1010.USD", f"2010.A{number % accounts:06d}", 100 + number % 977,
                 "USD", DAY)
        for number in itertools.islice(names, count)
    ]  # fmt: skip


def post_now(books: Books, transfers: Sequence[Transfer]) -> None:
    """Post on the one day everything is measured on."""
    post(books, transfers, booked_on=DAY, known_at=datetime.now(UTC))


def batches_of_writer(number: int, accounts: int, batches: int) -> list[list[Transfer]]:
    """What one writer posts."""
    names = itertools.count(number * NAMES_PER_WRITER)
    return [deposits(TRANSFERS_PER_BATCH, accounts, names) for _ in range(batches)]


def write(address: str, number: int, accounts: int, batches: int, ready: Barrier) -> None:
    """Post what this writer has, and every tenth batch again, as a client does that never heard the answer."""
    books = open_books(address)
    planned = batches_of_writer(number, accounts, batches)
    ready.wait(120)
    for turn, batch in enumerate(planned):
        post_now(books, batch)
        if turn % SENT_TWICE_EVERY == 0:
            post_now(books, batch)
    books.dispose()
