"""When a margin call is made, how large it is, and the least that would cure it. Amounts are whole minor units."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from domain.money import format_minor

Amounts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Call:
    """A demand for equity, with the numbers it follows from."""

    call_minor: int
    shortfall_minor: int
    equity_minor: int
    requirement_minor: int
    restore_minor: int


def margin_call(equity_minor: int, requirement_minor: int, restore_minor: int) -> Call | None:
    """Call an account whose equity is below its requirement, for what restores it; equal to the requirement is enough.

    ``shortfall_minor`` is what the client would still owe after everything was sold: the desk's own loss.
    """
    assert 0 <= requirement_minor <= restore_minor, "a call restores at least what is required"
    if equity_minor >= requirement_minor:
        return None
    return Call(restore_minor - equity_minor, max(0, -equity_minor), equity_minor, requirement_minor, restore_minor)


def call_amounts(equity_minor: Amounts, requirement_minor: Amounts, restore_minor: Amounts) -> Amounts:
    """Amount called from each account ``(n_accounts,)``; zero is no call. The array twin of :func:`margin_call`."""
    assert ((requirement_minor >= 0) & (requirement_minor <= restore_minor)).all()
    return np.where(equity_minor < requirement_minor, restore_minor - equity_minor, np.int64(0))


def shortfalls(equity_minor: Amounts) -> Amounts:
    """What each client ``(n_accounts,)`` would owe after everything was sold; zero while equity is not negative."""
    return np.maximum(np.int64(0), -equity_minor)


def explain_call(call: Call, currency: str) -> str:
    """Say in one sentence a client can check why the call is made and what it restores."""
    equity, required, restored, called = (
        format_minor(amount, currency)
        for amount in (call.equity_minor, call.requirement_minor, call.restore_minor, call.call_minor)
    )
    sentence = f"Equity of {equity} is below the requirement of {required}; {called} restores it to {restored}."
    if call.shortfall_minor:
        sentence += f" Selling everything would leave {format_minor(call.shortfall_minor, currency)} unpaid."
    return sentence


def cure_by_collateral(assets_minor: int, debt_minor: int, target_ratio: Fraction) -> int:
    """Least collateral to add so that assets over debt reach the target; rounded up, so that it suffices."""
    return max(0, ceil(target_ratio * debt_minor - assets_minor))


def cure_by_cash(assets_minor: int, debt_minor: int, target_ratio: Fraction) -> int:
    """Least cash from outside to repay with so that assets over the remaining debt reach the target; rounded up."""
    return max(0, ceil(debt_minor - assets_minor / target_ratio))


def cure_by_sale(assets_minor: int, debt_minor: int, target_ratio: Fraction, cost_ratio: Fraction = Fraction(0)) -> int:
    """Least collateral to sell and repay with so that assets over the remaining debt reach the target; rounded up.

    Assets fall by what is sold, debt by what remains of it after costs. At most everything: an account under water is
    not cured by selling, and what is left unpaid is its shortfall.
    """
    gained_per_unit = target_ratio * (1 - cost_ratio) - 1
    assert gained_per_unit > 0, "a sale whose cost outweighs the debt it repays never reaches the target"
    wanted = max(Fraction(0), target_ratio * debt_minor - assets_minor)
    return min(assets_minor, ceil(wanted / gained_per_unit))


def sale_to_cure_minor(call_minor: int, long_ratio: Fraction) -> int:
    """Least long value to sell, without cost, so that the requirement falls by the call; rounded up."""
    return ceil(call_minor / long_ratio)
