"""What the desk's own role may do in PostgreSQL: read and add, and nothing that changes history.

Triggers refuse changes to whoever owns the tables; a desk that does not own them cannot even take the triggers away.
SQLite has no roles: there the file's owner is the desk, and the chain and the seals kept elsewhere are what is left.
"""

from typing import Final

import sqlalchemy as sa

from books.schema import MAY_CHANGE, metadata
from domain.errors import DeskNotReady

_REVISIONS: Final = "alembic_version"
"""Which edition of the tables there is; the desk looks at it when it starts."""


def grant_desk_role(engine: sa.Engine, role: str) -> None:
    """Let ``role`` keep the books, and take every other right on them from it and from everybody.

    To be called by the owner of the tables, after ``create_books``; safe to repeat. Raises :class:`DeskNotReady` where
    the role is not there, or is one that no grant can bind.
    """
    if engine.dialect.name != "postgresql":
        raise DeskNotReady(
            f"Roles and their rights are PostgreSQL's, but these books are in {engine.dialect.name}. Nothing was "
            f"granted; guard the file with the rights of its folder."
        )
    with engine.begin() as connection:
        _require_bindable(connection, role)
        quoted = connection.dialect.identifier_preparer.quote(role)
        for statement in _statements(quoted):
            connection.exec_driver_sql(statement)


def _statements(role: str) -> list[str]:
    history = [table.name for table in metadata.sorted_tables if table not in MAY_CHANGE]
    may_change = [table.name for table in MAY_CHANGE]
    every = ", ".join([*history, *may_change, _REVISIONS])
    return [
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"REVOKE ALL ON SCHEMA public FROM {role}",
        f"REVOKE ALL ON {every} FROM PUBLIC",
        f"REVOKE ALL ON {every} FROM {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(history)} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE ON {', '.join(may_change)} TO {role}",
        f"GRANT SELECT ON {_REVISIONS} TO {role}",
    ]


def _require_bindable(connection: sa.Connection, role: str) -> None:
    found = connection.execute(
        sa.text("SELECT rolsuper, pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = :role"),
        {"role": role},
    ).one_or_none()
    if found is None:
        raise DeskNotReady(
            f"The desk's rights should go to the role {role}, but the server knows none of that name. Nothing was "
            f"granted; create it (CREATE ROLE … LOGIN), and do the same again."
        )
    if found[0] or found[1]:
        why = "a superuser" if found[0] else "the owner of the tables, or a member of it"
        raise DeskNotReady(
            f"The desk's role must be bound by what is granted, but {role} is {why}. Nothing was granted; let the desk "
            f"come in as a role of its own."
        )
