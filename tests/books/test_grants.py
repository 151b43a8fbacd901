"""Rights in PostgreSQL: the desk's role keeps the books and changes nothing of them; their owner meets a trigger."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from books.audit import verify
from books.checkpoints import seal_day
from books.engine import create_books, open_books
from books.grants import grant_desk_role
from books.journal import ledger_head
from books.posting import post
from books.schema import MAY_CHANGE, metadata
from books.signatures import new_key
from domain.errors import DeskNotReady
from domain.ledger import Transfer

ROLE = "desk keeper"
HISTORY = sorted({table.name for table in metadata.sorted_tables} - {table.name for table in MAY_CHANGE})


@pytest.fixture
def owner(desk: sa.Engine) -> Iterator[sa.Engine]:
    if desk.dialect.name != "postgresql":
        pytest.skip("SQLite has no roles")
    with desk.begin() as connection:
        connection.exec_driver_sql(f'CREATE ROLE "{ROLE}" LOGIN')
    yield desk
    with desk.begin() as connection:
        connection.exec_driver_sql(f'DROP OWNED BY "{ROLE}"')
        connection.exec_driver_sql(f'DROP ROLE "{ROLE}"')


@pytest.fixture
def keeper(owner: sa.Engine) -> Iterator[sa.Engine]:
    """The books as the desk's role has them."""
    grant_desk_role(owner, ROLE)
    engine = open_books(owner.url.set(username=ROLE).render_as_string(hide_password=False))
    yield engine
    engine.dispose()


def test_the_desks_role_keeps_the_books(keeper: sa.Engine, when: dict[str, Any]) -> None:
    create_books(keeper)
    head = post(
        keeper, [Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 100, "USD", when["booked_on"])], **when
    )
    seal_day(keeper, when["booked_on"], new_key(), when["known_at"])
    proven = verify(keeper)
    assert proven.head == head == ledger_head(keeper)
    assert (proven.checkpoints, proven.projections) == (1, 2)


def change(table: str) -> list[str]:
    column = next(iter(metadata.tables[table].primary_key)).name
    return [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]


@pytest.mark.parametrize("table", HISTORY)
def test_the_desks_role_may_not_change_history(keeper: sa.Engine, table: str) -> None:
    for statement in change(table):
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), keeper.begin() as connection:
            connection.exec_driver_sql(statement)


def test_the_owner_meets_a_trigger_in_every_table_of_history(owner: sa.Engine, when: dict[str, Any]) -> None:
    seal_day(owner, when["booked_on"], new_key(), when["known_at"])
    with owner.connect() as connection:
        filled = [
            table for table in HISTORY if connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
        ]
    assert {"event", "account", "client", "checkpoint"} <= set(filled)
    for table in HISTORY:
        for statement in change(table) if table in filled else change(table)[2:]:
            with pytest.raises(sa.exc.DatabaseError, match="is append-only"), owner.begin() as connection:
                connection.exec_driver_sql(statement)


AROUND = [
    "ALTER TABLE event DISABLE TRIGGER ALL",
    "DROP TRIGGER event_refuses_change ON event",
    "DROP TABLE event CASCADE",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
    "SET session_replication_role = replica",
    "CREATE TABLE mine (what text)",
    "DELETE FROM balance",
    "TRUNCATE holding",
    "DELETE FROM data_key",
    "UPDATE alembic_version SET version_num = '0'",
]


@pytest.mark.parametrize("statement", AROUND)
def test_there_is_no_way_around_for_the_desks_role(keeper: sa.Engine, statement: str) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be owner"),
        keeper.begin() as connection,
    ):
        connection.exec_driver_sql(statement)


def test_rights_given_by_mistake_are_taken_back(owner: sa.Engine) -> None:
    with owner.begin() as connection:
        connection.exec_driver_sql(f'GRANT ALL ON event, balance TO "{ROLE}"')
        connection.exec_driver_sql("GRANT DELETE ON event TO PUBLIC")
    grant_desk_role(owner, ROLE)
    grant_desk_role(owner, ROLE)
    query = "SELECT privilege_type FROM information_schema.table_privileges WHERE grantee = %s AND table_name = %s"
    with owner.connect() as connection:
        for grantee, table, rights in (
            (ROLE, "event", {"SELECT", "INSERT"}),
            (ROLE, "balance", {"SELECT", "INSERT", "UPDATE"}),
            ("PUBLIC", "event", set()),
        ):
            assert set(connection.exec_driver_sql(query, (grantee, table)).scalars()) == rights


def test_a_role_no_grant_can_bind_is_refused(owner: sa.Engine) -> None:
    with pytest.raises(DeskNotReady, match=r"knows none of that name. Nothing was granted"):
        grant_desk_role(owner, "nobody'; DROP TABLE event; --")
    with pytest.raises(DeskNotReady, match="but desk is a superuser"):
        grant_desk_role(owner, "desk")


def test_books_without_roles_are_said_to_have_none(books: sa.Engine) -> None:
    if books.dialect.name == "sqlite":
        with pytest.raises(DeskNotReady, match=r"these books are in sqlite. Nothing was granted"):
            grant_desk_role(books, ROLE)
