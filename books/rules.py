"""The rules the books work by, adopted edition by edition: what the desk's chart and templates were on any day."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa

from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, book, ledger_head
from books.schema import rule_edition
from domain.errors import DeskNotReady
from domain.ledger import Chart
from domain.rulebook import Edition, chart

LEDGER_RULEBOOK: Final = "house.ledger"
"""The rulebook that holds the chart of accounts and the posting templates."""


def adopt(books: Books, editions: Iterable[tuple[Edition, str]], *, booked_on: date, known_at: datetime) -> LedgerHead:
    """Enter editions, each with its hash; one adopted before stays, and one that was changed since is refused."""
    with writing(books) as connection:
        book(connection, (edition_entry(edition, digest) for edition, digest in editions), booked_on, known_at)
        return ledger_head(connection)


def edition_entry(edition: Edition, edition_hash: str) -> Entry:
    """The journal entry that adopts an edition of a rulebook."""
    # Keys in the order they were written: the legs of an event are booked in that order.
    content = json.dumps(dict(edition.rules), separators=(",", ":"), allow_nan=False)
    what: dict[str, Value] = {
        "edition": edition.name,
        "rulebook": edition.rulebook,
        "effective_on": edition.effective_on,
        "edition_hash": edition_hash,
        "content": content,
    }
    return Entry("rule_edition", edition.name, edition.effective_on, what)


def chart_on(connection: sa.Connection, day: date) -> Chart:
    """The chart and templates in force on ``day``, as adopted."""
    edition = edition_on(connection, LEDGER_RULEBOOK, day)
    if edition.name not in _CHARTS or _CHARTS[edition.name][0] is not edition:
        _CHARTS[edition.name] = (edition, chart(edition))
    return _CHARTS[edition.name][1]


def edition_on(connection: sa.Connection, rulebook: str, day: date) -> Edition:
    """The edition of a rulebook in force on ``day``, as adopted; raises :class:`DeskNotReady` where none was."""
    column = rule_edition.c
    in_force = sa.select(column.sequence, column.effective_on, column.edition_hash)
    in_force = in_force.where(column.rulebook == rulebook, column.effective_on <= day)
    found: Any = connection.execute(in_force.order_by(column.effective_on.desc()).limit(1)).one_or_none()
    if found is None:
        raise DeskNotReady(
            f"Writing the books on {day} needs an adopted edition of {rulebook}, but they hold none in force on that "
            f"day. Nothing was written; run `lombard init`, which adopts the rulebooks."
        )
    if found.edition_hash not in _EDITIONS:
        content: str = connection.execute(
            sa.select(column.content).where(column.sequence == found.sequence)
        ).scalar_one()
        rules = MappingProxyType(json.loads(content))
        _EDITIONS[found.edition_hash] = Edition(rulebook, found.effective_on, True, rulebook, "adopted", rules)
    return _EDITIONS[found.edition_hash]


_EDITIONS: Final[dict[str, Edition]] = {}
"""Editions already read, by their hash: the same hash is the same text in any books."""

_CHARTS: Final[dict[str, tuple[Edition, Chart]]] = {}
"""Charts already read, each with the edition it was read from."""
