"""What is on file about a client: evidence, ratings, hits on lists; and what of it counts on a day.

Evidence is named by the SHA-256 of the document, which is kept elsewhere.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, batches, book, ledger_head, refused, require_known
from books.rules import chart_on, edition_on
from domain.clients.details import SCREENED
from domain.clients.rating import RiskRating, rate, review_due_on
from domain.rulebook import risk_rating_terms

CLIENTS_RULEBOOK: Final = "house.clients"
"""The rulebook that says whom the desk takes as a client."""

EVIDENCE: Final = (
    "document",
    "liveness",
    "police_registry",
    "entity",
    "beneficial_owners",
    "edd_report",
    "pep",
    "suitability",
    "risk_disclosure",
    "trading_history",
    "erasure",
)
"""Kinds of evidence. ``entity`` says that the client is a firm; ``pep`` has a level, ``none`` once no longer exposed;
``suitability`` has a level from 1 to 5; ``trading_history`` has the first day of trading for its level."""

SCORE_UNITS: Final = 10_000
"""Scores are whole ten-thousandths (columns end in ``_e4``)."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")


def record_evidence(
    books: Books,
    client_id: str,
    kind: str,
    evidence_hash: str,
    recorded_by: str,
    *,
    level: str | None = None,
    valid_until: date | None = None,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Put evidence on file; the same document of the same kind is on file once."""
    entry = evidence_entry(client_id, kind, evidence_hash, recorded_by, booked_on, level, valid_until)
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id], f"Evidence {kind}")
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def evidence_entry(
    client_id: str,
    kind: str,
    evidence_hash: str,
    recorded_by: str,
    on: date,
    level: str | None = None,
    valid_until: date | None = None,
) -> Entry:
    """The journal entry of one piece of evidence."""
    subject = f"Evidence {kind[:40]!a} of client {client_id}"
    if kind not in EVIDENCE:
        raise refused(subject, "kind_must_be_known", f"a kind is one of {', '.join(EVIDENCE)}")
    if not _HASH.fullmatch(evidence_hash):
        raise refused(subject, "evidence_hash_must_be_sha256", "a document is named by its SHA-256, 64 digits 0-9a-f")
    if not recorded_by.strip():
        raise refused(subject, "actor_must_be_named", "nobody is named who saw it")
    if kind == "suitability" and level not in ("1", "2", "3", "4", "5"):
        raise refused(subject, "level_must_be_known", "suitability has a level from 1 to 5")
    if kind == "trading_history":
        try:
            date.fromisoformat(level or "")
        except ValueError:
            raise refused(subject, "level_must_be_known", "its level is the first day of trading, YYYY-MM-DD") from None
    name = f"{client_id}/{kind}/{evidence_hash[:16]}"
    what: dict[str, Value] = {
        "evidence_id": name,
        "client_id": client_id,
        "kind": kind,
        "level": level,
        "evidence_hash": evidence_hash,
        "recorded_by": recorded_by,
        "valid_until": valid_until,
    }
    return Entry("client_evidence", name, on, what)


def rate_client(
    books: Books, client_id: str, scores: Mapping[str, int], *, booked_on: date, known_at: datetime
) -> RiskRating:
    """Rate a client by the terms in force; exposure and hits are taken from the file, not from the caller."""
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id], "Rating")
        terms = risk_rating_terms(edition_on(connection, CLIENTS_RULEBOOK, booked_on))
        is_pep = evidence_on(connection, client_id, booked_on).get("pep", "none") != "none"
        is_review = has_confirmed_hit(connection, client_id) or any(
            hit.disposition == "strong" for hit in open_hits(connection, client_id)
        )
        found = rate(scores, terms, is_pep=is_pep, is_sanctions_review=is_review)
        column = schema.client_rating.c
        query = sa.select(sa.func.count()).where(column.client_id == client_id)
        name = f"{client_id}/rating/{connection.execute(query).scalar_one() + 1}"
        what: dict[str, Value] = {
            "rating_id": name,
            "client_id": client_id,
            "score_e4": int(found.score * SCORE_UNITS),
            "rating": found.rating,
            "explanation": found.sentence,
            "edition": found.edition,
            "review_on": review_due_on(booked_on, found.rating, terms),
        }
        book(connection, [Entry("client_rating", name, booked_on, what)], booked_on, known_at)
        return found


def evidence_on(connection: sa.Connection, client_id: str, day: date) -> dict[str, str | None]:
    """Kinds of evidence on file that are valid on ``day``, each with its level, the latest one of a kind counting."""
    column = schema.client_evidence.c
    query = sa.select(column.kind, column.level, column.valid_until).where(column.client_id == client_id)
    found: dict[str, str | None] = {}
    rows: Any = connection.execute(query.order_by(column.sequence))
    for kind, level, valid_until in rows:
        found.pop(kind, None)
        if valid_until is None or valid_until >= day:
            found[kind] = level
    return found


def signed_on(connection: sa.Connection, client_id: str, kind: str, day: date) -> date | None:
    """The day the latest evidence of a kind that is valid on ``day`` was put on file."""
    column, event = schema.client_evidence.c, schema.event.c
    query = sa.select(event.booked_on, column.valid_until).join_from(schema.client_evidence, schema.event)
    query = query.where(column.client_id == client_id, column.kind == kind).order_by(column.sequence.desc()).limit(1)
    row: Any = connection.execute(query).one_or_none()
    return row[0] if row is not None and (row[1] is None or row[1] >= day) else None


def rating_of(connection: sa.Connection, client_id: str) -> str | None:
    """The client's latest risk rating."""
    column = schema.client_rating.c
    query = sa.select(column.rating).where(column.client_id == client_id).order_by(column.sequence.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none()


def open_hits(connection: sa.Connection, client_id: str) -> list[sa.Row[Any]]:
    """Hits of a client that nobody has decided: screening_id, version, entry, score, disposition, explanation, day."""
    hit, said, event = schema.screening.c, schema.screening_decision.c, schema.event.c
    query = (
        sa.select(
            hit.screening_id, hit.watchlist_version, hit.entry_id, hit.score_e4, hit.disposition, hit.explanation,
            event.booked_on,
        )
        .join_from(schema.screening, schema.event, event.sequence == hit.sequence)
        .join(schema.screening_decision, said.screening_id == hit.screening_id, isouter=True)
        .where(hit.client_id == client_id, hit.disposition != "none", said.sequence.is_(None))
    )  # fmt: skip
    return list(connection.execute(query.order_by(hit.sequence)))


def has_confirmed_hit(connection: sa.Connection, client_id: str) -> bool:
    """Whether somebody decided that the client is whom a list means."""
    hit, said = schema.screening.c, schema.screening_decision.c
    query = sa.select(sa.func.count()).select_from(schema.screening)
    query = query.join(schema.screening_decision, said.screening_id == hit.screening_id)
    return bool(connection.execute(query.where(hit.client_id == client_id, said.decision == "confirmed")).scalar_one())


def has_current_screening(connection: sa.Connection, client_id: str) -> bool:
    """Whether the client as it is now was held against every list.

    A new version of a list comes into force only with everybody held against what it changed; so a client is current
    from the day it was held against the whole of each list, until it changes itself. Such a screening has a row without
    an entry.
    """
    hit, watchlist = schema.screening.c, schema.watchlist.c
    lists: set[str] = set(connection.execute(sa.select(watchlist.name).distinct()).scalars())
    query = sa.select(watchlist.name).distinct().join_from(schema.screening, schema.watchlist)
    changed = last_change(connection, [client_id]).get(client_id, 0)
    seen: Any = connection.execute(
        query.where(hit.client_id == client_id, hit.entry_id.is_(None), hit.sequence > changed)
    ).scalars()
    return bool(lists) and lists <= set(seen)


def last_change(connection: sa.Connection, client_ids: Collection[str]) -> dict[str, int]:
    """The entry with which each client last became whom it is screened as."""
    client, detail = schema.client.c, schema.client_detail.c
    found: dict[str, int] = {}
    for batch in batches(sorted(client_ids)):
        entered = sa.select(client.client_id, client.sequence).where(client.client_id.in_(batch))
        changed = sa.select(detail.client_id, sa.func.max(detail.sequence)).where(
            detail.client_id.in_(batch), detail.field.in_([field.value for field in SCREENED])
        )
        for query in (entered, changed.group_by(detail.client_id)):
            rows: Any = connection.execute(query)
            found.update(tuple(row) for row in rows)
    return found


def has_open_accounts(connection: sa.Connection, client_id: str, day: date) -> bool:
    """Whether anything is left in an account of the client: money, debt, shares, or something in flight."""
    names = ledger_accounts_of(connection, client_id, day)
    for table, unit in ((schema.balance, "minor"), (schema.holding, "shares")):
        column = table.c
        posted = column[f"debits_posted_{unit}"] != column[f"credits_posted_{unit}"]
        pending = column[f"debits_pending_{unit}"] + column[f"credits_pending_{unit}"] != 0
        for batch in batches(names):
            query = sa.select(sa.func.count()).where(column.ledger_account_id.in_(batch), sa.or_(posted, pending))
            if connection.execute(query).scalar_one():
                return True
    return False


def ledger_accounts_of(connection: sa.Connection, client_id: str, day: date) -> list[str]:
    """Every ledger account that belongs to an account of a client."""
    account = schema.account.c
    owned: Any = connection.execute(sa.select(account.account_id).where(account.client_id == client_id)).scalars().all()
    codes = [code for code, one in chart_on(connection, day).classes.items() if one.is_per_client] if owned else []
    return [f"{code}.{account_id}" for code in codes for account_id in owned]
