"""Ledger accounts follow from who the books know."""

from datetime import date

import sqlalchemy as sa

from books.engine import reading
from books.ledger_accounts import all_ledger_accounts, currency_of_clients, ledger_accounts
from books.positions import UNNAMED
from books.rules import chart_on
from domain.ledger import Account

DAY = date(2026, 6, 16)


def test_ledger_accounts_follow_from_currencies_clients_and_third_parties(desk: sa.Engine) -> None:
    asked = ["1010.USD", "2010.A1", "9020.A1", "9010.CSD", "1010.JPY", "2010.USD", "1010.A1", "2010.NOBODY",
             "9010.NOBODY", "9999.USD", "nonsense"]  # fmt: skip
    with reading(desk) as connection:
        found = ledger_accounts(connection, chart_on(connection, DAY), asked)
    assert found == {
        "1010.USD": Account("1010.USD", "1010", "asset", "USD"),
        "2010.A1": Account("2010.A1", "2010", "liability", "USD", "A1"),
        "9020.A1": Account("9020.A1", "9020", "securities", None, "A1"),
        "9010.CSD": Account("9010.CSD", "9010", "securities", None),
    }


def test_the_place_the_first_edition_did_not_name_is_one(desk: sa.Engine) -> None:
    with reading(desk) as connection:
        assert f"9010.{UNNAMED}" in ledger_accounts(connection, chart_on(connection, DAY), [f"9010.{UNNAMED}"])


def test_every_account_there_is_can_be_named(desk: sa.Engine) -> None:
    """Two currencies, three client accounts, two third parties, by the owners the chart gives its classes."""
    with reading(desk) as connection:
        chart = chart_on(connection, DAY)
        listed = [account.ledger_account_id for account, _ in all_ledger_accounts(connection, chart, 10**9)]
        assert set(ledger_accounts(connection, chart, listed)) == set(listed)
    count = {owner: sum(one.owner == owner for one in chart.classes.values()) for owner in ("currency", "client")}
    places = len(chart.classes) - sum(count.values())
    assert len(listed) == len(set(listed)) == 2 * count["currency"] + 3 * count["client"] + 2 * places


def test_a_client_account_is_kept_in_one_currency(desk: sa.Engine) -> None:
    with reading(desk) as connection:
        assert currency_of_clients(connection, ["A1", "A3", "NOBODY"]) == {"A1": "USD", "A3": "CNY"}
