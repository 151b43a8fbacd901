"""Everybody is held against every list, nobody is missed between two versions, and no name is written anywhere."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.client_files import has_current_screening, open_hits
from books.client_states import client_state, transitions
from books.clients import open_client, set_client_detail, take_over_client
from books.engine import reading
from books.journal import ledger_head
from books.rules import adopt
from books.screening import decide_hit, due_clients, enter_watchlist, lists_in_force, screen_changed, screen_clients
from domain.clients.watchlists import ListedName, ListEntry, Watchlist
from domain.errors import NameNotUsable, TransferRefused
from rulebooks import editions_of

DAY = date(2026, 6, 16)
FILE = "f" * 64


@pytest.fixture
def listed(desk: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]) -> sa.Engine:
    """The house list in force; nobody of the desk is on it."""
    adopt(desk, editions_of("house.clients"), **when)
    enter_watchlist(desk, house_list, None, vault=vault, **when)
    return desk


def take_on(books: sa.Engine, vault: Any, client_id: str, name: str, when: dict[str, Any]) -> None:
    take_over_client(
        books, client_id, name, vault=vault, source="test", reason="a test", evidence_hash="0" * 64, **when
    )


def hits(books: sa.Engine) -> list[tuple[str, str, int, str]]:
    column = schema.screening.c
    query = sa.select(column.client_id, column.entry_id, column.score_e4, column.disposition)
    with reading(books) as connection:
        rows = connection.execute(query.where(column.entry_id.is_not(None)).order_by(column.sequence))
        return [tuple(row) for row in rows]


def is_current(books: sa.Engine, client_id: str) -> bool:
    """By the question about one client, and by the question about all of them."""
    with reading(books) as connection:
        answer = has_current_screening(connection, client_id)
        assert answer == (client_id not in due_clients(connection))
        return answer


def test_a_list_that_comes_for_the_first_time_is_held_against_everybody(listed: sa.Engine, house_list: Any) -> None:
    assert hits(listed) == []
    assert [is_current(listed, client_id) for client_id in ("C1", "C2", "C3")] == [True] * 3
    with reading(listed) as connection:
        assert lists_in_force(connection) == {"house.watchlist": house_list.version}
        row = connection.execute(sa.select(schema.screening.c.explanation).limit(1)).scalar_one()
    assert row == "Held against 2 entries of house.watchlist: 0 to decide."


def test_the_same_version_again_changes_nothing(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    head = ledger_head(listed)
    assert enter_watchlist(listed, house_list, house_list, vault=vault, **when).clients == 0
    assert screen_clients(listed, ["C1", "C2"], [house_list], vault=vault, **when).hits == 0
    assert ledger_head(listed) == head


def test_a_strong_hit_stops_an_active_client_until_somebody_decides(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    take_on(listed, vault, "P1", "MOLOTOV, Ivan Drago", when)
    assert not is_current(listed, "P1")
    found = screen_changed(listed, [house_list], vault=vault, **when)
    assert (found.clients, found.hits, found.stopped) == (1, 1, ("P1",))
    with reading(listed) as connection:
        assert client_state(connection, "P1") == "pending_info"
        last = transitions(connection, "P1")[-1]
        hit = open_hits(connection, "P1")[0]
    assert (last.actor, last.reason) == ("screening", f"strong hit {hit.screening_id}")
    assert (hit.disposition, hit.score_e4, hit.entry_id) == ("strong", 1_000_000, "7")
    assert screen_clients(listed, ["P1"], [house_list], vault=vault, **when).hits == 0
    decide_hit(listed, hit.screening_id, "cleared", "ma", "another birth year", FILE, **when)
    with reading(listed) as connection:
        assert open_hits(connection, "P1") == []
    assert verify(listed).entries == ledger_head(listed).sequence


def test_what_is_written_of_a_hit_names_nobody(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    take_on(listed, vault, "P1", "Ivan Drago Molotov", when)
    set_client_detail(listed, "P1", "birth_date", "1961-07-17", vault=vault, **when)
    screen_changed(listed, [house_list], vault=vault, **when)
    with reading(listed) as connection:
        bodies = " ".join(connection.execute(sa.select(schema.event.c.body)).scalars()).lower()
        told = open_hits(connection, "P1")[0].explanation
    assert not [word for word in ("ivan", "drago", "molotov", "1961") if word in bodies]
    assert told == (
        "Score 100.0 against the primary name of individual 7 on house.watchlist: whole name 1.00, words 1.00, 1.00, "
        "1.00, with the same birth date; strong where strong begins at 95 and review at 85, or at 75 corroborated."
    )


def test_a_new_version_finds_whom_it_added_and_leaves_the_others_alone(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    take_on(listed, vault, "P1", "Ivan Drago Molotov", when)
    take_on(listed, vault, "P2", "Ludmila Pavlova", when)
    screen_changed(listed, [house_list], vault=vault, **when)
    assert [row[:2] for row in hits(listed)] == [("P1", "7")]
    added = ListEntry("9", "individual", (ListedName("PAVLOVA Ludmila"),))
    newer = replace(house_list, version="b2" * 32, entries=(*house_list.entries, added))
    found = enter_watchlist(listed, newer, house_list, vault=vault, **when)
    assert (found.clients, found.entries, found.hits, found.stopped) == (5, 1, 1, ("P2",))
    assert [row[:2] for row in hits(listed)] == [("P1", "7"), ("P2", "9")]
    assert is_current(listed, "C1")


def test_a_client_that_changed_is_current_only_once_it_was_screened_again(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    set_client_detail(listed, "C1", "address", "1 Hidden Lane", vault=vault, **when)
    assert is_current(listed, "C1")
    set_client_detail(listed, "C1", "aliases", "Ludmila Pavlova", vault=vault, **when)
    assert not is_current(listed, "C1")
    # A hit on what a new version added is not a screening against all of it.
    added = ListEntry("9", "individual", (ListedName("PAVLOVA Ludmila"),))
    newer = replace(house_list, version="b2" * 32, entries=(*house_list.entries, added))
    enter_watchlist(listed, newer, house_list, vault=vault, **when)
    assert [row[:2] for row in hits(listed)] == [("C1", "9")]
    assert not is_current(listed, "C1")
    screen_changed(listed, [newer], vault=vault, **when)
    assert is_current(listed, "C1")
    assert len(hits(listed)) == 1


def test_a_chinese_name_is_found_under_its_pinyin(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    take_on(listed, vault, "P1", "Xiaoming WANG", when)
    take_on(listed, vault, "P2", "王小明", when)
    screen_changed(listed, [house_list], vault=vault, **when)
    assert [(row[0], row[1], row[3]) for row in hits(listed)] == [("P1", "8", "strong"), ("P2", "8", "strong")]


def test_a_draft_that_is_hit_is_not_moved_and_cannot_go_on(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    open_client(listed, "P1", "Ivan Drago Molotov", vault=vault, source="test", **when)
    assert screen_changed(listed, [house_list], vault=vault, **when).stopped == ()
    with reading(listed) as connection:
        assert client_state(connection, "P1") == "draft"
        assert len(open_hits(connection, "P1")) == 1


def test_lists_out_of_step_with_the_books_are_refused(
    listed: sa.Engine, vault: Any, house_list: Watchlist, when: dict[str, Any]
) -> None:
    newer = replace(house_list, version="b2" * 32)
    with pytest.raises(TransferRefused, match=r"lists_must_be_in_force: in force are house\.watchlist a1a1"):
        screen_clients(listed, ["C1"], [newer], vault=vault, **when)
    with pytest.raises(TransferRefused, match="previous_version_must_be_in_force"):
        enter_watchlist(listed, newer, None, vault=vault, **when)
    enter_watchlist(listed, newer, house_list, vault=vault, **when)
    with pytest.raises(TransferRefused, match="version_must_be_new"):
        enter_watchlist(listed, house_list, newer, vault=vault, **when)


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        ("decision_must_be_known", {"decision": "perhaps"}),
        ("actor_and_reason_must_be_given", {"reason": ""}),
        ("evidence_hash_must_be_sha256", {"evidence_hash": "abc"}),
        ("screenings_must_exist", {"screening_id": "none"}),
    ],
)
def test_a_decision_that_says_nothing_is_refused(
    listed: sa.Engine, when: dict[str, Any], rule: str, changed: dict[str, str]
) -> None:
    told = {
        "screening_id": "x", "decision": "cleared", "actor": "ma", "reason": "not him", "evidence_hash": FILE,
        **changed,
    }  # fmt: skip
    with pytest.raises(TransferRefused, match=rule):
        decide_hit(listed, **told, **when)


def test_a_screening_without_a_hit_has_nothing_to_decide(listed: sa.Engine, when: dict[str, Any]) -> None:
    with reading(listed) as connection:
        name = connection.execute(sa.select(schema.screening.c.screening_id).limit(1)).scalar_one()
    with pytest.raises(TransferRefused, match="hit_must_exist"):
        decide_hit(listed, name, "cleared", "ma", "nothing there", FILE, **when)


def test_a_name_nobody_can_compare_never_enters_the_books(listed: sa.Engine, vault: Any, when: dict[str, Any]) -> None:
    with pytest.raises(NameNotUsable):
        open_client(listed, "P1", "?!", vault=vault, source="test", **when)
