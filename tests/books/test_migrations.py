"""Books of the first edition, with data in them, become books of this edition, and not one byte of history changes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from books.audit import verify
from books.engine import create_books, open_books, reading
from books.extract import extract
from books.journal import ledger_head
from books.positions import UNNAMED, quantities, shares_delivered
from books.posting import client_money, post
from books.rules import adopt
from domain.ledger import GENESIS_HASH, Transfer, canonical, entry_hash
from rulebooks import editions_of

DAY = date(2026, 6, 15)
KNOWN_AT = "2026-06-15T20:00:00.000000Z"

FIRST_EDITION: list[tuple[str, str, str, dict[str, Any]]] = [
    ("currency", "currency", "USD", {"currency": "USD", "source": "synthetic"}),
    ("client", "client", "C1", {"client_id": "C1", "name": "Client 1", "source": "synthetic"}),
    (
        "account",
        "account",
        "A1",
        {
            "account_id": "A1",
            "client_id": "C1",
            "market": "US",
            "currency": "USD",
            "rulebook": "us.finra_4210",
            "opened_on": "2026-01-05",
            "source": "synthetic",
        },
    ),
    ("transfer", "transfer", "t1", {"template": "client_deposit", "debit": "1010.USD", "credit": "2010.A1"}),
    ("transfer", "transfer", "t2", {"template": "financed_buy_settled", "debit": "1210.A1", "credit": "1110.USD"}),
    ("movement", "position_movement", "m1", {"instrument_id": "US.X", "kind": "deposit", "quantity_shares": 100}),
    ("movement", "position_movement", "m2", {"instrument_id": "US.Y", "kind": "sell", "quantity_shares": -40}),
    (
        "corporate_action",
        "corporate_action",
        "a1",
        {"action_id": "a1", "instrument_id": "US.X", "kind": "cash_dividend", "terms": "10", "price_e4": None,
         "effective_on": str(DAY)},
    ),
]  # fmt: skip


def spelt_out(kind: str, key: str, what: dict[str, Any]) -> dict[str, Any]:
    """What the first edition wrote, column by column, nulls and all."""
    if kind == "transfer":
        return {"transfer_id": key, "template": what["template"], "debit_account_id": what["debit"],
                "credit_account_id": what["credit"], "amount_minor": 1_000, "currency": "USD",
                "effective_on": str(DAY)}  # fmt: skip
    if kind == "movement":
        return {"movement_id": key, "account_id": "A1", **what, "effective_on": str(DAY)}
    return what


@pytest.fixture
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """Books as the first edition left them, in either store."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if request.param == "postgresql":
        server: str = request.getfixturevalue("postgresql")
        admin = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS old")
            connection.exec_driver_sql("CREATE DATABASE old")
        url = server.rpartition("/")[0] + "/old"
    engine = open_books(url)
    config = Config()
    config.set_main_option("script_location", "books:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        write_first_edition(connection)
    yield engine
    engine.dispose()


def write_first_edition(connection: sa.Connection) -> None:
    previous = GENESIS_HASH
    for sequence, (kind, table, key, told) in enumerate(FIRST_EDITION, 1):
        what = spelt_out(kind, key, told)
        told_to_all = {"sequence": sequence, "kind": kind, "business_key": f"{kind}:{key}", "effective_on": str(DAY),
                       "booked_on": str(DAY), "known_at": KNOWN_AT}  # fmt: skip
        body = canonical({**told_to_all, "what": what})
        previous = entry_hash(previous, body)
        for name, row in (
            ("event", {**told_to_all, "body": body.decode(), "entry_hash": previous}),
            (table, {"sequence": sequence, **what}),
        ):
            columns = ", ".join(row)
            marks = ", ".join(f":{column}" for column in row)
            connection.execute(sa.text(f"INSERT INTO {name} ({columns}) VALUES ({marks})"), row)


@pytest.mark.parametrize("old", ["sqlite", "postgresql"], indirect=True)
def test_books_of_the_first_edition_go_on_where_they_stood(old: sa.Engine) -> None:
    with old.connect() as connection:
        before = connection.exec_driver_sql("SELECT sequence, body, entry_hash FROM event ORDER BY sequence").all()
    create_books(old)
    create_books(old)
    with reading(old) as connection:
        after = connection.exec_driver_sql("SELECT sequence, body, entry_hash FROM event ORDER BY sequence").all()
        assert list(map(tuple, after)) == list(map(tuple, before))
        assert quantities(connection) == [("A1", "US.X", 100), ("A1", "US.Y", -40)]
    assert verify(old).entries == len(FIRST_EDITION)
    assert client_money(old, ["A1"]) == {"A1": 1_000}

    tomorrow = {"booked_on": DAY + timedelta(days=1), "known_at": datetime(2026, 6, 16, 20, tzinfo=UTC)}
    adopt(old, editions_of("house.ledger", "house.approvals"), **tomorrow)
    paid = Transfer("t3", "client_withdrawal", "2010.A1", "1010.USD", 400, "USD", tomorrow["booked_on"])
    sold = shares_delivered("s1", "A1", UNNAMED, "US.X", -60, tomorrow["booked_on"])
    post(old, [paid, sold], **tomorrow)
    tables = extract(old, tomorrow["booked_on"], tomorrow["known_at"])
    balances = dict(zip(*tables["raw_books__balances"].select([0, 2]).to_pydict().values(), strict=True))
    assert {name: minor for name, minor in balances.items() if minor} == {
        "1010.USD": 600, "2010.A1": -600, "1210.A1": 1_000, "1110.USD": -1_000,
    }  # fmt: skip
    assert tables["raw_books__positions"]["quantity_shares"].to_pylist() == [40, -40]
    assert verify(old).entries == ledger_head(old).sequence
