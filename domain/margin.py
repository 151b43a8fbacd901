"""What an account must keep: the exchange's charge per position or per account, the house's floor, and why.

All sums are whole minor units; each is computed in whole numbers and rounded once, half up, as in ``domain.money``.
"""

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import AmountNotExact, UnpricedPosition
from domain.money import PRICE_UNITS, exponent, format_minor, half_up, market_value_minor, ratio_of_minor
from domain.rulebook import AccountRatio, ChargePerPosition

VALUE_E4_MAX: Final = 2**62
"""Quantity times price, in ten-thousandths, must stay below this for 64-bit arithmetic to be exact."""

_RATIO_UNITS: Final = 1_000_000_000
"""A ratio counts to nine decimals, so that 0.1 means one tenth."""

Amounts = NDArray[np.int64]
Ratios = NDArray[np.float64]


def maintenance_requirement(quantity_shares: Amounts, price_e4: Amounts, rule: ChargePerPosition) -> Amounts:
    """Equity required against each position, in minor units of the rule's currency.

    A long position is charged a ratio of its value. A short position is charged the greater of a ratio of its value and
    a floor per share: a long can lose what it cost, a short can lose without limit.

    Parameters
    ----------
    quantity_shares : (n_positions,)
        Signed; long is positive. Zero is allowed and requires nothing.
    price_e4 : (n_positions,)
        Price per share in ten-thousandths of the trading currency; strictly positive.
    rule : ChargePerPosition
        The edition in force on the valuation date.

    Returns
    -------
    (n_positions,)
        Same order; every element >= 0. Never negated: a short requires equity as a long does.

    Raises
    ------
    UnpricedPosition
        A price is zero or negative. A requirement without it would be too small, and look right.
    AmountNotExact
        Quantity times price passes 2**62.

    Source
    ------
    FINRA Rule 4210(c)(1)-(3); ratios in ``rulebooks/us/finra_4210.yaml``.
    """
    _require_prices(quantity_shares, price_e4)
    starts = np.array([tier.price_from_e4 for tier in rule.short_tiers], dtype=np.int64)
    tier = np.searchsorted(starts, price_e4, side="right") - 1
    floors_e4 = np.array([tier.floor_e4 for tier in rule.short_tiers], dtype=np.int64)
    floor_e4 = np.where(quantity_shares < 0, floors_e4[tier], 0)
    _require_exact(quantity_shares, np.maximum(price_e4, floor_e4))

    shares = np.abs(quantity_shares)
    value_e4 = shares * price_e4
    divisor = _e4_per_minor(rule.currency)
    short_ratio = np.array([_nine_decimals(tier.ratio) for tier in rule.short_tiers], dtype=np.int64)[tier]
    charge_long = _charge(value_e4, np.int64(_nine_decimals(rule.long_ratio)), divisor)
    # Rounding keeps order, so the greater of two rounded charges is the rounded greater one.
    charge_short = np.maximum(_charge(value_e4, short_ratio, divisor), _in_minor(shares * floor_e4, divisor))
    requirement = np.where(quantity_shares < 0, charge_short, charge_long)
    assert (requirement >= 0).all()
    return requirement


def account_ratio_requirement(debt_minor: Amounts, rule: AccountRatio) -> tuple[Amounts, Amounts]:
    """Equity below which an account is called, and equity a call restores, for each debt.

    Assets over debt below a line is the same as equity below (line − 1) × debt.

    Parameters
    ----------
    debt_minor : (n_accounts,)
        Principal, value of what was sold short, accrued interest and fees; >= 0.
    rule : AccountRatio
        The edition in force on the valuation date.

    Returns
    -------
    ((n_accounts,), (n_accounts,))
        Call line and restore line; the second is never below the first. Zero where nothing is owed.

    Source
    ------
    Maintenance collateral ratio of Chinese margin accounts; lines in ``rulebooks/cn/sse_margin_trading.yaml``.
    """
    assert (debt_minor >= 0).all(), "a debt is never negative"
    assert (debt_minor < VALUE_E4_MAX).all()
    called, restored = (
        _charge(debt_minor, np.int64(_nine_decimals(line) - _RATIO_UNITS), 1)
        for line in (rule.call_ratio, rule.restore_ratio)
    )
    assert (restored >= called).all()
    return called, restored


def house_requirement(market_value_minor: Amounts, haircut_ratio: Ratios) -> Amounts:
    """Equity the house wants against each position: its value times the haircut of the day.

    Parameters
    ----------
    market_value_minor : (n_positions,)
        Signed; a short is charged on its absolute value.
    haircut_ratio : (n_positions,)
        From 0 to 1, counted to nine decimals; never missing.

    Returns
    -------
    (n_positions,)
        Same order; every element >= 0.
    """
    assert market_value_minor.shape == haircut_ratio.shape
    assert ((haircut_ratio >= 0) & (haircut_ratio <= 1)).all(), "a haircut takes between nothing and all"
    assert (np.abs(market_value_minor.astype(np.float64)) < VALUE_E4_MAX).all()
    return _charge(np.abs(market_value_minor), np.rint(haircut_ratio * _RATIO_UNITS).astype(np.int64), 1)


def effective_requirement(exchange_minor: Amounts, house_minor: Amounts) -> Amounts:
    """What binds: the house may only ask for more than the exchange, account by account."""
    return np.maximum(exchange_minor, house_minor)


def requirement_per_account(requirement_minor: Amounts, account: NDArray[np.intp], accounts: int) -> Amounts:
    """Sum charges ``(n_positions,)`` by the account each belongs to; exact, where ``bincount`` would add floats."""
    totals = np.zeros(accounts, dtype=np.int64)
    np.add.at(totals, account, requirement_minor)
    return totals


def market_values_minor(quantity_shares: Amounts, price_e4: Amounts, currency: str) -> Amounts:
    """Value of each position in minor units, negative for a short; the array twin of ``money.market_value_minor``."""
    _require_prices(quantity_shares, price_e4)
    _require_exact(quantity_shares, price_e4)
    return np.sign(quantity_shares) * _in_minor(np.abs(quantity_shares) * price_e4, _e4_per_minor(currency))


def initial_deposit_minor(cost_minor: int, ratio: float, equity_min_minor: int) -> int:
    """Cash asked for a first purchase: the ratio of its cost, but no less than the least equity or the cost."""
    return max(ratio_of_minor(cost_minor, ratio), min(cost_minor, equity_min_minor))


def collateral_ratio(assets_minor: int, debt_minor: int) -> Fraction | None:
    """Assets over debt, exactly; None without debt, which people are shown as infinity."""
    return Fraction(assets_minor, debt_minor) if debt_minor > 0 else None


def band_of(assets_minor: int, debt_minor: int, rule: AccountRatio) -> str:
    """Name of the band an account stands in; exactly on a line belongs to the better side."""
    ratio = collateral_ratio(assets_minor, debt_minor)
    bands = (
        ("withdrawable", rule.withdraw_ratio),
        ("normal", rule.early_ratio),
        ("early_watch", rule.restore_ratio),
        ("margin_call", rule.call_ratio),
        ("close_out", 1.0),
    )
    for name, line in bands:
        if ratio is None or ratio >= Fraction(_nine_decimals(line), _RATIO_UNITS):
            return name
    return "under_water"


def call_line(rule: ChargePerPosition | AccountRatio) -> float:
    """Assets over debt at which an account of long positions is called; the barrier its loan is priced with."""
    return rule.call_ratio if isinstance(rule, AccountRatio) else 1 / (1 - rule.long_ratio)


def trigger_price_e4(debt_minor: int, quantity_shares: int, line_ratio: float, currency: str) -> int:
    """Price at which an account holding one instrument, and no cash, stands exactly on a line of assets over debt."""
    return half_up(
        _nine_decimals(line_ratio) * debt_minor * PRICE_UNITS, _RATIO_UNITS * 10 ** exponent(currency) * quantity_shares
    )


def trigger_long_value_minor(debit_minor: int, long_ratio: float) -> int:
    """Value of long positions at which equity is exactly the requirement: debit ÷ (1 − ratio)."""
    return half_up(debit_minor * _RATIO_UNITS, _RATIO_UNITS - _nine_decimals(long_ratio))


def trigger_short_value_minor(credit_minor: int, short_ratio: float) -> int:
    """Value of short positions at which equity is exactly the requirement: credit ÷ (1 + ratio)."""
    return half_up(credit_minor * _RATIO_UNITS, _RATIO_UNITS + _nine_decimals(short_ratio))


def explain_requirement(instrument_id: str, quantity_shares: int, price_e4: int, rule: ChargePerPosition) -> list[str]:
    """One line per sentence of the rule that fired; the last states the sum ``maintenance_requirement`` returns."""
    value_minor = abs(market_value_minor(quantity_shares, price_e4, rule.currency))
    value_e4, units = abs(quantity_shares) * price_e4, _RATIO_UNITS * _e4_per_minor(rule.currency)
    side = "short" if quantity_shares < 0 else "long"
    lines = [
        f"{instrument_id}: {side} {abs(quantity_shares):,} shares at {price_e4 / PRICE_UNITS:,.4f} are worth "
        f"{format_minor(value_minor, rule.currency)}."
    ]
    if quantity_shares >= 0:
        required = half_up(value_e4 * _nine_decimals(rule.long_ratio), units)
        lines.append(
            f"A long position must keep {rule.long_ratio:.6g} of its value: {format_minor(required, rule.currency)}."
        )
    else:
        tier = [tier for tier in rule.short_tiers if tier.price_from_e4 <= price_e4][-1]
        by_ratio = half_up(value_e4 * _nine_decimals(tier.ratio), units)
        by_floor = half_up(abs(quantity_shares) * tier.floor_e4, _e4_per_minor(rule.currency))
        required = max(by_ratio, by_floor)
        lines += [
            f"A short position priced from {tier.price_from_e4 / PRICE_UNITS:.2f} must keep {tier.ratio:.6g} of its "
            f"value, {format_minor(by_ratio, rule.currency)},",
            f"but at least {tier.floor_e4 / PRICE_UNITS:.2f} a share: {format_minor(by_floor, rule.currency)}.",
        ]
    return [*lines, f"Required under {rule.edition}: {format_minor(required, rule.currency)}."]


def explain_account_ratio(assets_minor: int, debt_minor: int, rule: AccountRatio) -> list[str]:
    """One line per line of the rule that matters to the account; the last two state what must be kept and restored."""
    called, restored = (
        half_up(debt_minor * (_nine_decimals(line) - _RATIO_UNITS), _RATIO_UNITS)
        for line in (rule.call_ratio, rule.restore_ratio)
    )
    ratio = collateral_ratio(assets_minor, debt_minor)
    shown = "∞ (nothing is owed)" if ratio is None else f"{float(ratio):.4%}"
    return [
        f"Assets of {format_minor(assets_minor, rule.currency)} stand against a debt of "
        f"{format_minor(debt_minor, rule.currency)}: {shown}, band {band_of(assets_minor, debt_minor, rule)}.",
        f"Below {rule.call_ratio:.0%} the account is called; a call restores {rule.restore_ratio:.0%}.",
        f"Required under {rule.edition}: equity of {format_minor(called, rule.currency)}.",
        f"To restore under {rule.edition}: equity of {format_minor(restored, rule.currency)}.",
    ]


def explain_house(instrument_id: str, value_minor: int, haircut_ratio: float, currency: str, edition: str) -> list[str]:
    """Why the house asks what it asks of one position; the last line states the sum ``house_requirement`` returns."""
    return [
        f"{instrument_id}: {format_minor(abs(value_minor), currency)} at risk, haircut of the day {haircut_ratio:.6g}.",
        f"Required under {edition}: {format_minor(ratio_of_minor(abs(value_minor), haircut_ratio), currency)}.",
    ]


def _charge(value: Amounts, ratio_e9: Amounts | np.int64, divisor: int) -> Amounts:
    """``value × ratio_e9 ÷ (10⁹ × divisor)`` rounded half up without leaving 64 bits.

    ``value`` >= 0 and below 2**62, ``ratio_e9`` at most 1.5 × 10⁹. The value is split at 10⁹ so that no product passes
    2**63; the fraction lost below 1/``divisor`` cannot change the rounding, because half of an even divisor is whole.
    """
    assert divisor == 1 or divisor % 2 == 0
    assert np.all(ratio_e9 >= 0) and np.all(ratio_e9 <= 3 * _RATIO_UNITS // 2)
    high, low = np.divmod(value, _RATIO_UNITS)
    whole, rest = np.divmod(low * ratio_e9, _RATIO_UNITS)
    whole = whole + high * ratio_e9
    if divisor == 1:
        charged: Amounts = whole + (2 * rest >= _RATIO_UNITS)
    else:
        charged = (whole + divisor // 2) // divisor
    return charged


def _in_minor(value_e4: Amounts, divisor: int) -> Amounts:
    minor: Amounts = (value_e4 + divisor // 2) // divisor
    return minor


def _e4_per_minor(currency: str) -> int:
    return PRICE_UNITS // int(10 ** exponent(currency))


def _nine_decimals(ratio: float) -> int:
    return round(ratio * _RATIO_UNITS)


def _require_prices(quantity_shares: Amounts, price_e4: Amounts) -> None:
    assert quantity_shares.ndim == 1
    assert quantity_shares.shape == price_e4.shape
    assert quantity_shares.dtype == price_e4.dtype == np.int64, "quantities and prices are whole numbers"
    (unpriced,) = np.nonzero(price_e4 <= 0)
    if len(unpriced):
        first = int(unpriced[0])
        raise UnpricedPosition(
            f"{len(unpriced)} of {len(price_e4)} positions have no usable price; every price must be > 0, but row "
            f"{first} has {price_e4[first] / PRICE_UNITS:g}. Nothing was written; fill the gap in stg_market__prices, "
            f"or mark the instrument as suspended, and rerun."
        )


def _require_exact(quantity_shares: Amounts, price_e4: Amounts) -> None:
    """Floats are wide enough to tell whether the whole-number product would be, and cannot overflow themselves."""
    value = np.abs(quantity_shares.astype(np.float64)) * price_e4.astype(np.float64)
    (too_large,) = np.nonzero(value >= VALUE_E4_MAX)
    if len(too_large):
        first = int(too_large[0])
        raise AmountNotExact(
            f"{len(too_large)} of {len(value)} positions are too large; quantity times price must stay below 2**62 "
            f"ten-thousandths, but row {first} has {quantity_shares[first]} shares at {price_e4[first]}. Nothing was "
            f"written; correct the position or its price, and rerun."
        )
