"""A client is taken on step by step, trades while it is active, and is frozen by two officers and nobody less."""

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.client_files import evidence_on, rate_client, record_evidence
from books.client_states import (
    State,
    Transition,
    client_state,
    client_states,
    freeze_content,
    may_trade,
    move_client,
    transition_entry,
    transitions,
)
from books.clients import open_account, open_client
from books.engine import reading, writing
from books.journal import Entry, book, insert, ledger_head
from books.posting import post
from books.screening import enter_watchlist
from domain.errors import StepRefused, TransferRefused
from domain.ledger import Transfer

DAY = date(2026, 6, 16)
FILE = "f" * 64
ACCOUNT = {"market": "US", "currency": "USD", "rulebook": "us.finra_4210", "opened_on": date(2026, 1, 5)}
SCORES = {"geography": 1, "product": 1, "channel": 1, "customer_type": 1, "behaviour": 1}


def state_of(books: sa.Engine, client_id: str) -> State:
    with reading(books) as connection:
        return client_state(connection, client_id)


@pytest.fixture
def applicant(desk: sa.Engine, officers: Any, vault: Any, when: dict[str, Any]) -> str:
    """P1, whose application is in, with a document and a liveness check on file."""
    open_client(desk, "P1", "Somebody Special", vault=vault, source="test", **when)
    move_client(desk, "P1", "submitted", "li", "applied at the branch", FILE, **when)
    record_evidence(desk, "P1", "document", "d" * 64, "li", **when)
    record_evidence(desk, "P1", "liveness", "e" * 64, "li", **when)
    return "P1"


@pytest.fixture
def on_file(desk: sa.Engine, officers: Any, vault: Any, house_list: Any, when: dict[str, Any]) -> None:
    """All that C1 and C2 must have on file to be active: they were taken over without it."""
    enter_watchlist(desk, house_list, None, vault=vault, **when)
    for client_id in ("C1", "C2"):
        record_evidence(desk, client_id, "document", "d" * 64, "li", **when)
        record_evidence(desk, client_id, "police_registry", "e" * 64, "li", **when)
        rate_client(desk, client_id, SCORES, **when)


def freeze(books: sa.Engine, officers: Any, to_state: str, when: dict[str, Any], client_id: str = "C1") -> str:
    """Have two officers sign for a step into or out of a freeze."""
    with reading(books) as connection:
        content = freeze_content(connection, client_id, State(to_state), FILE)
    action = "freeze" if to_state == "frozen" else "unfreeze"
    approval_id = officers.approve(books, action, client_id, content)
    move_client(books, client_id, to_state, "ma", "court order 17", FILE, approval_id, **when)
    return str(approval_id)


def test_a_client_begins_as_a_draft_and_goes_on_step_by_step(
    desk: sa.Engine, applicant: str, when: dict[str, Any]
) -> None:
    assert state_of(desk, applicant) is State.submitted
    move_client(desk, applicant, "id_verified", "li", "saw passport and face", FILE, **when)
    with reading(desk) as connection:
        told = [(one.from_state, one.to_state, one.actor) for one in transitions(connection, applicant)]
    assert told == [("draft", "submitted", "li"), ("submitted", "id_verified", "li")]
    assert verify(desk).entries == ledger_head(desk).sequence


def test_a_step_that_lacks_something_is_refused_with_all_it_lacks(
    desk: sa.Engine, applicant: str, when: dict[str, Any]
) -> None:
    move_client(desk, applicant, "id_verified", "li", "saw passport and face", FILE, **when)
    head = ledger_head(desk)
    with pytest.raises(StepRefused, match="to screened refused, screening_must_be_current: the client"):
        move_client(desk, applicant, "screened", "li", "looks fine", FILE, **when)
    with pytest.raises(StepRefused, match="step_must_be_allowed"):
        move_client(desk, applicant, "active", "li", "looks fine", FILE, **when)
    with pytest.raises(StepRefused, match=r"reason_must_be_given: no reason is given; the evidence is not named"):
        move_client(desk, applicant, "pending_info", "li", " ", "no hash", **when)
    assert ledger_head(desk) == head


def test_evidence_out_of_date_does_not_count(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    record_evidence(desk, "C1", "document", "d" * 64, "li", valid_until=DAY, **when)
    with reading(desk) as connection:
        assert "document" in evidence_on(connection, "C1", DAY)
        assert "document" not in evidence_on(connection, "C1", DAY + timedelta(days=1))


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("kind_must_be_known", {"kind": "selfie"}),
        ("evidence_hash_must_be_sha256", {"evidence_hash": "abc"}),
        ("actor_must_be_named", {"recorded_by": " "}),
        ("level_must_be_known", {"kind": "suitability", "level": "C4"}),
        ("level_must_be_known", {"kind": "trading_history", "level": "long ago"}),
    ],
)
def test_evidence_that_says_nothing_is_refused(
    desk: sa.Engine, when: dict[str, Any], rule: str, changed: dict[str, str]
) -> None:
    told = {"kind": "document", "evidence_hash": FILE, "recorded_by": "li", **changed}
    with pytest.raises(TransferRefused, match=rule):
        record_evidence(desk, "C1", **told, **when)


def test_an_exposed_person_is_high_risk_whatever_the_scores(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    assert rate_client(desk, "C1", SCORES, **when).rating == "low"
    record_evidence(desk, "C1", "pep", FILE, "li", level="minister", **when)
    assert rate_client(desk, "C1", SCORES, **when).rating == "high"
    record_evidence(desk, "C1", "pep", "a" * 64, "li", level="none", **when)
    found = rate_client(desk, "C1", SCORES, **when)
    with reading(desk) as connection:
        rows = connection.execute(sa.select(schema.client_rating.c.review_on).order_by(schema.client_rating.c.sequence))
        assert [day.year for day in rows.scalars()] == [2029, 2027, 2029]
    assert (found.rating, found.edition) == ("low", "house.clients@2000-01-01")


def test_only_active_clients_may_trade(desk: sa.Engine, officers: Any, on_file: None, when: dict[str, Any]) -> None:
    asked = ["A1", "A2", "A3", "A9"]

    def verdicts() -> dict[str, str | None]:
        with reading(desk) as connection:
            return may_trade(connection, asked)

    assert verdicts() == {"A1": None, "A2": None, "A3": None, "A9": "accounts_must_exist"}
    move_client(desk, "C2", "dormant", "li", "no trade in a year", FILE, **when)
    freeze(desk, officers, "frozen", when)
    assert verdicts() == {
        "A1": "client_must_be_active", "A2": "client_must_be_active", "A3": None, "A9": "accounts_must_exist",
    }  # fmt: skip
    freeze(desk, officers, "active", when)
    assert verdicts()["A1"] is None


def test_one_officer_freezes_nobody_and_an_old_approval_freezes_nobody_again(
    desk: sa.Engine, officers: Any, on_file: None, when: dict[str, Any]
) -> None:
    with pytest.raises(StepRefused, match="two_officers_must_sign"):
        move_client(desk, "C1", "frozen", "ma", "court order 17", FILE, **when)
    used = freeze(desk, officers, "frozen", when)
    with pytest.raises(StepRefused, match="two_officers_must_sign"):
        move_client(desk, "C1", "active", "ma", "lifted", FILE, used, **when)
    with pytest.raises(StepRefused, match="client_must_return_to_where_it_stood"):
        move_client(desk, "C1", "dormant", "ma", "elsewhere", FILE, used, **when)
    freeze(desk, officers, "active", when)
    with pytest.raises(StepRefused, match="two_officers_must_sign"):
        move_client(desk, "C1", "frozen", "ma", "court order 17", FILE, used, **when)


def test_a_freeze_ends_only_with_all_that_an_active_client_needs(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    freeze(desk, officers, "frozen", when)
    with pytest.raises(StepRefused, match="from frozen to active refused, identity_document_must_be_on_file"):
        freeze(desk, officers, "active", when)


def test_a_step_smuggled_past_two_officers_has_no_effect(
    desk: sa.Engine, officers: Any, on_file: None, when: dict[str, Any]
) -> None:
    """Whoever can chain rows can neither freeze nor free a client, not even by a way round."""
    freeze(desk, officers, "frozen", when)

    def smuggle(client_id: str, number: int, from_state: str, to_state: str) -> None:
        one = Transition(
            f"{client_id}/{number}", client_id, State(from_state), State(to_state), "x", "x", FILE, None, DAY
        )
        with writing(desk) as connection:
            book(connection, [transition_entry(one)], **when)

    smuggle("C1", 3, "frozen", "active")
    smuggle("C1", 4, "dormant", "active")
    smuggle("C2", 2, "active", "frozen")
    with reading(desk) as connection:
        assert client_states(connection, ["C1", "C2"]) == {"C1": State.frozen, "C2": State.active}
        assert may_trade(connection, ["A1", "A2"]) == {"A1": "client_must_be_active", "A2": None}
    freeze(desk, officers, "active", when)
    assert state_of(desk, "C1") is State.active


def test_a_client_of_the_first_edition_goes_on_trading(desk: sa.Engine, when: dict[str, Any]) -> None:
    plain = {"client_id": "OLD", "name": "Client of old", "source": "synthetic"}
    with writing(desk) as connection:
        book(connection, [Entry("client", "OLD", DAY, plain)], **when)
    assert state_of(desk, "OLD") is State.active


def test_a_client_with_something_left_is_not_closed(desk: sa.Engine, when: dict[str, Any]) -> None:
    paid = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 100, "USD", DAY)
    post(desk, [paid], **when)
    with pytest.raises(StepRefused, match="accounts_must_be_closed"):
        move_client(desk, "C1", "closed", "li", "asked for it", FILE, **when)
    back = Transfer("t2", "client_withdrawal", "2010.A1", "1010.USD", 100, "USD", DAY)
    post(desk, [back], **when)
    move_client(desk, "C1", "closed", "li", "asked for it", FILE, **when)
    assert state_of(desk, "C1") is State.closed


def test_an_account_is_opened_for_an_active_client_only(desk: sa.Engine, vault: Any, when: dict[str, Any]) -> None:
    open_client(desk, "P1", "Somebody Special", vault=vault, source="synthetic", **when)
    with pytest.raises(TransferRefused, match="Account A9 of P1 refused, client_must_be_active: the client is draft"):
        open_account(desk, "A9", "P1", source="synthetic", **ACCOUNT, **when)


def test_a_real_credit_account_asks_for_all_its_conditions(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    """In Shanghai: suitability C4, the disclosure signed, half a million on average, six months of trading, and one."""
    china = {"market": "CN", "currency": "CNY", "rulebook": "cn.sse_margin_trading", "opened_on": DAY}

    def open_(assets_minor: int = 50_000_000, name: str = "A9") -> None:
        open_account(desk, name, "C1", source="branch", assets_minor=[assets_minor] * 20, **china, **when)

    with pytest.raises(TransferRefused, match="suitability_must_be_high_enough"):
        open_()
    record_evidence(desk, "C1", "suitability", "1" * 64, "li", level="4", **when)
    with pytest.raises(TransferRefused, match="risk_disclosure_must_be_signed"):
        open_()
    record_evidence(desk, "C1", "risk_disclosure", "2" * 64, "li", **when)
    with pytest.raises(TransferRefused, match="average_assets_must_reach_the_minimum"):
        open_(49_999_999)
    with pytest.raises(TransferRefused, match="trading_history_must_be_long_enough"):
        open_()
    record_evidence(desk, "C1", "trading_history", "3" * 64, "li", level="2025-12-16", **when)
    open_()
    with pytest.raises(TransferRefused, match="one_credit_account_per_market"):
        open_(name="A10")
    head = ledger_head(desk)
    open_()
    assert ledger_head(desk) == head


def test_no_row_of_a_client_can_be_written_without_its_event(desk: sa.Engine) -> None:
    with pytest.raises(sa.exc.DatabaseError), writing(desk) as connection:
        insert(connection, schema.client_rating, [(99_999, "x", "C1", 1, "low", "x", "x", "2026-06-16")])
