"""What a split, a bonus issue or a rights issue makes of one account's holding of one instrument.

A holding is the account's total, negative where it is short: fractions arise once per account, never per lot, or a
client with many small lots would lose a share that a client with one lot keeps. Prices after the event are exact.
"""

from dataclasses import dataclass
from fractions import Fraction

from domain.money import PRICE_UNITS, exponent, half_up


@dataclass(frozen=True, slots=True)
class Outcome:
    """One holding after an event. Cash is paid to the account where positive, owed by it where negative."""

    quantity_shares: int
    fraction: Fraction
    price_e4: Fraction
    cash_in_lieu_minor: int
    subscription_minor: int = 0


def whole_shares(quantity_shares: int, ratio: Fraction) -> tuple[int, Fraction]:
    """``quantity × ratio`` as whole shares and the fraction left over, both with the sign of the holding."""
    assert ratio >= 0
    sign = -1 if quantity_shares < 0 else 1
    exact = abs(quantity_shares) * ratio
    whole = exact.numerator // exact.denominator
    return sign * whole, sign * (exact - whole)


def cash_in_lieu_minor(fraction: Fraction, price_e4: Fraction | int, currency: str) -> int:
    """Money for a fraction of a share at the price after the event, rounded once; owed where the fraction is short."""
    value = fraction * price_e4 * 10 ** exponent(currency) / PRICE_UNITS
    return half_up(value.numerator, value.denominator)


def after_split(quantity_shares: int, price_e4: int, ratio: Fraction, currency: str) -> Outcome:
    """Split (or merge) at ``ratio`` new shares per old one; ``price_e4`` is the last price before it."""
    assert ratio > 0 and price_e4 > 0
    price_after = price_e4 / ratio
    whole, fraction = whole_shares(quantity_shares, ratio)
    return Outcome(whole, fraction, price_after, cash_in_lieu_minor(fraction, price_after, currency))


def after_bonus(quantity_shares: int, price_e4: int, bonus_per_share: Fraction, currency: str) -> Outcome:
    """Bonus issue 送股: ``bonus_per_share`` new shares come free with each old one (three for ten is 3/10)."""
    assert bonus_per_share > 0
    return after_split(quantity_shares, price_e4, 1 + bonus_per_share, currency)


def price_after_rights_e4(price_e4: int, rights_per_share: Fraction, subscription_e4: int) -> Fraction:
    """Price at which neither holding the right nor having used it is worth more (除权价)."""
    assert 0 <= subscription_e4 < price_e4 and rights_per_share > 0
    return (price_e4 + rights_per_share * subscription_e4) / (1 + rights_per_share)


def after_rights(
    quantity_shares: int, price_e4: int, rights_per_share: Fraction, subscription_e4: int, currency: str
) -> Outcome:
    """Rights issue 配股, taken up in full at ``subscription_e4`` per new share, which is below the price before it.

    The fraction of a right is paid at what a right is worth, the price after the event less the subscription: nobody
    paid for that part. A short owes the new shares, and receives the subscription the lender would have paid.
    ``subscription_minor`` is what the account pays, negative where it receives.
    """
    price_after = price_after_rights_e4(price_e4, rights_per_share, subscription_e4)
    new, fraction = whole_shares(quantity_shares, rights_per_share)
    paid = half_up(new * subscription_e4 * 10 ** exponent(currency), PRICE_UNITS)
    cash = cash_in_lieu_minor(fraction, price_after - subscription_e4, currency)
    return Outcome(quantity_shares + new, fraction, price_after, cash, paid)
