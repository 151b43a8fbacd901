"""Whether two records of the same thing agree, line by line, and if not, how they differ.

*Internal* is what our books say, *external* what a bank or custodian says. A difference is external minus internal, so
a positive one means that the outside shows more than we do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from domain.money import EXPONENTS, format_minor

BREAK_CLASSES: Final = (
    "duplicate_internal",
    "duplicate_external",
    "missing_internal",
    "missing_external",
    "quantity_break",
    "currency_break",
    "amount_break",
    "date_break",
)
"""Every way two records can differ, the one that is reported first where several apply standing first."""


class Line(NamedTuple):
    """One line of a record. What a record does not carry (a position has no amount) is None on both sides."""

    key: str
    quantity: int | None = None
    amount_minor: int | None = None
    day: date | None = None
    currency: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Break:
    """One difference. Values are shares, minor units, or for a date the ordinal of the day; None on a missing side."""

    key: str
    break_class: str
    internal_value: int | None
    external_value: int | None
    difference: int
    currency: str
    explanation: str
    file: str
    line: int


def reconcile(
    internal: Sequence[Line], external: Sequence[Line], tolerance: int = 0, *, quantity_tolerance: int = 0
) -> list[Break]:
    """Match lines by key and return every break, sorted by key; matched lines leave no trace.

    Lines that share a key are matched as a multiset: equal ones first, the rest in order of size. What then remains on
    one side is a duplicate if the other side knows the key, or this side already reported it, and missing otherwise.

    ``tolerance`` is the largest difference in minor units, itself included, that is no amount break;
    ``quantity_tolerance`` the same in shares. Linear in the number of lines.
    """
    assert tolerance >= 0 and quantity_tolerance >= 0
    ours, theirs = _by_key(internal), _by_key(external)
    breaks: list[Break] = []
    for key, one_side in ours.items():
        other_side = theirs.get(key, ())
        if len(one_side) == len(other_side) == 1:
            pairs: Iterable[tuple[Line, Line]] = ((one_side[0], other_side[0]),)
        else:
            pairs, surplus = _pair(one_side, other_side)
            breaks += surplus
        for mine, yours in pairs:
            if mine[1:5] != yours[1:5] and (found := _compare(mine, yours, tolerance, quantity_tolerance)):
                breaks.append(found)
    for key, other_side in theirs.items():
        if key not in ours:
            breaks += _pair((), other_side)[1]
    rank = {name: place for place, name in enumerate(BREAK_CLASSES)}
    return sorted(breaks, key=lambda found: (found.key, rank[found.break_class], found.file, found.line))


def _by_key(lines: Sequence[Line]) -> dict[str, list[Line]]:
    grouped: dict[str, list[Line]] = {}
    for line in lines:
        if (same := grouped.get(line.key)) is None:
            grouped[line.key] = [line]
        else:
            same.append(line)
    return grouped


def _pair(internal: Sequence[Line], external: Sequence[Line]) -> tuple[list[tuple[Line, Line]], list[Break]]:
    """Set aside lines of one key that do not differ, pair the others by size; report what is left on either side."""
    waiting: dict[tuple[object, ...], list[int]] = {}
    for place in reversed(range(len(external))):
        waiting.setdefault(external[place][1:5], []).append(place)
    unmatched: list[Line] = []
    taken: set[int] = set()
    for mine in internal:
        if same := waiting.get(mine[1:5]):
            taken.add(same.pop())
        else:
            unmatched.append(mine)
    # In order of size, so that lines a tolerance apart meet, whatever order either record lists them in.
    unmatched.sort(key=_size)
    remaining = sorted((yours for place, yours in enumerate(external) if place not in taken), key=_size)
    both = min(len(unmatched), len(remaining))
    pairs = list(zip(unmatched[:both], remaining[:both], strict=True))
    surplus = [
        *_surplus(unmatched[both:], is_internal=True, is_known=bool(external)),
        *_surplus(remaining[both:], is_internal=False, is_known=bool(internal)),
    ]
    return pairs, surplus


def _size(line: Line) -> tuple[int, int, int, str]:
    return line.quantity or 0, line.amount_minor or 0, _ordinal(line.day) or 0, line.currency


def _surplus(lines: Sequence[Line], *, is_internal: bool, is_known: bool) -> list[Break]:
    """Breaks of lines only one side has; the first of an unknown key is missing elsewhere, the others repeat it."""
    here, there = ("the books show", "the statement") if is_internal else ("the statement shows", "the books")
    breaks = []
    for place, line in enumerate(lines):
        value = _value(line)
        if is_known or place:
            name = "duplicate_internal" if is_internal else "duplicate_external"
            sentence = f"{line.key}: {here} {_shown(line)} once more than {there}."
        else:
            name = "missing_external" if is_internal else "missing_internal"
            sentence = f"{line.key}: {here} {_shown(line)}, of which nothing is found in {there}."
        mine, yours = (value, None) if is_internal else (None, value)
        difference = -value if is_internal else value
        breaks.append(Break(line.key, name, mine, yours, difference, line.currency, sentence, line.file, line.line))
    return breaks


def _compare(mine: Line, yours: Line, tolerance: int, quantity_tolerance: int) -> Break | None:
    """Compare one pair, quantity before currency before amount before day: what would explain the rest comes first."""
    if (mine.quantity is None) != (yours.quantity is None) or (
        abs((yours.quantity or 0) - (mine.quantity or 0)) > quantity_tolerance
    ):
        return _break("quantity_break", mine, yours, mine.quantity, yours.quantity, "shares")
    if mine.currency != yours.currency:
        return _break("currency_break", mine, yours, mine.amount_minor, yours.amount_minor, "currency")
    if (mine.amount_minor is None) != (yours.amount_minor is None) or (
        abs((yours.amount_minor or 0) - (mine.amount_minor or 0)) > tolerance
    ):
        return _break("amount_break", mine, yours, mine.amount_minor, yours.amount_minor, "amount")
    if mine.day != yours.day:
        return _break("date_break", mine, yours, _ordinal(mine.day), _ordinal(yours.day), "day")
    return None


def _break(name: str, mine: Line, yours: Line, expected: int | None, found: int | None, what: str) -> Break:
    difference = (found or 0) - (expected or 0)
    if what == "shares":
        sentence = (
            f"expected {expected or 0:,} shares, found {found or 0:,}: {abs(difference):,} {_direction(difference)}"
        )
    elif what == "amount":
        sentence = (
            f"expected {_money(expected, mine.currency)}, found {_money(found, mine.currency)}: "
            f"{_money(abs(difference), mine.currency)} {_direction(difference)}"
        )
    elif what == "currency":
        sentence = f"expected {mine.currency or 'no currency'}, found {yours.currency or 'no currency'}"
    else:
        later = "late" if difference > 0 else "early"
        sentence = f"expected on {mine.day}, found on {yours.day}: {abs(difference)} days {later}"
    return Break(
        mine.key, name, expected, found, difference, mine.currency, f"{mine.key}: {sentence}.", yours.file, yours.line
    )


def _ordinal(day: date | None) -> int | None:
    return None if day is None else day.toordinal()


def _value(line: Line) -> int:
    """What a lone line is worth: its shares where it has them, else its amount."""
    return line.quantity if line.quantity is not None else line.amount_minor or 0


def _shown(line: Line) -> str:
    return f"{line.quantity:,} shares" if line.quantity is not None else _money(line.amount_minor, line.currency)


def _money(amount_minor: int | None, currency: str) -> str:
    if amount_minor is None:
        return "nothing"
    return format_minor(amount_minor, currency) if currency in EXPONENTS else f"{amount_minor:,} minor units"


def _direction(difference: int) -> str:
    return "too much" if difference > 0 else "too little"
