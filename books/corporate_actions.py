"""Splits and dividends: what an action does to every account that held the instrument before its ex-date."""

from datetime import date, datetime
from fractions import Fraction
from typing import Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, append, ledger_head, refused
from books.positions import Movement, movement_entry, quantities
from books.posting import post
from domain.ledger import Rejection, Transfer, ledger_account_id
from domain.money import PRICE_UNITS, exponent, half_up

SPLIT_DENOMINATOR_MAX: Final = 10_000
"""Splits are announced as ratios of small whole numbers; a float is read as the nearest of those."""


def split_shares(quantity_shares: int, ratio: Fraction) -> tuple[int, Fraction]:
    """Whole shares after a split, and the fraction of a share left over, both with the sign of the position."""
    sign = -1 if quantity_shares < 0 else 1
    exact = abs(quantity_shares) * ratio
    whole = exact.numerator // exact.denominator
    return sign * whole, sign * (exact - whole)


def book_split(
    books: Books,
    instrument_id: str,
    split_ratio: float | Fraction,
    *,
    price_e4: int,
    ex_date: date,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Split every position held before ``ex_date``; fractions are settled in cash at ``price_e4``.

    ``split_ratio`` is new shares per old share, ``price_e4`` the price after the split. A split booked before stands
    with the price it was booked at; coming again with another ratio it is refused.
    """
    ratio = Fraction(split_ratio).limit_denominator(SPLIT_DENOMINATOR_MAX)
    action_id = f"split.{instrument_id}.{ex_date}"
    if ratio <= 0 or price_e4 <= 0:
        raise refused(action_id, "ratio_and_price_must_be_positive", f"ratio {split_ratio}, price {price_e4} e-4")
    with writing(books) as connection:
        if _is_booked(connection, action_id, str(ratio)):
            return ledger_head(connection)
        movements, transfers = [], []
        currency_of = _currencies(connection, instrument_id)
        for account_id, _, held in quantities(connection, instrument_id=instrument_id, effective_before=ex_date):
            after, fraction = split_shares(held, ratio)
            name = f"{action_id}.{account_id}"
            if after != held:
                movements.append(Movement(name, account_id, instrument_id, "split", after - held, ex_date))
            amount = _cash_minor(fraction, price_e4, currency_of[account_id])
            transfers += _cash(name, "cash_in_lieu", account_id, amount, currency_of[account_id], ex_date)
        action = _action_entry(action_id, instrument_id, "split", str(ratio), price_e4, ex_date)
        append(connection, [action, *map(movement_entry, movements)], booked_on, known_at)
        return post(connection, transfers, booked_on=booked_on, known_at=known_at)


def book_dividend(
    books: Books, instrument_id: str, dividend_e4: int, *, ex_date: date, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Credit a cash dividend (per share, in ten-thousandths) to those who held before ``ex_date``; shorts owe it."""
    action_id = f"cash_dividend.{instrument_id}.{ex_date}"
    if dividend_e4 <= 0:
        raise refused(action_id, "dividend_must_be_positive", f"dividend {dividend_e4} e-4")
    with writing(books) as connection:
        if _is_booked(connection, action_id, str(dividend_e4)):
            return ledger_head(connection)
        transfers = []
        currency_of = _currencies(connection, instrument_id)
        for account_id, _, held in quantities(connection, instrument_id=instrument_id, effective_before=ex_date):
            amount = _cash_minor(Fraction(held), dividend_e4, currency_of[account_id])
            name = f"{action_id}.{account_id}"
            transfers += _cash(name, "dividend", account_id, amount, currency_of[account_id], ex_date)
        action = _action_entry(action_id, instrument_id, "cash_dividend", str(dividend_e4), None, ex_date)
        append(connection, [action], booked_on, known_at)
        return post(connection, transfers, booked_on=booked_on, known_at=known_at)


_TEMPLATES: Final = {
    "cash_in_lieu": ("cash_in_lieu", "cash_in_lieu_owed_on_short"),
    "dividend": ("dividend_received", "dividend_owed_on_short"),
}


def _cash(
    name: str, kind: str, account_id: str, amount_minor: int, currency: str, effective_on: date
) -> list[Transfer]:
    """The transfer that pays (or, for a short, charges) an amount; none where it rounds to nothing."""
    bank, money = ledger_account_id("1010", currency), ledger_account_id("2010", account_id)
    received, owed = _TEMPLATES[kind]
    transfer_id = name if kind == "dividend" else f"{kind}.{name}"
    if amount_minor > 0:
        return [Transfer(transfer_id, received, bank, money, amount_minor, currency, effective_on)]
    if amount_minor < 0:
        return [Transfer(transfer_id, owed, money, bank, -amount_minor, currency, effective_on)]
    return []


def _cash_minor(shares: Fraction, price_e4: int, currency: str) -> int:
    return half_up(shares.numerator * price_e4 * 10 ** exponent(currency), shares.denominator * PRICE_UNITS)


def _is_booked(connection: sa.Connection, action_id: str, terms: str) -> bool:
    table = schema.corporate_action.c
    booked = connection.execute(sa.select(table.terms).where(table.action_id == action_id)).scalar_one_or_none()
    if booked is not None and booked != terms:
        rule = Rejection.exists_with_different_content
        raise refused(action_id, rule, f"it is in the books with terms {booked}, and comes again with {terms}")
    return booked is not None


def _currencies(connection: sa.Connection, instrument_id: str) -> dict[str, str]:
    """Currency of each account that ever held the instrument."""
    account, movement = schema.account.c, schema.position_movement.c
    holders = sa.select(movement.account_id).where(movement.instrument_id == instrument_id)
    query = sa.select(account.account_id, account.currency).where(account.account_id.in_(holders))
    return {row[0]: row[1] for row in connection.execute(query)}


def _action_entry(
    action_id: str, instrument_id: str, kind: str, terms: str, price_e4: int | None, ex_date: date
) -> Entry:
    what = {
        "action_id": action_id,
        "instrument_id": instrument_id,
        "kind": kind,
        "terms": terms,
        "price_e4": price_e4,
        "effective_on": ex_date,
    }
    return Entry("corporate_action", action_id, ex_date, what)
