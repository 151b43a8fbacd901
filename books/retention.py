"""How long what is known of a client must be kept, and its destruction once every law allows it.

Destroyed is the client's data key: the sealed values stay in the chain, in its copies and its backups, and nobody reads
them any more. What is not personal, postings above all, is never destroyed.
"""

import hashlib
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa

from books import schema
from books.client_files import evidence_entry, ledger_accounts_of
from books.client_states import client_state, transitions
from books.engine import Books, writing
from books.journal import batches, book, require_known
from books.rules import edition_on
from books.vault import Vault
from domain.clients.identity import FINAL
from domain.clients.retention import earliest_destruction
from domain.errors import ErasureRefused
from domain.ledger import canonical
from domain.rulebook import retention_terms

RETENTION_RULEBOOK: Final = "house.retention"
"""The rulebook that says how long records are kept."""


def destruction_day(connection: sa.Connection, client_id: str, day: date) -> date | None:
    """The first day on which a client's personal data may be destroyed, by the laws in force on ``day``.

    None while the relationship goes on. The last thing written about the client counts as the record, and every regime
    the house knows applies: the longest is kept, wherever the client traded.
    """
    require_known(connection, schema.client.c.client_id, [client_id], "Retention")
    if client_state(connection, client_id) not in FINAL:
        return None
    ended_on = transitions(connection, client_id)[-1].booked_on
    terms = retention_terms(edition_on(connection, RETENTION_RULEBOOK, day))
    return earliest_destruction(terms.regimes, _last_record(connection, client_id, day), ended_on, terms)


def erase(
    books: Books, client_id: str, actor: str, reason: str, *, vault: Vault, booked_on: date, known_at: datetime
) -> date:
    """Destroy a client's data key; returns the day since which that was allowed.

    Raises
    ------
    ErasureRefused
        The client is still a client, or a law still asks for its records.
    """
    with writing(books) as connection:
        allowed_on = destruction_day(connection, client_id, booked_on)
        if allowed_on is None or booked_on < allowed_on:
            until = "the relationship goes on" if allowed_on is None else f"they must be kept until {allowed_on}"
            if vault.is_erased(connection, client_id):
                until = "they were destroyed before"
            raise ErasureRefused(
                f"The personal data of client {client_id} must not be destroyed on {booked_on}: {until}. Nothing was "
                f"destroyed; ask again once that is otherwise."
            )
        told = {"client_id": client_id, "reason": reason, "allowed_on": allowed_on}
        digest = hashlib.sha256(canonical(told)).hexdigest()
        entry = evidence_entry(client_id, "erasure", digest, actor, booked_on)
        book(connection, [entry], booked_on, known_at)
        vault.destroy_data_key(connection, client_id)
    return allowed_on


def _last_record(connection: sa.Connection, client_id: str, day: date) -> date:
    """The last day on which anything was booked about a client or moved in one of its accounts."""
    days: list[date | None] = []
    for table in schema.TABLE_OF_KIND.values():
        if "client_id" in table.c:
            query = sa.select(sa.func.max(schema.event.c.booked_on)).join_from(table, schema.event)
            days.append(connection.execute(query.where(table.c.client_id == client_id)).scalar_one())
    step, case = schema.aml_case_step, schema.aml_case
    steps = (
        sa.select(sa.func.max(schema.event.c.booked_on))
        .join_from(step, schema.event)
        .join(case, case.c.case_id == step.c.case_id)
    )
    days.append(connection.execute(steps.where(case.c.client_id == client_id)).scalar_one())
    for batch in batches(ledger_accounts_of(connection, client_id, day)):
        for column in (schema.balance.c, schema.holding.c):
            last = sa.select(sa.func.max(column.last_sequence)).where(column.ledger_account_id.in_(batch))
            query = sa.select(schema.event.c.booked_on).where(schema.event.c.sequence == last.scalar_subquery())
            days.append(connection.execute(query).scalar_one_or_none())
    return max(day for day in days if day is not None)
