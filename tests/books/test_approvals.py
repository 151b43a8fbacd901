"""What needs two officers has no effect without them, however it came into the books."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.approvals import (
    approvals,
    approved_transfers,
    decide,
    enter_officer_key,
    event_content,
    is_vetted,
    key_content,
    request_approval,
    revoke_officer_key,
    standing_approval,
    transfer_content,
)
from books.audit import verify
from books.engine import reading, writing
from books.journal import Entry, book, ledger_head
from books.rules import chart_on
from books.signatures import key_id, new_key, public_text, sign
from domain.approvals import content_hash
from domain.errors import ApprovalRefused, SigningKeyNotUsable, TransferRefused
from domain.ledger import Transfer, expand, reversal

DAY = date(2026, 6, 16)
CONTENT = {"account_id": "A1", "amount_minor": 100}
PAID = Transfer("paid", "client_withdrawal", "2010.A1", "1010.USD", 20_000_000, "USD", DAY)


def stands(books: sa.Engine, approval_id: str | None, content: dict[str, Any] = CONTENT, **other: str) -> bool:
    asked = {"action": "write_off", "subject": "A1", **other}
    with reading(books) as connection:
        return standing_approval(connection, approval_id, asked["action"], asked["subject"], content_hash(content))


def test_an_approval_stands_for_what_it_says_and_for_nothing_else(desk: sa.Engine, officers: Any) -> None:
    name = officers.approve(desk, "write_off", "A1", CONTENT)
    assert stands(desk, name)
    assert not stands(desk, name, {**CONTENT, "amount_minor": 101})
    assert not stands(desk, name, subject="A2")
    assert not stands(desk, name, action="reversal")
    assert not stands(desk, "another")
    assert not stands(desk, None)
    assert verify(desk).entries == ledger_head(desk).sequence


def test_a_request_alone_and_a_request_turned_down_do_not_stand(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    request_approval(desk, "write_off", "A1", CONTENT, "please", officers.keys["lin"], approval_id="W", **when)
    assert not stands(desk, "W")
    decide(desk, "W", "rejected", "no", officers.keys["wu"], **when)
    assert not stands(desk, "W")
    with pytest.raises(ApprovalRefused, match=r"request_must_be_open: .*final.*Nothing was written"):
        decide(desk, "W", "approved", "yes after all", officers.keys["wu"], **when)


def test_asking_and_answering_again_changes_nothing(desk: sa.Engine, officers: Any) -> None:
    officers.approve(desk, "write_off", "A1", CONTENT)
    head = ledger_head(desk)
    officers.approve(desk, "write_off", "A1", CONTENT)
    assert ledger_head(desk) == head


def test_one_officer_never_allows_what_the_same_officer_asked_for(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    with pytest.raises(ApprovalRefused, match="keys_must_differ"):
        officers.approve(desk, "write_off", "A1", CONTENT, "lin lin")
    second = new_key()
    enter_officer_key(desk, "lin", "head", public_text(second), source="test", **when)
    with pytest.raises(ApprovalRefused, match="officers_must_differ"):
        decide(desk, f"write_off.A1.{content_hash(CONTENT)[:8]}", "approved", "me again", second, **when)


def test_a_role_signs_only_what_the_matrix_gives_it(desk: sa.Engine, officers: Any) -> None:
    with pytest.raises(ApprovalRefused, match=r"Request write_off.A1.* refused, role_must_be_allowed"):
        officers.approve(desk, "write_off", "A1", CONTENT, "ma wu")
    with pytest.raises(ApprovalRefused, match=r"Decision on write_off.A1.* refused, role_must_be_allowed"):
        officers.approve(desk, "write_off", "A1", CONTENT, "lin ma")


def test_a_key_the_books_do_not_know_signs_nothing(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    with pytest.raises(ApprovalRefused, match="key_must_be_known"):
        request_approval(desk, "write_off", "A1", CONTENT, "please", new_key(), approval_id="W", **when)
    with pytest.raises(ApprovalRefused, match="request_must_exist"):
        decide(desk, "W", "approved", "yes", officers.keys["wu"], **when)


def test_a_revoked_key_signs_nothing_more_and_what_it_signed_stands(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    name = officers.approve(desk, "write_off", "A1", CONTENT)
    request_approval(desk, "write_off", "A2", CONTENT, "please", officers.keys["lin"], approval_id="W2", **when)
    revoke_officer_key(desk, key_id(public_text(officers.keys["lin"])), "left", **when)
    assert stands(desk, name)
    with pytest.raises(ApprovalRefused, match="key_must_be_in_force"):
        request_approval(desk, "write_off", "A1", CONTENT, "once more", officers.keys["lin"], approval_id="W3", **when)
    with pytest.raises(ApprovalRefused, match="key_must_be_in_force"):
        decide(desk, "W2", "approved", "asked by somebody who left", officers.keys["wu"], **when)
    with pytest.raises(TransferRefused, match="officer_keys_must_exist"):
        revoke_officer_key(desk, "0" * 16, "unknown", **when)


def test_an_officer_is_written_in_one_way_only(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="officer_id_must_be_plain"):
        enter_officer_key(desk, "Lin", "finance", public_text(new_key()), source="test", **when)
    with pytest.raises(SigningKeyNotUsable, match="base64 of 32 bytes"):
        enter_officer_key(desk, "he", "finance", "not a key", source="test", **when)


FORGERIES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "another reason": lambda row: {**row, "reason": "other"},
    "no signature": lambda row: {**row, "signature": ""},
    "the maker's own signature": lambda row: {**row, "signature": row["maker_signature"]},
    "another checker": lambda row: {**row, "checker_key_id": row["other_key_id"]},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_decision_in_a_whole_chain_has_no_effect(
    desk: sa.Engine, officers: Any, when: dict[str, Any], forgery: str
) -> None:
    """Whoever can insert rows can chain them, but cannot sign for two officers."""
    request_approval(desk, "write_off", "A1", CONTENT, "please", officers.keys["lin"], approval_id="W", **when)
    with reading(desk) as connection:
        found = approvals(connection, ["W"])["W"]
    row = {
        "approval_id": "W",
        "decision": "approved",
        "reason": "fine",
        "checker_key_id": key_id(public_text(officers.keys["wu"])),
        "signature": sign(officers.keys["lin"], b"whatever"),
        "maker_signature": found.request_signature,
        "other_key_id": key_id(public_text(officers.keys["zhao"])),
    }
    forged = {name: value for name, value in FORGERIES[forgery](row).items() if name in schema.approval.c}
    with writing(desk) as connection:
        book(connection, [Entry("approval", "W", DAY, forged)], **when)
    assert verify(desk).entries == ledger_head(desk).sequence
    assert not stands(desk, "W")


def test_a_large_withdrawal_is_approved_transfer_by_transfer(desk: sa.Engine, officers: Any) -> None:
    name = officers.approve(desk, "large_withdrawal", "paid", transfer_content(PAID))
    signed = replace(PAID, approval_id=name)
    with reading(desk) as connection:
        chart = chart_on(connection, DAY)
        assert approved_transfers(connection, [signed], chart) == {"paid"}
        assert approved_transfers(connection, [PAID], chart) == set()
        assert approved_transfers(connection, [replace(signed, amount_minor=20_000_001)], chart) == set()
        assert approved_transfers(connection, [replace(signed, transfer_id="again")], chart) == set()
        assert approved_transfers(connection, [replace(signed, approval_id="unknown")], chart) == set()


def test_an_approval_for_another_action_moves_no_money(desk: sa.Engine, officers: Any) -> None:
    name = officers.approve(desk, "write_off", "paid", transfer_content(PAID))
    with reading(desk) as connection:
        assert approved_transfers(connection, [replace(PAID, approval_id=name)], chart_on(connection, DAY)) == set()


def test_a_reversal_is_approved_as_the_transfer_it_is(desk: sa.Engine, officers: Any) -> None:
    undone = reversal(PAID, "undone", DAY, None)
    name = officers.approve(desk, "reversal", "undone", transfer_content(undone))
    with reading(desk) as connection:
        chart = chart_on(connection, DAY)
        assert approved_transfers(connection, [replace(undone, approval_id=name)], chart) == {"undone"}


def test_one_approval_covers_all_legs_of_an_event_and_only_all(desk: sa.Engine, officers: Any) -> None:
    amounts = {"allowance": 10, "principal": 90, "interest": 5, "receivable": 0}
    with reading(desk) as connection:
        chart = chart_on(connection, DAY)

    def legs(approval_id: str | None) -> list[Any]:
        return list(
            expand(chart, "write_off", "W", owners={"client": "A1"}, amounts=amounts, unit="USD", effective_on=DAY,
                   approval_id=approval_id)
        )  # fmt: skip

    name = officers.approve(desk, "write_off", "W", event_content(legs(None)))
    with reading(desk) as connection:
        assert approved_transfers(connection, legs(name), chart) == {leg.transfer_id for leg in legs(name)}
        assert approved_transfers(connection, legs(name)[1:], chart) == set()


def test_a_second_officer_is_not_made_by_whoever_can_write_the_books(
    desk: sa.Engine, officers: Any, when: dict[str, Any]
) -> None:
    """After the founding day a key counts once two officers have signed for it, and not before."""
    later = {"booked_on": when["booked_on"] + timedelta(days=1), "known_at": when["known_at"]}
    newcomer, subject = new_key(), "t1"
    content = key_content("he.an", "head", public_text(newcomer))
    with pytest.raises(TransferRefused, match="approval_must_stand: the officers of 2026-06-16 founded the desk"):
        enter_officer_key(desk, "he.an", "head", public_text(newcomer), source="test", **later)
    # The same written past the door: the key is there, and what it signs does not stand.
    name = key_id(public_text(newcomer))
    entry = Entry("officer_key", name, later["booked_on"], {"key_id": name, "source": "x", **content})
    with writing(desk) as connection:
        book(connection, [entry], **later)
    maker = officers.keys["zhao"]
    request_approval(desk, "limit", subject, {"limit": 1}, "more", maker, approval_id="a1", **later)
    decide(desk, "a1", "approved", "fine", newcomer, **later)
    with reading(desk) as connection:
        assert not standing_approval(connection, "a1", "limit", subject, content_hash({"limit": 1}))
    # An approval that comes after the key does not mend it: a key never vouches for what it signed before.
    request_approval(
        desk, "officer_key", "he.an", content, "new head", officers.keys["zhao"], approval_id="a2", **later
    )
    decide(desk, "a2", "approved", "interviewed", officers.keys["wu"], **later)
    with reading(desk) as connection:
        assert not is_vetted(connection, name)


def test_a_key_two_officers_have_signed_for_counts(desk: sa.Engine, officers: Any, when: dict[str, Any]) -> None:
    later = {"booked_on": when["booked_on"] + timedelta(days=1), "known_at": when["known_at"]}
    newcomer, maker = new_key(), officers.keys["zhao"]
    content = key_content("he.an", "head", public_text(newcomer))
    request_approval(
        desk, "officer_key", "he.an", content, "new head", officers.keys["zhao"], approval_id="a1", **later
    )
    decide(desk, "a1", "approved", "interviewed", officers.keys["wu"], **later)
    enter_officer_key(desk, "he.an", "head", public_text(newcomer), source="test", **later)
    request_approval(desk, "limit", "A1", {"limit": 1}, "more", maker, approval_id="a2", **later)
    decide(desk, "a2", "approved", "fine", newcomer, **later)
    with reading(desk) as connection:
        assert standing_approval(connection, "a2", "limit", "A1", content_hash({"limit": 1}))
