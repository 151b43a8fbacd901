"""Approvals in the books: officers' keys, requests and decisions, each signed, and whether an approval stands.

Nobody takes the books' word for it: both signatures, both keys, both roles are looked at again whenever somebody asks
whether an approval stands. A key counts as it stood when the decision was booked, so that an officer who leaves takes
nothing along; whoever has a stolen key revoked shuts out what was not decided yet.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, batches, book, ledger_head, refused, require_known
from books.rules import edition_on
from books.signatures import SigningKey, is_signed, key_id, public_text, sign
from domain.approvals import (
    SENTENCES,
    Action,
    ApprovalTerms,
    Decision,
    OfficerKey,
    Rejection,
    Request,
    Verdict,
    content_hash,
    decision_message,
    judge_decision,
    judge_request,
    request_message,
)
from domain.errors import ApprovalRefused
from domain.ledger import REVERSAL, AnyTransfer, Chart, content_of
from domain.rulebook import approval_terms

APPROVALS_RULEBOOK: Final = "house.approvals"
"""The rulebook that says who may ask for what, and who may allow it."""

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""How officers and roles are written: one way only, so that nobody is two officers by a capital letter."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request as it stands in the books, and what was said to it, if anything."""

    request: Request
    request_signature: str
    maker: OfficerKey
    decision: Decision | None
    decision_signature: str | None
    checker: OfficerKey | None
    decided_on: date | None
    decided_at: int | None = None


def approval_terms_on(connection: sa.Connection, day: date) -> ApprovalTerms:
    """The authority matrix in force on ``day``, as adopted."""
    edition = edition_on(connection, APPROVALS_RULEBOOK, day)
    if edition.name not in _TERMS or _TERMS[edition.name][0] is not edition:
        _TERMS[edition.name] = (edition, approval_terms(edition))
    return _TERMS[edition.name][1]


_TERMS: Final[dict[str, tuple[object, ApprovalTerms]]] = {}
"""Terms already read, each with the edition it was read from."""


def enter_officer_key(
    books: Books, officer_id: str, role: str, public_key: str, *, source: str, booked_on: date, known_at: datetime
) -> str:
    """Enter an officer's public key, and in which role it signs; returns its id.

    The keys of the day the first one was entered are the founders'. Every later one needs an approval of exactly
    :func:`key_content`, given before it is entered: who can write the books cannot make a second officer.
    """
    for what, text in (("officer_id", officer_id), ("role", role)):
        if not _PLAIN.fullmatch(text):
            raise refused(
                f"Key of officer {officer_id[:64]!a}",
                f"{what}_must_be_plain",
                f"it must be up to 64 small letters, digits, dots and hyphens, but is {text[:64]!a}",
            )
    name = key_id(public_key)
    what_it_is = {"key_id": name, "officer_id": officer_id, "role": role, "public_key": public_key, "source": source}
    with writing(books) as connection:
        book(connection, [Entry("officer_key", name, booked_on, what_it_is)], booked_on, known_at)
        if not is_vetted(connection, name):
            raise refused(
                f"Key {name} of officer {officer_id}",
                "approval_must_stand",
                f"the officers of {_founding_day(connection)} founded the desk, and every later key needs an approval "
                f"of {Action.officer_key} of {officer_id} first",
            )
    return name


def key_content(officer_id: str, role: str, public_key: str) -> dict[str, object]:
    """What an approval of an officer's key is about; its action is ``officer_key``, its subject the officer."""
    return {"officer_id": officer_id, "role": role, "public_key": public_key}


def is_vetted(connection: sa.Connection, name: str) -> bool:
    """Whether a key is a founder's, or two officers had signed for it before it was entered."""
    key, event = schema.officer_key.c, schema.event.c
    query = sa.select(key.officer_id, key.role, key.public_key, key.sequence, event.booked_on)
    found: Any = connection.execute(
        query.join_from(schema.officer_key, schema.event).where(key.key_id == name)
    ).one_or_none()
    if found is None:
        return False
    if found.booked_on == _founding_day(connection):
        return True
    digest = content_hash(key_content(found.officer_id, found.role, found.public_key))
    # Only an approval given earlier counts, so that no key ever vouches for itself.
    return any(
        one.decided_at is not None and one.decided_at < found.sequence and stands(connection, one)
        for one in _approvals_of(connection, Action.officer_key, found.officer_id, digest)
    )


def _founding_day(connection: sa.Connection) -> date | None:
    first = sa.select(sa.func.min(schema.officer_key.c.sequence)).scalar_subquery()
    day: date | None = connection.execute(
        sa.select(schema.event.c.booked_on).where(schema.event.c.sequence == first)
    ).scalar_one_or_none()
    return day


def revoke_officer_key(
    books: Books, revoked_key_id: str, reason: str, *, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Revoke a key: what it signed before stands, and it signs nothing any more."""
    what = {"key_id": revoked_key_id, "reason": reason}
    with writing(books) as connection:
        require_known(connection, schema.officer_key.c.key_id, [revoked_key_id], "Revocation")
        book(connection, [Entry("officer_key_revoked", revoked_key_id, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)


def officer_with(connection: sa.Connection, key: SigningKey) -> OfficerKey:
    """The officer who holds ``key``, where it is in force: how somebody at a terminal shows who it is."""
    name = key_id(public_text(key))
    found = _keys(connection, [name]).get(name)
    if found is None or not found.is_in_force or not is_vetted(connection, name):
        rule = Rejection.key_must_be_known if found is None else Rejection.key_must_be_in_force
        raise _refusal(f"Key {name}", rule)
    return found


def request_approval(
    books: Books,
    action: Action | str,
    subject: str,
    content: Mapping[str, object] | str,
    summary: str,
    maker_key: SigningKey,
    *,
    approval_id: str,
    booked_on: date,
    known_at: datetime,
) -> str:
    """Ask for an approval of exactly ``content``, in the name of whoever holds ``maker_key``; returns its id.

    ``content`` is what is to happen, field by field, or the SHA-256 of a file that says it. ``summary`` says in words
    what is asked for; both officers sign it too.
    """
    maker_key_id = key_id(public_text(maker_key))
    digest = content if isinstance(content, str) else content_hash(content)
    request = Request(approval_id, str(action), subject, digest, summary, maker_key_id)
    signature = sign(maker_key, request_message(request))
    with writing(books) as connection:
        maker = _keys(connection, [maker_key_id]).get(maker_key_id)
        good = maker is not None and is_signed(maker.public_key, request_message(request), signature)
        broken = judge_request(request, maker, approval_terms_on(connection, booked_on), is_signed=good)
        if broken is not None:
            raise _refusal(f"Request {approval_id} for {action} of {subject} by key {maker_key_id}", broken)
        what = {
            "approval_id": approval_id,
            "action": request.action,
            "subject": subject,
            "content_hash": request.content_hash,
            "summary": summary,
            "maker_key_id": maker_key_id,
            "signature": signature,
        }
        book(connection, [Entry("approval_request", approval_id, booked_on, what)], booked_on, known_at)
    return approval_id


def decide(
    books: Books,
    approval_id: str,
    verdict: Verdict | str,
    reason: str,
    checker_key: SigningKey,
    *,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Say yes or no to a request, in the name of whoever holds ``checker_key``; the same answer twice is one."""
    checker_key_id = key_id(public_text(checker_key))
    decision = Decision(approval_id, str(verdict), reason, checker_key_id)
    with writing(books) as connection:
        found = approvals(connection, [approval_id]).get(approval_id)
        request = found.request if found else None
        if found is not None and found.decision == decision:
            return ledger_head(connection)
        keys = _keys(connection, [checker_key_id, *([request.maker_key_id] if request else [])])
        maker, checker = keys.get(request.maker_key_id) if request else None, keys.get(checker_key_id)
        signature = sign(checker_key, decision_message(request, decision)) if request else ""
        good = bool(
            request and checker and is_signed(checker.public_key, decision_message(request, decision), signature)
        )
        broken = judge_decision(
            decision,
            request,
            maker,
            checker,
            approval_terms_on(connection, booked_on),
            is_signed=good,
            is_open=found is None or found.decision is None,
        )
        if broken is not None:
            raise _refusal(f"Decision on {approval_id} by key {checker_key_id}", broken)
        what = {
            "approval_id": approval_id,
            "decision": decision.verdict,
            "reason": reason,
            "checker_key_id": checker_key_id,
            "signature": signature,
        }
        book(connection, [Entry("approval", approval_id, booked_on, what)], booked_on, known_at)
        return ledger_head(connection)


def standing_approval(
    connection: sa.Connection, approval_id: str | None, action: str, subject: str, hash_of_content: str
) -> bool:
    """Whether two officers have signed for exactly this; looked at again from the signatures up at every reading."""
    if approval_id is None:
        return False
    found = approvals(connection, [approval_id]).get(approval_id)
    return found is not None and _is_for(found, action, subject, hash_of_content) and stands(connection, found)


def is_approved(connection: sa.Connection, action: str, subject: str, hash_of_content: str) -> bool:
    """Whether some approval of exactly this stands, for whoever keeps no id of one."""
    return any(stands(connection, one) for one in _approvals_of(connection, action, subject, hash_of_content))


def _approvals_of(connection: sa.Connection, action: str, subject: str, hash_of_content: str) -> list[Approval]:
    column = schema.approval_request.c
    query = sa.select(column.approval_id).where(
        column.action == str(action), column.subject == subject, column.content_hash == hash_of_content
    )
    return list(approvals(connection, connection.execute(query).scalars().all()).values())


def stands(connection: sa.Connection, found: Approval) -> bool:
    """Whether an approval was given by two officers who were allowed to, each by a good signature."""
    request, decision, maker, checker = found.request, found.decision, found.maker, found.checker
    if decision is None or checker is None or decision.verdict != Verdict.approved:
        return False
    assert found.decided_on is not None and found.decision_signature is not None
    terms = approval_terms_on(connection, found.decided_on)
    asked = is_signed(maker.public_key, request_message(request), found.request_signature)
    allowed = is_signed(checker.public_key, decision_message(request, decision), found.decision_signature)
    return (
        judge_request(request, maker, terms, is_signed=asked) is None
        and judge_decision(decision, request, maker, checker, terms, is_signed=allowed) is None
        and is_vetted(connection, maker.key_id)
        and is_vetted(connection, checker.key_id)
    )


def approvals(connection: sa.Connection, approval_ids: Iterable[str]) -> dict[str, Approval]:
    """Requests by their id, with the decision on each; keys are in force or not as of that decision."""
    asked, said = schema.approval_request.c, schema.approval.c
    maker, checker = schema.officer_key.alias("maker"), schema.officer_key.alias("checker")
    maker_gone, checker_gone = (schema.officer_key_revoked.alias(name) for name in ("maker_gone", "checker_gone"))
    query = (
        sa.select(
            *(asked[name] for name in ("approval_id", "action", "subject", "content_hash", "summary", "maker_key_id")),
            asked.signature, said.sequence, said.decision, said.reason, said.checker_key_id, said.signature,
            *(key.c[name] for key in (maker, checker) for name in ("key_id", "officer_id", "role", "public_key")),
            maker_gone.c.sequence, checker_gone.c.sequence, schema.event.c.booked_on,
        )
        .join_from(schema.approval_request, maker, maker.c.key_id == asked.maker_key_id)
        .join(schema.approval, said.approval_id == asked.approval_id, isouter=True)
        .join(checker, checker.c.key_id == said.checker_key_id, isouter=True)
        .join(maker_gone, maker_gone.c.key_id == asked.maker_key_id, isouter=True)
        .join(checker_gone, checker_gone.c.key_id == said.checker_key_id, isouter=True)
        .join(schema.event, schema.event.c.sequence == said.sequence, isouter=True)
    )  # fmt: skip
    found: dict[str, Approval] = {}
    for batch in batches(sorted(set(approval_ids))):
        for row in connection.execute(query.where(asked.approval_id.in_(batch))):
            found[row[0]] = _approval(tuple(row))
    return found


def approved_transfers(connection: sa.Connection, transfers: Sequence[AnyTransfer], chart: Chart) -> set[str]:
    """Ids of those transfers for which the approval they name stands.

    An approval is for one transfer (its subject is the transfer's id, its content :func:`transfer_content`), or for all
    legs of one event in the batch together (the event's id, :func:`event_content`); its action must be one that the
    template asks for.
    """
    named = {transfer.approval_id for transfer in transfers if transfer.approval_id is not None}
    if not named:
        return set()
    found = {name: one for name, one in approvals(connection, named).items() if stands(connection, one)}
    events: dict[str, list[AnyTransfer]] = {}
    for transfer in transfers:
        if transfer.event_id is not None:
            events.setdefault(transfer.event_id, []).append(transfer)
    hash_of_event = {name: content_hash(event_content(legs)) for name, legs in events.items()}
    approved = set()
    for transfer in transfers:
        one = found.get(transfer.approval_id or "")
        if one is None or one.request.action not in _actions(transfer, chart):
            continue
        of_itself = (transfer.transfer_id, content_hash(transfer_content(transfer)))
        of_event = (transfer.event_id, hash_of_event.get(transfer.event_id or ""))
        if (one.request.subject, one.request.content_hash) in (of_itself, of_event):
            approved.add(transfer.transfer_id)
    return approved


def transfer_content(transfer: AnyTransfer) -> dict[str, str | int]:
    """What an approval of one transfer is about: all it says, but for the approval it names."""
    content = content_of(transfer)
    content.pop("approval_id", None)
    return content


def event_content(legs: Collection[AnyTransfer]) -> dict[str, object]:
    """What an approval of an event is about: each of its legs, by the leg's id."""
    return {leg.transfer_id: transfer_content(leg) for leg in legs}


def _actions(transfer: AnyTransfer, chart: Chart) -> set[str | None]:
    if transfer.template == REVERSAL:
        return {Action.reversal}
    template = chart.templates.get(transfer.template)
    return {template.approval, template.approval_above} if template is not None else set()


def _is_for(found: Approval, action: str, subject: str, hash_of_content: str) -> bool:
    request = found.request
    return (request.action, request.subject, request.content_hash) == (str(action), subject, hash_of_content)


def _approval(row: tuple[Any, ...]) -> Approval:
    request, decided_at, decision = Request(*row[:6]), row[7], None
    maker_gone, checker_gone, booked_on = row[20:23]
    if decided_at is not None:
        decision = Decision(row[0], *row[8:11])
    maker = _key(row[12:16], _in_force(maker_gone, decided_at))
    checker = _key(row[16:20], _in_force(checker_gone, decided_at)) if decision else None
    return Approval(request, row[6], maker, decision, row[11], checker, booked_on, decided_at)


def _in_force(revoked_at: int | None, decided_at: int | None) -> bool:
    return revoked_at is None or (decided_at is not None and revoked_at > decided_at)


def _key(row: Sequence[str], is_in_force: bool) -> OfficerKey:
    name, officer_id, role, public_key = row
    return OfficerKey(name, officer_id, role, public_key, is_in_force)


def _keys(connection: sa.Connection, key_ids: Collection[str]) -> dict[str, OfficerKey]:
    """Keys by their id, as they stand now."""
    key, gone = schema.officer_key.c, schema.officer_key_revoked.c
    query = sa.select(key.key_id, key.officer_id, key.role, key.public_key, gone.sequence.is_(None))
    query = query.join_from(
        schema.officer_key, schema.officer_key_revoked, gone.key_id == key.key_id, isouter=True
    ).where(key.key_id.in_(key_ids))
    rows: Any = connection.execute(query)
    return {row[0]: _key(row[:4], bool(row[4])) for row in rows}


def _refusal(subject: str, rule: Rejection) -> ApprovalRefused:
    return ApprovalRefused(
        f"{subject} refused, {rule}: {SENTENCES[rule]}. Nothing was written; correct it and sign again."
    )
