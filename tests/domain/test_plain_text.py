"""Names stay apart, numbers stay exact, and nothing in a name can end a line."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import AMOUNT_MAX, EXPONENTS
from domain.plain_text import (
    Movement,
    account_name,
    amount_text,
    beancount_assertion,
    beancount_transaction,
    commodity_name,
    hledger_assertion,
    hledger_transaction,
    plain_minor,
)

DAY = date(2026, 6, 16)
NAMES = {"1010.USD": "Assets:1010:USD", "2010.A1": "Liabilities:2010:A1"}
DEPOSIT = Movement("d.cash", "client_deposit", 7, "1010.USD", "2010.A1", 12_345, "USD", True, DAY, DAY, "d")
ANY_NAME = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("ledger_account_id", "kind", "name"),
    [
        ("1010.USD", "asset", "Assets:1010:USD"),
        ("2010.A1", "liability", "Liabilities:2010:A1"),
        ("3010.CNY", "equity", "Equity:3010:CNY"),
        ("9010.CSD", "securities", "Assets:9010:CSD"),
        ("9020.A1", "securities", "Liabilities:9020:A1"),
        ("9110.A1", "securities", "Assets:9110:A1"),
        ("9120.LENDER", "securities", "Liabilities:9120:LENDER"),
        ("9010.custodian.USD", "securities", "Assets:9010:O-custodian-2EUSD"),
        ("2010.A-1", "liability", "Liabilities:2010:A-2D1"),
        ("2010.0001", "liability", "Liabilities:2010:0001"),
    ],
)
def test_an_account_stands_under_its_kind_and_code(ledger_account_id: str, kind: str, name: str) -> None:
    assert account_name(ledger_account_id, kind) == name


@pytest.mark.parametrize(
    ("instrument_id", "name"),
    [
        ("US.AIG", "US.AIG"),
        ("CN.600519", "CN.600519"),
        ("600519.SH", "X'600519.SH"),
        ("USD", "X'USD"),
        ("NULL", "X'NULL"),
        ("V", "X'V"),
        ("us.aig", "X'_75_73._61_69_67"),
        ("A_B", "A_5FB"),
        ("A.", "A_2E"),
    ],
)
def test_an_instrument_is_a_commodity_that_is_no_currency(instrument_id: str, name: str) -> None:
    assert commodity_name(instrument_id) == name


@given(ANY_NAME, ANY_NAME)
def test_two_names_never_become_one_name(one: str, other: str) -> None:
    assert (one == other) == (commodity_name(one) == commodity_name(other))
    assert (one == other) == (account_name(f"2010.{one}", "liability") == account_name(f"2010.{other}", "liability"))


@given(st.integers(-AMOUNT_MAX, AMOUNT_MAX), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_is_written_to_the_last_minor_unit(amount_minor: int, currency: str) -> None:
    assert Decimal(plain_minor(amount_minor, currency)).scaleb(EXPONENTS[currency]) == amount_minor


def test_currencies_have_the_decimals_of_their_minor_unit() -> None:
    written = [amount_text(-1_005, currency, is_money=True) for currency in ("USD", "JPY", "KWD")]
    assert written == ["-10.05 USD", "-1005 JPY", "-1.005 KWD"]
    assert amount_text(300, "US.AIG", is_money=False) == "300 US.AIG"


def test_a_transaction_says_which_transfer_it_was() -> None:
    assert beancount_transaction(DEPOSIT, NAMES) == (
        '2026-06-16 * "client_deposit"\n  transfer_id: "d.cash"\n  event_id: "d"\n  sequence: 7\n'
        "  booked_on: 2026-06-16\n  Assets:1010:USD  123.45 USD\n  Liabilities:2010:A1  -123.45 USD\n"
    )
    assert hledger_transaction(DEPOSIT, NAMES) == (
        "2026-06-16 * client_deposit  ; transfer_id:d.cash, event_id:d\n"
        '    Assets:1010:USD  123.45 "USD"\n    Liabilities:2010:A1  -123.45 "USD"\n'
    )


def test_a_balance_is_asserted_without_tolerance() -> None:
    assert beancount_assertion(DAY, "Assets:1010:USD", 5, "USD", is_money=True) == (
        "2026-06-16 balance Assets:1010:USD  0.05 ~ 0 USD\n"
    )
    assert hledger_assertion(DAY, "Assets:9010:CSD", 5, "US.AIG", is_money=False) == (
        '2026-06-16 * balance\n    Assets:9010:CSD  0 "US.AIG" = 5 "US.AIG"\n'
    )


@given(st.text(max_size=20))
def test_no_id_can_begin_a_line_of_its_own(told: str) -> None:
    movement = Movement(told, told, 1, "1010.USD", "2010.A1", 1, "USD", True, DAY, DAY, told or None)
    assert beancount_transaction(movement, NAMES).count("\n") == (7 if told else 6)
    assert hledger_transaction(movement, NAMES).count("\n") == 3
