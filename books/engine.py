"""Opening the books: one engine per store, with the settings under which no acknowledged posting is ever lost."""

import importlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from domain.errors import DeskNotReady

SQLITE_VERSION_MIN: Final = (3, 51, 3)
"""Older versions (from 3.7.0) can corrupt a database in WAL mode: sqlite.org/wal.html#walresetbug."""

WAIT_FOR_WRITER_SECONDS: Final = 30
"""How long a posting waits while another one is being written; postings are written one after the other."""

_SQLITE_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA wal_autocheckpoint=1000",
    # Without this, INSERT OR REPLACE deletes a row without asking the trigger that forbids it.
    "PRAGMA recursive_triggers=ON",
)

_POSTGRESQL_OPTIONS: Final = (
    f"-c lock_timeout={WAIT_FOR_WRITER_SECONDS}s -c statement_timeout=60s "
    "-c idle_in_transaction_session_timeout=60s -c synchronous_commit=on -c timezone=UTC"
)

ATTEMPTS_MAX: Final = 40
"""How often a transaction is tried that the store could not order among others."""

_NOT_ORDERED: Final = ("40001", "40P01")
"""PostgreSQL's words for it: serialization failure, deadlock."""

_CREATION_LOCK: Final = 0x10BA2D
"""Any fixed number: two desks that create the same books at once must take turns."""

Result = TypeVar("Result")

Books = sa.Engine | sa.Connection
"""Where a function finds the books: an engine (its own transaction) or a connection (the caller's)."""


def open_books(url: str) -> sa.Engine:
    """Open the books at ``sqlite:///<file>`` or ``postgresql+psycopg://…``; raises :class:`DeskNotReady`."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DeskNotReady(
            "The books' address must read sqlite:///<file> or postgresql+psycopg://<user>@<host>/<database>, but "
            "what came is no database address at all. Correct the setting and start again."
        ) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return _open_sqlite(parsed)
    if parsed.drivername == "postgresql+psycopg":
        return _open_postgresql(parsed)
    raise DeskNotReady(
        f"The books are kept in SQLite (sqlite:///<file>) or PostgreSQL (postgresql+psycopg://…, the driver named), "
        f"but the address begins with {parsed.drivername}://. Correct the setting and start again."
    )


def create_books(engine: sa.Engine) -> None:
    """Bring the books' tables to the newest revision; on books that are there already, nothing changes."""
    # Only whoever makes tables waits for the tool that makes them.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "books:migrations")
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except OperationalError as problem:
        raise DeskNotReady(
            f"The books could not be created: {problem.orig}. Nothing was written; see that the place is writable and "
            f"nobody else holds it, then start again."
        ) from problem


@contextmanager
def writing(books: Books) -> Iterator[sa.Connection]:
    """One transaction in which nobody else writes; a connection that came from here stays in the one it is in."""
    if isinstance(books, sa.Connection):
        assert books.get_execution_options().get("books_writing"), "a connection to write through comes from writing()"
        yield books
        return
    try:
        with books.connect().execution_options(books_writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                # First statement of the transaction, so that its snapshot holds all that was written before. Of the
                # tables every posting writes to, this is the one that a desk without rights over history may lock.
                connection.execute(sa.text("LOCK TABLE balance IN EXCLUSIVE MODE"))
            yield connection
    except OperationalError as problem:
        if getattr(problem.orig, "sqlstate", None) in _NOT_ORDERED:
            raise
        raise DeskNotReady(
            f"The books could not be written to: {problem.orig}. Look whether they are created, reachable and free of "
            f"another long posting, then do the same again: what was already written stays as it is."
        ) from problem


def writing_again(books: Books, work: Callable[[sa.Connection], Result]) -> Result:
    """Do ``work`` in one writing transaction, again where the store could not order it among others.

    What is posted carries its own id, so doing it again can never do it twice.
    """
    for attempt in range(ATTEMPTS_MAX):
        try:
            with writing(books) as connection:
                return work(connection)
        except DBAPIError as problem:
            is_ours = isinstance(books, sa.Engine) and attempt < ATTEMPTS_MAX - 1
            if not is_ours or getattr(problem.orig, "sqlstate", None) not in _NOT_ORDERED:
                raise
            time.sleep(random.uniform(0, 0.002 * 2 ** min(attempt, 6)))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def reading(books: Books) -> Iterator[sa.Connection]:
    """One transaction that sees a single moment of the books, waits for nobody and cannot write."""
    if isinstance(books, sa.Connection):
        yield books
        return
    try:
        options = {"books_reading": True, "postgresql_readonly": True}
        with books.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except OperationalError as problem:
        raise DeskNotReady(
            f"The books could not be read: {problem.orig}. Look whether they are created and reachable, then ask again."
        ) from problem


def _sqlite_driver() -> ModuleType:
    """The first SQLite library at hand that is safe with several connections in WAL mode."""
    found = []
    for name in ("pysqlite3", "sqlite3"):
        try:
            driver = importlib.import_module(name)
        except ImportError:
            continue
        if tuple(driver.sqlite_version_info) >= SQLITE_VERSION_MIN:
            return driver
        found.append(f"{name} with SQLite {driver.sqlite_version}")
    needed = ".".join(map(str, SQLITE_VERSION_MIN))
    raise DeskNotReady(
        f"The books need SQLite {needed} or newer, because older ones can corrupt a write-ahead log, but found only "
        f"{' and '.join(found)}. Nothing was opened; install pysqlite3 0.6.1 or newer, or keep the books in PostgreSQL."
    )


def _open_sqlite(url: URL) -> sa.Engine:
    if not url.database or url.database == ":memory:":
        raise DeskNotReady("The books must outlive the process: name a file, sqlite:///<file>, not SQLite's memory.")
    if not Path(url.database).parent.is_dir():
        raise DeskNotReady(
            f"The books should lie at {url.database}, but there is no such folder. Make the folder, then start again."
        )
    engine = sa.create_engine(url, module=_sqlite_driver(), connect_args={"timeout": WAIT_FOR_WRITER_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _settle(dbapi_connection: Any, _record: object) -> None:
        # The driver would begin transactions late and lose updates; we say BEGIN ourselves, below.
        dbapi_connection.isolation_level = None
        (mode,) = dbapi_connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise DeskNotReady(f"The books need a disk with write-ahead logging, but SQLite there offers only {mode}.")
        for pragma in _SQLITE_PRAGMAS:
            dbapi_connection.execute(pragma)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_reading = connection.get_execution_options().get("books_reading", False)
        connection.exec_driver_sql("PRAGMA query_only=ON" if is_reading else "PRAGMA query_only=OFF")
        connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")

    return engine


def _open_postgresql(url: URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        # Writers take turns at a table lock, so a snapshot per transaction is all that readers still need.
        isolation_level="REPEATABLE READ",
        connect_args={"options": _POSTGRESQL_OPTIONS},
        pool_pre_ping=True,
    )
    try:
        with engine.connect():
            return engine
    except OperationalError as problem:
        raise DeskNotReady(
            f"No PostgreSQL answers at {url.host}:{url.port or 5432} for database {url.database}: {problem.orig}. "
            f"Start it, or correct the address, and start again."
        ) from problem
