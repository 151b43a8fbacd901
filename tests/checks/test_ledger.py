"""Books out of balance, client money used for something else and a rewritten history stop the day."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from books.clients import open_client
from books.engine import create_books, open_books, writing
from books.vault import Vault
from checks.ledger import (
    client_money_is_segregated,
    closed_days_are_never_restated,
    debits_equal_credits,
    every_share_is_in_a_name_and_a_place,
    no_client_owes_us_their_own_money,
    sub_ledgers_equal_their_control_accounts,
    the_books_agree_with_the_ledger,
    the_ledger_chain_is_intact,
)

Keep, Evaluate = Callable[..., None], Callable[..., Any]
Build = Callable[..., None]

DAY, BEFORE = date(2026, 6, 17), date(2026, 6, 16)


def balance(ledger_account_id: str, balance_minor: int, currency: str = "USD") -> dict[str, Any]:
    return {"ledger_account_id": ledger_account_id, "balance_minor": balance_minor, "currency": currency}


def test_a_ledger_whose_balances_add_up_to_nothing_passes(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__balances", balance("1010.USD", 500), balance("2010.A1", -500), balance("3010.CNY", 0, "CNY"))
    assert evaluate(debits_equal_credits).passed


def test_a_cent_out_of_balance_stops_the_day(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__balances", balance("1010.USD", 500), balance("2010.A1", -499))
    found = evaluate(debits_equal_credits)
    assert (found.passed, found.blocking) == (False, True)
    assert "out of balance: {'USD': 1}" in found.description


def test_currencies_do_not_balance_each_other(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__balances", balance("1010.USD", 500), balance("2010.A1", -500, "CNY"))
    assert not evaluate(debits_equal_credits).passed


def test_balances_beyond_what_64_bits_sum_to_still_add_up(keep: Keep, evaluate: Evaluate) -> None:
    most = 2**62
    keep("raw_books__balances", *[balance(f"1010.{n}", most) for n in range(4)], balance("2010.A1", -most))
    assert not evaluate(debits_equal_credits).passed


@pytest.mark.parametrize(("owed_minor", "is_kept_apart"), [(-500, True), (-501, False)])
def test_the_client_bank_holds_exactly_what_is_owed_to_clients(
    keep: Keep, evaluate: Evaluate, owed_minor: int, is_kept_apart: bool
) -> None:
    keep("raw_books__balances", balance("1010.USD", 500), balance("2010.A1", owed_minor), balance("1110.USD", 77))
    codes = [{"ledger_account_id": name, "code": name[:4]} for name in ("1010.USD", "2010.A1", "1110.USD")]
    keep("raw_books__ledger_accounts", *codes)
    found = evaluate(client_money_is_segregated)
    assert (found.passed, found.blocking) == (is_kept_apart, True)


@pytest.mark.parametrize(("owed_minor", "is_covered"), [(-1, True), (0, True), (1, False)])
def test_a_client_with_less_than_nothing_stops_the_day(
    keep: Keep, evaluate: Evaluate, owed_minor: int, is_covered: bool
) -> None:
    """Another client's money hides it in the total."""
    keep("raw_books__balances", balance("1010.USD", 900), balance("2010.A1", owed_minor), balance("2010.A2", -900))
    found = evaluate(no_client_owes_us_their_own_money)
    assert (found.passed, found.blocking) == (is_covered, True)
    assert is_covered or found.metadata["overdrawn"].value == ["2010.A1"]


def holding(ledger_account_id: str, balance_shares: int, instrument_id: str = "US.X") -> dict[str, Any]:
    code, _, owner = ledger_account_id.partition(".")
    return {
        "ledger_account_id": ledger_account_id, "code": code, "account_id": owner if code in ("9020", "9110") else None,
        "instrument_id": instrument_id, "balance_shares": balance_shares,
    }  # fmt: skip


def position(account_id: str, quantity_shares: int) -> dict[str, Any]:
    return {"account_id": account_id, "instrument_id": "US.X", "quantity_shares": quantity_shares}


SHARES = (holding("9010.CSD", 100), holding("9020.A1", -100), holding("9110.A2", 30), holding("9120.LENDER", -30))


def test_shares_in_a_name_and_a_place_that_are_positions_pass(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__holdings", *SHARES)
    keep("raw_books__positions", position("A1", 100), position("A2", -30))
    assert evaluate(every_share_is_in_a_name_and_a_place).passed


def test_a_share_in_a_name_and_in_no_place_stops_the_day(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__holdings", *SHARES[1:], holding("9010.CSD", 99), holding("9010.CSD", 1, "US.Y"))
    keep("raw_books__positions", position("A1", 100), position("A2", -30))
    found = evaluate(every_share_is_in_a_name_and_a_place)
    assert (found.passed, found.blocking) == (False, True)
    assert found.metadata["instruments"].value == ["US.X", "US.Y"]
    assert found.metadata["positions"].value == []


@pytest.mark.parametrize("told", [(position("A1", 101), position("A2", -30)), (position("A1", 100),)])
def test_a_position_that_is_not_what_its_holdings_say_stops_the_day(
    keep: Keep, evaluate: Evaluate, told: tuple[dict[str, Any], ...]
) -> None:
    keep("raw_books__holdings", *SHARES)
    keep("raw_books__positions", *told)
    found = evaluate(every_share_is_in_a_name_and_a_place)
    assert not found.passed
    assert found.metadata["instruments"].value == []
    assert len(found.metadata["positions"].value) == 1


def of_the_day(*rows: dict[str, Any], **same: Any) -> pd.DataFrame:
    return pd.DataFrame([{"as_of_date": DAY, "currency": "USD", **same, **row} for row in rows])


def kept_and_rolled(build_views: Build, books: dict[str, int], ledger: dict[str, int]) -> None:
    build_views(
        stg_books__balances=of_the_day(*({"ledger_account_id": k, "balance_minor": v} for k, v in books.items())),
        fct_ledger__roll_forward_daily=of_the_day(
            *({"ledger_account_id": name, "closing_minor": closing} for name, closing in ledger.items())
        ),
    )


def test_books_and_ledger_that_agree_pass_whatever_never_moved(build_views: Build, evaluate: Evaluate) -> None:
    kept_and_rolled(build_views, {"1010.USD": 5, "2010.A1": -5, "2010.A2": 0}, {"1010.USD": 5, "2010.A1": -5})
    assert evaluate(the_books_agree_with_the_ledger).passed


@pytest.mark.parametrize(
    ("ledger", "told"),
    [
        pytest.param({"1010.USD": 5, "2010.A1": -4}, "2010.A1: books -5, ledger -4", id="a cent"),
        pytest.param({"1010.USD": 5}, "2010.A1: books -5, ledger 0", id="unknown to the ledger"),
        pytest.param({"1010.USD": 5, "2010.A1": -5, "2010.A9": 1}, "2010.A9: books 0, ledger 1", id="to the books"),
    ],
)
def test_a_cent_between_books_and_ledger_stops_the_day(
    build_views: Build, evaluate: Evaluate, ledger: dict[str, int], told: str
) -> None:
    kept_and_rolled(build_views, {"1010.USD": 5, "2010.A1": -5}, ledger)
    found = evaluate(the_books_agree_with_the_ledger)
    assert (found.passed, found.blocking) == (False, True)
    assert told in found.description


@pytest.mark.parametrize(
    ("sub_ledger", "control", "contracts", "is_right"),
    [
        pytest.param(700, 700, 700, True, id="equal"),
        pytest.param(600, 600, 700, True, id="paid back in part"),
        pytest.param(700, 701, 700, False, id="another control account"),
        pytest.param(701, 701, 700, False, id="lent without a contract"),
        pytest.param(1, 1, None, False, id="no contract at all"),
        pytest.param(0, 0, None, True, id="nothing lent"),
    ],
)
def test_clients_accounts_add_up_and_loans_have_contracts(
    build_views: Build, evaluate: Evaluate, sub_ledger: int, control: int, contracts: int | None, is_right: bool
) -> None:
    row = {
        "code": "1210", "sub_ledger_minor": sub_ledger, "control_minor": control,
        "difference_minor": control - sub_ledger, "contracts_minor": contracts,
    }  # fmt: skip
    rows = of_the_day(row).astype({"contracts_minor": "Int64"})
    build_views(fct_ledger__control_accounts=rows)
    found = evaluate(sub_ledgers_equal_their_control_accounts)
    assert (found.passed, found.blocking) == (is_right, True)


def closes(build_views: Build, *, line_minor: int = 500, kept_minor: int = 500, turnover_minor: int = 500) -> None:
    """A day closed on top of another; each of the three tellings of the first day can be made to differ."""
    first = {"as_of_date": BEFORE, "code": "1010", "effective_on": BEFORE, "known_on": BEFORE, "credits_minor": 0}
    second = first | {"as_of_date": DAY, "effective_on": DAY, "known_on": DAY}
    side = {"ledger_account_id": "1010.USD"}
    build_views(
        int_ledger__journal_lines=of_the_day(
            first | side | {"signed_minor": line_minor}, second | side | {"signed_minor": 20}
        ),
        fct_ledger__turnover_daily=of_the_day(
            first | {"debits_minor": turnover_minor}, second | {"debits_minor": 20}, lines=1
        ),
        fct_ledger__trial_balance_daily=of_the_day(
            first | {"debits_minor": kept_minor}, second | {"debits_minor": 520}
        ),
    )


def test_closed_days_that_still_add_up_pass(build_views: Build, evaluate: Evaluate) -> None:
    closes(build_views)
    assert evaluate(closed_days_are_never_restated).passed


@pytest.mark.parametrize("changed", ["line_minor", "kept_minor", "turnover_minor"])
def test_a_closed_day_that_was_changed_stops_the_next(build_views: Build, evaluate: Evaluate, changed: str) -> None:
    closes(build_views, **{changed: 501})
    found = evaluate(closed_days_are_never_restated)
    assert (found.passed, found.blocking) == (False, True)
    assert "2026-06-16 1010 USD" in found.description


@pytest.fixture
def books(tmp_path: Path, vault: Vault) -> Iterator[sa.Engine]:
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    create_books(engine)
    with writing(engine) as connection:
        for number in range(3):
            known_at = datetime(2026, 6, 17, tzinfo=UTC)
            open_client(
                connection, f"C{number}", "Client", vault=vault, source="synthetic", booked_on=date(2026, 6, 17),
                known_at=known_at,
            )  # fmt: skip
    yield engine
    engine.dispose()


def test_an_untouched_history_passes_and_says_how_long_it_is(evaluate: Evaluate, books: sa.Engine) -> None:
    found = evaluate(the_ledger_chain_is_intact, books=books)
    assert found.passed
    assert found.description.startswith("3 entries")


def test_a_rewritten_history_stops_the_day(evaluate: Evaluate, books: sa.Engine) -> None:
    with writing(books) as connection:
        triggers = connection.exec_driver_sql("select name from sqlite_master where type = 'trigger'").scalars().all()
        for trigger in triggers:
            connection.exec_driver_sql(f"drop trigger {trigger}")
        connection.exec_driver_sql("update client set name = 'Somebody Else' where client_id = 'C1'")
    with pytest.raises(AssertionError, match=r"LedgerTampered: .* row in table client .* Stop posting"):
        evaluate(the_ledger_chain_is_intact, books=books)
