"""Money as whole minor units of one currency, and the only place where a decimal or a product becomes one.

Nothing here is a float: prices are integers of 1e-4, annual rates integers of 1e-8, and every division rounds once,
half up, away from zero on ties.
"""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.errors import AmountNotExact, UnknownCurrency

EXPONENTS: Final = {"USD": 2, "CNY": 2, "HKD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "JPY": 0, "KWD": 3}
"""Decimals of each currency's minor unit (ISO 4217)."""

PRICE_UNITS: Final = 10_000
"""Prices are whole ten-thousandths of the currency unit (columns end in ``_e4``)."""

RATE_UNITS: Final = 100_000_000
"""Annual rates are whole hundred-millionths (columns end in ``_e8``)."""

AMOUNT_MAX: Final = 2**63 - 1
"""The largest amount a ledger column can hold."""

_PLAIN_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,8})?", re.ASCII)


def exponent(currency: str) -> int:
    """Decimals of ``currency``; raises :class:`UnknownCurrency` rather than assume two."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        known = ", ".join(sorted(EXPONENTS))
        raise UnknownCurrency(
            f"Currency must be one of {known}, but got {currency!r}. Add its ISO 4217 exponent to domain/money.py."
        ) from None


def half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` rounded once to a whole number, ties away from zero."""
    assert denominator > 0
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def parse_decimal(text: str) -> Decimal:
    """Read a plain decimal (``-12.5``); refuse blanks, exponents, separators, signs and digits of other scripts."""
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise AmountNotExact(
            f"A number must be plain digits with at most 15 before and 8 after the point, but got {text!r}. "
            f"Correct the delivery and send it again."
        )
    return Decimal(text)


def to_minor(text: str, currency: str) -> int:
    """Minor units of the amount written in ``text``; refuses an amount finer than the currency's minor unit."""
    scaled = parse_decimal(text).scaleb(exponent(currency))
    if scaled != scaled.to_integral_value() or abs(scaled) > AMOUNT_MAX:
        raise AmountNotExact(
            f"{text} {currency} is not a whole number of minor units within 64 bits ({currency} has "
            f"{exponent(currency)} decimals). Correct the delivery and send it again."
        )
    return int(scaled)


def to_e4(text: str) -> int:
    """Ten-thousandths of the price written in ``text``, rounded half up."""
    return int((parse_decimal(text) * PRICE_UNITS).to_integral_value(rounding=ROUND_HALF_UP))


def to_e8(text: str) -> int:
    """Hundred-millionths of the annual rate written in ``text`` (0.06 is 6 % a year)."""
    return int((parse_decimal(text) * RATE_UNITS).to_integral_value(rounding=ROUND_HALF_UP))


def market_value_minor(quantity_shares: int, price_e4: int, currency: str) -> int:
    """Value of a position in minor units; negative for a short."""
    return half_up(quantity_shares * price_e4 * 10 ** exponent(currency), PRICE_UNITS)


def ratio_of_minor(amount_minor: int, ratio: float) -> int:
    """``amount × ratio`` rounded half up; the ratio counts to nine decimals, so that 0.1 means one tenth."""
    return half_up(amount_minor * round(ratio * 1_000_000_000), 1_000_000_000)


def to_minor_array(amounts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round an array of floating minor units half up; refuses what is not finite or passes 2**53."""
    if not np.isfinite(amounts).all() or (np.abs(amounts) >= 2**53).any():
        raise AmountNotExact("Amounts must be finite and below 2**53 minor units. Nothing was written; check prices.")
    return np.trunc(amounts + np.copysign(0.5, amounts)).astype(np.int64)


def format_minor(amount_minor: int, currency: str) -> str:
    """For people: ``1,234.56 USD``."""
    decimals = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-decimals):,.{decimals}f} {currency}"
