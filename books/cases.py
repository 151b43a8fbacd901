"""From an alert to a decision, in the books: who took which step when, and by when the next one is due.

That a report was made, and what it says, may be known to few: telling the client, or anybody who would, is an offence.
So from the decision on, what a step says is sealed like a client's name, and the books show only that something was
decided. Whoever asks is told as much as their role may know.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, batches, book, ledger_head, require_known
from books.rules import edition_on
from books.vault import Vault
from domain.clients.cases import (
    CaseRejection,
    CaseStanding,
    CaseState,
    CaseStep,
    Report,
    broken_case_rules,
    filing_due_on,
    may_read_report,
    step_due_at,
)
from domain.clients.rules import CaseTerms, FilingTerms
from domain.errors import StepRefused
from domain.ledger import canonical
from domain.rulebook import case_terms, filing_terms

AML_RULEBOOK: Final = "house.aml"
"""The rulebook that says how a case runs."""

RESTRICTED: Final = "restricted"
"""What the books show of a step that few may know of."""

DUE_DILIGENCE: Final = "due_diligence"
"""A step that leaves a case where it stands: the investigator's file, without which nobody decides."""

_SECRET: Final = frozenset({CaseState.filed, CaseState.not_filed, CaseState.reviewed})
_FIELD: Final = "case_step"


@dataclass(frozen=True, slots=True)
class Case:
    """A case as far as a role may know it.

    ``state`` is ``restricted`` for whoever may not know what was decided, and for everybody once the client was erased.
    """

    case_id: str
    alert_id: str
    client_id: str
    rule: str
    state: str
    since: datetime
    due_at: datetime | None
    filing_due_on: date
    steps: tuple["CaseStepTaken", ...]


@dataclass(frozen=True, slots=True)
class CaseStepTaken:
    """A step that was taken. A restricted one says neither what it was nor why."""

    step: str
    actor: str
    rationale: str
    at: datetime
    filing_reference: str | None = None


def take_up(
    books: Books, alerts: Iterable[Mapping[str, Any]], *, report: Report, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Make a case of each alert (``alert_id``, ``client_id``, ``rule``, ``as_of_date``); one taken up before stays.

    ``report`` is what would be filed where the suspicion is confirmed; its term runs from the day of the alert.
    """
    with writing(books) as connection:
        terms = filing_terms(edition_on(connection, AML_RULEBOOK, booked_on))
        rows = {str(alert["alert_id"]): alert for alert in alerts}
        known: set[str] = set()
        column = schema.aml_case.c.alert_id
        for batch in batches(rows):
            known.update(connection.execute(sa.select(column).where(column.in_(batch))).scalars())
        fresh = [row for alert_id, row in sorted(rows.items()) if alert_id not in known]
        require_known(connection, schema.client.c.client_id, {str(row["client_id"]) for row in fresh}, "Case")
        entries = []
        for row in fresh:
            what: dict[str, Value] = {
                "case_id": f"case/{row['alert_id']}",
                "alert_id": str(row["alert_id"]),
                "client_id": str(row["client_id"]),
                "rule": str(row["rule"]),
                "due_on": filing_due_on(report, row["as_of_date"], terms),
            }
            entries.append(Entry("aml_case", str(what["case_id"]), booked_on, what))
        book(connection, entries, booked_on, known_at)
        return ledger_head(connection)


def record_due_diligence(
    books: Books, case_id: str, actor: str, rationale: str, *, vault: Vault, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Put what was found out on the file of an opened case."""
    with writing(books) as connection:
        case = _case(connection, vault, case_id)
        broken = []
        if case.state != CaseState.opened:
            broken.append(CaseRejection.step_must_follow)
        if not actor.strip():
            broken.append(CaseRejection.actor_must_be_named)
        if not rationale.strip():
            broken.append(CaseRejection.rationale_must_be_given)
        if broken:
            raise _refusal(case, DUE_DILIGENCE, broken)
        entry = _step_entry(connection, vault, case, DUE_DILIGENCE, actor, {"rationale": rationale}, booked_on, None)
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def move_case(
    books: Books,
    case_id: str,
    to_state: CaseState | str,
    actor: str,
    role: str,
    rationale: str,
    *,
    vault: Vault,
    booked_on: date,
    known_at: datetime,
    filing_reference: str | None = None,
) -> LedgerHead:
    """Take one step with a case, or be told by name which rules it breaks."""
    with writing(books) as connection:
        case = _case(connection, vault, case_id)
        step = CaseStep(CaseState(to_state), actor, role, rationale, known_at, filing_reference)
        known = CaseStanding(
            CaseState(case.state),
            case.since,
            frozenset(one.actor for one in case.steps if one.step not in _SECRET),
            any(one.step == DUE_DILIGENCE for one in case.steps),
        )
        if broken := list(broken_case_rules(step, known)):
            raise _refusal(case, step.to_state, broken)
        edition = edition_on(connection, AML_RULEBOOK, booked_on)
        after = CaseStanding(step.to_state, known_at)
        due = step_due_at(after, case.filing_due_on, case_terms(edition), filing_terms(edition))
        told = {"to_state": step.to_state.value, "rationale": rationale, "filing_reference": filing_reference}
        due_on = None if step.to_state in _SECRET or due is None else due.date()
        entry = _step_entry(connection, vault, case, step.to_state, actor, told, booked_on, due_on)
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def cases(connection: sa.Connection, vault: Vault, role: str, day: date, *, client_id: str | None = None) -> list[Case]:
    """Cases as far as ``role`` may know them, the earliest due first."""
    terms = case_terms(edition_on(connection, AML_RULEBOOK, day))
    column = schema.aml_case.c
    query = sa.select(column.case_id)
    if client_id is not None:
        query = query.where(column.client_id == client_id)
    names: Any = connection.execute(query).scalars().all()
    every = [_as_known_to(_case(connection, vault, name), role, terms) for name in names]
    return sorted(every, key=lambda case: (case.filing_due_on, case.case_id))


def _as_known_to(case: Case, role: str, terms: CaseTerms) -> Case:
    if may_read_report(role, terms) or not any(one.step in _SECRET for one in case.steps):
        return case
    steps = tuple(
        CaseStepTaken(RESTRICTED, RESTRICTED, RESTRICTED, one.at) if one.step in _SECRET else one for one in case.steps
    )
    return Case(
        case.case_id, case.alert_id, case.client_id, case.rule, RESTRICTED, case.since, None, case.filing_due_on, steps
    )


def _case(connection: sa.Connection, vault: Vault, case_id: str) -> Case:
    """All there is to know of a case."""
    require_known(connection, schema.aml_case.c.case_id, [case_id], "Step")
    column, step, event = schema.aml_case.c, schema.aml_case_step.c, schema.event.c
    head: Any = connection.execute(
        sa.select(column.alert_id, column.client_id, column.rule, column.due_on, event.known_at, event.booked_on)
        .join_from(schema.aml_case, schema.event)
        .where(column.case_id == case_id)
    ).one()
    if vault.is_erased(connection, head.client_id):
        return Case(case_id, head.alert_id, head.client_id, head.rule, RESTRICTED, head.known_at, None, head.due_on, ())
    query = sa.select(step.step, step.actor, step.rationale, event.known_at, event.booked_on)
    query = query.join_from(schema.aml_case_step, schema.event).where(step.case_id == case_id)
    rows: Any = connection.execute(query.order_by(step.sequence)).all()
    opened = vault.open_many(connection, [(head.client_id, _FIELD, row.rationale) for row in rows])
    taken, state, since = [], CaseState.raised, head.known_at
    for row, text in zip(rows, opened, strict=True):
        told = json.loads(text)
        name = told.get("to_state", row.step)
        taken.append(
            CaseStepTaken(
                name, told.get("actor", row.actor), told["rationale"], row.known_at, told.get("filing_reference")
            )
        )
        if name != DUE_DILIGENCE:
            state, since = CaseState(name), row.known_at
    edition = edition_on(connection, AML_RULEBOOK, rows[-1].booked_on if rows else head.booked_on)
    filing: FilingTerms = filing_terms(edition)
    due_at = step_due_at(CaseStanding(state, since), head.due_on, case_terms(edition), filing)
    return Case(case_id, head.alert_id, head.client_id, head.rule, state, since, due_at, head.due_on, tuple(taken))


def _step_entry(
    connection: sa.Connection,
    vault: Vault,
    case: Case,
    step: str,
    actor: str,
    told: Mapping[str, str | None],
    on: date,
    due_on: date | None,
) -> Entry:
    """The journal entry of a step; whoever decides is not named in the clear, for only some officers do."""
    is_secret = step in _SECRET
    said = {name: value for name, value in {**told, "actor": actor}.items() if value is not None}
    name = f"{case.case_id}/{len(case.steps) + 1}"
    what: dict[str, Value] = {
        "step_id": name,
        "case_id": case.case_id,
        "step": RESTRICTED if is_secret else str(step),
        "actor": RESTRICTED if is_secret else actor,
        "rationale": vault.seal(connection, case.client_id, _FIELD, canonical(said).decode("ascii")),
        "due_on": due_on,
    }
    return Entry("aml_case_step", name, on, what)


def _refusal(case: Case, step: str, broken: Iterable[CaseRejection]) -> StepRefused:
    names = [rule.value for rule in broken]
    return StepRefused(
        f"Step {step} of {case.case_id} refused, {names[0]}: it breaks {', '.join(names)}. Nothing was written; bring "
        f"what is missing, then take the step again."
    )
