"""Two officers, two keys, two signatures over the same words; and each refusal names the rule it follows from."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.approvals import (
    SENTENCES,
    Action,
    ApprovalTerms,
    Decision,
    Duty,
    OfficerKey,
    Rejection,
    Request,
    content_hash,
    decision_message,
    judge_decision,
    judge_request,
    parameter_action,
    request_message,
)

TERMS = ApprovalTerms(
    {action: Duty(frozenset({"finance"}), frozenset({"finance", "head"})) for action in Action},
    {"USD": 10_000_000},
    {"limit": Action.limit, "override": Action.rule_override},
    Fraction(1, 10),
    "house.approvals@test",
)
REQUEST = Request("W1", "write_off", "A1", "ab" * 32, "write off 100.00 USD of A1", "k1")
DECISION = Decision("W1", "approved", "uncollectable since 2024", "k2")
MAKER, CHECKER = OfficerKey("k1", "lin", "finance", "P1"), OfficerKey("k2", "wu", "head", "P2")


def test_a_request_in_order_is_entered_and_a_decision_in_order_stands() -> None:
    assert judge_request(REQUEST, MAKER, TERMS, is_signed=True) is None
    assert judge_decision(DECISION, REQUEST, MAKER, CHECKER, TERMS, is_signed=True) is None


@pytest.mark.parametrize(
    ("rule", "request_", "maker", "is_signed"),
    [
        (Rejection.action_must_be_known, replace(REQUEST, action="bribe"), MAKER, True),
        (Rejection.subject_must_be_named, replace(REQUEST, subject=" "), MAKER, True),
        (Rejection.content_hash_must_be_sha256, replace(REQUEST, content_hash="AB" * 32), MAKER, True),
        (Rejection.summary_must_be_given, replace(REQUEST, summary="\n"), MAKER, True),
        (Rejection.key_must_be_known, REQUEST, None, True),
        (Rejection.key_must_be_in_force, REQUEST, replace(MAKER, is_in_force=False), True),
        (Rejection.role_must_be_allowed, REQUEST, replace(MAKER, role="head"), True),
        (Rejection.signature_must_be_good, REQUEST, MAKER, False),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_by_its_name(
    rule: Rejection, request_: Request, maker: OfficerKey | None, is_signed: bool
) -> None:
    assert judge_request(request_, maker, TERMS, is_signed=is_signed) is rule


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (Rejection.request_must_exist, {"request": None}),
        (Rejection.request_must_be_open, {"is_open": False}),
        (Rejection.verdict_must_be_known, {"decision": replace(DECISION, verdict="perhaps")}),
        (Rejection.reason_must_be_given, {"decision": replace(DECISION, reason="")}),
        (Rejection.key_must_be_known, {"checker": None}),
        (Rejection.key_must_be_known, {"maker": None}),
        (Rejection.key_must_be_in_force, {"checker": replace(CHECKER, is_in_force=False)}),
        (Rejection.key_must_be_in_force, {"maker": replace(MAKER, is_in_force=False)}),
        (Rejection.role_must_be_allowed, {"checker": replace(CHECKER, role="sales")}),
        (Rejection.keys_must_differ, {"checker": MAKER}),
        (Rejection.keys_must_differ, {"checker": replace(CHECKER, public_key="P1")}),
        (Rejection.officers_must_differ, {"checker": replace(CHECKER, officer_id="lin")}),
        (Rejection.signature_must_be_good, {"is_signed": False}),
    ],
)
def test_a_decision_that_breaks_a_rule_is_refused_by_its_name(rule: Rejection, changed: dict[str, object]) -> None:
    given_: dict[str, object] = {
        "decision": DECISION, "request": REQUEST, "maker": MAKER, "checker": CHECKER, "terms": TERMS,
        "is_signed": True, "is_open": True,
    }  # fmt: skip
    assert judge_decision(**{**given_, **changed}) is rule  # type: ignore[arg-type]


def test_every_rule_has_a_sentence_of_its_own() -> None:
    assert SENTENCES.keys() == set(Rejection)
    assert len(set(SENTENCES.values())) == len(SENTENCES)


@given(st.sampled_from(Request.__slots__), st.text(min_size=1))
def test_no_two_requests_are_signed_by_the_same_bytes(field: str, text: str) -> None:
    other = replace(REQUEST, **{field: getattr(REQUEST, field) + text})
    assert request_message(other) != request_message(REQUEST)
    assert decision_message(other, DECISION) != decision_message(REQUEST, DECISION)


@given(st.sampled_from(["verdict", "reason", "checker_key_id"]), st.text(min_size=1))
def test_no_two_decisions_are_signed_by_the_same_bytes(field: str, text: str) -> None:
    other = replace(DECISION, **{field: getattr(DECISION, field) + text})
    assert decision_message(REQUEST, other) != decision_message(REQUEST, DECISION)


def test_a_request_is_never_signed_as_a_decision() -> None:
    assert request_message(REQUEST) != decision_message(REQUEST, DECISION)


def test_what_is_left_unsaid_does_not_change_the_content() -> None:
    said = {"amount_minor": 1, "on": date(2026, 6, 17)}
    assert content_hash(said) == content_hash({**said, "reverses": None})
    assert content_hash(said) != content_hash({**said, "amount_minor": 2})


@pytest.mark.parametrize(
    ("name", "value", "allowed", "action"),
    [
        ("limit.credit", "100", "100", Action.limit),
        ("override.haircut", "0.1", None, Action.rule_override),
        ("spread", "0.01", None, Action.parameter_change),
        ("spread", "100", "100", None),
        ("spread", "110", "100", None),
        ("spread", "90", "100", None),
        ("spread", "110.01", "100", Action.parameter_change),
        ("spread", "89.99", "100", Action.parameter_change),
        ("spread", "0.0001", "0", Action.parameter_change),
        ("spread", "nan", "100", Action.parameter_change),
        ("spread", "1e999999999", "100", Action.parameter_change),
        ("spread", "on", "off", Action.parameter_change),
        ("spread", "on", "on", None),
        ("limitless", "100", "100", None),
    ],
)
def test_a_parameter_needs_the_action_its_name_and_its_step_ask_for(
    name: str, value: str, allowed: str | None, action: Action | None
) -> None:
    assert parameter_action(name, value, allowed, TERMS) is action
