"""A PostgreSQL server of our own: set as the books want it, and gone at the end."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from domain.errors import DeskNotReady
from orchestration import postgresql
from orchestration.postgresql import has_postgresql, serve_postgresql

needs_postgresql = pytest.mark.skipif(not has_postgresql(), reason="needs PostgreSQL's programs on this machine")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user postgres can reach, which a test's own is not."""
    made = Path(tempfile.mkdtemp(prefix="lombard-postgresql-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@needs_postgresql
def test_a_durable_server_loses_nothing_it_acknowledged_and_stops_at_the_end(folder: Path) -> None:
    with serve_postgresql(folder, settings={"work_mem": "64MB"}) as address:
        plain = address.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(plain) as connection:
            settings = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
    wanted = {
        "data_checksums": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "default_transaction_isolation": "serializable",
        "lock_timeout": "5000",
        "statement_timeout": "30000",
        "idle_in_transaction_session_timeout": "10000",
        "listen_addresses": "127.0.0.1",
        "work_mem": str(64 * 1024),
    }
    assert {name: settings[name] for name in wanted} == wanted
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(plain)


def test_a_machine_without_postgresql_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgresql, "POSTGRESQL_BIN", tmp_path / "nowhere")
    with pytest.raises(DeskNotReady, match=r"Nothing was started; install the distribution's package postgresql"):
        serve_postgresql(tmp_path).__enter__()


@needs_postgresql
def test_a_server_that_cannot_start_says_why_in_its_own_words(folder: Path) -> None:
    (folder / "data").mkdir(mode=0o777)
    (folder / "data" / "left").write_text("from another server", encoding="utf-8")
    with pytest.raises(DeskNotReady, match=r"initdb failed.*\n(.*\n)*.*not empty"):
        serve_postgresql(folder).__enter__()
