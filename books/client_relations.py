"""Who stands behind clients and beside them: holdings, control, and which clients are one credit risk.

Owners are ids: of clients, of outside persons (``person.…``), or of outside firms. An owner who is neither a client
nor called a person is a firm, and its own owners are asked for.
"""

from collections.abc import Collection
from datetime import date, datetime
from fractions import Fraction
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.client_files import CLIENTS_RULEBOOK
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head, refused, require_known
from books.rules import edition_on
from domain.clients import ownership
from domain.clients.ownership import BeneficialOwners, BlockedEntity, Holding
from domain.rulebook import ownership_lines

SHARE_UNITS: Final = 10**8
"""Shares are whole hundred-millionths of the whole (columns end in ``_e8``)."""

ROLES: Final = ("shares", "control", "senior_manager")
"""What an owner has of what is owned; of the last two it has all or nothing."""

PERSON: Final = "person."
"""How the id of a person outside the desk begins."""

RELATIONS: Final = ("spouse", "parent", "child", "guarantor", "group", "pooled_control")
"""Why two clients are one credit risk; ``pooled_control`` is somebody else's hand on both accounts (配资)."""


def record_ownership(
    books: Books,
    owner_id: str,
    owned_id: str,
    kind: str,
    share: Fraction | int,
    *,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Record what an owner has of an entity; the latest record of the same owner, entity and kind counts.

    A share of nothing ends a holding, or a role.
    """
    subject = f"Holding of {owner_id} in {owned_id}"
    if kind not in ROLES:
        raise refused(subject, "kind_must_be_known", f"a kind is one of {', '.join(ROLES)}")
    if owner_id == owned_id:
        raise refused(subject, "owner_must_differ", "nobody owns all of itself")
    if kind != "shares" and share not in (0, 1):
        raise refused(subject, "share_must_be_all_or_nothing", f"{kind} is had, 1, or had no longer, 0")
    if not 0 <= share <= 1:
        raise refused(subject, "share_must_be_part_of_the_whole", f"{float(share):.4%} is not between 0 % and 100 %")
    share_e8 = Fraction(share) * SHARE_UNITS
    if share_e8.denominator != 1:
        # A third cannot be written so; half up, it would be no third on either side of a line.
        raise refused(subject, "share_must_be_exact", f"a share is a multiple of 1/{SHARE_UNITS}")
    with writing(books) as connection:
        column = schema.ownership.c
        query = sa.select(column.share_e8).where(
            column.owner_id == owner_id, column.owned_id == owned_id, column.kind == kind
        )
        before: Any = connection.execute(query.order_by(column.sequence)).scalars().all()
        if before and before[-1] == int(share_e8):
            return ledger_head(connection)
        name = f"{owner_id}/{owned_id}/{kind}/{len(before) + 1}"
        what: dict[str, Value] = {
            "ownership_id": name,
            "owner_id": owner_id,
            "owned_id": owned_id,
            "kind": kind,
            "share_e8": int(share_e8),
        }
        book(connection, [Entry("ownership", name, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)


def holdings(connection: sa.Connection) -> list[Holding]:
    """Every holding of shares as it stands now."""
    return [
        Holding(owner, owned, Fraction(share_e8, SHARE_UNITS))
        for (owner, owned, kind), share_e8 in _latest(connection).items()
        if kind == "shares" and share_e8
    ]


def beneficial_owners(connection: sa.Connection, entity: str, day: date) -> BeneficialOwners:
    """Who ultimately owns or controls an entity, by the line in force on ``day``."""
    found = _latest(connection)
    held = holdings(connection)
    clients: Any = connection.execute(sa.select(schema.client.c.client_id)).scalars()
    owned = {one.owned for one in held}
    known = set(clients) - _entities(connection) - owned
    persons = frozenset(one.owner for one in held if one.owner in known or one.owner.startswith(PERSON))
    lines = ownership_lines(edition_on(connection, CLIENTS_RULEBOOK, day))
    named = {
        role: [owner for (owner, of, kind), share_e8 in found.items() if (of, kind) == (entity, role) and share_e8]
        for role in ROLES
    }
    return ownership.beneficial_owners(
        entity, held, persons, lines.beneficial,
        controllers=named["control"], senior_managers=named["senior_manager"],
    )  # fmt: skip


def blocked_entities(connection: sa.Connection, blocked: Collection[str], day: date) -> dict[str, BlockedEntity]:
    """Entities blocked because of their blocked owners, by the line in force on ``day``."""
    lines = ownership_lines(edition_on(connection, CLIENTS_RULEBOOK, day))
    return ownership.blocked_entities(holdings(connection), frozenset(blocked), lines.blocked)


def relate_clients(
    books: Books, client_id: str, related_client_id: str, kind: str, *, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Record that two clients are one credit risk."""
    subject = f"Relation of {client_id} to {related_client_id}"
    if kind not in RELATIONS:
        raise refused(subject, "kind_must_be_known", f"a kind is one of {', '.join(RELATIONS)}")
    if client_id == related_client_id:
        raise refused(subject, "clients_must_differ", "a client is related to itself already")
    name = f"{client_id}/{related_client_id}/{kind}"
    what: dict[str, Value] = {
        "relation_id": name,
        "client_id": client_id,
        "related_client_id": related_client_id,
        "kind": kind,
    }
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id, related_client_id], "Relation")
        book(connection, [Entry("relation", name, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)


def credit_groups(connection: sa.Connection) -> dict[str, str]:
    """The credit group of each client, named for its first member.

    Clients are of one group where they are related, and where one controls the other, or owns more than half of it.
    """
    clients: Any = connection.execute(sa.select(schema.client.c.client_id)).scalars().all()
    column = schema.relation.c
    rows: Any = connection.execute(sa.select(column.client_id, column.related_client_id))
    known = set(clients)
    related = [tuple(row) for row in rows]
    related += [
        (owner, owned)
        for (owner, owned, kind), share_e8 in _latest(connection).items()
        if {owner, owned} <= known
        and (2 * share_e8 > SHARE_UNITS if kind == "shares" else kind == "control" and share_e8)
    ]
    return ownership.credit_groups(clients, related)


def _latest(connection: sa.Connection) -> dict[tuple[str, str, str], int]:
    column = schema.ownership.c
    query = sa.select(column.owner_id, column.owned_id, column.kind, column.share_e8).order_by(column.sequence)
    rows: Any = connection.execute(query)
    return {(owner, owned, kind): share_e8 for owner, owned, kind, share_e8 in rows}


def _entities(connection: sa.Connection) -> set[str]:
    column = schema.client_evidence.c
    return set(connection.execute(sa.select(column.client_id).where(column.kind == "entity")).scalars())
