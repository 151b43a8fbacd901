"""Owners, control and groups as the books have them; the arithmetic is the domain's."""

from fractions import Fraction
from typing import Any

import pytest
import sqlalchemy as sa

from books.client_files import record_evidence
from books.client_relations import (
    beneficial_owners,
    blocked_entities,
    credit_groups,
    holdings,
    record_ownership,
    relate_clients,
)
from books.engine import reading
from books.journal import ledger_head
from books.rules import adopt
from domain.errors import TransferRefused
from rulebooks import editions_of


@pytest.fixture
def firms(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    """C3 is a firm: 30 % C1's own, 60 % of HOLD, which a person outside owns half of; the rest of HOLD is not known."""
    adopt(desk, editions_of("house.clients"), **when)
    record_evidence(desk, "C3", "entity", "e" * 64, "ma", **when)
    for owner, owned, share in (
        ("C1", "C3", Fraction(3, 10)),
        ("HOLD", "C3", Fraction(6, 10)),
        ("person.li", "HOLD", Fraction(1, 2)),
        ("FUND", "HOLD", Fraction(1, 2)),
    ):
        record_ownership(desk, owner, owned, "shares", share, **when)
    return desk


def test_shares_are_multiplied_through_and_who_is_not_known_is_named(firms: sa.Engine, when: dict[str, Any]) -> None:
    with reading(firms) as connection:
        found = beneficial_owners(connection, "C3", when["booked_on"])
    assert (found.owners, found.basis, found.opaque) == (("C1", "person.li"), "ownership", ("FUND",))
    assert found.shares == {"C1": Fraction(3, 10), "person.li": Fraction(3, 10)}


def test_the_latest_record_of_a_holding_counts(firms: sa.Engine, when: dict[str, Any]) -> None:
    record_ownership(firms, "C1", "C3", "shares", Fraction(1, 10), **when)
    head = ledger_head(firms)
    record_ownership(firms, "C1", "C3", "shares", Fraction(1, 10), **when)
    assert ledger_head(firms) == head
    record_ownership(firms, "HOLD", "C3", "shares", 0, **when)
    record_ownership(firms, "C2", "C3", "control", 1, **when)
    with reading(firms) as connection:
        assert ("HOLD", "C3") not in {(one.owner, one.owned) for one in holdings(connection)}
        found = beneficial_owners(connection, "C3", when["booked_on"])
        assert (found.owners, found.basis) == (("C2",), "control")
    record_ownership(firms, "C2", "C3", "control", 0, **when)
    with reading(firms) as connection:
        assert beneficial_owners(connection, "C3", when["booked_on"]).basis == "nobody"


def test_half_owned_by_the_blocked_is_blocked(firms: sa.Engine, when: dict[str, Any]) -> None:
    with reading(firms) as connection:
        assert set(blocked_entities(connection, {"person.li"}, when["booked_on"])) == {"HOLD", "C3"}
        assert set(blocked_entities(connection, {"C1"}, when["booked_on"])) == set()


def test_related_clients_are_one_credit_group(firms: sa.Engine, when: dict[str, Any]) -> None:
    with reading(firms) as connection:
        assert credit_groups(connection) == {"C1": "C1", "C2": "C2", "C3": "C3"}
    relate_clients(firms, "C2", "C1", "spouse", **when)
    record_ownership(firms, "C2", "C3", "shares", Fraction(1, 10), **when)
    with reading(firms) as connection:
        assert credit_groups(connection) == {"C1": "C1", "C2": "C1", "C3": "C3"}
    record_ownership(firms, "C2", "C3", "control", 1, **when)
    with reading(firms) as connection:
        assert credit_groups(connection) == {"C1": "C1", "C2": "C1", "C3": "C1"}


REFUSED = {
    "kind_must_be_known": ("C1", "C3", "friendship", Fraction(1, 2)),
    "owner_must_differ": ("C3", "C3", "shares", Fraction(1, 2)),
    "share_must_be_part_of_the_whole": ("C1", "C3", "shares", Fraction(11, 10)),
    "share_must_be_exact": ("C1", "C3", "shares", Fraction(1, 3)),
    "share_must_be_all_or_nothing": ("C1", "C3", "control", Fraction(1, 2)),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_a_holding_that_cannot_be_is_refused_by_name(firms: sa.Engine, when: dict[str, Any], rule: str) -> None:
    with pytest.raises(TransferRefused, match=f"refused, {rule}"):
        record_ownership(firms, *REFUSED[rule], **when)


def test_a_relation_needs_two_clients_the_books_know(firms: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="clients_must_exist"):
        relate_clients(firms, "C1", "C9", "spouse", **when)
    with pytest.raises(TransferRefused, match="clients_must_differ"):
        relate_clients(firms, "C1", "C1", "spouse", **when)
    with pytest.raises(TransferRefused, match="kind_must_be_known"):
        relate_clients(firms, "C1", "C2", "dislike", **when)
