"""What was reserved and never came is released the day after its last, once, and nothing has moved."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from books.audit import verify
from books.expiry import expire_pending
from books.journal import ledger_head
from books.posting import client_money, post, post_event
from domain.errors import TransferRefused
from domain.ledger import Transfer

DAY = date(2026, 6, 16)
LAST = DAY + timedelta(days=2)


@pytest.fixture
def reserved(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    """A purchase by A1, with its money and shares in flight until its last day, and one that never expires."""
    post(desk, [Transfer("d", "client_deposit", "1010.USD", "2010.A1", 1_000, "USD", DAY)], **when)
    same: dict[str, Any] = {"owners": {"client": "A1", "9010": "CSD"}, "unit": "USD", "effective_on": DAY, **when}
    amounts = {"cost": 300, "commission": 5, "shares": 7}
    post_event(desk, "purchase", "p1", amounts=amounts, instrument_id="US.ONE", expires_on=LAST, **same)
    post_event(desk, "purchase", "p2", amounts={"cost": 100}, **same)
    return desk


def test_a_reservation_is_released_the_day_after_its_last(reserved: sa.Engine, when: dict[str, Any]) -> None:
    assert client_money(reserved, ["A1"]) == {"A1": 1_000 - 305 - 100}
    assert expire_pending(reserved, LAST, **when) == []
    released = expire_pending(reserved, LAST + timedelta(days=1), **when)
    assert released == ["p1.cost", "p1.commission", "p1.shares"]
    assert client_money(reserved, ["A1"]) == {"A1": 1_000 - 100}
    assert verify(reserved).entries == ledger_head(reserved).sequence


def test_what_was_released_cannot_be_released_or_settled_again(reserved: sa.Engine, when: dict[str, Any]) -> None:
    after = LAST + timedelta(days=1)
    expire_pending(reserved, after, **when)
    head = ledger_head(reserved)
    assert expire_pending(reserved, after + timedelta(days=1), **when) == []
    late = Transfer("x", "purchase_settled", "2010.A1", "2310.USD", 300, "USD", DAY, phase="post", pending_id="p1.cost")
    with pytest.raises(TransferRefused, match="pending_must_be_open"):
        post(reserved, [late], **when)
    assert ledger_head(reserved) == head


def test_what_was_settled_or_voided_in_time_does_not_expire(reserved: sa.Engine, when: dict[str, Any]) -> None:
    void = Transfer("v", "purchase", "2010.A1", "4030.USD", 5, "USD", DAY, phase="void", pending_id="p1.commission")
    settled = [
        Transfer("s", "purchase_settled", "2010.A1", "2310.USD", 300, "USD", DAY, phase="post", pending_id="p1.cost"),
        Transfer("t", "purchase_settled", "2310.USD", "1010.USD", 300, "USD", DAY),
    ]
    post(reserved, [void, *settled], **when)
    assert expire_pending(reserved, LAST + timedelta(days=1), **when) == ["p1.shares"]


def test_books_with_nothing_in_flight_have_nothing_to_release(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    assert expire_pending(desk, LAST, **when) == []
    assert ledger_head(desk) == head
