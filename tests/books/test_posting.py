"""Posting: a batch stands as a whole or not at all, once, whoever else posts and whatever dies meanwhile."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.engine import open_books, reading
from books.journal import ledger_head
from books.posting import post
from domain.errors import TransferRefused
from domain.ledger import Rejection, Transfer
from rulebooks import editions_of

SET_UP = len(editions_of("house.ledger", "house.approvals")) + 13
"""Entries of a desk before anything is posted: the rules, two currencies, three clients and accounts, two parties."""

REPOSITORY = Path(__file__).parents[2]
DEPOSIT = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 1_000, "USD", date(2026, 1, 5))
WITHDRAWAL = Transfer("w1", "client_withdrawal", "2010.A1", "1010.USD", 600, "USD", date(2026, 1, 6))


def amounts(books: sa.Engine) -> dict[str, int]:
    with reading(books) as connection:
        rows = connection.execute(sa.select(schema.transfer.c.transfer_id, schema.transfer.c.amount_minor))
        return {row[0]: row[1] for row in rows}


def test_a_batch_posted_twice_stands_once(desk: sa.Engine, when: dict[str, Any]) -> None:
    batch = [DEPOSIT, replace(DEPOSIT, transfer_id="t2", amount_minor=2)]
    head = post(desk, batch, **when)
    assert post(desk, batch, **when) == head == ledger_head(desk)
    assert post(desk, [DEPOSIT, *batch], **when) == head
    assert amounts(desk) == {"t1": 1_000, "t2": 2}


def test_an_amount_near_the_end_of_64_bits_is_kept_exactly(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [replace(DEPOSIT, amount_minor=2**63 - 1)], **when)
    assert amounts(desk) == {"t1": 9_223_372_036_854_775_807}


REFUSED = {
    Rejection.accounts_must_exist: replace(DEPOSIT, credit_account_id="2010.NOBODY"),
    Rejection.accounts_must_differ: replace(DEPOSIT, credit_account_id="1010.USD"),
    Rejection.amount_must_be_positive: replace(DEPOSIT, amount_minor=-5),
    Rejection.amount_must_fit_in_64_bits: replace(DEPOSIT, amount_minor=2**63),
    Rejection.units_must_match: replace(DEPOSIT, credit_account_id="2010.A3"),
    Rejection.template_must_fit_accounts: replace(DEPOSIT, template="loan_repaid"),
    Rejection.exists_with_different_content: replace(DEPOSIT, transfer_id="t0", amount_minor=999),
    Rejection.client_money_must_cover: replace(WITHDRAWAL, amount_minor=1_001),
}


@pytest.mark.parametrize("rule", REFUSED, ids=str)
def test_one_bad_transfer_refuses_the_whole_batch_by_name(
    desk: sa.Engine, when: dict[str, Any], rule: Rejection
) -> None:
    head = post(desk, [replace(DEPOSIT, transfer_id="t0")], **when)
    good = replace(
        DEPOSIT, transfer_id="good", debit_account_id="1010.CNY", credit_account_id="2010.A3", currency="CNY"
    )
    with pytest.raises(TransferRefused, match=rf"refused, {rule}: .*Nothing was written"):
        post(desk, [good, REFUSED[rule]], **when)
    assert ledger_head(desk) == head
    assert amounts(desk) == {"t0": 1_000}


def test_a_refusal_says_what_was_to_move_and_what_to_do(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [DEPOSIT], **when)
    with pytest.raises(TransferRefused) as refusal:
        post(desk, [replace(DEPOSIT, amount_minor=999)], **when)
    assert str(refusal.value) == (
        "Transfer t1 refused, exists_with_different_content: 999 USD from 1010.USD to 2010.A1 effective 2026-01-05. "
        "Nothing was written; correct it and post again under a new transfer_id."
    )


def test_a_day_that_is_over_takes_nothing_more_but_may_be_asked_again(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [DEPOSIT], **when)
    tomorrow = when | {"booked_on": when["booked_on"] + timedelta(days=1)}
    head = post(desk, [replace(DEPOSIT, transfer_id="t2")], **tomorrow)
    assert post(desk, [DEPOSIT], **when) == head
    with pytest.raises(TransferRefused, match=r"t3 refused, day_must_be_open.*book it on 2026-06-17 or later"):
        post(desk, [replace(DEPOSIT, transfer_id="t3")], **when)


def test_withdrawals_of_one_batch_are_counted_together(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [DEPOSIT], **when)
    with pytest.raises(TransferRefused, match="w2 refused, client_money_must_cover"):
        post(desk, [WITHDRAWAL, replace(WITHDRAWAL, transfer_id="w2")], **when)
    assert "w1" not in amounts(desk)


def test_many_who_post_at_once_lose_nothing(desk: sa.Engine, address: str, when: dict[str, Any]) -> None:
    """Four posters with connections of their own, each with deposits of its own and one that all of them repeat."""

    def post_some(poster: int) -> None:
        own = open_books(address)
        for n in range(5):
            post(own, [replace(DEPOSIT, transfer_id=f"t{poster}.{n}"), DEPOSIT], **when)
        own.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(post_some, range(4)))
    assert len(amounts(desk)) == 21
    assert verify(desk).entries == ledger_head(desk).sequence == SET_UP + 21


def test_many_who_withdraw_at_once_cannot_overdraw(desk: sa.Engine, address: str, when: dict[str, Any]) -> None:
    post(desk, [DEPOSIT], **when)

    def withdraw(poster: int) -> int:
        own, refusals = open_books(address), 0
        for n in range(3):
            try:
                post(own, [replace(WITHDRAWAL, transfer_id=f"w{poster}.{n}", amount_minor=250)], **when)
            except TransferRefused:
                refusals += 1
        own.dispose()
        return refusals

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(withdraw, range(3))) == 5
    assert sum(amount for transfer_id, amount in amounts(desk).items() if transfer_id != "t1") == 1_000


KILLED_HALFWAY = """
import sys
from datetime import UTC, date, datetime
from books.engine import open_books, writing
from books.posting import post
from domain.ledger import Transfer

when = {"booked_on": date(2026, 6, 16), "known_at": datetime(2026, 6, 16, 20, tzinfo=UTC)}
with writing(open_books(sys.argv[1])) as connection:
    for n in range(50):
        deposit = Transfer(f"t{n}", "client_deposit", "1010.USD", "2010.A1", 1, "USD", date(2026, 6, 16))
        post(connection, [deposit], **when)
    print("half of the batch is written", flush=True)
    sys.stdin.read()
"""


def test_a_process_killed_halfway_leaves_nothing_half_done(desk: sa.Engine, address: str, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    poster = subprocess.Popen(
        [sys.executable, "-c", KILLED_HALFWAY, address],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert poster.stdout is not None
    assert poster.stdout.readline() == b"half of the batch is written\n"
    poster.kill()
    poster.communicate()
    assert ledger_head(desk) == head
    post(desk, [DEPOSIT], **when)
    assert amounts(desk) == {"t1": 1_000}
    assert verify(desk).entries == head.sequence + 1
