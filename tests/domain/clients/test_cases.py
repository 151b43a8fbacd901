"""A case goes from an alert to a decision by people who may take it, in time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.cases import (
    MLRO,
    CaseRejection,
    CaseStanding,
    CaseState,
    CaseStep,
    Report,
    broken_case_rules,
    filing_due_on,
    is_working_day,
    judge_case_step,
    may_read_report,
    step_due_at,
    working_days_after,
)
from domain.clients.rules import CaseTerms, FilingTerms

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)
DECIDING = CaseStep(CaseState.filed, "officer.wang", MLRO, "funds passed through", NOON, "BSA-1")
ESCALATED = CaseStanding(CaseState.escalated, NOON, frozenset({"analyst.li"}), has_due_diligence=True)


@pytest.mark.parametrize("golden", ["AML-004"], indirect=True)
def test_reports_are_due_on_the_published_days(golden: Any, filing_terms: FilingTerms) -> None:
    kinds = {"SAR": (Report.suspicious_us, "detected"), "CTR": (Report.cash_us, "transaction")}
    due = []
    for case in golden.given["cases"]:
        report, key = kinds[case["type"]]
        known = case.get("suspect_known", True)
        due.append(
            filing_due_on(report, date.fromisoformat(case[key]), filing_terms, is_suspect_known=known).isoformat()
        )
    assert due == golden.expected["due"]


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2026, 6, 17), date(2026, 6, 24)),
        (date(2026, 6, 19), date(2026, 6, 26)),
        (date(2026, 6, 20), date(2026, 6, 26)),
    ],
)
def test_a_chinese_report_is_due_on_the_fifth_working_day(day: date, due: date, filing_terms: FilingTerms) -> None:
    assert filing_due_on(Report.suspicious_cn, day, filing_terms) == due
    assert filing_due_on(Report.large_value_cn, day, filing_terms) == due


def test_a_calendar_of_holidays_puts_the_due_day_off(filing_terms: FilingTerms) -> None:
    holidays = {date(2026, 6, 18), date(2026, 6, 19)}
    due = filing_due_on(
        Report.suspicious_cn,
        date(2026, 6, 17),
        filing_terms,
        works_on=lambda day: is_working_day(day) and day not in holidays,
    )
    assert due == date(2026, 6, 26)
    with pytest.raises(AssertionError, match="a working day every two months"):
        working_days_after(date(2026, 6, 17), 1, lambda day: False)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 30))
def test_working_days_are_counted_one_by_one(day: date, count: int) -> None:
    due = working_days_after(day, count)
    between = [day + timedelta(days=at) for at in range(1, (due - day).days + 1)]
    assert sum(map(is_working_day, between)) == count
    assert is_working_day(due)


def test_a_case_runs_from_alert_to_review() -> None:
    line = [CaseState.raised, CaseState.opened, CaseState.escalated, CaseState.filed, CaseState.reviewed]
    for before, after in pairwise(line):
        known = replace(ESCALATED, state=before)
        assert judge_case_step(replace(DECIDING, to_state=after), known) is None
        assert judge_case_step(replace(DECIDING, to_state=before), known) is CaseRejection.step_must_follow


@pytest.mark.parametrize(
    ("change", "known", "rule"),
    [
        ({"to_state": CaseState.opened}, ESCALATED, CaseRejection.step_must_follow),
        ({"actor": ""}, ESCALATED, CaseRejection.actor_must_be_named),
        ({"rationale": " "}, ESCALATED, CaseRejection.rationale_must_be_given),
        ({"to_state": CaseState.not_filed, "rationale": ""}, ESCALATED, CaseRejection.rationale_must_be_given),
        ({"role": "compliance"}, ESCALATED, CaseRejection.mlro_must_decide),
        ({"actor": "analyst.li"}, ESCALATED, CaseRejection.investigator_must_not_decide),
        ({"filing_reference": None}, ESCALATED, CaseRejection.filing_must_be_named),
        ({"at": NOON - timedelta(seconds=1)}, ESCALATED, CaseRejection.clock_must_not_go_back),
        (
            {"to_state": CaseState.escalated},
            CaseStanding(CaseState.opened, NOON),
            CaseRejection.due_diligence_must_be_on_file,
        ),
    ],
)
def test_each_broken_rule_of_a_case_is_named(change: dict[str, Any], known: CaseStanding, rule: CaseRejection) -> None:
    assert judge_case_step(replace(DECIDING, **change), known) is rule
    assert rule in tuple(broken_case_rules(replace(DECIDING, **change), known))


def test_not_filing_needs_a_rationale_and_no_reference() -> None:
    step = replace(DECIDING, to_state=CaseState.not_filed, filing_reference=None)
    assert judge_case_step(step, ESCALATED) is None


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (CaseState.raised, NOON + timedelta(hours=24)),
        (CaseState.opened, NOON + timedelta(days=5)),
        (CaseState.escalated, datetime(2026, 7, 18, tzinfo=UTC)),
        (CaseState.filed, NOON + timedelta(days=90)),
        (CaseState.dismissed, None),
        (CaseState.not_filed, None),
        (CaseState.reviewed, None),
    ],
)
def test_every_step_has_its_term(
    state: CaseState, due: datetime | None, case_terms: CaseTerms, filing_terms: FilingTerms
) -> None:
    assert step_due_at(CaseStanding(state, NOON), date(2026, 7, 17), case_terms, filing_terms) == due


def test_only_compliance_may_know_that_a_report_was_made(case_terms: CaseTerms) -> None:
    assert [role for role in ("mlro", "compliance", "trader", "") if may_read_report(role, case_terms)] == [
        "mlro", "compliance",
    ]  # fmt: skip
