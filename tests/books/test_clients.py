"""Clients, accounts and contracts: who is known, and what is refused."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books.clients import open_account
from books.contracts import open_contract
from books.journal import ledger_head
from domain.errors import TransferRefused, UnknownCurrency

ACCOUNT = {"market": "US", "currency": "USD", "rulebook": "us.finra_4210", "opened_on": date(2026, 1, 5)}
CONTRACT = {
    "currency": "USD",
    "principal_minor": 100,
    "opened_on": date(2026, 1, 5),
    "matures_on": date(2026, 7, 5),
}


def test_an_account_needs_a_client_the_books_know(desk: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="Account A9 of C9 refused, clients_must_exist"):
        open_account(desk, "A9", "C9", source="synthetic", **ACCOUNT, **when)


def test_an_account_in_an_unknown_currency_is_refused(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    with pytest.raises(UnknownCurrency, match="XAU"):
        open_account(desk, "A9", "C1", source="synthetic", **(ACCOUNT | {"currency": "XAU"}), **when)
    assert ledger_head(desk) == head


def test_a_contract_is_opened_once(desk: sa.Engine, when: dict[str, Any]) -> None:
    head = open_contract(desk, "K1", "A1", **CONTRACT, **when)
    assert open_contract(desk, "K1", "A1", **CONTRACT, **when) == head


REFUSED = {
    "principal_must_be_positive": {"principal_minor": 0},
    "maturity_must_follow_opening": {"matures_on": date(2026, 1, 5)},
    "accounts_must_exist": {"account_id": "A9"},
    "currency_must_match_the_account": {"currency": "CNY"},
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_contract_that_makes_no_sense_is_refused_by_name(desk: sa.Engine, when: dict[str, Any], rule: str) -> None:
    terms = {"account_id": "A1", **CONTRACT, **REFUSED[rule]}
    with pytest.raises(TransferRefused, match=rf"refused, {rule}: .*Nothing was written"):
        open_contract(desk, "K1", **terms, **when)
