"""The failures of the desk are of one family, and each says what it is."""

import inspect

import pytest

from domain import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind is not errors.DeskError]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_failure_is_one_a_desk_can_act_on(kind: type) -> None:
    assert issubclass(kind, errors.DeskError)
    assert kind.__doc__ and kind.__doc__ != errors.DeskError.__doc__


def test_a_tampered_history_names_the_first_bad_entry_and_its_fault() -> None:
    found = errors.LedgerTampered("Entry 7 was edited.", finding="edited", sequence=7)
    assert (str(found), found.finding, found.sequence) == ("Entry 7 was edited.", "edited", 7)
