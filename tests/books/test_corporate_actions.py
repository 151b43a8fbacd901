"""Splits and dividends reach every holder once, fractions are paid in cash, and shorts owe what longs receive."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.corporate_actions import book_dividend, book_split
from books.engine import reading
from books.journal import ledger_head
from books.positions import quantities
from books.posting import post
from domain.errors import TransferRefused
from domain.ledger import Transfer

EX_DATE = date(2026, 6, 16)
BEFORE = date(2026, 6, 15)
ONE = "US.ONE"


@pytest.fixture
def held(desk: sa.Engine, hold: Any) -> sa.Engine:
    """A1 is long 101 and buys 10 more on the ex-date; A2 is short 4,001."""
    hold(
        desk,
        ("m1", "A1", ONE, 101, BEFORE),
        ("m2", "A1", ONE, 10, EX_DATE),
        ("m3", "A2", ONE, -4_001, BEFORE),
        ("m4", "A3", "CN.TWO", 50, BEFORE),
    )
    return desk


def cash(books: sa.Engine) -> list[tuple[str, str, str, int]]:
    transfer = schema.transfer.c
    query = sa.select(transfer.template, transfer.debit_account_id, transfer.credit_account_id, transfer.amount_minor)
    with reading(books) as connection:
        return [tuple(row) for row in connection.execute(query.order_by(transfer.sequence))]


def positions(books: sa.Engine) -> dict[str, int]:
    with reading(books) as connection:
        return {account_id: shares for account_id, _, shares in quantities(connection, instrument_id=ONE)}


def test_a_split_multiplies_what_was_held_and_pays_fractions_in_cash(held: sa.Engine, when: dict[str, Any]) -> None:
    """101 × 3/2 is 151 and a half; what was bought on the ex-date was bought at the new price and stays."""
    head = book_split(held, ONE, 1.5, price_e4=200_000, ex_date=EX_DATE, **when)
    assert positions(held) == {"A1": 151 + 10, "A2": -6_001}
    assert cash(held) == [
        ("cash_in_lieu", "1010.USD", "2010.A1", 1_000),
        # A2 has no money of its own: the desk pays, and A2 owes it.
        ("cash_in_lieu_owed", "1320.A2", "1110.USD", 1_000),
    ]
    assert verify(held).entries == head.sequence


def test_a_split_comes_once_even_when_the_price_has_moved(held: sa.Engine, when: dict[str, Any]) -> None:
    head = book_split(held, ONE, 1.5, price_e4=200_000, ex_date=EX_DATE, **when)
    assert book_split(held, ONE, 1.5, price_e4=210_000, ex_date=EX_DATE, **when) == head
    with pytest.raises(TransferRefused, match=r"exists_with_different_content.*terms 3/2, and comes again with 2"):
        book_split(held, ONE, 2.0, price_e4=200_000, ex_date=EX_DATE, **when)


def test_a_reverse_split_read_from_a_float_is_exact(held: sa.Engine, when: dict[str, Any]) -> None:
    book_split(held, ONE, 1 / 3, price_e4=90_000, ex_date=EX_DATE, **when)
    assert positions(held) == {"A1": 33 + 10, "A2": -1_333}
    assert cash(held)[0] == ("cash_in_lieu", "1010.USD", "2010.A1", 600)


def test_a_split_of_what_nobody_holds_is_recorded_all_the_same(held: sa.Engine, when: dict[str, Any]) -> None:
    head = ledger_head(held)
    after = book_split(held, "US.NONE", 2.0, price_e4=1, ex_date=EX_DATE, **when)
    assert after.sequence == head.sequence + 1


def test_a_dividend_is_received_by_longs_and_owed_by_shorts(held: sa.Engine, when: dict[str, Any]) -> None:
    deposit = Transfer("d1", "client_deposit", "1010.USD", "2010.A2", 100_000, "USD", BEFORE)
    post(held, [deposit], **when)
    head = book_dividend(held, ONE, 3_050, ex_date=EX_DATE, **when)
    assert cash(held)[1:] == [
        ("dividend", "1010.USD", "2010.A1", 3_081),  # 101 × 0.305 is 30.805, rounded half up
        ("manufactured_dividend", "2010.A2", "2420.USD", 100_000),
        ("manufactured_dividend", "2420.USD", "1010.USD", 100_000),
        ("manufactured_dividend", "1320.A2", "2420.USD", 22_031),
        ("manufactured_dividend", "2420.USD", "1110.USD", 22_031),
    ]
    assert book_dividend(held, ONE, 3_050, ex_date=EX_DATE, **when) == head


@pytest.mark.parametrize(("ratio", "price_e4"), [(0.0, 1), (-2.0, 1), (2.0, 0)])
def test_a_split_needs_a_ratio_and_a_price(held: sa.Engine, when: dict[str, Any], ratio: float, price_e4: int) -> None:
    with pytest.raises(TransferRefused, match="ratio_and_price_must_be_positive"):
        book_split(held, ONE, ratio, price_e4=price_e4, ex_date=EX_DATE, **when)
