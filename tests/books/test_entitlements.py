"""What an action gave each account is read back from what was booked, and says the same however often it is asked."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books.corporate_actions import book_dividend, book_split
from books.entitlements import COLUMNS, entitlements
from books.posting import post
from domain.ledger import Transfer, ledger_account_id

EX_DATE, BEFORE, AFTER = date(2026, 6, 16), date(2026, 6, 15), date(2026, 6, 17)
ONE, TWO = "US.ONE", "US.TWO"

# Both stores book alike (test_corporate_actions.py); reading back is the same query.
pytestmark = pytest.mark.parametrize("address", ["sqlite"], indirect=True)


@pytest.fixture
def held(desk: sa.Engine, hold: Any) -> sa.Engine:
    """A1 is long 101 and buys 10 more on the ex-date; A2 is short 4,001; A3 holds something else."""
    hold(
        desk,
        ("m1", "A1", ONE, 101, BEFORE),
        ("m2", "A1", ONE, 10, EX_DATE),
        ("m3", "A2", ONE, -4_001, BEFORE),
        ("m4", "A3", "CN.THREE", 50, BEFORE),
        ("m5", "A1", TWO, 200, BEFORE),
    )
    return desk


def given(books: sa.Engine, day: date = EX_DATE) -> dict[tuple[str, str, str], tuple[int, int, int]]:
    """Quantity before, quantity after and cash, by account, instrument and kind."""
    rows = entitlements(books, day)
    assert rows.columns.tolist() == COLUMNS
    return {
        (row.account_id, row.instrument_id, row.kind): (
            row.quantity_before_shares, row.quantity_after_shares, row.cash_minor,
        )
        for row in rows.itertuples()
    }  # fmt: skip


def test_a_day_without_an_action_gives_nobody_anything(held: sa.Engine) -> None:
    assert entitlements(held, EX_DATE).empty
    assert entitlements(held, EX_DATE).columns.tolist() == COLUMNS


def test_a_split_gives_shares_and_the_cash_of_a_fraction_to_longs_and_takes_both_from_shorts(
    held: sa.Engine, when: dict[str, Any]
) -> None:
    """101 × 3/2 is 151 and a half at 20.00; what was bought on the ex-date is not counted before it."""
    book_split(held, ONE, 1.5, price_e4=200_000, ex_date=EX_DATE, **when)
    assert given(held) == {("A1", ONE, "split"): (101, 151, 1_000), ("A2", ONE, "split"): (-4_001, -6_001, -1_000)}


def test_a_split_without_a_fraction_pays_no_cash(held: sa.Engine, when: dict[str, Any]) -> None:
    book_split(held, TWO, 2, price_e4=200_000, ex_date=EX_DATE, **when)
    assert given(held) == {("A1", TWO, "split"): (200, 400, 0)}


def test_a_dividend_gives_cash_and_leaves_shares_as_they_are(held: sa.Engine, when: dict[str, Any]) -> None:
    book_dividend(held, ONE, 2_500, ex_date=EX_DATE, **when)
    assert given(held) == {
        ("A1", ONE, "cash_dividend"): (101, 101, 2_525),
        ("A2", ONE, "cash_dividend"): (-4_001, -4_001, -100_025),
    }


def test_a_dividend_that_rounds_to_nothing_is_still_told(held: sa.Engine, hold: Any, when: dict[str, Any]) -> None:
    hold(held, ("m9", "A2", TWO, 1, BEFORE))
    book_dividend(held, TWO, 10, ex_date=EX_DATE, **when)
    assert given(held)["A2", TWO, "cash_dividend"] == (1, 1, 0)


def test_two_actions_of_one_day_are_told_apart(held: sa.Engine, when: dict[str, Any]) -> None:
    book_dividend(held, ONE, 2_500, ex_date=EX_DATE, **when)
    book_split(held, TWO, 1.5, price_e4=100_000, ex_date=EX_DATE, **when)
    assert given(held)["A1", TWO, "split"] == (200, 300, 0)
    assert given(held)["A1", ONE, "cash_dividend"] == (101, 101, 2_525)


def test_a_dividend_and_a_split_of_one_share_on_one_day_each_stand_on_what_was_held_before(
    held: sa.Engine, when: dict[str, Any]
) -> None:
    book_dividend(held, ONE, 2_500, ex_date=EX_DATE, **when)
    book_split(held, ONE, 1.5, price_e4=200_000, ex_date=EX_DATE, **when)
    rows = given(held)
    assert rows["A1", ONE, "cash_dividend"] == (101, 101, 2_525)
    assert rows["A1", ONE, "split"] == (101, 151, 1_000)


def test_an_action_of_another_day_is_that_days_business(held: sa.Engine, when: dict[str, Any]) -> None:
    book_dividend(held, TWO, 2_500, ex_date=EX_DATE, **when)
    assert given(held, BEFORE) == given(held, AFTER) == {}


def test_money_of_the_day_that_is_no_entitlement_is_not_counted(held: sa.Engine, when: dict[str, Any]) -> None:
    book_dividend(held, TWO, 2_500, ex_date=EX_DATE, **when)
    bank, money = ledger_account_id("1010", "USD"), ledger_account_id("2010", "A1")
    post(held, [Transfer("deposit/1", "client_deposit", bank, money, 777, "USD", EX_DATE)], **when)
    assert given(held) == {("A1", TWO, "cash_dividend"): (200, 200, 5_000)}


def test_an_action_booked_twice_gives_once(held: sa.Engine, when: dict[str, Any]) -> None:
    for _ in range(2):
        book_split(held, ONE, 1.5, price_e4=200_000, ex_date=EX_DATE, **when)
    assert given(held)["A1", ONE, "split"] == (101, 151, 1_000)


def test_every_row_names_its_action_its_currency_and_whose_word_it_is(held: sa.Engine, when: dict[str, Any]) -> None:
    book_dividend(held, TWO, 2_500, ex_date=EX_DATE, **when)
    (row,) = entitlements(held, EX_DATE).to_dict("records")
    assert row["business_key"] == f"cash_dividend.{TWO}.2026-06-16.A1"
    assert (row["currency"], row["source"]) == ("USD", "synthetic")
