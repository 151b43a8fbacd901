"""Books out of balance, client money used for something else and a rewritten history stop the day."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from books.clients import open_client
from books.engine import create_books, open_books, writing
from books.vault import Vault
from checks.ledger import client_money_is_segregated, debits_equal_credits, the_ledger_chain_is_intact

Keep, Evaluate = Callable[..., None], Callable[..., Any]


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
