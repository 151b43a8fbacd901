"""Who stands behind a client is found through every path, exactly, and loops do not hide anybody."""

import time
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.ownership import (
    ENTITIES_MAX,
    HOLDINGS_MAX,
    Holding,
    beneficial_owners,
    blocked_entities,
    credit_groups,
)
from domain.clients.rules import OwnershipLines
from domain.errors import OwnershipNotUsable

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)


def holding(owner: str, owned: str, share: str | Fraction) -> Holding:
    return Holding(owner, owned, Fraction(share))


@pytest.mark.parametrize("golden", ["AML-007"], indirect=True)
def test_shares_multiply_along_a_path_and_add_up_over_paths(golden: Any, ownership_lines: OwnershipLines) -> None:
    assert ownership_lines.beneficial == Fraction(str(golden.given["threshold"]))
    holdings = {
        holding("P1", "E1", "0.6"), holding("E1", "C", "0.45"), holding("P2", "E1", "0.4"), holding("P2", "C", "0.1"),
        holding("P3", "C", "0.24"),
    }  # fmt: skip
    chains = {(path["person"], tuple(path["chain"])) for path in golden.given["paths"]}
    assert chains == {("P1", (0.6, 0.45)), ("P2", (0.4, 0.45)), ("P2", (0.1,)), ("P3", (0.24,))}
    found = beneficial_owners("C", holdings, frozenset({"P1", "P2", "P3"}), ownership_lines.beneficial)
    assert {person: float(share) for person, share in found.shares.items()} == pytest.approx(golden.expected["share"])
    assert list(found.owners) == golden.expected["owners"]
    assert found.basis == "ownership"


def test_a_share_of_exactly_the_line_makes_an_owner() -> None:
    """Half of a half is a quarter, which a float product of 0.1 and 2.5 might miss."""
    holdings = [holding("P", "E", "0.5"), holding("E", "C", "0.5"), holding("Q", "C", "0.2499999999999")]
    assert beneficial_owners("C", holdings, frozenset({"P", "Q"}), QUARTER).owners == ("P",)


def test_who_controls_is_named_where_nobody_owns_enough_and_else_the_senior_manager() -> None:
    holdings = [holding(f"P{at}", "C", "0.2") for at in range(5)]
    persons = frozenset(f"P{at}" for at in range(5))
    control = beneficial_owners("C", holdings, persons, QUARTER, controllers=("X",), senior_managers=("M",))
    assert (control.basis, control.owners) == ("control", ("X",))
    manager = beneficial_owners("C", holdings, persons, QUARTER, senior_managers=("M",))
    assert (manager.basis, manager.owners) == ("senior_manager", ("M",))
    nobody = beneficial_owners("C", [], frozenset(), QUARTER)
    assert (nobody.basis, nobody.owners) == ("nobody", ())
    assert "neither control nor a senior manager is on file" in nobody.sentence


def test_entities_that_own_one_another_do_not_hide_who_owns_the_rest() -> None:
    """A and B hold half of each other; P holds the other half of A, Q that of B: walks without end, summed exactly."""
    holdings = [holding("A", "B", HALF), holding("B", "A", HALF), holding("P", "A", HALF), holding("Q", "B", HALF)]
    found = beneficial_owners("A", holdings, frozenset({"P", "Q"}), QUARTER)
    assert found.shares == {"P": Fraction(2, 3), "Q": Fraction(1, 3)}
    assert found.loops == ("A", "B")
    assert "own one another" in found.sentence


def test_a_loop_that_nobody_owns_a_share_of_leads_to_nobody() -> None:
    holdings = [holding("A", "B", "1"), holding("B", "A", "1"), holding("A", "C", "0.6"), holding("P", "C", "0.4")]
    found = beneficial_owners("C", holdings, frozenset({"P"}), QUARTER)
    assert found.shares == {"P": Fraction(2, 5)}
    alone = beneficial_owners("A", holdings, frozenset({"P"}), QUARTER)
    assert (alone.basis, alone.shares) == ("nobody", {})


def test_an_owner_whose_own_owners_are_not_known_is_said_to_be_opaque() -> None:
    found = beneficial_owners("C", [holding("TRUST", "C", "0.7"), holding("P", "C", "0.3")], frozenset({"P"}), QUARTER)
    assert found.opaque == ("TRUST",)
    assert "the owners of TRUST are not known" in found.sentence


@pytest.mark.parametrize(
    ("holdings", "why"),
    [
        ([holding("P", "C", "0")], "more than nothing"),
        ([holding("P", "C", "1.01")], "at most all"),
        ([holding("P", "C", "-0.1")], "more than nothing"),
        ([holding("P", "C", "0.6"), holding("Q", "C", "0.5")], "110.0000% together"),
        ([holding("P", "C", "0.6"), holding("P", "C", "0.5")], "110.0000% together"),
        ([holding(f"P{at}", "C", "0.00001") for at in range(HOLDINGS_MAX + 1)], "at most 10,000 holdings"),
        ([holding(f"E{at + 1}", f"E{at}", "1") for at in range(ENTITIES_MAX + 2)], "at most"),
    ],
)
def test_a_structure_that_cannot_be_is_refused(holdings: list[Holding], why: str) -> None:
    with pytest.raises(OwnershipNotUsable, match=why):
        beneficial_owners("E0" if "E" in holdings[0].owner else "C", holdings, frozenset({"P"}), QUARTER)


def slow_shares(target: str, holdings: list[Holding], persons: frozenset[str]) -> dict[str, Fraction]:
    """Walk every path down from the target; only for structures without loops."""
    shares: dict[str, Fraction] = {}
    walks = [(target, Fraction(1))]
    while walks:
        owned, share = walks.pop()
        for one in holdings:
            if one.owned == owned:
                if one.owner in persons:
                    shares[one.owner] = shares.get(one.owner, Fraction(0)) + share * one.share
                else:
                    walks.append((one.owner, share * one.share))
    return shares


@st.composite
def layers(draw: st.DrawFn) -> list[Holding]:
    """A structure of entities E0 (the client) to E5, each owned by later ones and by persons."""
    holdings = []
    for owned in range(6):
        owners = [f"E{at}" for at in range(owned + 1, 6)] + ["P0", "P1", "P2"]
        weights = draw(st.lists(st.integers(0, 5), min_size=len(owners), max_size=len(owners)))
        total = sum(weights) + draw(st.integers(0, 3))
        holdings += [
            holding(owner, f"E{owned}", Fraction(weight, total))
            for owner, weight in zip(owners, weights, strict=True)
            if weight
        ]
    return holdings


@given(layers())
def test_shares_are_those_of_every_path_walked_by_hand(holdings: list[Holding]) -> None:
    persons = frozenset({"P0", "P1", "P2"})
    found = beneficial_owners("E0", holdings, persons, QUARTER)
    assert found.shares == slow_shares("E0", holdings, persons)
    assert sum(found.shares.values()) <= 1
    assert found.loops == ()


@given(layers(), st.integers(1, 5), st.fractions(Fraction(1, 100), Fraction(1)))
def test_persons_never_own_more_than_all_even_in_loops(holdings: list[Holding], back: int, share: Fraction) -> None:
    """The client itself holds a share of one of its owners, as far as there is room."""
    room = 1 - sum((one.share for one in holdings if one.owned == f"E{back}"), Fraction(0))
    looped = [*holdings, holding("E0", f"E{back}", min(share, room))] if room else holdings
    found = beneficial_owners("E0", looped, frozenset({"P0", "P1", "P2"}), QUARTER)
    assert sum(found.shares.values()) <= 1


def test_a_knot_of_entities_that_all_own_one_another_is_solved_in_time() -> None:
    names = [f"E{at}" for at in range(ENTITIES_MAX)]
    holdings = [holding(a, b, Fraction(1, 2 * len(names))) for a in names for b in names if a != b][: HOLDINGS_MAX - 1]
    started = time.perf_counter()
    found = beneficial_owners("E0", [*holdings, holding("P", "E1", HALF)], frozenset({"P"}), QUARTER)
    assert 0 < found.shares["P"] < QUARTER
    assert time.perf_counter() - started < 20


@pytest.mark.parametrize("golden", ["AML-006"], indirect=True)
def test_blocked_owners_of_half_block_what_they_own(golden: Any, ownership_lines: OwnershipLines) -> None:
    holdings = [holding(owner, owned, str(share)) for owner, owned, share in golden.given["edges"]]
    found = blocked_entities(holdings, frozenset(golden.given["blocked"]), ownership_lines.blocked)
    assert list(found) == golden.expected["blocked_entities"]
    assert found["C"].through == ("X", "Y")
    assert found["F"].blocked_share == HALF


def test_entities_that_block_one_another_in_a_loop_come_to_an_end() -> None:
    holdings = [holding("X", "A", HALF), holding("A", "B", HALF), holding("B", "A", HALF)]
    found = blocked_entities(holdings, frozenset({"X"}), HALF)
    assert list(found) == ["A", "B"]
    assert found["A"].blocked_share == 1


def slow_blocked(holdings: list[Holding], blocked: frozenset[str]) -> set[str]:
    """Look at every entity again and again until nothing changes."""
    found: set[str] = set()
    while True:
        more = {
            one.owned
            for one in holdings
            if one.owned not in blocked
            and sum(other.share for other in holdings if other.owned == one.owned and other.owner in blocked | found)
            >= HALF
        }
        if more == found:
            return found
        found = more


@given(layers(), st.sets(st.sampled_from(["P0", "P1", "E5", "E4"])), st.sampled_from(["P2", "E3"]))
def test_blocking_is_a_fixpoint_and_more_blocked_owners_never_free_anybody(
    holdings: list[Holding], blocked: set[str], more: str
) -> None:
    found = set(blocked_entities(holdings, frozenset(blocked), HALF))
    assert found == slow_blocked(holdings, frozenset(blocked))
    wider = set(blocked_entities(holdings, frozenset({*blocked, more}), HALF)) | {more}
    assert found <= wider


@given(layers(), st.integers(0, 30))
def test_one_more_holding_never_frees_anybody(holdings: list[Holding], at: int) -> None:
    """Removing a holding and putting it back: blocking is monotone in the holdings too."""
    fewer = [one for place, one in enumerate(holdings) if place != at]
    blocked = frozenset({"P0", "P1"})
    assert set(blocked_entities(fewer, blocked, HALF)) <= set(blocked_entities(holdings, blocked, HALF))


def test_whoever_is_related_however_far_is_one_group() -> None:
    groups = credit_groups(["C1", "C2", "C3", "C4", "C5"], [("C4", "C2"), ("C2", "SHELL"), ("SHELL", "C3")])
    assert groups == {"C1": "C1", "C2": "C2", "C3": "C2", "C4": "C2", "C5": "C5", "SHELL": "C2"}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_groups_do_not_depend_on_the_order_of_relations(pairs: list[tuple[int, int]]) -> None:
    names = [str(at) for at in range(10)]
    relations = [(str(one), str(other)) for one, other in pairs]
    assert credit_groups(names, relations) == credit_groups(reversed(names), [(b, a) for a, b in reversed(relations)])
