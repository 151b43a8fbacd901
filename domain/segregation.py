"""Clients' money and securities kept apart from the desk's own: China's identity, and the reports of SEC Rule 15c3-3.

Whole minor units throughout. Where a product does not come out even it is rounded against the desk: more is locked,
more is reserved, less may be pledged. Ratios and items come from ``rulebooks/us/rule_15c3_3.yaml``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Final, Literal, NamedTuple

from domain.ledger import SEGREGATED_CODES
from domain.money import PRICE_UNITS, exponent

Method = Literal["alternative", "basic"]
"""How the broker computes its net capital, on which the reduction of debits depends."""

Frequency = Literal["daily", "weekly", "monthly"]
"""How often the broker computes its reserve."""

SEARCH_STEPS_MAX: Final = 50_000
"""Choices tried before the best one found is taken: some tens of milliseconds for one account."""

_RATIO_UNITS: Final = 1_000_000_000


def segregation_difference(balances_minor: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Clients' money at the bank less what is owed to clients, by currency: 1010 + 2010, which must be zero.

    ``balances_minor`` are the balances of the ledger by (code, currency), debit positive. A positive difference means
    that own money lies among the clients', a negative one that clients' money is missing.
    """
    differences: dict[str, int] = {}
    for (code, currency), balance_minor in balances_minor.items():
        if code in SEGREGATED_CODES:
            differences[currency] = differences.get(currency, 0) + balance_minor
    return differences


# Possession or control.


@dataclass(frozen=True)
class ControlTerms:
    """How much of a client's securities the broker may use, over what the client owes."""

    pledge_ratio: float
    edition: str

    def __post_init__(self) -> None:
        """At least the debt itself may be secured."""
        assert self.pledge_ratio >= 1


class Control(NamedTuple):
    """Value the broker may pledge or lend, and the value above it that must be locked up."""

    pledgeable_minor: int
    to_segregate_minor: int


class Holding(NamedTuple):
    """Shares of one instrument in a client's account, and their price."""

    instrument_id: str
    quantity_shares: int
    price_e4: int


class Locked(NamedTuple):
    """Shares to lock up by instrument, their value above what must be locked, and whether no choice locks less.

    The excess is in ten-thousandths of the currency unit, as prices are.
    """

    quantity_shares: dict[str, int]
    excess_e4: int
    is_least: bool


def net_debit_minor(cash_minor: int, short_value_minor: int) -> int:
    """What a client owes for the securities held: the proceeds of short sales, marked to market, do not pay it off.

    ``cash_minor`` is the account's money, proceeds of short sales included, negative where the client owes;
    ``short_value_minor`` the value of the shorts, not negative.
    """
    assert short_value_minor >= 0
    return max(0, short_value_minor - cash_minor)


def securities_to_segregate(long_value_minor: int, debit_minor: int, terms: ControlTerms) -> Control:
    """Split a client's securities into what may be pledged and what must be locked up; fully paid, all is locked."""
    assert long_value_minor >= 0 and debit_minor >= 0
    limit = debit_minor * round(terms.pledge_ratio * _RATIO_UNITS) // _RATIO_UNITS
    pledgeable = min(long_value_minor, limit)
    return Control(pledgeable, long_value_minor - pledgeable)


def choose_locked(holdings: Sequence[Holding], to_segregate_minor: int, currency: str) -> Locked:
    """Choose whole shares worth at least ``to_segregate_minor``, and as little more as shares allow.

    The dearest shares are pledged first, then fewer of them are tried, until nothing pledges more or
    :data:`SEARCH_STEPS_MAX` choices were tried. Among equal choices the first found is taken, so that the same account
    is always locked the same way.
    """
    assert all(holding.quantity_shares >= 0 and holding.price_e4 > 0 for holding in holdings)
    required_e4 = to_segregate_minor * (PRICE_UNITS // 10 ** exponent(currency))
    total_e4 = sum(holding.quantity_shares * holding.price_e4 for holding in holdings)
    # A value rounded up to a minor unit may exceed its shares by less than one; then all of them are locked.
    pledge_max_e4 = max(0, total_e4 - required_e4)
    ordered = sorted(holdings, key=lambda holding: (-holding.price_e4, holding.instrument_id))
    search = _Pledge(ordered, pledge_max_e4)
    locked = {
        holding.instrument_id: holding.quantity_shares - pledged
        for holding, pledged in zip(ordered, search.best, strict=True)
        if pledged < holding.quantity_shares
    }
    return Locked(locked, pledge_max_e4 - search.best_e4, search.is_exhausted)


class _Pledge:
    """The most valuable set of whole shares that stays within a limit, found depth first, dearest shares first."""

    def __init__(self, ordered: Sequence[Holding], limit_e4: int) -> None:
        self.ordered, self.limit_e4 = ordered, limit_e4
        # What the shares from each place on are worth together, and the measure every sum of them is a multiple of:
        # both bound what is still to be had.
        self.rest_e4, self.measure_e4 = [0], [0]
        for holding in reversed(ordered):
            self.rest_e4.append(self.rest_e4[-1] + holding.quantity_shares * holding.price_e4)
            self.measure_e4.append(gcd(self.measure_e4[-1], holding.price_e4))
        self.rest_e4.reverse()
        self.measure_e4.reverse()
        self.counts, self.pledged_e4 = [0] * len(ordered), 0
        self.pledged_e4 = self._fill(0)
        self.best, self.best_e4 = list(self.counts), self.pledged_e4
        self.is_exhausted = self._improve()

    def _improve(self) -> bool:
        """Give back one share at a time, the cheapest first, and fill up again; whether no choice was left untried."""
        steps, place = 0, len(self.ordered) - 1
        while place >= 0 and self.best_e4 < self._may_reach(0, 0):
            is_hopeless = self.pledged_e4 - self.ordered[place].price_e4 + self.rest_e4[place + 1] <= self.best_e4
            if self.counts[place] == 0 or is_hopeless:
                self.pledged_e4 -= self.counts[place] * self.ordered[place].price_e4
                self.counts[place] = 0
                place -= 1
                continue
            if steps == SEARCH_STEPS_MAX:
                return False
            steps += 1
            self.counts[place] -= 1
            self.pledged_e4 -= self.ordered[place].price_e4
            if self._may_reach(place + 1, self.pledged_e4) > self.best_e4:
                self.pledged_e4 += self._fill(place + 1)
                if self.pledged_e4 > self.best_e4:
                    self.best, self.best_e4 = list(self.counts), self.pledged_e4
                place = len(self.ordered) - 1
        return True

    def _fill(self, place: int) -> int:
        """Pledge as many shares as fit from ``place`` on, the dearest first; return their value."""
        room = start = self.limit_e4 - self.pledged_e4
        for later in range(place, len(self.ordered)):
            holding = self.ordered[later]
            self.counts[later] = min(holding.quantity_shares, room // holding.price_e4)
            room -= self.counts[later] * holding.price_e4
        return start - room

    def _may_reach(self, place: int, pledged_e4: int) -> int:
        room = min(self.rest_e4[place], self.limit_e4 - pledged_e4)
        measure = self.measure_e4[place]
        return pledged_e4 + (room - room % measure if measure else 0)


# The reserve formula.


class ReserveItem(NamedTuple):
    """One line of Exhibit A."""

    item: int
    side: str
    title: str


@dataclass(frozen=True)
class ReserveTerms:
    """The lines of the reserve formula, and what it takes off the debits.

    ``daily_from_minor`` is the average of total credits from which the reserve is computed daily; None where the rule
    asks nobody to.
    """

    items: tuple[ReserveItem, ...]
    alternative_reduction: Mapping[str, float]
    basic_reduction: float
    basic_item: int
    monthly_ratio: float
    daily_from_minor: int | None
    currency: str
    edition: str

    def __post_init__(self) -> None:
        """Every line stands on one side, and every frequency has its reduction."""
        numbers = [item.item for item in self.items]
        assert numbers and numbers == sorted(set(numbers))
        assert {item.side for item in self.items} == {"credit", "debit"}
        assert self.alternative_reduction.keys() == {"daily", "weekly", "monthly"}
        assert all(0 <= reduction < 1 for reduction in (*self.alternative_reduction.values(), self.basic_reduction))
        assert any(item.item == self.basic_item and item.side == "debit" for item in self.items)
        assert self.monthly_ratio >= 1


@dataclass(frozen=True, slots=True)
class Reserve:
    """The reserve formula, worked out. ``movement_minor`` is to be deposited; negative, it may be withdrawn."""

    credits_minor: int
    debits_minor: int
    reduction_minor: int
    excess_credits_minor: int
    required_minor: int
    on_deposit_minor: int
    movement_minor: int


def reserve_requirement(
    lines_minor: Mapping[int, int], on_deposit_minor: int, method: Method, frequency: Frequency, terms: ReserveTerms
) -> Reserve:
    """What must lie in the special reserve bank account for the exclusive benefit of customers.

    ``lines_minor`` are the amounts by item of Exhibit A, none of them negative; an item left out is zero. The
    alternative method reduces all debits, the basic one only its own item; who computes monthly holds more than the
    formula says.
    """
    side_of = {item.item: item.side for item in terms.items}
    assert lines_minor.keys() <= side_of.keys(), f"no items {sorted(lines_minor.keys() - side_of.keys())}"
    assert all(amount >= 0 for amount in lines_minor.values()) and on_deposit_minor >= 0
    credit_minor, debit_minor = (
        sum(amount for item, amount in lines_minor.items() if side_of[item] == side) for side in ("credit", "debit")
    )
    if method == "alternative":
        reduction = _ceiling(debit_minor, terms.alternative_reduction[frequency])
    else:
        reduction = _ceiling(lines_minor.get(terms.basic_item, 0), terms.basic_reduction)
    excess = max(0, credit_minor - (debit_minor - reduction))
    required = _ceiling(excess, terms.monthly_ratio) if frequency == "monthly" else excess
    return Reserve(
        credit_minor, debit_minor, reduction, excess, required, on_deposit_minor, required - on_deposit_minor
    )


def must_compute_daily(average_credits_minor: int, terms: ReserveTerms) -> bool:
    """Whether total credits, averaged over the last twelve month ends, oblige the broker to compute daily."""
    return terms.daily_from_minor is not None and average_credits_minor >= terms.daily_from_minor


def _ceiling(amount_minor: int, ratio: float) -> int:
    return -(-amount_minor * round(ratio * _RATIO_UNITS) // _RATIO_UNITS)
