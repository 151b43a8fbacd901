"""From an alert to a decision: the steps of a case, who may take them, by when, and until when a report is due."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Final

from domain.clients.rules import CaseTerms, FilingTerms

MLRO: Final = "mlro"
"""The role of the money-laundering reporting officer (反洗钱负责人), who alone decides whether to report."""


class CaseState(StrEnum):
    """Where a case stands."""

    raised = auto()
    dismissed = auto()
    opened = auto()
    escalated = auto()
    filed = auto()
    not_filed = auto()
    reviewed = auto()


class CaseRejection(StrEnum):
    """Why a step of a case is refused, named for the rule, in the order the rules are judged."""

    step_must_follow = auto()
    actor_must_be_named = auto()
    rationale_must_be_given = auto()
    due_diligence_must_be_on_file = auto()
    mlro_must_decide = auto()
    investigator_must_not_decide = auto()
    filing_must_be_named = auto()
    clock_must_not_go_back = auto()


class Report(StrEnum):
    """What is filed: US reports of suspicion and of cash; Chinese ones of suspicion (可疑交易) and size (大额交易)."""

    suspicious_us = auto()
    cash_us = auto()
    suspicious_cn = auto()
    large_value_cn = auto()


_STEPS: Final[Mapping[CaseState, frozenset[CaseState]]] = MappingProxyType(
    {
        CaseState.raised: frozenset({CaseState.dismissed, CaseState.opened}),
        CaseState.opened: frozenset({CaseState.escalated}),
        CaseState.escalated: frozenset({CaseState.filed, CaseState.not_filed}),
        CaseState.filed: frozenset({CaseState.reviewed}),
        CaseState.dismissed: frozenset(),
        CaseState.not_filed: frozenset(),
        CaseState.reviewed: frozenset(),
    }
)
_DECISIONS: Final = frozenset({CaseState.filed, CaseState.not_filed})


@dataclass(frozen=True, slots=True)
class CaseStep:
    """A wish to move a case: by whom, in which role, why, when; ``filing_reference`` names what was filed."""

    to_state: CaseState
    actor: str
    role: str
    rationale: str
    at: datetime
    filing_reference: str | None = None


@dataclass(frozen=True, slots=True)
class CaseStanding:
    """What a verdict on a step rests on: where the case stands since when, who investigated, and what is on file."""

    state: CaseState
    since: datetime
    investigators: frozenset[str] = frozenset()
    has_due_diligence: bool = False


def judge_case_step(step: CaseStep, known: CaseStanding) -> CaseRejection | None:
    """Judge one step of a case; the first broken rule wins, None means it may be taken."""
    return next(iter(broken_case_rules(step, known)), None)


def broken_case_rules(step: CaseStep, known: CaseStanding) -> Iterable[CaseRejection]:
    """Every rule the step breaks, in the order they are judged. Whoever investigated does not decide."""
    broken = []
    if step.to_state not in _STEPS[known.state]:
        broken.append(CaseRejection.step_must_follow)
    if not step.actor.strip():
        broken.append(CaseRejection.actor_must_be_named)
    if not step.rationale.strip():
        broken.append(CaseRejection.rationale_must_be_given)
    if step.to_state is CaseState.escalated and not known.has_due_diligence:
        broken.append(CaseRejection.due_diligence_must_be_on_file)
    if step.to_state in _DECISIONS and step.role != MLRO:
        broken.append(CaseRejection.mlro_must_decide)
    if step.to_state in _DECISIONS and step.actor in known.investigators:
        broken.append(CaseRejection.investigator_must_not_decide)
    if step.to_state is CaseState.filed and not (step.filing_reference or "").strip():
        broken.append(CaseRejection.filing_must_be_named)
    if step.at < known.since:
        broken.append(CaseRejection.clock_must_not_go_back)
    return tuple(broken)


def step_due_at(known: CaseStanding, filing_due_on: date, terms: CaseTerms, filing: FilingTerms) -> datetime | None:
    """By when the next step must be taken; None once nothing more is to come.

    The decision has no term of its own: it must leave the report its due day, of which the whole day counts. What was
    filed is looked at again before a continuing activity would have to be reported once more.
    """
    if known.state is CaseState.raised:
        return known.since + timedelta(hours=terms.triage_hours)
    if known.state is CaseState.opened:
        return known.since + timedelta(days=terms.due_diligence_days)
    if known.state is CaseState.escalated:
        return datetime.combine(filing_due_on + timedelta(days=1), datetime.min.time(), known.since.tzinfo)
    if known.state is CaseState.filed:
        return known.since + timedelta(days=filing.continuing_review_days)
    return None


def may_read_report(role: str, terms: CaseTerms) -> bool:
    """Whether a role may know that a report was made; telling anybody else would be tipping off."""
    return role in terms.report_readers


def is_working_day(day: date) -> bool:
    """Monday to Friday: stands in where no calendar of holidays is handed over."""
    return day.weekday() < 5


def filing_due_on(
    report: Report,
    counted_from: date,
    terms: FilingTerms,
    *,
    is_suspect_known: bool = True,
    works_on: Callable[[date], bool] = is_working_day,
) -> date:
    """Last day on which a report may be filed.

    ``counted_from`` is the day of detection (US suspicious activity), of the transaction (cash and large value), or of
    the confirmation (Chinese suspicious activity). Working days are those for which ``works_on`` is true.
    """
    if report is Report.suspicious_us:
        days = terms.suspicious_days if is_suspect_known else terms.suspicious_days_without_suspect
        return counted_from + timedelta(days=days)
    if report is Report.cash_us:
        return counted_from + timedelta(days=terms.cash_days)
    return working_days_after(counted_from, terms.china_working_days, works_on)


def working_days_after(day: date, count: int, works_on: Callable[[date], bool] = is_working_day) -> date:
    """The ``count``-th working day after ``day``, which itself is not counted."""
    closed = 0
    while count:
        day += timedelta(days=1)
        is_open = works_on(day)
        count -= is_open
        closed = 0 if is_open else closed + 1
        assert closed < 60, "a calendar has a working day every two months"
    return day
