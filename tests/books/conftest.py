"""The books under test, in both stores they may be kept in: SQLite, and a PostgreSQL of our own."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pytest
import sqlalchemy as sa

from books import schema
from books.approvals import decide, enter_officer_key, request_approval
from books.clients import open_account, take_over_client
from books.engine import create_books, open_books, writing
from books.journal import LedgerHead
from books.positions import shares_delivered, short_opened
from books.posting import post
from books.rules import adopt
from books.signatures import SigningKey, new_key, public_text
from books.third_parties import enter_third_party
from books.vault import Vault
from domain.approvals import content_hash
from domain.clients.watchlists import BirthSpan, ListedName, ListEntry, Quality, Watchlist
from orchestration.postgresql import POSTGRESQL_BIN, has_postgresql, serve_postgresql
from rulebooks import editions_of

DAY = date(2026, 6, 16)
KNOWN_AT = datetime(2026, 6, 16, 20, 0, tzinfo=UTC)
NO_FILE = "0" * 64


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty books in SQLite, to be copied by every test that wants some."""
    file = tmp_path_factory.mktemp("sqlite") / "empty.db"
    engine = open_books(f"sqlite:///{file}")
    create_books(engine)
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of books in a PostgreSQL server of our own, on a free port."""
    if not has_postgresql():
        reason = f"needs PostgreSQL in {POSTGRESQL_BIN}, which is not here"
        if os.environ.get("LOMBARD_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="lombard-postgresql-"))
    try:
        with serve_postgresql(folder, is_durable=False) as address:
            engine = open_books(address)
            create_books(engine)
            engine.dispose()
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _empty(address: str) -> None:
    """Take everything out of the books again, which only a superuser with the triggers switched off can do."""
    engine = sa.create_engine(address, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        connection.exec_driver_sql(f"TRUNCATE {', '.join(schema.metadata.tables)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of empty books of this test's own."""
    if request.param == "sqlite":
        file = tmp_path / "books.db"
        shutil.copy(request.getfixturevalue("empty_sqlite"), file)
        return f"sqlite:///{file}"
    server: str = request.getfixturevalue("postgresql")
    _empty(server)
    return server


@pytest.fixture
def books(address: str) -> Iterator[sa.Engine]:
    engine = open_books(address)
    yield engine
    engine.dispose()


@pytest.fixture
def desk(books: sa.Engine, vault: Vault) -> sa.Engine:
    """Books with two clients in New York (A1, A2) and one in Shanghai (A3), by the rules of the rulebooks."""
    with writing(books) as connection:
        adopt(connection, editions_of("house.ledger", "house.approvals"), booked_on=DAY, known_at=KNOWN_AT)
        for number, market, currency in ((1, "US", "USD"), (2, "US", "USD"), (3, "CN", "CNY")):
            same = {"source": "synthetic", "booked_on": DAY, "known_at": KNOWN_AT}
            take_over_client(
                connection,
                f"C{number}",
                f"Client {number}",
                vault=vault,
                reason="a test",
                evidence_hash=NO_FILE,
                **same,
            )
            open_account(
                connection,
                f"A{number}",
                f"C{number}",
                market=market,
                currency=currency,
                rulebook="us.finra_4210" if market == "US" else "cn.sse_margin_trading",
                opened_on=date(2026, 1, 5),
                **same,
            )
        enter_third_party(connection, "CSD", "custodian", "the depository", **same)
        enter_third_party(connection, "LENDER", "lender", "the lender of shares", **same)
    return books


class Hold(Protocol):
    def __call__(self, books: sa.Engine, *held: tuple[str, str, str, int, date]) -> LedgerHead: ...


@pytest.fixture
def hold() -> Hold:
    """Put (transfer id, account, instrument, shares, day) into the books; negative shares are sold short."""

    def deliver(books: sa.Engine, *held: tuple[str, str, str, int, date]) -> LedgerHead:
        transfers = [
            shares_delivered(name, account, "CSD", instrument, shares, day)
            if shares > 0
            else short_opened(name, account, "LENDER", instrument, -shares, day)
            for name, account, instrument, shares, day in held
        ]
        return post(books, transfers, booked_on=DAY, known_at=KNOWN_AT)

    return deliver


@dataclass(frozen=True)
class SmallDesk:
    """A book of clients as a seeding takes it."""

    clients: pd.DataFrame
    accounts: pd.DataFrame
    contracts: pd.DataFrame
    positions: pd.DataFrame
    deposits: pd.DataFrame


@pytest.fixture
def when() -> dict[str, Any]:
    """The day everything is booked on, and the moment it becomes known."""
    return {"booked_on": DAY, "known_at": KNOWN_AT}


@dataclass(frozen=True)
class Officers:
    """Officers by their names, each with a key the books know."""

    keys: dict[str, SigningKey]

    def approve(
        self, books: sa.Engine, action: str, subject: str, content: Mapping[str, object], makers: str = "", **more: str
    ) -> str:
        """Have two officers sign for something, and return the approval's id."""
        maker, _, checker = (makers or _USUAL[action]).partition(" ")
        approval_id = more.get("approval_id", f"{action}.{subject}.{content_hash(content)[:8]}")
        request_approval(
            books, action, subject, content, f"please: {action} of {subject}", self.keys[maker],
            approval_id=approval_id, booked_on=DAY, known_at=KNOWN_AT,
        )  # fmt: skip
        decide(books, approval_id, "approved", "seen the file", self.keys[checker], booked_on=DAY, known_at=KNOWN_AT)
        return approval_id


_ROLES = {"lin": "finance", "wu": "head", "ma": "compliance", "qian": "mlro", "zhao": "risk", "sun": "operations"}
_USUAL = {
    "write_off": "lin wu", "large_withdrawal": "sun wu", "reversal": "sun wu", "freeze": "ma qian",
    "unfreeze": "ma qian", "limit": "zhao wu", "parameter_change": "zhao wu", "rule_override": "zhao wu",
}  # fmt: skip


@pytest.fixture
def officers(desk: sa.Engine) -> Officers:
    """Six officers of the desk, whose rulebooks are adopted; every role belongs to one of them."""
    keys = {name: new_key() for name in _ROLES}
    with writing(desk) as connection:
        adopt(connection, editions_of(), booked_on=DAY, known_at=KNOWN_AT)
        for name, role in _ROLES.items():
            enter_officer_key(
                connection, name, role, public_text(keys[name]), source="test", booked_on=DAY, known_at=KNOWN_AT
            )
    return Officers(keys)


@pytest.fixture
def house_list() -> Watchlist:
    """A list of two invented persons."""
    entries = (
        ListEntry(
            "7", "individual", (ListedName("Ivan Drago Molotov"), ListedName("The Hammer", Quality.weak)),
            (BirthSpan(date(1961, 1, 1), date(1961, 12, 31)),), ("RU",), ("X1234567",),
        ),
        ListEntry("8", "individual", (ListedName("Wang Xiaoming"), ListedName("王小明", Quality.strong))),
    )  # fmt: skip
    return Watchlist("house.watchlist", "a1" * 32, DAY, entries)


@pytest.fixture
def small_desk() -> SmallDesk:
    """Six accounts, four in New York and two in Shanghai, with a loan, a deposit and two holdings each."""
    numbers = range(1, 7)
    accounts = [f"A{number}" for number in numbers]
    markets = ["CN" if number > 4 else "US" for number in numbers]
    currencies = ["CNY" if market == "CN" else "USD" for market in markets]
    every = {"currency": currencies, "source": "synthetic"}
    opened = {"opened_on": [date(2026, 1, 5)] * 6}
    return SmallDesk(
        clients=pd.DataFrame(
            {"client_id": [f"C{n}" for n in numbers], "name": [f"Client {n}" for n in numbers], "source": "synthetic"}
        ),
        accounts=pd.DataFrame(
            {
                "account_id": accounts,
                "client_id": [f"C{n}" for n in numbers],
                "market": markets,
                "rulebook": "us.finra_4210",
                **opened,
                **every,
            }
        ),
        contracts=pd.DataFrame(
            {
                "contract_id": [f"K{n}" for n in numbers],
                "account_id": accounts,
                "principal_minor": [1_000_000 * n for n in numbers],
                "matures_on": [date(2026, 7, 5)] * 6,
                **opened,
                **every,
            }
        ),
        positions=pd.DataFrame(
            {
                "account_id": [a for a in accounts for _ in range(2)],
                "instrument_id": [f"{m}.{name}" for m in markets for name in ("ONE", "TWO")],
                "quantity_shares": [101 * (i + 1) for i in range(12)],
                "source": "synthetic",
            }
        ),
        deposits=pd.DataFrame({"account_id": accounts, "amount_minor": [500_000] * 6, **every}),
    )
