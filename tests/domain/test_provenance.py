"""A number knows its circumstances, and they never change."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime

import pytest

from domain.provenance import Provenance

KNOWN = Provenance(
    as_of=date(2026, 6, 17), known_at=datetime(2026, 6, 17, 21, 0, tzinfo=UTC), source="synthetic",
    ledger_head="9:0123456789abcdef", rulebook_edition="us.finra_4210@2026-06-04",
    house_edition="house.margin@2000-01-01", model_version="3",
)  # fmt: skip


def test_a_moment_without_a_zone_is_no_moment() -> None:
    with pytest.raises(AssertionError, match="known_at must carry its time zone"):
        replace(KNOWN, known_at=datetime(2026, 6, 17, 21, 0))  # noqa: DTZ001  That is what is refused.


def test_circumstances_cannot_be_rewritten() -> None:
    with pytest.raises(FrozenInstanceError):
        KNOWN.source = "landing"  # type: ignore[misc]


def test_the_same_circumstances_are_equal_and_any_other_differs() -> None:
    assert replace(KNOWN) == KNOWN
    assert {KNOWN, replace(KNOWN)} == {KNOWN}
    assert replace(KNOWN, ledger_head="10:fedcba9876543210") != KNOWN


def test_what_a_number_did_not_stand_on_is_left_blank() -> None:
    plain = Provenance(KNOWN.as_of, KNOWN.known_at, KNOWN.source)
    assert (plain.ledger_head, plain.rulebook_edition, plain.house_edition, plain.model_version) == ("", "", "", "")
