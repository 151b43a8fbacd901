"""Margin calls are issued once and closed once."""

from datetime import date
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.calls import cancel, issue, meet
from books.engine import reading
from books.journal import ledger_head
from domain.errors import TransferRefused

CALL = {
    "slice": "20260617T140000Z",
    "call_id": "A1.2026-06-17",
    "account_id": "A1",
    "currency": "USD",
    "equity_minor": 225_000,
    "requirement_minor": 250_000,
    "call_minor": 25_000,
    "shortfall_minor": 0,
    "due_on": date(2026, 6, 19),
    "explanation": "equity 2,250.00 USD is below the requirement of 2,500.00 USD",
    "price_basis": "latest quote",
    "rulebook_edition": "us.finra_4210@2010-12-02",
    "house_edition": "house.margin@2000-01-01",
    "ledger_head": "8:0123456789abcdef",
}


def issued(books: sa.Engine) -> list[tuple[str, int]]:
    with reading(books) as connection:
        rows = connection.execute(sa.select(schema.margin_call.c.call_id, schema.margin_call.c.call_minor))
        return [(row[0], row[1]) for row in rows]


def test_a_call_is_issued_once_with_the_first_amount_the_client_was_told(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = issue(desk, pd.DataFrame([CALL]), **when)
    later = CALL | {"call_minor": 99_000, "slice": "close"}
    assert issue(desk, [later], **when) == head
    assert issued(desk) == [("A1.2026-06-17", 25_000)]
    assert verify(desk).entries == head.sequence


def test_an_empty_table_of_calls_issues_none(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    assert issue(desk, pd.DataFrame([CALL])[:0], **when) == head


def test_a_call_is_closed_once(desk: sa.Engine, when: dict[str, Any]) -> None:
    issue(desk, [CALL], **when)
    head = meet(desk, "A1.2026-06-17", reason="deposit t7", **when)
    assert meet(desk, "A1.2026-06-17", reason="deposit t7", **when) == head
    with pytest.raises(TransferRefused, match="exists_with_different_content"):
        cancel(desk, "A1.2026-06-17", reason="issued in error", **when)
    with pytest.raises(TransferRefused, match="margin_calls_must_exist"):
        cancel(desk, "A2.2026-06-17", reason="issued in error", **when)


def test_a_call_on_an_unknown_account_is_refused(desk: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="accounts_must_exist"):
        issue(desk, [CALL | {"account_id": "A9"}], **when)


def test_an_issued_call_cannot_be_changed(desk: sa.Engine, when: dict[str, Any]) -> None:
    issue(desk, [CALL], **when)
    with pytest.raises(sa.exc.DatabaseError, match="append-only"), desk.begin() as connection:
        connection.execute(sa.update(schema.margin_call).values(call_minor=0))
