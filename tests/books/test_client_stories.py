"""From an application to a frozen account: what happens to a client, and what the desk can say of it at each turn."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books.audit import verify
from books.client_files import open_hits, rate_client, record_evidence
from books.client_states import State, client_state, freeze_content, may_trade, move_client
from books.client_stories import next_on_the_line, why_stopped
from books.clients import open_account, open_client, set_client_detail
from books.engine import reading
from books.journal import ledger_head
from books.screening import decide_hit, enter_watchlist, screen_changed
from domain.clients.watchlists import ListedName, ListEntry, Watchlist
from domain.errors import StepRefused, TransferRefused

DAY = date(2026, 6, 16)
FORM, PASSPORT, VIDEO, NOTE, ORDER = ("1" * 64, "2" * 64, "3" * 64, "4" * 64, "5" * 64)
SCORES = {"geography": 2, "product": 2, "channel": 1, "customer_type": 2, "behaviour": 1}


def story(books: sa.Engine, client_id: str = "P1") -> str:
    with reading(books) as connection:
        return why_stopped(connection, client_id, DAY)


def test_an_application_is_stopped_cleared_approved_and_in_the_end_frozen(
    desk: sa.Engine, officers: Any, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    enter_watchlist(desk, house_list, None, vault=vault, **when)

    # The application comes in, with who the applicant is sealed at once.
    open_client(desk, "P1", "Ivan Drago Molotow", vault=vault, source="branch", **when)
    for field, value in (("birth_date", "1984-02-03"), ("country", "DE"), ("document", "C01X00T47")):
        set_client_detail(desk, "P1", field, value, vault=vault, **when)
    assert story(desk) == (
        "Client P1 is draft; no step was taken yet.\n"
        "Nothing is missing for it to become submitted; an officer must take the step."
    )
    move_client(desk, "P1", "submitted", "li", "applied at the branch", FORM, **when)
    assert "To become id_verified it lacks something: no identity document is on file; neither" in story(desk)
    record_evidence(desk, "P1", "document", PASSPORT, "li", valid_until=date(2030, 1, 1), **when)
    record_evidence(desk, "P1", "liveness", VIDEO, "li", **when)
    move_client(desk, "P1", "id_verified", "li", "passport and face agree", PASSPORT, **when)

    # It resembles somebody on the list, and stops by itself.
    assert screen_changed(desk, [house_list], vault=vault, **when).stopped == ("P1",)
    told = story(desk)
    assert told.startswith(
        "Client P1 is pending_info since 2026-06-16; the screening itself moved it from id_verified: "
    )
    assert "To return to id_verified it lacks something: a hit on a list has not been decided." in told
    assert "To decide since 2026-06-16: P1/" in told
    assert not [word for word in ("Ivan", "Molotow", "Molotov", "1984", "C01X00T47") if word in told]
    with pytest.raises(StepRefused, match="client_must_return_to_where_it_stood"):
        move_client(desk, "P1", "screened", "li", "looks fine", NOTE, **when)

    # An officer looks at the evidence: born 23 years later, in another country.
    with reading(desk) as connection:
        (hit,) = open_hits(connection, "P1")
    decide_hit(desk, hit.screening_id, "cleared", "ma", "born 1984, the listed person 1961", NOTE, **when)
    assert "Nothing is missing for it to return to id_verified; an officer must take the step." in story(desk)
    move_client(desk, "P1", "id_verified", "ma", "hit cleared", NOTE, **when)
    move_client(desk, "P1", "screened", "ma", "no hit is open", NOTE, **when)
    assert "To become risk_rated it lacks something: the client has no risk rating." in story(desk)
    assert rate_client(desk, "P1", SCORES, **when).rating == "low"
    move_client(desk, "P1", "risk_rated", "ma", "rated low", NOTE, **when)

    # Two officers take it in: who approved does not also open.
    move_client(desk, "P1", "approved", "ma", "complete", NOTE, **when)
    with pytest.raises(StepRefused, match="officers_must_differ: whoever approved the client"):
        move_client(desk, "P1", "active", "ma", "complete", NOTE, **when)
    move_client(desk, "P1", "active", "qian", "complete", NOTE, **when)
    account = {"market": "US", "currency": "USD", "rulebook": "us.finra_4210", "opened_on": DAY}
    with pytest.raises(TransferRefused, match="suitability_must_be_high_enough"):
        open_account(desk, "A9", "P1", source="branch", **account, **when)
    record_evidence(desk, "P1", "suitability", FORM, "li", level="4", **when)
    record_evidence(desk, "P1", "risk_disclosure", FORM, "li", **when)
    open_account(desk, "A9", "P1", source="branch", **account, **when)
    assert story(desk).splitlines()[1] == "Steps so far:"

    # A court freezes it: two officers sign, and from then on nothing moves.
    with reading(desk) as connection:
        content = freeze_content(connection, "P1", State.frozen, ORDER)
        assert may_trade(connection, ["A9"]) == {"A9": None}
    approval_id = officers.approve(desk, "freeze", "P1", content)
    move_client(desk, "P1", "frozen", "ma", "court order 17", ORDER, approval_id, **when)
    with reading(desk) as connection:
        assert may_trade(connection, ["A9"]) == {"A9": "client_must_be_active"}
    told = story(desk)
    assert "To return to active it lacks something: a freeze begins and ends with the signatures of two off" in told
    assert told.splitlines()[-1] == (
        f"  2026-06-16 active → frozen by ma: court order 17 (evidence 555555555555, approval {approval_id})"
    )
    assert verify(desk).entries == ledger_head(desk).sequence


def test_a_client_who_is_whom_a_list_means_never_gets_further_than_its_rating(
    desk: sa.Engine, officers: Any, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    enter_watchlist(desk, house_list, None, vault=vault, **when)
    open_client(desk, "P1", "王小明", vault=vault, source="branch", **when)
    move_client(desk, "P1", "submitted", "li", "applied online", FORM, **when)
    record_evidence(desk, "P1", "document", PASSPORT, "li", **when)
    record_evidence(desk, "P1", "police_registry", VIDEO, "li", **when)
    screen_changed(desk, [house_list], vault=vault, **when)
    with reading(desk) as connection:
        (hit,) = open_hits(connection, "P1")
    decide_hit(desk, hit.screening_id, "confirmed", "ma", "same document", NOTE, **when)
    move_client(desk, "P1", "submitted", "ma", "decided", NOTE, **when)
    for state in ("id_verified", "screened"):
        move_client(desk, "P1", state, "ma", "as the rules ask", NOTE, **when)
    assert rate_client(desk, "P1", SCORES, **when).rating == "blocked"
    move_client(desk, "P1", "risk_rated", "ma", "blocked", NOTE, **when)
    assert "the rating blocks the client" in story(desk)
    assert "A hit was confirmed: the client is whom a list means, and stays blocked." in story(desk)
    with pytest.raises(StepRefused, match="client_must_not_be_blocked"):
        move_client(desk, "P1", "approved", "ma", "all the same", NOTE, **when)
    move_client(desk, "P1", "rejected", "ma", "on a list", NOTE, **when)
    assert (
        story(desk).splitlines()[0] == "Client P1 is rejected since 2026-06-16; ma moved it from risk_rated: on a list."
    )


def test_a_list_that_grows_stops_who_already_trades(
    desk: sa.Engine, officers: Any, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    enter_watchlist(desk, house_list, None, vault=vault, **when)
    grown = replace(
        house_list,
        version="b2" * 32,
        entries=(*house_list.entries, ListEntry("9", "individual", (ListedName("Client 2"),))),
    )
    # Its neighbours are as like the listed name, but for a digit: they are looked at too, and trade on or not likewise.
    stopped = enter_watchlist(desk, grown, house_list, vault=vault, **when).stopped
    assert "C2" in stopped
    with reading(desk) as connection:
        assert may_trade(connection, ["A2"]) == {"A2": "client_must_be_active"}
        assert client_state(connection, "C2") is State.pending_info


def test_high_risk_is_looked_at_more_closely_before_approval(
    desk: sa.Engine, officers: Any, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    enter_watchlist(desk, house_list, None, vault=vault, **when)
    open_client(desk, "P1", "Ordinary Person", vault=vault, source="branch", **when)
    record_evidence(desk, "P1", "document", PASSPORT, "li", **when)
    record_evidence(desk, "P1", "liveness", VIDEO, "li", **when)
    record_evidence(desk, "P1", "pep", NOTE, "li", level="minister", **when)
    screen_changed(desk, [house_list], vault=vault, **when)
    rate_client(desk, "P1", SCORES, **when)
    for state in ("submitted", "id_verified", "screened", "risk_rated"):
        move_client(desk, "P1", state, "li", "as the rules ask", NOTE, **when)
    assert "Nothing is missing for it to become edd_review" in story(desk)
    move_client(desk, "P1", "edd_review", "li", "an exposed person", NOTE, **when)
    assert "To become approved it lacks something: the report of the closer look is not on file." in story(desk)


@pytest.mark.parametrize(
    ("state", "following"),
    [
        (State.draft, State.submitted),
        (State.approved, State.active),
        (State.edd_review, State.approved),
        (State.active, None),
        (State.dormant, None),
        (State.rejected, None),
        (State.frozen, None),
    ],
)
def test_an_application_goes_on_to_one_next_state(state: State, following: State | None) -> None:
    assert next_on_the_line(state) is following
