"""What the desk must lock up and reserve for customers in the United States, from balances and positions of a close."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from assets.segregation import control_report, locked_report, reserve_report
from domain.rulebook import Edition
from rulebooks import load_rulebook


@pytest.fixture
def edition() -> Edition:
    return load_rulebook("us.rule_15c3_3").governing(on=date(2026, 7, 1))


def accounts(**told: Any) -> pd.DataFrame:
    same = {"currency": "USD", "ledger_head": "1:a", "source": "synthetic", "interest_minor": 0, "short_value_minor": 0}
    return pd.DataFrame([same | told])


def balances(**of: int) -> pd.DataFrame:
    rows = [(code.strip("_"), minor, "1:a", "synthetic") for code, minor in of.items()]
    return pd.DataFrame(rows, columns=["code", "balance_minor", "ledger_head", "source"])


@pytest.mark.parametrize("case", ["US-012"])
def test_a_debt_of_half_the_shares_leaves_three_tenths_to_lock_up(edition: Edition, case: str) -> None:
    """US-012: shares worth 100,000 against a debit of 50,000: 70,000 may be pledged, 30,000 are locked up."""
    given = accounts(account_id="A1", long_value_minor=10_000_000, debt_minor=5_100_000, cash_minor=100_000)
    (row,) = control_report(given, edition).itertuples()
    assert (row.net_debit_minor, row.pledgeable_minor, row.to_segregate_minor) == (5_000_000, 7_000_000, 3_000_000)


def test_the_shares_locked_up_are_worth_at_least_what_must_be(edition: Edition) -> None:
    given = accounts(account_id="A1", long_value_minor=10_000_000, debt_minor=5_000_000, cash_minor=0)
    positions = pd.DataFrame(
        [("A1", "US.ONE", 1_000, 900_000), ("A1", "US.TWO", 100, 1_000_000), ("A9", "US.ONE", 1, 1)],
        columns=["account_id", "instrument_id", "quantity_shares", "price_e4"],
    )
    locked = locked_report(control_report(given, edition), positions, edition)
    assert set(locked["account_id"]) == {"A1"}
    worth = (locked["locked_shares"] * locked["price_e4"]).sum() / 100
    assert worth == 3_000_000
    assert (locked["locked_shares"] <= locked["quantity_shares"]).all()


def test_an_account_whose_shares_are_all_owed_for_locks_nothing(edition: Edition) -> None:
    given = accounts(account_id="A1", long_value_minor=10_000_000, debt_minor=9_000_000, cash_minor=0)
    control = control_report(given, edition)
    assert control["to_segregate_minor"].tolist() == [0]
    empty = pd.DataFrame(columns=["account_id", "instrument_id", "quantity_shares", "price_e4"])
    assert locked_report(control, empty, edition).empty


@pytest.mark.parametrize("case", ["US-013"])
def test_the_reserve_is_the_credits_less_the_debits_reduced(edition: Edition, case: str) -> None:
    """US-013 by accounts of the ledger: credits of 6.5 million, debits of 6.0 million less 2 %."""
    ledger = balances(_2010=-420_000_000, _2110=-150_000_000, _2410=-80_000_000, _1210=560_000_000, _1410=40_000_000,
                      _1010=50_000_000)  # fmt: skip
    lines, reserve = reserve_report(ledger, edition)
    assert lines.set_index("item")["amount_minor"].to_dict()[10] == 560_000_000
    (row,) = reserve.itertuples()
    assert (row.credits_minor, row.debits_minor) == (650_000_000, 600_000_000)
    assert row.required_minor == 650_000_000 - 588_000_000
    assert row.movement_minor == row.required_minor - 50_000_000


def test_a_desk_without_credits_reserves_nothing(edition: Edition) -> None:
    _, reserve = reserve_report(balances(_2010=0, _1210=100, _1010=0), edition)
    assert reserve["required_minor"].tolist() == [0]
