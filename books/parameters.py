"""Parameters: numbers and switches of one client, instrument or desk, each from a day on, with approval where needed.

A value whose approval does not stand has no effect: whoever reads a parameter never sees it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from books import schema
from books.approvals import approval_terms_on, standing_approval
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, refused
from domain.approvals import Action, content_hash, parameter_action


@dataclass(frozen=True, slots=True)
class _Row:
    """One value a parameter was set to."""

    value: str
    effective_on: date
    approval_id: str | None
    booked_on: date


def parameter_content(subject: str, name: str, value: str, effective_on: date) -> dict[str, object]:
    """What an approval of a parameter is about; its subject is the parameter's."""
    return {"subject": subject, "name": name, "value": value, "effective_on": effective_on}


def set_parameter(
    books: Books,
    subject: str,
    name: str,
    value: str,
    effective_on: date,
    *,
    approval_id: str | None = None,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Set ``name`` of ``subject`` from a day on; limits, overrides and large changes need an approval that stands.

    One approval allows one setting: to set the same value again later, ask again.
    """
    with writing(books) as connection:
        rows = _rows(connection, subject, name)
        row = _Row(value, effective_on, approval_id, booked_on)
        if rows and (rows[-1].value, rows[-1].effective_on, rows[-1].approval_id) == (value, effective_on, approval_id):
            return ledger_head(connection)
        number = f"{subject}/{name}/{len(rows) + 1}"
        effective = _in_effect(connection, subject, name, [*rows, row])
        if not effective or effective[-1] is not row:
            raise refused(
                f"Parameter {number}",
                "approval_must_stand",
                f"setting it to {value} from {effective_on} needs two officers' approval of exactly that, not used "
                f"before, and approval {approval_id} is none",
            )
        what: dict[str, Value] = {
            "parameter_id": number,
            "subject": subject,
            "name": name,
            "value": value,
            "effective_on": effective_on,
            "approval_id": approval_id,
        }
        book(connection, [Entry("parameter", number, effective_on, what)], booked_on, known_at)
        return ledger_head(connection)


def parameter_on(connection: sa.Connection, subject: str, name: str, day: date) -> str | None:
    """The value in effect on ``day``, or None; the latest one set for the latest day not after it."""
    value, latest = None, None
    for row in _in_effect(connection, subject, name, _rows(connection, subject, name)):
        if row.effective_on <= day and (latest is None or row.effective_on >= latest):
            value, latest = row.value, row.effective_on
    return value


def _in_effect(connection: sa.Connection, subject: str, name: str, rows: list[_Row]) -> list[_Row]:
    """The rows that need no approval, or have one that stands and that no earlier row used."""
    effective: list[_Row] = []
    used: set[str] = set()
    allowed: str | None = None
    for row in rows:
        action = parameter_action(name, row.value, allowed, approval_terms_on(connection, row.booked_on))
        if action is None:
            effective.append(row)
            continue
        if (
            row.approval_id is not None
            and row.approval_id not in used
            and _stands(connection, subject, name, row, action)
        ):
            used.add(row.approval_id)
            allowed = row.value
            effective.append(row)
    return effective


def _stands(connection: sa.Connection, subject: str, name: str, row: _Row, action: Action) -> bool:
    digest = content_hash(parameter_content(subject, name, row.value, row.effective_on))
    return standing_approval(connection, row.approval_id, action, subject, digest)


def _rows(connection: sa.Connection, subject: str, name: str) -> list[_Row]:
    column, event = schema.parameter.c, schema.event.c
    query = sa.select(column.value, column.effective_on, column.approval_id, event.booked_on)
    query = query.join_from(schema.parameter, schema.event).where(column.subject == subject, column.name == name)
    rows: Any = connection.execute(query.order_by(column.sequence))
    return [_Row(*row) for row in rows]
