"""Kill a poster in the middle of posting, again and again: nothing acknowledged is lost, nothing half is there.

    python tests/books/endure_kills.py sqlite:///books.db 100

The books must hold the account A1 in USD and the custodian CSD. Each poster is a process of its own that posts batches
of three transfers, one of them of shares, and says which batch has been acknowledged; it is killed with SIGKILL after a
random moment. After each kill the books are read: every acknowledged batch is there, every batch is whole, and the
chain and the projections verify.
"""  # fmt: skip

import os
import random
import signal
import sys
import time
from datetime import UTC, date, datetime

import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.engine import open_books, reading
from books.extract import sums_at
from books.journal import LedgerHead
from books.posting import post
from domain.ledger import GENESIS_HASH, SecurityTransfer, Sums, Transfer

DAY = date(2026, 6, 16)
BATCH = 3


def post_until_killed(url: str, round_number: int, said: int) -> None:
    """Post batch after batch and write the number of each one acknowledged to the pipe ``said``."""
    books = open_books(url)
    for n in range(1_000_000):
        name = f"k{round_number}.{n}"
        transfers = [
            Transfer(f"{name}.in", "client_deposit", "1010.USD", "2010.A1", 5, "USD", DAY),
            Transfer(f"{name}.fee", "client_withdrawal", "2010.A1", "1010.USD", 2, "USD", DAY),
            SecurityTransfer(f"{name}.shares", "securities_deposited", "9010.CSD", "9020.A1", 1, "US.X", DAY),
        ]
        post(books, transfers, booked_on=DAY, known_at=datetime.now(UTC))
        os.write(said, f"{name}\n".encode())


def kill_one(url: str, round_number: int, patience_seconds: float) -> list[str]:
    """Start a poster, kill it, and return the batches it was told were written."""
    hears, says = os.pipe()
    poster = os.fork()
    if poster == 0:
        os.close(hears)
        try:
            post_until_killed(url, round_number, says)
        finally:
            os._exit(1)
    os.close(says)
    time.sleep(patience_seconds)
    os.kill(poster, signal.SIGKILL)
    os.waitpid(poster, 0)
    with os.fdopen(hears) as told:
        return told.read().split()


def whole_batches(url: str) -> set[str]:
    """Batches the books hold, once chain, rows and projections have been found to agree; half a batch is a fault."""
    books = open_books(url)
    with reading(books) as connection:
        verify(connection)
        names: list[str] = []
        for table in (schema.transfer, schema.security_transfer):
            # Taken back to the beginning, every sum must come to nothing.
            assert set(sums_at(connection, table, LedgerHead(0, GENESIS_HASH)).values()) <= {Sums()}
            names += connection.execute(sa.select(table.c.transfer_id).where(table.c.transfer_id.like("k%"))).scalars()
    books.dispose()
    held = {name.rpartition(".")[0] for name in names}
    assert len(names) == BATCH * len(held), "half a batch is there"
    return held


def endure(url: str, kills: int, seed: int = 1) -> tuple[int, int]:
    """Kill ``kills`` posters; returns how many batches were acknowledged and how many are there."""
    chance = random.Random(seed)
    acknowledged: set[str] = set()
    for round_number in range(kills):
        acknowledged.update(kill_one(url, round_number, chance.uniform(0.05, 0.4)))
        held = whole_batches(url)
        assert acknowledged <= held, f"lost: {sorted(acknowledged - held)[:5]}"
        # A poster may die between the commit and its word of it: at most one batch a kill.
        assert len(held) <= len(acknowledged) + round_number + 1
    return len(acknowledged), len(held)


if __name__ == "__main__":
    told, held = endure(sys.argv[1], int(sys.argv[2]))
    sys.stdout.write(
        f"{sys.argv[2]} kills: {told} batches acknowledged, {held} there, none lost, none half, chain intact\n"
    )
