"""Opening the books: which addresses are good, and what the stores promise once opened."""

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from books import schema
from books.engine import SQLITE_VERSION_MIN, create_books, open_books, reading, writing
from books.journal import ledger_head
from domain.errors import DeskNotReady

BAD_ADDRESSES = {
    "what is this": "no database address at all",
    "mysql://desk@localhost/books": "begins with mysql://",
    "postgresql://desk@localhost/books": "the driver named",
    "sqlite://": "name a file",
    "sqlite:////no/such/folder/books.db": "Make the folder",
    "postgresql+psycopg://desk:secret@127.0.0.1:1/books": "No PostgreSQL answers at 127.0.0.1:1",
}


@pytest.mark.parametrize("address", BAD_ADDRESSES)
def test_books_at_a_bad_address_are_refused_with_the_next_step(address: str) -> None:
    with pytest.raises(DeskNotReady, match=BAD_ADDRESSES[address]) as refusal:
        open_books(address)
    assert "secret" not in str(refusal.value)


def test_a_sqlite_that_may_corrupt_its_log_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = SimpleNamespace(sqlite_version_info=(3, 51, 2), sqlite_version="3.51.2")
    monkeypatch.setattr("books.engine.importlib.import_module", lambda name: old)
    with pytest.raises(DeskNotReady, match=r"need SQLite 3\.51\.3 or newer.*3\.51\.2"):
        open_books(f"sqlite:///{tmp_path}/books.db")


def test_sqlite_is_opened_so_that_nothing_acknowledged_is_lost(empty_sqlite: Path) -> None:
    engine = open_books(f"sqlite:///{empty_sqlite}")
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "recursive_triggers": 1,
    }
    with writing(engine) as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected}
        version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    assert found == expected
    assert tuple(map(int, version.split("."))) >= SQLITE_VERSION_MIN


def test_postgresql_keeps_checksums_and_waits_for_the_disk(postgresql: str) -> None:
    engine = open_books(postgresql)
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("data_checksums", "synchronous_commit", "lock_timeout", "timezone")
        }
    engine.dispose()
    assert settings == {"data_checksums": "on", "synchronous_commit": "on", "lock_timeout": "30s", "timezone": "UTC"}


def test_creating_books_again_changes_nothing(desk: sa.Engine) -> None:
    head = ledger_head(desk)
    create_books(desk)
    assert ledger_head(desk) == head


def test_the_migration_makes_exactly_the_tables_of_the_schema(books: sa.Engine) -> None:
    with reading(books) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_whoever_reads_cannot_write(desk: sa.Engine, when: dict[str, Any]) -> None:
    row = {"sequence": 99, "client_id": "C9", "name": "Client 9", "source": "synthetic"}
    with pytest.raises((DeskNotReady, sa.exc.DatabaseError), match=r"read-?only"), reading(desk) as connection:
        connection.execute(sa.insert(schema.client), [row])


def test_whoever_reads_sees_one_moment_while_others_write(desk: sa.Engine, vault: Any, when: dict[str, Any]) -> None:
    from books.clients import open_client

    with reading(desk) as connection:
        before = ledger_head(connection)
        open_client(desk, "C9", "Client 9", vault=vault, source="synthetic", **when)
        assert ledger_head(connection) == before
    assert ledger_head(desk).sequence == before.sequence + 1


def test_books_that_were_never_created_say_so(tmp_path: Path, when: dict[str, Any]) -> None:
    with pytest.raises(DeskNotReady, match="Look whether they are created"):
        ledger_head(open_books(f"sqlite:///{tmp_path}/never.db"), when["booked_on"] - timedelta(days=1))
