"""A requirement below the exchange's, or a call that cannot be proved, stops the day."""

from collections.abc import Callable
from typing import Any

import pytest

from checks.margin import every_call_names_its_circumstances, the_house_never_asks_less_than_the_exchange

Keep, Evaluate = Callable[..., None], Callable[..., Any]
CALL = {"call_id": "2026-06-17/close/A1", "price_basis": '[{"instrument_id": "US.X", "price_e4": 1}]'}


@pytest.mark.parametrize(("required_minor", "passes"), [(100, True), (101, True), (99, False)])
def test_what_binds_is_never_less_than_the_exchange_asks(
    keep: Keep, evaluate: Evaluate, required_minor: int, passes: bool
) -> None:
    keep("calc_margin__requirements", {"requirement_exchange_minor": 100, "requirement_minor": required_minor})
    found = evaluate(the_house_never_asks_less_than_the_exchange)
    assert (found.passed, found.blocking) == (passes, True)


def test_a_call_that_names_what_it_stood_on_passes(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_margin__calls", CALL)
    assert evaluate(every_call_names_its_circumstances).passed


def test_a_day_without_a_call_leaves_nothing_unsaid(keep: Keep, evaluate: Evaluate) -> None:
    keep("calc_margin__calls")
    assert evaluate(every_call_names_its_circumstances).passed


@pytest.mark.parametrize("circumstance", ["price_basis", "rulebook_edition", "house_edition", "ledger_head"])
@pytest.mark.parametrize("left_out", ["", None])
def test_a_call_that_leaves_out_a_circumstance_stops_the_day(
    keep: Keep, evaluate: Evaluate, circumstance: str, left_out: str | None
) -> None:
    keep("calc_margin__calls", CALL, CALL | {"call_id": "2026-06-17/close/A2", circumstance: left_out})
    found = evaluate(every_call_names_its_circumstances)
    assert (found.passed, found.blocking) == (False, True)
    assert found.metadata["calls"].value == ["2026-06-17/close/A2"]


def test_a_call_that_stood_on_no_price_at_all_stops_the_day(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__positions", {"account_id": "any"})
    keep("calc_margin__calls", CALL | {"price_basis": "[]"})
    assert not evaluate(every_call_names_its_circumstances).passed


def test_who_sold_all_and_still_owes_is_called_on_no_price(keep: Keep, evaluate: Evaluate) -> None:
    keep("raw_books__positions", {"account_id": "somebody else"})
    keep("calc_margin__calls", CALL | {"price_basis": "[]"})
    assert evaluate(every_call_names_its_circumstances).passed
