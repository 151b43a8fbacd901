"""A break is work for operations: it warns, and it always has a class that somebody owns."""

from collections.abc import Callable
from typing import Any

from checks.reconciliation import BREAK_CLASSES, every_break_is_classified, the_books_agree_with_the_world
from domain import reconciliation

Keep, Evaluate = Callable[..., None], Callable[..., Any]


def test_the_classes_the_check_knows_are_those_the_domain_gives() -> None:
    assert set(reconciliation.BREAK_CLASSES) == BREAK_CLASSES


def test_breaks_of_known_classes_are_classified(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_reconciliation__breaks", *[{"break_class": name} for name in BREAK_CLASSES])
    assert evaluate(every_break_is_classified).passed


def test_a_break_nobody_owns_warns(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_reconciliation__breaks", {"break_class": "amount_break"}, {"break_class": "mystery"})
    found = evaluate(every_break_is_classified)
    assert (found.passed, found.blocking, found.severity.value) == (False, False, "WARN")
    assert "1 of 2" in found.description


def test_books_without_a_break_agree_with_the_world(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_reconciliation__breaks")
    assert evaluate(the_books_agree_with_the_world).passed


def test_breaks_warn_and_are_counted_by_class(keep: Keep, evaluate: Evaluate) -> None:
    keep(
        "calc_reconciliation__breaks",
        *[{"break_class": name} for name in ("amount_break", "amount_break", "date_break")],
    )
    found = evaluate(the_books_agree_with_the_world)
    assert (found.passed, found.blocking, found.severity.value) == (False, False, "WARN")
    assert found.metadata["break_classes"].value == {"amount_break": 2, "date_break": 1}
