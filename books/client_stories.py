"""Why an application stopped: where a client stands, what it lacks, and who did what on which day, in sentences."""

from datetime import date

import sqlalchemy as sa

from books import schema
from books.client_files import has_confirmed_hit, open_hits
from books.client_states import AUTOMATIC, LINE, Transition, spoken_rules, standing, transitions
from books.journal import require_known
from domain.clients.identity import Rejection, State, Step, broken_rules

_ASKED_OF_THE_STEP = (
    Rejection.actor_must_be_named,
    Rejection.reason_must_be_given,
    Rejection.evidence_hash_must_be_sha256,
)
"""What is asked of whoever takes the next step, and not of the client."""


def why_stopped(connection: sa.Connection, client_id: str, day: date) -> str:
    """What a compliance officer reads about a client on ``day``; nothing personal is in it."""
    require_known(connection, schema.client.c.client_id, [client_id], "Story")
    history = transitions(connection, client_id)
    sentences = [_where(client_id, history), *_what_is_missing(connection, client_id, history, day)]
    for hit in open_hits(connection, client_id):
        sentences.append(f"To decide since {hit.booked_on}: {hit.screening_id}. {hit.explanation}")
    if has_confirmed_hit(connection, client_id):
        sentences.append("A hit was confirmed: the client is whom a list means, and stays blocked.")
    if history[0].transition_id:
        sentences.append("Steps so far:")
        sentences += [_told(one) for one in history]
    return "\n".join(sentences)


def next_on_the_line(state: State) -> State | None:
    """The state an application goes to from ``state``; None where it is held, at its end, or past it."""
    if state is State.edd_review:
        return State.approved
    return LINE[LINE.index(state) + 1] if state in LINE[:-1] else None


def _where(client_id: str, history: list[Transition]) -> str:
    last = history[-1]
    if not last.transition_id:
        return f"Client {client_id} is {last.to_state}; no step was taken yet."
    who = "the screening itself" if last.actor == AUTOMATIC else last.actor
    moved = f"{who} moved it from {last.from_state}: {last.reason}"
    return f"Client {client_id} is {last.to_state} since {last.booked_on}; {moved}."


def _what_is_missing(connection: sa.Connection, client_id: str, history: list[Transition], day: date) -> list[str]:
    known = standing(connection, client_id, day)
    is_held = known.state in (State.pending_info, State.frozen)
    aim = known.stood if is_held else next_on_the_line(known.state)
    if aim is None:
        return []
    if aim is State.approved and known.state is State.risk_rated and known.needs_enhanced_due_diligence:
        aim = State.edd_review
    broken = [rule for rule in broken_rules(Step(client_id, aim, "", "", ""), known) if rule not in _ASKED_OF_THE_STEP]
    if is_held and known.open_hits and Rejection.hits_must_be_decided not in broken:
        # Early states ask for no decision yet; but it is what the client was stopped for.
        broken.append(Rejection.hits_must_be_decided)
    what = f"return to {aim}" if is_held else f"become {aim}"
    if not broken:
        return [f"Nothing is missing for it to {what}; an officer must take the step."]
    return [f"To {what} it lacks something: {spoken_rules(broken)}."]


def _told(one: Transition) -> str:
    approval = f", approval {one.approval_id}" if one.approval_id else ""
    return (
        f"  {one.booked_on} {one.from_state} → {one.to_state} by {one.actor}: {one.reason} "
        f"(evidence {one.evidence_hash[:12]}{approval})"
    )
