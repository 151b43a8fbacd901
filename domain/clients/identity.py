"""Who may become a client, and who may trade: the states of an application, and the verdict on each step between them.

Judged as a transfer is (``domain/ledger.py``): a step is refused with the name of the rule it breaks, stated
positively. Everything here is a pure verdict on plain values; what is written is written elsewhere.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Final

from domain.clients.rules import CreditAccountTerms, SuitabilityTerms

_EVIDENCE_HASH: Final = re.compile(r"[0-9a-f]{64}")


class State(StrEnum):
    """Where a client stands; the side states follow the main line."""

    draft = auto()
    submitted = auto()
    id_verified = auto()
    screened = auto()
    risk_rated = auto()
    approved = auto()
    active = auto()
    edd_review = auto()
    pending_info = auto()
    rejected = auto()
    frozen = auto()
    dormant = auto()
    closed = auto()


class Rejection(StrEnum):
    """Why a step is refused, named for the rule it breaks, in the order the rules are judged."""

    step_must_be_allowed = auto()
    client_must_return_to_where_it_stood = auto()
    actor_must_be_named = auto()
    reason_must_be_given = auto()
    evidence_hash_must_be_sha256 = auto()
    two_officers_must_sign = auto()
    identity_document_must_be_on_file = auto()
    liveness_must_be_on_file = auto()
    beneficial_owners_must_be_on_file = auto()
    screening_must_be_current = auto()
    hits_must_be_decided = auto()
    rating_must_be_known = auto()
    client_must_not_be_blocked = auto()
    enhanced_due_diligence_must_come_first = auto()
    due_diligence_report_must_be_on_file = auto()
    accounts_must_be_closed = auto()


class CreditRejection(StrEnum):
    """Why a credit account (信用账户) is not opened, named for the rule, in the order the rules are judged."""

    client_must_be_active = auto()
    suitability_must_be_high_enough = auto()
    risk_disclosure_must_be_signed = auto()
    average_assets_must_reach_the_minimum = auto()
    trading_history_must_be_long_enough = auto()
    one_credit_account_per_market = auto()


TRADING: Final = frozenset({State.active})
"""Who may trade: only who was approved and made active."""

FINAL: Final = frozenset({State.rejected, State.closed})
"""States nobody leaves; whoever comes back is a new client."""

_HOLDING: Final = frozenset({State.pending_info, State.frozen})
"""States that interrupt another one, and lead back to it."""

_REVIEWED: Final = {State.pending_info, State.frozen, State.rejected}
_STEPS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.draft: frozenset({State.submitted, State.closed}),
        State.submitted: frozenset({State.id_verified} | _REVIEWED),
        State.id_verified: frozenset({State.screened} | _REVIEWED),
        State.screened: frozenset({State.risk_rated} | _REVIEWED),
        State.risk_rated: frozenset({State.approved, State.edd_review} | _REVIEWED),
        State.edd_review: frozenset({State.approved, State.closed} | _REVIEWED),
        State.approved: frozenset({State.active, State.closed} | _REVIEWED),
        State.active: frozenset({State.edd_review, State.pending_info, State.frozen, State.dormant, State.closed}),
        State.dormant: frozenset({State.active, State.edd_review, State.pending_info, State.frozen, State.closed}),
        State.pending_info: frozenset({State.frozen, State.closed}),
        State.frozen: frozenset({State.closed}),
        State.rejected: frozenset(),
        State.closed: frozenset(),
    }
)
"""Which state may follow which. Out of a holding state a client also returns to where it stood, or is rejected."""


@dataclass(frozen=True, slots=True)
class Step:
    """A wish to move a client to another state: by whom, why, and the SHA-256 of what shows it."""

    client_id: str
    to_state: State
    actor: str
    reason: str
    evidence_hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything a verdict on a step rests on.

    ``stood`` is the state a holding state interrupted (see :func:`stood_before`). ``evidence`` are the kinds of
    evidence on file: ``document``, ``liveness``, ``police_registry`` (公安联网核查), ``beneficial_owners``,
    ``edd_report``. ``has_current_screening`` is true once the client as it is now was held against the lists now in
    force. ``is_signed_by_two`` is true where an approval by two officers stands for this very step.
    """

    state: State
    stood: State | None = None
    is_entity: bool = False
    evidence: frozenset[str] = field(default_factory=frozenset)
    has_current_screening: bool = False
    open_hits: int = 0
    rating: str | None = None
    is_pep: bool = False
    has_open_accounts: bool = False
    is_signed_by_two: bool = False

    @property
    def needs_enhanced_due_diligence(self) -> bool:
        """Whether nobody may be approved without a closer look: high risk, or a politically exposed person."""
        return self.is_pep or self.rating == "high"


def may_trade(state: State) -> bool:
    """Whether a client in this state may trade."""
    return state in TRADING


def needs_two_signatures(from_state: State, to_state: State) -> bool:
    """Whether a step needs two officers: everything into and out of a freeze does."""
    return State.frozen in (from_state, to_state)


def next_states(state: State, stood: State | None = None) -> frozenset[State]:
    """Where a client may go from ``state``.

    Out of a holding state it may also return to where it stood; an applicant may be rejected, whoever already was a
    client is closed instead.
    """
    if state not in _HOLDING or stood is None:
        return _STEPS[state]
    was_client = stood in (State.active, State.dormant)
    return _STEPS[state] | {stood} | (set() if was_client else {State.rejected})


def stood_before(history: Sequence[State]) -> State | None:
    """The last state in ``history`` (oldest first) that no holding state was; where a held client returns to."""
    return next((state for state in reversed(history) if state not in _HOLDING), None)


def judge_step(step: Step, known: Standing) -> Rejection | None:
    """Judge one step; the first broken rule wins, None means it may be taken."""
    return next(iter(broken_rules(step, known)), None)


def broken_rules(step: Step, known: Standing) -> tuple[Rejection, ...]:
    """Every rule the step breaks, in the order they are judged: what a compliance officer must still bring."""
    if step.to_state not in next_states(known.state, known.stood):
        is_return = known.state in _HOLDING and step.to_state not in FINAL
        return (Rejection.client_must_return_to_where_it_stood if is_return else Rejection.step_must_be_allowed,)
    broken: list[Rejection] = []
    if not step.actor.strip():
        broken.append(Rejection.actor_must_be_named)
    if not step.reason.strip():
        broken.append(Rejection.reason_must_be_given)
    if not _EVIDENCE_HASH.fullmatch(step.evidence_hash):
        broken.append(Rejection.evidence_hash_must_be_sha256)
    if needs_two_signatures(known.state, step.to_state) and not known.is_signed_by_two:
        broken.append(Rejection.two_officers_must_sign)
    return (*broken, *_missing(step.to_state, known))


def _missing(to_state: State, known: Standing) -> Iterable[Rejection]:
    """What the state aimed at asks for. A client is never lifted past a rule by way of a holding state."""
    main_line = (State.id_verified, State.screened, State.risk_rated, State.approved, State.active)
    reached = main_line.index(to_state) if to_state in main_line else -1
    if reached >= main_line.index(State.id_verified):
        yield from _missing_identity(known)
    if reached >= main_line.index(State.screened):
        if not known.has_current_screening:
            yield Rejection.screening_must_be_current
        if known.open_hits:
            yield Rejection.hits_must_be_decided
    if reached >= main_line.index(State.risk_rated) and known.rating is None:
        yield Rejection.rating_must_be_known
    if reached >= main_line.index(State.approved):
        if known.rating == "blocked":
            yield Rejection.client_must_not_be_blocked
        if to_state is State.approved and known.state is State.risk_rated and known.needs_enhanced_due_diligence:
            yield Rejection.enhanced_due_diligence_must_come_first
        if known.needs_enhanced_due_diligence and "edd_report" not in known.evidence:
            yield Rejection.due_diligence_report_must_be_on_file
    if to_state is State.closed and known.has_open_accounts:
        yield Rejection.accounts_must_be_closed


def _missing_identity(known: Standing) -> Iterable[Rejection]:
    if "document" not in known.evidence:
        yield Rejection.identity_document_must_be_on_file
    if known.is_entity:
        if "beneficial_owners" not in known.evidence:
            yield Rejection.beneficial_owners_must_be_on_file
    elif not known.evidence & {"liveness", "police_registry"}:
        yield Rejection.liveness_must_be_on_file


@dataclass(frozen=True, slots=True)
class CreditApplication:
    """A wish to open a credit account (信用账户) in a market on a day, and what it is judged by.

    ``assets_minor`` are the client's securities assets at each of the last sessions, the latest last;
    ``markets_with_one`` are the markets in which the client has a credit account already.
    """

    market: str
    on: date
    state: State
    suitability_level: int | None = None
    disclosure_signed_on: date | None = None
    assets_minor: tuple[int, ...] = ()
    first_traded_on: date | None = None
    markets_with_one: frozenset[str] = frozenset()


def judge_credit_account(
    wish: CreditApplication, terms: CreditAccountTerms, suitability: SuitabilityTerms
) -> CreditRejection | None:
    """Judge the opening of a credit account; the first broken rule wins, None means it may be opened."""
    return next(iter(broken_credit_rules(wish, terms, suitability)), None)


def broken_credit_rules(
    wish: CreditApplication, terms: CreditAccountTerms, suitability: SuitabilityTerms
) -> tuple[CreditRejection, ...]:
    """Every rule the opening breaks, in the order they are judged."""
    broken = []
    if not may_trade(wish.state):
        broken.append(CreditRejection.client_must_be_active)
    if wish.suitability_level is None or wish.suitability_level < suitability.credit_level_min:
        broken.append(CreditRejection.suitability_must_be_high_enough)
    if wish.disclosure_signed_on is None or wish.disclosure_signed_on > wish.on:
        broken.append(CreditRejection.risk_disclosure_must_be_signed)
    entry = terms.entry.get(wish.market)
    if entry is not None:
        counted = wish.assets_minor[-entry.average_days :]
        # The sum against the minimum times the days is the average against the minimum, without a rounding.
        if len(counted) < entry.average_days or sum(counted) < entry.assets_min_minor * entry.average_days:
            broken.append(CreditRejection.average_assets_must_reach_the_minimum)
        if wish.first_traded_on is None or months_after(wish.first_traded_on, entry.history_months) > wish.on:
            broken.append(CreditRejection.trading_history_must_be_long_enough)
    if wish.market in wish.markets_with_one:
        broken.append(CreditRejection.one_credit_account_per_market)
    return tuple(broken)


def months_after(day: date, months: int) -> date:
    """The same day of the month ``months`` later, or the month's last day where there is no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = (date(year + (month == 11), (month + 1) % 12 + 1, 1) - date.resolution).day
    return date(year, month + 1, min(day.day, last))


SENTENCES: Final[Mapping[Rejection | CreditRejection, str]] = MappingProxyType(
    {
        Rejection.step_must_be_allowed: "this step does not follow from where the client stands",
        Rejection.client_must_return_to_where_it_stood: "a held client returns only to where it stood",
        Rejection.actor_must_be_named: "nobody is named who takes the step",
        Rejection.reason_must_be_given: "no reason is given",
        Rejection.evidence_hash_must_be_sha256: "the evidence is not named by its SHA-256",
        Rejection.two_officers_must_sign: "a freeze begins and ends with the signatures of two officers",
        Rejection.identity_document_must_be_on_file: "no identity document is on file",
        Rejection.liveness_must_be_on_file: "neither a liveness check nor a check with the police registry is on file",
        Rejection.beneficial_owners_must_be_on_file: "the beneficial owners are not on file",
        Rejection.screening_must_be_current: "the client was not screened against the lists now in force",
        Rejection.hits_must_be_decided: "a hit on a list has not been decided",
        Rejection.rating_must_be_known: "the client has no risk rating",
        Rejection.client_must_not_be_blocked: "the rating blocks the client",
        Rejection.enhanced_due_diligence_must_come_first: "high risk and exposed persons need a closer look first",
        Rejection.due_diligence_report_must_be_on_file: "the report of the closer look is not on file",
        Rejection.accounts_must_be_closed: "the client still has open accounts",
        CreditRejection.client_must_be_active: "the client is not active",
        CreditRejection.suitability_must_be_high_enough: "the client's suitability level is too low or not known",
        CreditRejection.risk_disclosure_must_be_signed: "the risk disclosure is not signed",
        CreditRejection.average_assets_must_reach_the_minimum: "average assets do not reach the minimum",
        CreditRejection.trading_history_must_be_long_enough: "the client has not traded for long enough",
        CreditRejection.one_credit_account_per_market: "the client already has a credit account in this market",
    }
)
"""What each rejection means, as the middle of a sentence: ``why: …``."""
