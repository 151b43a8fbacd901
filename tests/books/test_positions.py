"""Positions are the sum of their movements."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books.engine import reading
from books.journal import ledger_head
from books.positions import Movement, move_positions, quantities
from domain.errors import TransferRefused

BUY = Movement("m1", "A1", "US.AIG", "buy", 100, date(2026, 6, 16))


def held(books: sa.Engine) -> list[tuple[str, str, int]]:
    with reading(books) as connection:
        return quantities(connection)


def test_a_position_is_the_sum_of_its_movements(desk: sa.Engine, when: dict[str, Any]) -> None:
    sale = replace(BUY, movement_id="m2", kind="sell", quantity_shares=-40)
    other = replace(BUY, movement_id="m3", account_id="A2", quantity_shares=7)
    closed = replace(other, movement_id="m4", kind="sell", quantity_shares=-7)
    move_positions(desk, [BUY, sale, other, closed], **when)
    assert held(desk) == [("A1", "US.AIG", 60)]


def test_movements_booked_twice_move_once(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = move_positions(desk, [BUY], **when)
    assert move_positions(desk, [BUY, BUY], **when) == head
    assert held(desk) == [("A1", "US.AIG", 100)]


REFUSED = {
    "kind_must_be_known": {"kind": "gift"},
    "quantity_must_not_be_zero": {"quantity_shares": 0},
    "sign_must_fit_kind": {"quantity_shares": -1},
    "accounts_must_exist": {"account_id": "A9"},
    "exists_with_different_content": {"movement_id": "m0", "quantity_shares": 9},
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_movement_that_makes_no_sense_is_refused_by_name(desk: sa.Engine, when: dict[str, Any], rule: str) -> None:
    move_positions(desk, [replace(BUY, movement_id="m0")], **when)
    head = ledger_head(desk)
    with pytest.raises(TransferRefused, match=rf"refused, {rule}: .*Nothing was written"):
        move_positions(desk, [BUY, replace(BUY, **{"movement_id": "m2", **REFUSED[rule]})], **when)
    assert ledger_head(desk) == head
