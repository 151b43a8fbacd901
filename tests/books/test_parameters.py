"""A parameter counts from its day, and a value nobody approved counts on none."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from books.engine import reading, writing
from books.journal import Entry, book, ledger_head
from books.parameters import parameter_content, parameter_on, set_parameter
from domain.errors import TransferRefused

DAY = date(2026, 6, 16)
LATER = DAY + timedelta(days=30)


def value_on(books: sa.Engine, day: date, name: str = "limit.credit") -> str | None:
    with reading(books) as connection:
        return parameter_on(connection, "C1", name, day)


def set_(desk: sa.Engine, officers: Any, name: str, value: str, on: date, when: dict[str, Any], **more: str) -> str:
    action = {"limit": "limit", "override": "rule_override"}.get(name.partition(".")[0], "parameter_change")
    approval_id = officers.approve(desk, action, "C1", parameter_content("C1", name, value, on), **more)
    set_parameter(desk, "C1", name, value, on, approval_id=approval_id, **when)
    return approval_id


def test_a_limit_counts_from_its_day_until_the_next(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    set_(desk, officers, "limit.credit", "1000", DAY, when)
    set_(desk, officers, "limit.credit", "2000", LATER, when)
    days = (DAY - timedelta(days=1), DAY, LATER - timedelta(days=1), LATER)
    assert [value_on(desk, day) for day in days] == [None, "1000", "1000", "2000"]
    head = ledger_head(desk)
    set_(desk, officers, "limit.credit", "2000", LATER, when)
    assert ledger_head(desk) == head


def test_a_limit_without_approval_is_refused_and_smuggled_in_has_no_effect(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    approval_id = set_(desk, officers, "limit.credit", "1000", DAY, when)
    for wrong in (None, "unknown", approval_id):
        with pytest.raises(TransferRefused, match=r"Parameter C1/limit.credit/2 refused, approval_must_stand"):
            set_parameter(desk, "C1", "limit.credit", "9000", DAY, approval_id=wrong, **when)
    smuggled = {"parameter_id": "x", "subject": "C1", "name": "limit.credit", "value": "9000", "effective_on": DAY}
    with writing(desk) as connection:
        book(connection, [Entry("parameter", "x", DAY, smuggled)], **when)
    assert value_on(desk, DAY) == "1000"


def test_one_approval_sets_a_limit_once(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    first = set_(desk, officers, "limit.credit", "1000", DAY, when)
    set_(desk, officers, "limit.credit", "500", DAY, when)
    assert value_on(desk, DAY) == "500"
    with pytest.raises(TransferRefused, match="not used before"):
        set_parameter(desk, "C1", "limit.credit", "1000", DAY, approval_id=first, **when)
    set_(desk, officers, "limit.credit", "1000", DAY, when, approval_id="asked again")
    assert value_on(desk, DAY) == "1000"


def test_small_steps_are_free_until_together_they_are_large(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    set_(desk, officers, "spread", "100", DAY, when)
    for value in ("106", "110"):
        set_parameter(desk, "C1", "spread", value, DAY, **when)
    with pytest.raises(TransferRefused, match="approval_must_stand"):
        set_parameter(desk, "C1", "spread", "112", DAY, **when)
    assert value_on(desk, DAY, "spread") == "110"
