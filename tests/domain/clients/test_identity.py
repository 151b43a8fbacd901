"""A client is taken on step by step, and each refusal names the rule it follows from."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.identity import (
    FINAL,
    SENTENCES,
    CreditApplication,
    CreditRejection,
    Rejection,
    Standing,
    State,
    Step,
    broken_credit_rules,
    broken_rules,
    judge_credit_account,
    judge_step,
    may_trade,
    months_after,
    needs_two_signatures,
    next_states,
    stood_before,
)
from domain.clients.rules import CreditAccountTerms, SuitabilityTerms

HASH = "0f" * 32
COMPLETE = Standing(
    State.draft,
    evidence=frozenset({"document", "liveness"}),
    has_current_screening=True,
    rating="low",
)
LINE = [State.draft, State.submitted, State.id_verified, State.screened, State.risk_rated, State.approved, State.active]
DAY = date(2026, 6, 17)


def step(to_state: State, **changes: Any) -> Step:
    return replace(Step("C1", to_state, "officer.li", "documents seen", HASH), **changes)


def test_an_application_that_brings_everything_becomes_active() -> None:
    for before, after in pairwise(LINE):
        assert judge_step(step(after), replace(COMPLETE, state=before)) is None
    assert [state for state in State if may_trade(state)] == [State.active]


@given(st.sampled_from(LINE), st.sampled_from(LINE))
def test_no_step_of_the_main_line_is_left_out(before: State, after: State) -> None:
    follows = LINE.index(after) == LINE.index(before) + 1
    assert (judge_step(step(after), replace(COMPLETE, state=before)) is None) == follows


@pytest.mark.parametrize(
    ("before", "after", "change", "rule"),
    [
        (
            State.submitted,
            State.id_verified,
            {"evidence": frozenset({"liveness"})},
            "identity_document_must_be_on_file",
        ),
        (State.submitted, State.id_verified, {"evidence": frozenset({"document"})}, "liveness_must_be_on_file"),
        (State.submitted, State.id_verified, {"is_entity": True}, "beneficial_owners_must_be_on_file"),
        (State.id_verified, State.screened, {"has_current_screening": False}, "screening_must_be_current"),
        (State.id_verified, State.screened, {"open_hits": 1}, "hits_must_be_decided"),
        (State.screened, State.risk_rated, {"rating": None}, "rating_must_be_known"),
        (State.risk_rated, State.approved, {"rating": "blocked"}, "client_must_not_be_blocked"),
        (State.risk_rated, State.approved, {"rating": "high"}, "enhanced_due_diligence_must_come_first"),
        (State.risk_rated, State.approved, {"is_pep": True}, "enhanced_due_diligence_must_come_first"),
        (State.edd_review, State.approved, {"rating": "high"}, "due_diligence_report_must_be_on_file"),
        (State.approved, State.active, {"open_hits": 1}, "hits_must_be_decided"),
        (State.dormant, State.active, {"has_current_screening": False}, "screening_must_be_current"),
        (State.active, State.closed, {"has_open_accounts": True}, "accounts_must_be_closed"),
        (State.active, State.frozen, {}, "two_officers_must_sign"),
        (State.frozen, State.active, {"stood": State.active}, "two_officers_must_sign"),
        (State.frozen, State.approved, {"stood": State.active}, "client_must_return_to_where_it_stood"),
        (State.pending_info, State.active, {"stood": State.submitted}, "client_must_return_to_where_it_stood"),
        (State.pending_info, State.rejected, {"stood": State.active}, "step_must_be_allowed"),
        (State.rejected, State.submitted, {}, "step_must_be_allowed"),
        (State.active, State.approved, {}, "step_must_be_allowed"),
        (State.active, State.rejected, {}, "step_must_be_allowed"),
    ],
)
def test_each_missing_thing_is_named(before: State, after: State, change: dict[str, object], rule: str) -> None:
    assert judge_step(step(after), replace(COMPLETE, state=before, **change)) == Rejection(rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"actor": " "}, Rejection.actor_must_be_named),
        ({"reason": ""}, Rejection.reason_must_be_given),
        ({"evidence_hash": "0F" * 32}, Rejection.evidence_hash_must_be_sha256),
        ({"evidence_hash": "seen"}, Rejection.evidence_hash_must_be_sha256),
    ],
)
def test_every_step_has_an_actor_a_reason_and_evidence(changes: dict[str, str], rule: Rejection) -> None:
    assert judge_step(step(State.submitted, **changes), COMPLETE) == rule


def test_a_police_registry_check_stands_in_for_liveness() -> None:
    known = replace(COMPLETE, state=State.submitted, evidence=frozenset({"document", "police_registry"}))
    assert judge_step(step(State.id_verified), known) is None


def test_an_exposed_person_is_approved_after_a_closer_look() -> None:
    known = replace(COMPLETE, state=State.edd_review, is_pep=True, evidence=COMPLETE.evidence | {"edd_report"})
    assert judge_step(step(State.approved), known) is None


def test_a_hit_holds_an_active_client_until_two_officers_freeze_it_or_the_hit_is_cleared() -> None:
    """Holding is one officer's, or a machine's, step; freezing is not."""
    assert judge_step(step(State.pending_info), replace(COMPLETE, state=State.active, open_hits=1)) is None
    held = replace(COMPLETE, state=State.pending_info, stood=State.active, open_hits=1)
    assert judge_step(step(State.active), held) == Rejection.hits_must_be_decided
    assert judge_step(step(State.active), replace(held, open_hits=0)) is None
    assert judge_step(step(State.frozen), held) == Rejection.two_officers_must_sign
    assert judge_step(step(State.frozen), replace(held, is_signed_by_two=True)) is None


def test_a_client_cannot_be_lifted_past_a_rule_by_a_holding_state() -> None:
    history = [State.draft, State.submitted, State.pending_info, State.frozen]
    assert stood_before(history) is State.submitted
    assert next_states(State.frozen, stood_before(history)) == {State.closed, State.submitted, State.rejected}
    assert stood_before([]) is None


def test_everything_missing_is_told_at_once() -> None:
    bare = Standing(State.id_verified, open_hits=2)
    assert broken_rules(step(State.screened), bare) == (
        Rejection.identity_document_must_be_on_file,
        Rejection.liveness_must_be_on_file,
        Rejection.screening_must_be_current,
        Rejection.hits_must_be_decided,
    )


@given(st.sampled_from(State), st.sampled_from(State), st.booleans())
def test_nobody_enters_or_leaves_a_freeze_without_two_signatures(before: State, after: State, is_signed: bool) -> None:
    known = replace(COMPLETE, state=before, stood=State.active, is_signed_by_two=is_signed)
    verdict = judge_step(step(after), known)
    if needs_two_signatures(before, after) and not is_signed:
        assert verdict is not None
    if before in FINAL:
        assert verdict is Rejection.step_must_be_allowed


@given(st.lists(st.sampled_from(State), max_size=12))
def test_whoever_trades_has_once_been_approved(wishes: list[State]) -> None:
    """Whatever is asked for, in whatever order, the states taken lead to active through approved only."""
    known, taken = COMPLETE, [State.draft]
    for wish in wishes:
        stood = stood_before(taken)
        known = replace(known, state=taken[-1], stood=stood, is_signed_by_two=True)
        if judge_step(step(wish), known) is None:
            taken.append(wish)
    if State.active in taken:
        assert State.approved in taken[: taken.index(State.active)]


def test_every_rejection_has_its_sentence() -> None:
    assert SENTENCES.keys() == {*Rejection, *CreditRejection}


WISH = CreditApplication(
    market="CN",
    on=DAY,
    state=State.active,
    suitability_level=4,
    disclosure_signed_on=DAY,
    assets_minor=(50_000_000,) * 20,
    first_traded_on=date(2025, 12, 17),
)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({}, None),
        ({"state": State.approved}, CreditRejection.client_must_be_active),
        ({"suitability_level": 3}, CreditRejection.suitability_must_be_high_enough),
        ({"suitability_level": None}, CreditRejection.suitability_must_be_high_enough),
        ({"disclosure_signed_on": None}, CreditRejection.risk_disclosure_must_be_signed),
        ({"disclosure_signed_on": date(2026, 6, 18)}, CreditRejection.risk_disclosure_must_be_signed),
        ({"assets_minor": (49_999_999, *(50_000_000,) * 19)}, CreditRejection.average_assets_must_reach_the_minimum),
        ({"assets_minor": (99_999_999,) * 19}, CreditRejection.average_assets_must_reach_the_minimum),
        ({"assets_minor": (0, *(50_000_000,) * 20)}, None),
        ({"first_traded_on": date(2025, 12, 18)}, CreditRejection.trading_history_must_be_long_enough),
        ({"first_traded_on": None}, CreditRejection.trading_history_must_be_long_enough),
        ({"markets_with_one": frozenset({"CN"})}, CreditRejection.one_credit_account_per_market),
        ({"markets_with_one": frozenset({"US"})}, None),
        ({"market": "US", "assets_minor": (), "first_traded_on": None}, None),
    ],
)
def test_a_credit_account_asks_for_its_own_conditions(
    change: dict[str, object],
    rule: CreditRejection | None,
    credit_terms: CreditAccountTerms,
    suitability: SuitabilityTerms,
) -> None:
    assert judge_credit_account(replace(WISH, **change), credit_terms, suitability) == rule  # type: ignore[arg-type]


def test_every_missing_condition_of_a_credit_account_is_told(
    credit_terms: CreditAccountTerms, suitability: SuitabilityTerms
) -> None:
    bare = CreditApplication("CN", DAY, State.draft, markets_with_one=frozenset({"CN"}))
    assert broken_credit_rules(bare, credit_terms, suitability) == tuple(CreditRejection)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2025, 8, 31), 6, date(2026, 2, 28)),
        (date(2025, 12, 31), 12, date(2026, 12, 31)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2025, 11, 30), 1, date(2025, 12, 30)),
        (date(2025, 10, 31), 1, date(2025, 11, 30)),
        (date(2026, 6, 17), 0, date(2026, 6, 17)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later
