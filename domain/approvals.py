"""Four eyes: what one officer asks for and another allows, as plain text that both sign, and the verdict on each.

Judged as a transfer is (``domain/ledger.py``): a request or a decision is refused with the name of the rule it breaks,
stated positively. Whether a signature is good is found out elsewhere and handed over.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum, auto
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from domain.ledger import canonical

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Action(StrEnum):
    """What has no effect until two officers have signed for it."""

    limit = auto()
    rule_override = auto()
    parameter_change = auto()
    write_off = auto()
    large_withdrawal = auto()
    reversal = auto()
    liquidation = auto()
    model_promotion = auto()
    freeze = auto()
    unfreeze = auto()
    officer_key = auto()


class Verdict(StrEnum):
    """What the second officer says."""

    approved = auto()
    rejected = auto()


class Rejection(StrEnum):
    """Why a request or a decision is refused, named for the rule it breaks, in the order the rules are judged."""

    action_must_be_known = auto()
    subject_must_be_named = auto()
    content_hash_must_be_sha256 = auto()
    summary_must_be_given = auto()
    request_must_exist = auto()
    request_must_be_open = auto()
    verdict_must_be_known = auto()
    reason_must_be_given = auto()
    key_must_be_known = auto()
    key_must_be_in_force = auto()
    role_must_be_allowed = auto()
    keys_must_differ = auto()
    officers_must_differ = auto()
    signature_must_be_good = auto()


@dataclass(frozen=True)
class Duty:
    """Roles that may ask for an action, and roles that may allow it."""

    makers: frozenset[str]
    checkers: frozenset[str]

    def __post_init__(self) -> None:
        """Somebody may ask, and somebody may allow."""
        assert self.makers and self.checkers


@dataclass(frozen=True)
class ApprovalTerms:
    """Who may ask for and allow each action, from which amount a withdrawal is large, and which parameters need what.

    ``parameters`` names the action by the first word of a parameter's name (``limit.credit`` needs a ``limit``); any
    other parameter needs a ``parameter_change`` once it moves by more than ``large_change`` of what was last allowed.
    """

    duties: Mapping[Action, Duty]
    large_withdrawal_minor: Mapping[str, int]
    parameters: Mapping[str, Action]
    large_change: Fraction
    edition: str

    def __post_init__(self) -> None:
        """Every action has its officers."""
        assert self.duties.keys() == set(Action)
        assert all(minor > 0 for minor in self.large_withdrawal_minor.values()) and self.large_change >= 0


@dataclass(frozen=True, slots=True)
class OfficerKey:
    """A key, whose it is, in which role, and whether it is in force at the moment looked at."""

    key_id: str
    officer_id: str
    role: str
    public_key: str
    is_in_force: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """What the maker asks for. ``content_hash`` is the SHA-256 of exactly what is to happen (:func:`content_hash`)."""

    approval_id: str
    action: str
    subject: str
    content_hash: str
    summary: str
    maker_key_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the checker says to a request."""

    approval_id: str
    verdict: str
    reason: str
    checker_key_id: str


def content_hash(content: Mapping[str, object]) -> str:
    """SHA-256 (hexadecimal) of what is to happen, in canonical bytes; a field that is None is left unsaid."""
    return hashlib.sha256(canonical({name: value for name, value in content.items() if value is not None})).hexdigest()


def request_message(request: Request) -> bytes:
    """The bytes a maker signs."""
    return canonical({"says": "approval request", **_told(request)})


def decision_message(request: Request, decision: Decision) -> bytes:
    """The bytes a checker signs: the whole request again, and what is said to it."""
    return canonical(
        {
            "says": "approval decision",
            **_told(request),
            "decision": decision.verdict,
            "reason": decision.reason,
            "checker_key_id": decision.checker_key_id,
        }
    )


def _told(request: Request) -> dict[str, str]:
    return {
        "approval_id": request.approval_id,
        "action": request.action,
        "subject": request.subject,
        "content_hash": request.content_hash,
        "summary": request.summary,
        "maker_key_id": request.maker_key_id,
    }


def judge_request(
    request: Request, maker: OfficerKey | None, terms: ApprovalTerms, *, is_signed: bool
) -> Rejection | None:
    """Judge a request; the first broken rule wins, None means it may be entered."""
    if request.action not in Action.__members__:
        return Rejection.action_must_be_known
    if not request.subject.strip():
        return Rejection.subject_must_be_named
    if not _HASH.fullmatch(request.content_hash):
        return Rejection.content_hash_must_be_sha256
    if not request.summary.strip():
        return Rejection.summary_must_be_given
    return _judge_key(maker, terms.duties[Action(request.action)].makers) or (
        None if is_signed else Rejection.signature_must_be_good
    )


def judge_decision(
    decision: Decision,
    request: Request | None,
    maker: OfficerKey | None,
    checker: OfficerKey | None,
    terms: ApprovalTerms,
    *,
    is_signed: bool,
    is_open: bool = True,
) -> Rejection | None:
    """Judge a decision; the first broken rule wins, None means it may be entered.

    The maker's key must still be in force: a request of somebody who has left since is nobody's request.
    """
    if request is None:
        return Rejection.request_must_exist
    if not is_open:
        return Rejection.request_must_be_open
    if decision.verdict not in Verdict.__members__:
        return Rejection.verdict_must_be_known
    if not decision.reason.strip():
        return Rejection.reason_must_be_given
    duty = terms.duties[Action(request.action)]
    broken = _judge_key(checker, duty.checkers) or _judge_key(maker, duty.makers)
    if broken is not None:
        return broken
    assert maker is not None and checker is not None
    if maker.key_id == checker.key_id or maker.public_key == checker.public_key:
        return Rejection.keys_must_differ
    if maker.officer_id == checker.officer_id:
        return Rejection.officers_must_differ
    return None if is_signed else Rejection.signature_must_be_good


def _judge_key(key: OfficerKey | None, roles: frozenset[str]) -> Rejection | None:
    if key is None:
        return Rejection.key_must_be_known
    if not key.is_in_force:
        return Rejection.key_must_be_in_force
    return None if key.role in roles else Rejection.role_must_be_allowed


def parameter_action(name: str, value: str, allowed: str | None, terms: ApprovalTerms) -> Action | None:
    """The action a parameter's new value needs an approval for, or None.

    ``allowed`` is the value two officers last signed for: many small steps away from it add up to a large one.
    """
    action = terms.parameters.get(name.partition(".")[0])
    if action is not None:
        return action
    new, old = _number(value), _number(allowed)
    if new is None or old is None:
        return None if value == allowed else Action.parameter_change
    return Action.parameter_change if abs(new - old) > terms.large_change * abs(old) else None


def _number(text: str | None) -> Fraction | None:
    try:
        number = Decimal(text) if text is not None else None
    except InvalidOperation:
        return None
    # A huge exponent is no number anybody meant, and would take all memory as a fraction.
    return Fraction(number) if number is not None and number.is_finite() and abs(number.adjusted()) < 40 else None


SENTENCES: Final[Mapping[Rejection, str]] = MappingProxyType(
    {
        Rejection.action_must_be_known: f"an action is one of {', '.join(Action)}",
        Rejection.subject_must_be_named: "nobody can tell what it is about",
        Rejection.content_hash_must_be_sha256: "what is to happen is named by its SHA-256",
        Rejection.summary_must_be_given: "an officer signs what is said in words",
        Rejection.request_must_exist: "the books know no such request",
        Rejection.request_must_be_open: "it was decided before, and a decision is final",
        Rejection.verdict_must_be_known: f"a decision is {' or '.join(Verdict)}",
        Rejection.reason_must_be_given: "a decision has a reason",
        Rejection.key_must_be_known: "the books know no such key",
        Rejection.key_must_be_in_force: "the key was revoked",
        Rejection.role_must_be_allowed: "the officer's role may not do this",
        Rejection.keys_must_differ: "maker and checker sign with different keys",
        Rejection.officers_must_differ: "maker and checker are different officers",
        Rejection.signature_must_be_good: "the signature is not of this key over these words",
    }
)
"""What each rejection means, as the end of a sentence."""
