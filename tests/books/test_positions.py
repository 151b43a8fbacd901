"""Positions are the sum of what moved: every share is in somebody's name and in some place, and both sides agree."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.engine import reading
from books.journal import ledger_head
from books.positions import UNNAMED, lender_of, place_of, quantities, shares_delivered, short_opened
from books.posting import post
from domain.errors import TransferRefused
from domain.ledger import Rejection

DAY = date(2026, 6, 16)
BUY = shares_delivered("m1", "A1", "CSD", "US.AIG", 100, DAY)
SHORT = short_opened("s1", "A2", "LENDER", "US.AIG", 30, DAY)


def held(books: sa.Engine) -> list[tuple[str, str, int]]:
    with reading(books) as connection:
        return quantities(connection)


def test_a_position_is_the_sum_of_what_moved(desk: sa.Engine, when: dict[str, Any]) -> None:
    sale = shares_delivered("m2", "A1", "CSD", "US.AIG", -40, DAY)
    other = shares_delivered("m3", "A2", "CSD", "US.BAC", 7, DAY)
    closed = shares_delivered("m4", "A2", "CSD", "US.BAC", -7, DAY)
    post(desk, [BUY, sale, other, closed], **when)
    assert held(desk) == [("A1", "US.AIG", 60)]


def test_shares_moved_twice_move_once(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = post(desk, [BUY], **when)
    assert post(desk, [BUY, BUY], **when) == head
    assert held(desk) == [("A1", "US.AIG", 100)]


def test_what_a_client_owes_is_a_negative_position(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [BUY, SHORT], **when)
    assert held(desk) == [("A1", "US.AIG", 100), ("A2", "US.AIG", -30)]


def test_names_and_places_always_sum_to_nothing(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [BUY, SHORT, shares_delivered("m2", "A1", "CSD", "US.AIG", -1, DAY)], **when)
    holding = schema.holding.c
    net = sa.func.sum(holding.debits_posted_shares - holding.credits_posted_shares)
    with reading(desk) as connection:
        assert connection.execute(sa.select(net)).scalar_one() == 0
        assert place_of(connection, "US.AIG") == "CSD"
        assert lender_of(connection, "US.AIG") == "LENDER"
        assert place_of(connection, "US.NOBODY") == UNNAMED


def test_shares_in_flight_are_not_yet_a_position(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [replace(BUY, phase="pending")], **when)
    assert held(desk) == []
    settled = replace(BUY, transfer_id="m1.settled", phase="post", pending_id="m1")
    post(desk, [settled], **when)
    assert held(desk) == [("A1", "US.AIG", 100)]


REFUSED = {
    Rejection.amount_must_be_positive: {"quantity_shares": 0},
    Rejection.accounts_must_exist: {"credit_account_id": "9020.A9"},
    Rejection.units_must_match: {"credit_account_id": "2010.A1"},
    Rejection.template_must_fit_accounts: {"template": "client_deposit"},
    Rejection.exists_with_different_content: {"transfer_id": "m0", "quantity_shares": 9},
    Rejection.shares_must_cover: {
        "template": "securities_withdrawn", "debit_account_id": "9020.A1", "credit_account_id": "9010.CSD",
        "quantity_shares": 201,
    },
}  # fmt: skip


@pytest.mark.parametrize("rule", REFUSED, ids=str)
def test_shares_that_cannot_move_are_refused_by_name(desk: sa.Engine, when: dict[str, Any], rule: Rejection) -> None:
    post(desk, [replace(BUY, transfer_id="m0")], **when)
    head = ledger_head(desk)
    with pytest.raises(TransferRefused, match=rf"refused, {rule}: .*Nothing was written"):
        post(desk, [BUY, replace(BUY, **{"transfer_id": "m2", **REFUSED[rule]})], **when)
    assert ledger_head(desk) == head
