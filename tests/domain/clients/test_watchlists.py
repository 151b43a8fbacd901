"""Two versions of a list differ in who came, who changed and who went."""

from dataclasses import replace
from datetime import date

import pytest

from domain.clients.watchlists import BirthSpan, ListedName, ListEntry, Watchlist, list_delta, only, plain_document

ONE = ListEntry("1", "individual", (ListedName("ALPHA"),))
TWO = ListEntry("2", "entity", (ListedName("BETA"),))
THREE = ListEntry("3", "entity", (ListedName("GAMMA"),))
OLD = Watchlist("house", "a" * 64, date(2026, 6, 16), (ONE, TWO))


def test_the_delta_names_who_came_changed_and_went() -> None:
    new = replace(OLD, version="b" * 64, entries=(THREE, replace(TWO, programs=("SDGT",))))
    delta = list_delta(OLD, new)
    assert (delta.added, delta.changed, delta.removed) == (("3",), ("2",), ("1",))
    assert [entry.entry_id for entry in only(new, delta.added + delta.changed).entries] == ["3", "2"]


def test_a_first_list_is_new_throughout_and_a_repeated_one_changes_nothing() -> None:
    assert list_delta(None, OLD).added == ("1", "2")
    assert list_delta(OLD, replace(OLD, version="c" * 64, entries=(TWO, ONE))).is_empty


def test_two_different_lists_are_not_compared() -> None:
    with pytest.raises(AssertionError, match="two versions of one list"):
        list_delta(OLD, replace(OLD, name="eu"))


def test_a_span_of_birth_holds_both_its_ends() -> None:
    span = BirthSpan(date(1960, 1, 1), date(1960, 12, 31))
    days = [date(1959, 12, 31), date(1960, 1, 1), date(1960, 12, 31), date(1961, 1, 1)]
    assert [span.holds(day) for day in days] == [False, True, True, False]


def test_a_document_is_its_letters_and_digits() -> None:
    assert plain_document(" e-12 345/b ") == "E12345B"
