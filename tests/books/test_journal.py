"""The journal: nothing in it is ever changed, and whoever changes it behind our back is found out."""

from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.clients import open_client
from books.journal import LedgerHead, ledger_head
from books.posting import post
from books.vault import Vault
from domain.errors import TransferRefused
from domain.ledger import GENESIS_HASH, Transfer
from rulebooks import editions_of

SECOND = len(editions_of("house.ledger", "house.approvals")) + 13 + 2
"""Number of the second of three deposits: after the rules, two currencies, three clients and accounts, two parties."""


@pytest.fixture
def posted(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    deposits = [
        Transfer(f"t{n}", "client_deposit", "1010.USD", "2010.A1", 100 * n, "USD", when["booked_on"]) for n in (1, 2, 3)
    ]
    post(desk, deposits, **when)
    return desk


def test_empty_books_have_a_head_too(books: sa.Engine) -> None:
    assert ledger_head(books) == LedgerHead(0, GENESIS_HASH)
    assert str(ledger_head(books)) == "0:0000000000000000"


CHANGES = ["UPDATE {} SET sequence = sequence + 100", "DELETE FROM {}"]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", ["event", "transfer", "account", "client", "currency"])
def test_the_store_itself_refuses_to_change_what_is_booked(posted: sa.Engine, table: str, change: str) -> None:
    with pytest.raises(sa.exc.DatabaseError, match=f"{table} is append-only"), posted.begin() as connection:
        connection.exec_driver_sql(change.format(table))


def test_every_table_is_guarded(books: sa.Engine) -> None:
    of_store = {
        "sqlite": "SELECT tbl_name FROM sqlite_schema WHERE type = 'trigger'",
        "postgresql": "SELECT event_object_table FROM information_schema.triggers",
    }
    with books.connect() as connection:
        guarded = set(connection.exec_driver_sql(of_store[books.dialect.name]).scalars())
    assert guarded == set(schema.metadata.tables) - {table.name for table in schema.MAY_CHANGE}


def test_a_row_cannot_be_replaced_by_inserting_it_again(posted: sa.Engine) -> None:
    if posted.dialect.name == "postgresql":
        replace = "TRUNCATE client CASCADE"
    else:
        replace = "INSERT OR REPLACE INTO client VALUES (2, 'C1', 'Somebody else', 'real')"
    with pytest.raises(sa.exc.DatabaseError, match="is append-only"), posted.begin() as connection:
        connection.exec_driver_sql(replace)


def test_the_same_fact_twice_is_booked_once(desk: sa.Engine, vault: Vault, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    assert open_client(desk, "C1", "Client 1", vault=vault, source="synthetic", **when) == head


def test_another_fact_under_the_same_key_is_refused(desk: sa.Engine, vault: Vault, when: dict[str, Any]) -> None:
    head = ledger_head(desk)
    with pytest.raises(TransferRefused, match=r"client:C1 refused, exists_with_different_content.*Nothing was written"):
        open_client(desk, "C1", "Somebody else", vault=vault, source="synthetic", **when)
    assert ledger_head(desk) == head
