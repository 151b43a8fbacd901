"""A case runs from alert to decision, by its terms, and what was reported only some may know."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.cases import RESTRICTED, Case, cases, move_case, record_due_diligence, take_up
from books.engine import reading, writing
from books.journal import ledger_head
from books.rules import adopt
from domain.clients.cases import Report
from domain.errors import StepRefused, TransferRefused
from rulebooks import editions_of

DAY = date(2026, 6, 16)
ALERT = {"alert_id": "structuring/A1/20260616", "client_id": "C1", "rule": "structuring", "as_of_date": DAY}
CASE = "case/structuring/A1/20260616"


@pytest.fixture
def alerted(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    adopt(desk, editions_of("house.aml"), **when)
    take_up(desk, [ALERT], report=Report.suspicious_us, **when)
    return desk


def seen(books: sa.Engine, vault: Any, role: str = "mlro", day: date = DAY) -> Case:
    with reading(books) as connection:
        (case,) = cases(connection, vault, role, day)
    return case


@pytest.fixture
def decided(alerted: sa.Engine, vault: Any, when: dict[str, Any]) -> sa.Engine:
    """The case was looked into by one officer, and reported by another."""
    same = {"vault": vault, **when}
    move_case(alerted, CASE, "opened", "ma", "compliance", "three deposits below the limit", **same)
    record_due_diligence(alerted, CASE, "ma", "no business that explains them", **same)
    move_case(alerted, CASE, "escalated", "ma", "compliance", "suspicion stays", **same)
    move_case(alerted, CASE, "filed", "qian", "mlro", "reported today", filing_reference="SAR-77", **same)
    return alerted


def test_an_alert_is_taken_up_once(alerted: sa.Engine, vault: Any, when: dict[str, Any]) -> None:
    head = ledger_head(alerted)
    take_up(alerted, [ALERT, ALERT], report=Report.suspicious_us, **when)
    assert ledger_head(alerted) == head
    case = seen(alerted, vault)
    assert (case.state, case.filing_due_on) == ("raised", DAY + timedelta(days=30))
    assert case.due_at == when["known_at"] + timedelta(hours=24)
    with pytest.raises(TransferRefused, match="clients_must_exist"):
        take_up(alerted, [{**ALERT, "alert_id": "x", "client_id": "C9"}], report=Report.cash_us, **when)


def test_each_step_has_its_term_and_the_decision_leaves_the_report_its_day(
    alerted: sa.Engine, vault: Any, when: dict[str, Any]
) -> None:
    move_case(alerted, CASE, "opened", "ma", "compliance", "worth a look", vault=vault, **when)
    assert seen(alerted, vault).due_at == when["known_at"] + timedelta(days=5)
    with reading(alerted) as connection:
        due_on = connection.execute(sa.select(schema.aml_case_step.c.due_on)).scalar_one()
    assert due_on == DAY + timedelta(days=5)


@pytest.mark.parametrize(
    ("rule", "step"),
    [
        ("step_must_follow", {"to_state": "filed"}),
        ("due_diligence_must_be_on_file", {"to_state": "escalated"}),
        ("rationale_must_be_given", {"to_state": "escalated", "rationale": " "}),
    ],
)
def test_a_step_that_breaks_a_rule_is_refused_by_its_name(
    alerted: sa.Engine, vault: Any, when: dict[str, Any], rule: str, step: dict[str, str]
) -> None:
    move_case(alerted, CASE, "opened", "ma", "compliance", "worth a look", vault=vault, **when)
    told = {"actor": "ma", "role": "compliance", "rationale": "enough seen", **step}
    with pytest.raises(StepRefused, match=rule):
        move_case(alerted, CASE, **told, vault=vault, **when)


def test_whoever_investigated_does_not_decide_and_only_the_mlro_does(
    alerted: sa.Engine, vault: Any, when: dict[str, Any]
) -> None:
    same = {"vault": vault, **when}
    with pytest.raises(StepRefused, match="step_must_follow"):
        record_due_diligence(alerted, CASE, "ma", "too early", **same)
    move_case(alerted, CASE, "opened", "qian", "mlro", "worth a look", **same)
    record_due_diligence(alerted, CASE, "qian", "nothing explains it", **same)
    move_case(alerted, CASE, "escalated", "qian", "mlro", "suspicion stays", **same)
    with pytest.raises(StepRefused, match="investigator_must_not_decide"):
        move_case(alerted, CASE, "not_filed", "qian", "mlro", "explained", **same)
    with pytest.raises(StepRefused, match="mlro_must_decide"):
        move_case(alerted, CASE, "not_filed", "zhou", "compliance", "explained", **same)
    with pytest.raises(StepRefused, match="filing_must_be_named"):
        move_case(alerted, CASE, "filed", "zhou", "mlro", "reported", **same)


def test_what_was_reported_is_told_to_those_who_may_know(decided: sa.Engine, vault: Any, when: dict[str, Any]) -> None:
    for role in ("mlro", "compliance"):
        case = seen(decided, vault, role)
        assert (case.state, case.steps[-1].filing_reference, case.steps[-1].actor) == ("filed", "SAR-77", "qian")
        assert case.due_at == when["known_at"] + timedelta(days=90)
    case = seen(decided, vault, "sales")
    assert (case.state, case.due_at) == (RESTRICTED, None)
    assert [one.step for one in case.steps] == ["opened", "due_diligence", "escalated", RESTRICTED]
    assert {case.steps[-1].actor, case.steps[-1].rationale, case.steps[-1].filing_reference} == {RESTRICTED, None}


def test_the_books_themselves_do_not_say_what_was_decided(decided: sa.Engine) -> None:
    with reading(decided) as connection:
        bodies = " ".join(connection.execute(sa.select(schema.event.c.body)).scalars())
        last = connection.execute(
            sa.select(schema.aml_case_step).order_by(schema.aml_case_step.c.sequence.desc()).limit(1)
        ).one()
    assert not [word for word in ("SAR-77", "reported today", "filed", "qian") if word in bodies]
    assert (last.step, last.actor, last.due_on) == (RESTRICTED, RESTRICTED, None)
    assert verify(decided).entries == ledger_head(decided).sequence


def test_a_case_of_an_erased_client_says_only_that_there_was_one(decided: sa.Engine, vault: Any) -> None:
    with writing(decided) as connection:
        vault.destroy_data_key(connection, "C1")
    case = seen(decided, vault)
    assert (case.state, case.steps) == (RESTRICTED, ())
