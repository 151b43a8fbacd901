"""Holding clients against lists of persons nobody may deal with: which list is in force, who was hit, what was decided.

Names are opened in memory only. What is written names an entry of a list and numbers; no name, neither the client's nor
the listed one, which would be the client's where the hit is a true one.

A version of a list comes into force in the same transaction in which every client is held against what it changed. So
nobody is ever missed between two versions, and a client is held against a whole list once, and again when it changes.
"""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.client_files import CLIENTS_RULEBOOK, SCORE_UNITS, last_change
from books.client_states import client_states, interruption
from books.clients import details_of
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, batches, book, ledger_head, refused, require_known
from books.rules import edition_on
from books.vault import Vault
from domain.clients.details import Field
from domain.clients.identity import FINAL
from domain.clients.rules import ScreeningLines
from domain.clients.screening import Explanation, ScreeningIndex, Subject, screen, screening_index
from domain.clients.watchlists import Watchlist, list_delta, only
from domain.errors import NameNotUsable
from domain.rulebook import screening_lines

DECISIONS: Final = ("cleared", "confirmed")
"""What somebody decides on a hit: it means another, or it means the client."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ScreeningRun:
    """How many clients were held against how many entries, how many hits that made, and whom a strong one stopped."""

    clients: int
    entries: int
    hits: int
    stopped: tuple[str, ...]


def lists_in_force(connection: sa.Connection) -> dict[str, str]:
    """The version in force of each list, by the list's name."""
    column = schema.watchlist.c
    rows: Any = connection.execute(sa.select(column.name, column.version).order_by(column.sequence))
    return dict(tuple(row) for row in rows)


def enter_watchlist(
    books: Books,
    watchlist: Watchlist,
    previous: Watchlist | None,
    *,
    vault: Vault,
    booked_on: date,
    known_at: datetime,
) -> ScreeningRun:
    """Bring a version of a list into force, with every client held against what it added or changed.

    ``previous`` is the version in force, or None for a list that comes for the first time; then everybody is held
    against all of it. A version that is in force already changes nothing.
    """
    with writing(books) as connection:
        in_force = lists_in_force(connection).get(watchlist.name)
        if in_force == watchlist.version:
            return ScreeningRun(0, 0, 0, ())
        subject = f"List {watchlist.name} {watchlist.version[:16]}"
        if in_force != (previous.version if previous else None):
            raise refused(subject, "previous_version_must_be_in_force", f"in force is {in_force or 'none yet'}")
        column = schema.watchlist.c
        if connection.execute(sa.select(column.sequence).where(column.version == watchlist.version)).first():
            raise refused(subject, "version_must_be_new", "it was in force before, and another one came after it")
        what: dict[str, Value] = {
            "version": watchlist.version,
            "name": watchlist.name,
            "entries": len(watchlist.entries),
            "published_on": watchlist.published_on,
        }
        entry = Entry("watchlist", watchlist.version, watchlist.published_on, what)
        book(connection, [entry], booked_on, known_at)
        delta = list_delta(previous, watchlist)
        changed = watchlist if previous is None else only(watchlist, (*delta.added, *delta.changed))
        screened = _Screening(connection, vault, [changed], booked_on, known_at, is_whole=previous is None)
        return screened.run(_open_clients(connection))


def screen_clients(
    books: Books,
    client_ids: Collection[str],
    watchlists: Sequence[Watchlist],
    *,
    vault: Vault,
    booked_on: date,
    known_at: datetime,
) -> ScreeningRun:
    """Hold clients against whole lists, all that are in force; a client that stayed the same gives the same hits."""
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, client_ids, "Screening")
        in_force = lists_in_force(connection)
        given = {watchlist.name: watchlist.version for watchlist in watchlists}
        if given != in_force:
            raise refused(
                f"Screening of {len(client_ids)} clients",
                "lists_must_be_in_force",
                f"in force are {_spoken(in_force)}, but given were {_spoken(given)}",
            )
        screened = _Screening(connection, vault, watchlists, booked_on, known_at, is_whole=True)
        return screened.run(sorted(set(client_ids) & set(_open_clients(connection))))


def screen_changed(
    books: Books, watchlists: Sequence[Watchlist], *, vault: Vault, booked_on: date, known_at: datetime
) -> ScreeningRun:
    """Screen every client who has come, or changed, since it was screened last."""
    with writing(books) as connection:
        due = due_clients(connection)
        return screen_clients(connection, due, watchlists, vault=vault, booked_on=booked_on, known_at=known_at)


def decide_hit(
    books: Books,
    screening_id: str,
    decision: str,
    actor: str,
    reason: str,
    evidence_hash: str,
    *,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Decide whether a hit means the client. A client it stopped goes on only when an officer has it return."""
    subject = f"Decision on {screening_id}"
    if decision not in DECISIONS:
        raise refused(subject, "decision_must_be_known", f"a decision is {' or '.join(DECISIONS)}")
    if not actor.strip() or not reason.strip():
        raise refused(subject, "actor_and_reason_must_be_given", "somebody decides, and says why")
    if not _HASH.fullmatch(evidence_hash):
        raise refused(subject, "evidence_hash_must_be_sha256", "what shows it is named by its SHA-256")
    what: dict[str, Value] = {
        "screening_id": screening_id,
        "decision": decision,
        "actor": actor,
        "reason": reason,
        "evidence_hash": evidence_hash,
    }
    with writing(books) as connection:
        column = schema.screening.c
        require_known(connection, column.screening_id, [screening_id], "Decision")
        query = sa.select(column.disposition).where(column.screening_id == screening_id)
        if connection.execute(query).scalar_one() == "none":
            raise refused(subject, "hit_must_exist", "that screening made no hit, and there is nothing to decide")
        book(connection, [Entry("screening_decision", screening_id, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)


class _Screening:
    """One run over some clients and lists."""

    def __init__(
        self,
        connection: sa.Connection,
        vault: Vault,
        watchlists: Sequence[Watchlist],
        booked_on: date,
        known_at: datetime,
        *,
        is_whole: bool,
    ) -> None:
        self.connection, self.vault, self.watchlists = connection, vault, watchlists
        self.booked_on, self.known_at, self.is_whole = booked_on, known_at, is_whole
        self.index: ScreeningIndex = screening_index(watchlists)
        self.lines: ScreeningLines = screening_lines(edition_on(connection, CLIENTS_RULEBOOK, booked_on))

    def run(self, client_ids: Sequence[str]) -> ScreeningRun:
        """Screen the clients, write what was found, stop whom a new strong hit stops."""
        entries = sum(len(watchlist.entries) for watchlist in self.watchlists)
        hits, stopped = 0, []
        for batch in batches(client_ids) if entries else ():
            details = details_of(self.connection, self.vault, batch)
            changes = last_change(self.connection, batch)
            rows = [row for name in batch for row in self._rows(name, subject_of(details[name]), changes[name])]
            fresh = self._unbooked(rows)
            book(self.connection, fresh, self.booked_on, self.known_at)
            found = [row for row in fresh if row.what["disposition"] != "none"]
            hits += len(found)
            for row in found:
                if row.what["disposition"] == "strong" and self._stop(row):
                    stopped.append(str(row.what["client_id"]))
        return ScreeningRun(len(client_ids), entries, hits, tuple(stopped))

    def _rows(self, client_id: str, subject: Subject, changed: int) -> Iterator[Entry]:
        try:
            found = screen(subject, self.index, self.lines)
        except NameNotUsable as refusal:
            raise NameNotUsable(f"Client {client_id} cannot be screened. {refusal}") from None
        for watchlist in self.watchlists if self.is_whole else ():
            count = sum(one.list_version == watchlist.version for one in found)
            told = f"Held against {len(watchlist.entries):,} entries of {watchlist.name}: {count} to decide."
            yield self._entry(client_id, changed, watchlist.version, None, 0, "none", told)
        for one in found:
            score_e4 = round(one.score * SCORE_UNITS)
            told = nameless(one, self.lines)
            yield self._entry(client_id, changed, one.list_version, one.entry_id, score_e4, one.disposition, told)

    def _entry(
        self,
        client_id: str,
        changed: int,
        version: str,
        entry_id: str | None,
        score_e4: int,
        disposition: str,
        told: str,
    ) -> Entry:
        edition = self.lines.edition.partition("@")[2]
        name = f"{client_id}/{changed}/{version[:16]}/{entry_id or '-'}/{edition}"
        what: dict[str, Value] = {
            "screening_id": name,
            "client_id": client_id,
            "watchlist_version": version,
            "entry_id": entry_id,
            "score_e4": score_e4,
            "disposition": disposition,
            "explanation": told,
        }
        return Entry("screening", name, self.booked_on, what)

    def _unbooked(self, rows: list[Entry]) -> list[Entry]:
        column = schema.screening.c.screening_id
        known: set[str] = set()
        for batch in batches(row.key for row in rows):
            known.update(self.connection.execute(sa.select(column).where(column.in_(batch))).scalars())
        return [row for row in rows if row.key not in known]

    def _stop(self, row: Entry) -> bool:
        client_id, told = str(row.what["client_id"]), str(row.what["explanation"])
        digest = hashlib.sha256(told.encode()).hexdigest()
        step = interruption(self.connection, client_id, f"strong hit {row.key}", digest, self.booked_on)
        if step is None:
            return False
        book(self.connection, [step], self.booked_on, self.known_at)
        return True


def subject_of(details: dict[Field, str]) -> Subject:
    """Whom to ask about, from what is known of a client."""
    birth_date = details.get(Field.birth_date)
    return Subject(
        details[Field.full_name],
        tuple(details.get(Field.aliases, "").splitlines()),
        date.fromisoformat(birth_date) if birth_date else None,
        frozenset(details.get(Field.country, "").split()),
        frozenset({details[Field.document]} if Field.document in details else ()),
    )


def nameless(found: Explanation, lines: ScreeningLines) -> str:
    """A hit explained by its numbers: what is like what is looked up in the list, by the entry's id."""
    words = ", ".join(f"{match.likeness:.2f}" for match in found.likeness.words)
    same = f", with the same {' and '.join(found.corroborated_by).replace('_', ' ')}" if found.corroborated_by else ""
    return (
        f"Score {found.score:.1f} against the {found.quality} name of {found.kind} {found.entry_id} on "
        f"{found.list_name}: whole name {found.likeness.whole:.2f}, words {words}{same}; {found.disposition} where "
        f"strong begins at {lines.strong:g} and review at {lines.review:g}, or at {lines.corroborated:g} corroborated."
    )


def _open_clients(connection: sa.Connection) -> list[str]:
    """Clients the desk still has to do with."""
    every: Any = connection.execute(sa.select(schema.client.c.client_id)).scalars().all()
    return sorted(name for name, state in client_states(connection, every).items() if state not in FINAL)


def due_clients(connection: sa.Connection) -> list[str]:
    """Clients whom :func:`books.client_files.has_current_screening` denies, asked of all at once."""
    hit, watchlist = schema.screening.c, schema.watchlist.c
    last = sa.select(hit.client_id, watchlist.name, sa.func.max(hit.sequence))
    last = last.join_from(schema.screening, schema.watchlist).where(hit.entry_id.is_(None))
    rows: Any = connection.execute(last.group_by(hit.client_id, watchlist.name))
    screened = {(client_id, name): sequence for client_id, name, sequence in rows}
    lists, every = lists_in_force(connection), _open_clients(connection)
    changed = last_change(connection, every)
    return [
        client_id
        for client_id in every
        if not lists or any(screened.get((client_id, name), 0) <= changed[client_id] for name in lists)
    ]


def _spoken(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version[:16]}" for name, version in sorted(versions.items())) or "none"
