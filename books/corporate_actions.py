"""Splits and dividends: what an action does to every account that held the instrument before its ex-date."""

from datetime import date, datetime
from fractions import Fraction
from typing import Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, append, ledger_head, refused
from books.ledger_accounts import currency_of_clients
from books.positions import lender_of, place_of, quantities
from books.posting import client_money, post
from books.rules import chart_on
from domain.corporate_actions import cash_in_lieu_minor, whole_shares
from domain.ledger import AnyTransfer, Rejection, expand

SPLIT_DENOMINATOR_MAX: Final = 10_000
"""Splits are announced as ratios of small whole numbers; a float is read as the nearest of those."""


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
        action = _action_entry(action_id, instrument_id, "split", str(ratio), price_e4, ex_date)
        append(connection, [action], booked_on, known_at)
        holders = quantities(connection, instrument_id=instrument_id, effective_before=ex_date)
        payer = _Payer(connection, instrument_id, [holder[0] for holder in holders], ex_date, booked_on)
        transfers: list[AnyTransfer] = []
        for account_id, _, held in holders:
            after, fraction = whole_shares(held, ratio)
            name = f"{action_id}.{account_id}"
            transfers += payer.shares(name, account_id, held, after - held)
            transfers += payer.cash(f"cash_in_lieu.{name}", "cash_in_lieu", account_id, fraction, price_e4)
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
        action = _action_entry(action_id, instrument_id, "cash_dividend", str(dividend_e4), None, ex_date)
        append(connection, [action], booked_on, known_at)
        holders = quantities(connection, instrument_id=instrument_id, effective_before=ex_date)
        payer = _Payer(connection, instrument_id, [holder[0] for holder in holders], ex_date, booked_on)
        transfers: list[AnyTransfer] = []
        for account_id, _, held in holders:
            name = f"{action_id}.{account_id}"
            transfers += payer.cash(name, "dividend", account_id, Fraction(held), dividend_e4)
        return post(connection, transfers, booked_on=booked_on, known_at=known_at)


_OWED_BY_SHORTS: Final = {"cash_in_lieu": "cash_in_lieu_owed", "dividend": "manufactured_dividend"}
"""What a short pays where a long is paid."""


class _Payer:
    """What one action moves, account by account, by the desk's templates."""

    def __init__(
        self, connection: sa.Connection, instrument_id: str, account_ids: list[str], ex_date: date, booked_on: date
    ) -> None:
        self.instrument_id, self.ex_date = instrument_id, ex_date
        self.chart = chart_on(connection, booked_on)
        self.currency_of = currency_of_clients(connection, account_ids)
        self.money = client_money(connection, self.currency_of)
        self.owners = {"9010": place_of(connection, instrument_id), "9120": lender_of(connection, instrument_id)}

    def shares(self, event_id: str, account_id: str, held: int, more: int) -> list[AnyTransfer]:
        """Shares gained or lost by one account; none where nothing changes."""
        side = "short_" if held < 0 else ""
        way = "gained" if (more > 0) == (held > 0) else "lost"
        return self._event("split", event_id, account_id, {f"{side}{way}": abs(more)})

    def cash(self, event_id: str, template: str, account_id: str, shares: Fraction, price_e4: int) -> list[AnyTransfer]:
        """Cash paid for shares, or owed on shares sold short; the desk advances what the client cannot pay."""
        amount = cash_in_lieu_minor(shares, price_e4, self.currency_of[account_id])
        if amount >= 0:
            return self._event(template, event_id, account_id, {"cash": amount})
        paid = min(-amount, max(0, self.money.get(account_id, 0)))
        self.money[account_id] = self.money.get(account_id, 0) - paid
        owed = {"paid": paid, "unpaid": -amount - paid}
        return self._event(_OWED_BY_SHORTS[template], event_id, account_id, owed)

    def _event(self, template: str, event_id: str, account_id: str, amounts: dict[str, int]) -> list[AnyTransfer]:
        return expand(
            self.chart,
            template,
            event_id,
            owners={"client": account_id, **self.owners},
            amounts=amounts,
            unit=self.currency_of[account_id],
            instrument_id=self.instrument_id,
            effective_on=self.ex_date,
        )


def _is_booked(connection: sa.Connection, action_id: str, terms: str) -> bool:
    table = schema.corporate_action.c
    booked = connection.execute(sa.select(table.terms).where(table.action_id == action_id)).scalar_one_or_none()
    if booked is not None and booked != terms:
        rule = Rejection.exists_with_different_content
        raise refused(action_id, rule, f"it is in the books with terms {booked}, and comes again with {terms}")
    return booked is not None


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
