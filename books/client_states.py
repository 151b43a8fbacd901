"""Where each client stands: every step with its actor, its reason and its evidence, and who may trade.

A client's state is what its steps say, read from the first on. A step into or out of a freeze counts only while the
approval of two officers stands for exactly that step; without it the client stands where it stood.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.approvals import Approval, approvals, stands
from books.client_files import (
    evidence_on,
    has_confirmed_hit,
    has_current_screening,
    has_open_accounts,
    open_hits,
    rating_of,
)
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, batches, book, ledger_head, require_known
from books.vault import SEALED
from domain.approvals import Action, content_hash
from domain.clients.identity import (
    SENTENCES,
    Rejection,
    Standing,
    State,
    Step,
    broken_rules,
    needs_two_signatures,
    stood_before,
)
from domain.clients.rating import BLOCKED
from domain.errors import StepRefused
from domain.ledger import Rejection as TransferRejection

LINE: Final = (
    State.draft,
    State.submitted,
    State.id_verified,
    State.screened,
    State.risk_rated,
    State.approved,
    State.active,
)
"""The steps of an application that nothing stops."""

AUTOMATIC: Final = "screening"
"""The actor of a step that no officer took: a strong hit interrupts whatever a client was about."""

OFFICERS_MUST_DIFFER: Final = "officers_must_differ"
"""Whoever approves a client does not also make it active."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One step as it was booked."""

    transition_id: str
    client_id: str
    from_state: State
    to_state: State
    actor: str
    reason: str
    evidence_hash: str
    approval_id: str | None
    booked_on: date


def client_state(connection: sa.Connection, client_id: str) -> State:
    """Where a client stands; raises where the books know no such client."""
    require_known(connection, schema.client.c.client_id, [client_id], "State")
    return client_states(connection, [client_id])[client_id]


def client_states(connection: sa.Connection, client_ids: Collection[str]) -> dict[str, State]:
    """Where each client stands; a client the books do not know is left out.

    A client the first edition of the books entered has no steps, and went on trading: it is active.
    """
    found: dict[str, State] = {}
    for batch in batches(sorted(client_ids)):
        rows: Any = connection.execute(_STATE_OF_CLIENT, {"names": batch})
        found.update((client_id, _state(connection, client_id, *row)) for client_id, *row in rows)
    return found


def may_trade(connection: sa.Connection, account_ids: Collection[str]) -> dict[str, str | None]:
    """For each account None, or the name of the rule its client would break by trading."""
    verdicts: dict[str, str | None] = dict.fromkeys(account_ids, TransferRejection.accounts_must_exist)
    for batch in batches(sorted(verdicts)):
        rows: Any = connection.execute(_STATE_OF_ACCOUNT, {"names": batch})
        for account_id, client_id, *row in rows:
            is_active = _state(connection, client_id, *row) is State.active
            verdicts[account_id] = None if is_active else TransferRejection.client_must_be_active
    return verdicts


def _state(connection: sa.Connection, client_id: str, is_sealed: bool, last: str | None, was_frozen: bool) -> State:
    """A state from what a query found; only where a freeze was ever booked must signatures be looked at."""
    if was_frozen:
        return transitions(connection, client_id)[-1].to_state
    if last is None:
        return State.draft if is_sealed else State.active
    return State(last)


def _state_columns() -> tuple[Any, ...]:
    """Whether the client was entered sealed, where its last step led, and whether any step touched a freeze."""
    client, step, later, frozen = (schema.client, *(schema.client_transition.alias() for _ in range(3)))
    last = sa.select(sa.func.max(later.c.sequence)).where(later.c.client_id == client.c.client_id).correlate(client)
    to_state = sa.select(step.c.to_state).where(step.c.sequence == last.scalar_subquery()).correlate(client)
    is_freeze = sa.or_(frozen.c.from_state == State.frozen.value, frozen.c.to_state == State.frozen.value)
    return (
        sa.func.substr(client.c.name, 1, len(SEALED)) == SEALED,
        to_state.scalar_subquery(),
        sa.exists().where(frozen.c.client_id == client.c.client_id, is_freeze),
    )


# Written once: building such a query takes longer than asking it.
_NAMES: Final[sa.BindParameter[Any]] = sa.bindparam("names", expanding=True)
_STATE_OF_CLIENT: Final = sa.select(schema.client.c.client_id, *_state_columns()).where(
    schema.client.c.client_id.in_(_NAMES)
)
_STATE_OF_ACCOUNT: Final = (
    sa.select(schema.account.c.account_id, schema.client.c.client_id, *_state_columns())
    .join_from(schema.account, schema.client)
    .where(schema.account.c.account_id.in_(_NAMES))
)


def transitions(connection: sa.Connection, client_id: str) -> list[Transition]:
    """The steps of a client that count, oldest first: each from where the one before it led to.

    A client without steps has one that leads from where it began to the same.
    """
    rows = _all_transitions(connection, client_id)
    guarded = [one for one in rows if needs_two_signatures(one.from_state, one.to_state)]
    found = approvals(connection, {one.approval_id for one in guarded if one.approval_id is not None})
    first = _beginning(connection, client_id)
    kept, state = [], first.to_state
    for one in rows:
        is_guarded = needs_two_signatures(one.from_state, one.to_state)
        if one.from_state is state and (
            not is_guarded or _is_signed(connection, one, found.get(one.approval_id or ""))
        ):
            kept.append(one)
            state = one.to_state
    return kept or [first]


def freeze_content(connection: sa.Connection, client_id: str, to_state: State, evidence_hash: str) -> dict[str, object]:
    """What an approval of a client's next step into or out of a freeze is about.

    The action of the approval is ``freeze`` or ``unfreeze``, its subject the client.
    """
    return _content(_next(connection, Step(client_id, to_state, "", "", evidence_hash), None, date.min))


def move_client(
    books: Books,
    client_id: str,
    to_state: State | str,
    actor: str,
    reason: str,
    evidence_hash: str,
    approval_id: str | None = None,
    *,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Take one step with a client, or be told by name which rules it breaks."""
    with writing(books) as connection:
        step = Step(client_id, State(to_state), actor, reason, evidence_hash)
        book(connection, [_judged(connection, step, approval_id, booked_on)], booked_on, known_at)
        return ledger_head(connection)


def _judged(connection: sa.Connection, step: Step, approval_id: str | None, on: date) -> Entry:
    """The journal entry of a step that breaks no rule; raises :class:`StepRefused` for one that does."""
    require_known(connection, schema.client.c.client_id, [step.client_id], f"Step to {step.to_state}")
    one = _next(connection, step, approval_id, on)
    last = transitions(connection, step.client_id)[-1]
    broken: list[str] = [*broken_rules(step, standing(connection, step.client_id, on, one))]
    if step.to_state is State.active and last.to_state is State.approved and last.actor == one.actor:
        broken.append(OFFICERS_MUST_DIFFER)
    if broken:
        raise StepRefused(
            f"Client {step.client_id} from {last.to_state} to {step.to_state} refused, {broken[0]}: "
            f"{spoken_rules(broken)}. Nothing was written; bring what is missing, then take the step again."
        )
    return transition_entry(one)


def _next(connection: sa.Connection, step: Step, approval_id: str | None, on: date) -> Transition:
    """A step as it would be booked."""
    number = len(_all_transitions(connection, step.client_id)) + 1
    state = transitions(connection, step.client_id)[-1].to_state
    return Transition(
        f"{step.client_id}/{number}", step.client_id, state, step.to_state, step.actor.strip(), step.reason,
        step.evidence_hash, approval_id, on,
    )  # fmt: skip


def interruption(connection: sa.Connection, client_id: str, reason: str, evidence_hash: str, on: date) -> Entry | None:
    """The step that interrupts whatever a client is about, until somebody decides; None where nothing goes on."""
    state = client_state(connection, client_id)
    if state in (State.draft, State.pending_info, State.frozen, State.rejected, State.closed):
        return None
    return _judged(connection, Step(client_id, State.pending_info, AUTOMATIC, reason, evidence_hash), None, on)


def spoken_rules(rules: Iterable[str]) -> str:
    """What the rules mean, as the end of a sentence."""
    own = {OFFICERS_MUST_DIFFER: "whoever approved the client does not also make it active"}
    return "; ".join(own[rule] if rule in own else SENTENCES[Rejection(rule)] for rule in rules)


def standing(connection: sa.Connection, client_id: str, on: date, one: Transition | None = None) -> Standing:
    """Everything the verdict on a client's next step rests on, as of a day; ``one`` is that step, as it would be."""
    history = transitions(connection, client_id)
    evidence = evidence_on(connection, client_id, on)
    approval = approvals(connection, [one.approval_id]).get(one.approval_id) if one and one.approval_id else None
    return Standing(
        state=history[-1].to_state,
        stood=stood_before([one.to_state for one in history]),
        is_entity="entity" in evidence,
        evidence=frozenset(evidence),
        has_current_screening=has_current_screening(connection, client_id),
        open_hits=len(open_hits(connection, client_id)),
        rating=BLOCKED if has_confirmed_hit(connection, client_id) else rating_of(connection, client_id),
        is_pep=evidence.get("pep", "none") != "none",
        has_open_accounts=has_open_accounts(connection, client_id, on),
        is_signed_by_two=one is not None and _is_signed(connection, one, approval),
    )


def _is_signed(connection: sa.Connection, one: Transition, found: Approval | None) -> bool:
    """Whether two officers signed for exactly this step."""
    if found is None:
        return False
    action = Action.freeze if one.to_state is State.frozen else Action.unfreeze
    asked = (action.value, one.client_id, content_hash(_content(one)))
    request = found.request
    return (request.action, request.subject, request.content_hash) == asked and stands(connection, found)


def transition_entry(one: Transition) -> Entry:
    """The journal entry of one step."""
    what: dict[str, Value] = {
        "transition_id": one.transition_id,
        "client_id": one.client_id,
        "from_state": one.from_state.value,
        "to_state": one.to_state.value,
        "actor": one.actor,
        "reason": one.reason,
        "evidence_hash": one.evidence_hash,
        "approval_id": one.approval_id,
    }
    return Entry("client_transition", one.transition_id, one.booked_on, what)


def taken_over_entries(
    client_ids: Sequence[str], actor: str, reason: str, evidence_hash: str, on: date
) -> Iterator[Entry]:
    """One step each from draft to active, for clients whose application the desk did not see: it says so itself.

    They were taken on elsewhere, or they are invented; no document, screening or rating of theirs is pretended.
    """
    for client_id in client_ids:
        yield transition_entry(
            Transition(f"{client_id}/1", client_id, State.draft, State.active, actor, reason, evidence_hash, None, on)
        )


def applied_entries(
    client_ids: Sequence[str], actor: str, reason: str, evidence_hash: str, on: date
) -> Iterator[Entry]:
    """Every step of an application from draft to active, for clients that are invented, whole applications and all."""
    for client_id in client_ids:
        for number, (from_state, to_state) in enumerate(pairwise(LINE), 1):
            yield transition_entry(
                Transition(
                    f"{client_id}/{number}", client_id, from_state, to_state, actor, reason, evidence_hash, None, on
                )
            )


def _beginning(connection: sa.Connection, client_id: str) -> Transition:
    """Where a client stands before its first step: a draft, or active where the first edition entered it."""
    name: str = connection.execute(
        sa.select(schema.client.c.name).where(schema.client.c.client_id == client_id)
    ).scalar_one()
    state = State.draft if name.startswith(SEALED) else State.active
    return Transition("", client_id, state, state, "", "", "", None, date.min)


def _all_transitions(connection: sa.Connection, client_id: str) -> list[Transition]:
    """Every step that was booked, whether it counts or not."""
    column, event = schema.client_transition.c, schema.event.c
    names = ("transition_id", "client_id", "from_state", "to_state", "actor", "reason", "evidence_hash", "approval_id")
    query = sa.select(*(column[name] for name in names), event.booked_on)
    query = query.join_from(schema.client_transition, schema.event).where(column.client_id == client_id)
    rows: Any = connection.execute(query.order_by(column.sequence))
    return [Transition(row[0], row[1], State(row[2]), State(row[3]), *row[4:]) for row in rows]


def _content(one: Transition) -> dict[str, object]:
    return {
        "transition_id": one.transition_id,
        "client_id": one.client_id,
        "from_state": one.from_state.value,
        "to_state": one.to_state.value,
        "evidence_hash": one.evidence_hash,
    }
