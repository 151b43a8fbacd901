"""Eight processes at once withdraw the last yuan of one account: exactly one wins, every round.

    python tests/books/race_for_the_last_yuan.py sqlite:///books.db 20

The books must hold the account A3 in CNY.
"""  # fmt: skip

import multiprocessing
import sys
from datetime import UTC, date, datetime
from multiprocessing.synchronize import Barrier

from books.engine import open_books
from books.posting import client_money, post
from domain.errors import TransferRefused
from domain.ledger import Transfer

DAY = date(2026, 6, 16)
RACERS = 8


def withdraw(url: str, racer: int, rounds: int, start: Barrier, won: "multiprocessing.Queue[tuple[int, int]]") -> None:
    """Try to take the yuan of every round as soon as all racers stand at the line."""
    books = open_books(url)
    for number in range(rounds):
        start.wait(60)
        start.wait(60)
        name = f"race.{number}.{racer}"
        yuan = Transfer(name, "client_withdrawal", "2010.A3", "1010.CNY", 100, "CNY", DAY)
        try:
            post(books, [yuan], booked_on=DAY, known_at=datetime.now(UTC))
            won.put((number, racer))
        except TransferRefused as refusal:
            assert "client_money_must_cover" in str(refusal)
    books.dispose()


def race(url: str, rounds: int) -> dict[int, list[int]]:
    """Winners of each round."""
    spawn = multiprocessing.get_context("spawn")
    start, won = spawn.Barrier(RACERS + 1), spawn.Queue()
    racers = [spawn.Process(target=withdraw, args=(url, racer, rounds, start, won)) for racer in range(RACERS)]
    for process in racers:
        process.start()
    books = open_books(url)
    for number in range(rounds):
        start.wait(60)
        yuan = Transfer(f"yuan.{number}", "client_deposit", "1010.CNY", "2010.A3", 100, "CNY", DAY)
        # The racers of the round before may still be posting; this waits for them at the store, like anybody else.
        post(books, [yuan], booked_on=DAY, known_at=datetime.now(UTC))
        start.wait(60)
    winners: dict[int, list[int]] = {number: [] for number in range(rounds)}
    for process in racers:
        process.join(60)
        assert process.exitcode == 0
    while not won.empty():
        number, racer = won.get()
        winners[number].append(racer)
    assert client_money(books, ["A3"]) == {"A3": 0}
    books.dispose()
    return winners


if __name__ == "__main__":
    told = race(sys.argv[1], int(sys.argv[2]))
    assert all(len(of_round) == 1 for of_round in told.values()), told
    sys.stdout.write(f"{len(told)} rounds of {RACERS} racers: one winner each, nothing overdrawn\n")
