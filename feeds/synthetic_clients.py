"""Invented clients with invented debts, on the shares of any market folder, real prices or not.

Debts are drawn so that a desk looks like a desk: most accounts stand well above what they must keep, a few percent at
the edge of it, about one in a hundred already below. The distances are measured by each exchange's own call line; the
desk's rules are applied elsewhere and may see some accounts differently.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from domain.errors import NoPrices
from feeds.calendars import sessions_between
from feeds.synthetic_market import CRASHING
from feeds.synthetic_plan import SOURCE, DeskPlan, stream

RULEBOOKS: Final = {"US": "us.finra_4210", "CN": "cn.sse_margin_trading"}
"""The rulebook each market's accounts stand under."""

US_ACCOUNTS_RATIO: Final = 0.70
CONCENTRATED_RATIO: Final = 0.006
NO_DEBT_RATIO, BELOW_RATIO, NEAR_RATIO = 0.12, 0.01, 0.03
SHORT_RATIO: Final = 0.04
"""Shares of all accounts (shorts, of the US accounts); the rest owe comfortably."""

HOLDINGS_MAX: Final = 6
NAMES_MAX: Final = 120
"""Names of one market that clients hold at all; a whole exchange of thousands adds nothing but time."""

_LONG_CHARGE, _SHORT_CHARGE = 0.30, 0.30
"""What a US account is taken to keep for a position, as a share of its value."""

_CONTRACT_AGE_DAYS_MAX: Final = {"US": 360, "CN": 180}
"""US loans are reviewed once a year; Chinese contracts run at most six months."""

_PRINCIPAL_STEP_MINOR: Final = 10_000
"""Principals are whole hundreds of the currency."""

DEPOSITORS_PER: Final = 40
"""One account in so many pays cash in on an ordinary day."""

_COMFORTABLE, _NO_DEBT, _BELOW, _NEAR, _CONCENTRATED = range(5)


@dataclass(frozen=True)
class ClientBook:
    """The desk's invented clients. One frame per table of the books; every row carries ``source``."""

    clients: pd.DataFrame
    accounts: pd.DataFrame
    contracts: pd.DataFrame
    positions: pd.DataFrame
    deposits: pd.DataFrame


@dataclass(frozen=True)
class _Shelf:
    """What one market's clients choose from. Arrays are (n_names,)."""

    instrument_id: NDArray[np.object_]
    price_minor: NDArray[np.float64]
    lot_size_shares: NDArray[np.int64]
    popularity: NDArray[np.float64]
    crashing: int | None


@dataclass(frozen=True)
class _Folio:
    """What one market's accounts hold and owe. Arrays are (n_accounts,) or (n_accounts, n_holdings); money in minor."""

    place: NDArray[np.int64]
    quantity_shares: NDArray[np.int64]
    cash_minor: NDArray[np.int64]
    debt_minor: NDArray[np.int64]


def plan_clients(instruments: pd.DataFrame, prices: pd.DataFrame, plan: DeskPlan, source: str = SOURCE) -> ClientBook:
    """Invent clients, accounts, loan contracts, positions and deposits as they stand before the plan's day.

    Parameters
    ----------
    instruments
        Rows of ``raw_market__instruments``: ``instrument_id``, ``market``, ``currency``, ``lot_size_shares`` and
        ``source`` are read.
    prices
        ``instrument_id`` and ``price_close_e4`` at the book date; what has no positive price is held by nobody.
    plan
        How many accounts, and the day before which every contract was opened.
    source
        What the rows say of themselves; clients are invented even where the prices are real.

    Raises
    ------
    NoPrices
        If no instrument of a market we have a rulebook for has a price.
    """
    priced = _priced(instruments, prices)
    markets = tuple(sorted(set(priced["market"])))
    market_of = _account_markets(plan, markets)
    mood = _moods(plan, market_of, markets, priced)
    account_ids = _ids("A", plan.accounts)
    is_new_client = stream(plan, "clients").random(plan.accounts) >= 0.05
    is_new_client[0] = True
    client_number = np.cumsum(is_new_client)
    client_of = np.array([f"C{number:06d}" for number in client_number.tolist()], dtype=object)
    currency_of = priced.groupby("market")["currency"].first()
    parts = []
    for market in markets:
        at = np.flatnonzero(market_of == market)
        if len(at):
            random = stream(plan, f"accounts {market}")
            shelf = _shelf(random, priced[priced["market"] == market])
            folio = _fill(random, market, shelf, mood[at])
            parts.append(_frames(random, market, str(currency_of[market]), plan, account_ids[at], shelf, folio))
    accounts = pd.DataFrame(
        {
            "account_id": account_ids,
            "client_id": client_of,
            "market": market_of,
            "currency": [str(currency_of[market]) for market in market_of],
            "rulebook": [RULEBOOKS[market] for market in market_of],
            "opened_on": _openings(plan),
        }
    )
    clients = pd.DataFrame(
        {
            "client_id": [f"C{number:06d}" for number in range(1, client_number[-1] + 1)],
            "name": [f"Client {number:06d} (synthetic)" for number in range(1, client_number[-1] + 1)],
        }
    )
    contracts, positions, deposits = (
        pd.concat([part[k] for part in parts]).sort_values(keys, kind="stable", ignore_index=True)
        for k, keys in enumerate((["contract_id"], ["account_id", "instrument_id"], ["account_id"]))
    )
    return ClientBook(*(frame.assign(source=source) for frame in (clients, accounts, contracts, positions, deposits)))


def plan_deposits(accounts: pd.DataFrame, plan: DeskPlan) -> pd.DataFrame:
    """Cash that some invented clients pay in on ``plan.day``: account_id, currency, amount_minor, one row per payer."""
    ordered = accounts.sort_values("account_id", ignore_index=True)
    random = stream(plan, "deposits of the day")
    count = min(len(ordered), max(4, len(ordered) // DEPOSITORS_PER))
    payers = np.sort(random.choice(len(ordered), count, replace=False))
    amounts = random.integers(1, 200, count) * _PRINCIPAL_STEP_MINOR
    return ordered.loc[payers, ["account_id", "currency"]].assign(amount_minor=amounts).reset_index(drop=True)


def concentrated_accounts(plan: DeskPlan, markets: Sequence[str]) -> list[str]:
    """Accounts that hold mostly the crashing name, in a market that lists it."""
    us = np.flatnonzero(_account_markets(plan, tuple(markets)) == "US")
    if not len(us):
        return []
    wanted = max(1, round(plan.accounts * CONCENTRATED_RATIO))
    chosen = np.sort(stream(plan, "concentrated").choice(us, min(wanted, len(us)), replace=False))
    return list(_ids("A", plan.accounts)[chosen])


def _priced(instruments: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    rows = instruments.drop_duplicates("instrument_id").merge(
        prices[["instrument_id", "price_close_e4"]].dropna().drop_duplicates("instrument_id"), on="instrument_id"
    )
    rows = rows[rows["market"].isin(list(RULEBOOKS)) & (rows["price_close_e4"] > 0)].sort_values("instrument_id")
    if rows.empty:
        raise NoPrices(
            f"Clients need an instrument of {' or '.join(RULEBOOKS)} with a closing price above zero, but of "
            f"{len(instruments)} instruments none has one. Nothing was written; choose a day the market folder has "
            f"bars for."
        )
    return rows


def _ids(letter: str, count: int) -> NDArray[np.object_]:
    return np.array([f"{letter}{number:06d}" for number in range(1, count + 1)], dtype=object)


def _account_markets(plan: DeskPlan, markets: tuple[str, ...]) -> NDArray[np.object_]:
    if len(markets) == 1:
        return np.full(plan.accounts, markets[0], dtype=object)
    draw = stream(plan, "markets").random(plan.accounts)
    return np.where(draw < US_ACCOUNTS_RATIO, "US", "CN").astype(object)


def _moods(
    plan: DeskPlan, market_of: NDArray[np.object_], markets: tuple[str, ...], priced: pd.DataFrame
) -> NDArray[np.int64]:
    """How each account stands to its requirement, (n_accounts,)."""
    draw = stream(plan, "moods").random(plan.accounts)
    edges = np.cumsum([BELOW_RATIO, NEAR_RATIO, NO_DEBT_RATIO])
    mood = np.array([_BELOW, _NEAR, _NO_DEBT, _COMFORTABLE])[np.searchsorted(edges, draw, side="right")]
    is_invented = bool(((priced["instrument_id"] == CRASHING) & (priced["source"] == SOURCE)).any())
    if is_invented:
        chosen = {int(account[1:]) - 1 for account in concentrated_accounts(plan, markets)}
        mood[sorted(chosen)] = _CONCENTRATED
    return mood


def _openings(plan: DeskPlan) -> list[date]:
    """Days on which accounts were opened: weekdays of the years before any open contract."""
    days = [plan.day - timedelta(days=back) for back in range(370, 370 + 5 * 365)]
    days = [day for day in days if day.weekday() < 5]
    return [days[k] for k in stream(plan, "openings").integers(0, len(days), plan.accounts).tolist()]


def _shelf(random: np.random.Generator, priced: pd.DataFrame) -> _Shelf:
    if len(priced) > NAMES_MAX:
        priced = priced.iloc[np.sort(random.choice(len(priced), NAMES_MAX, replace=False))]
    ids = priced["instrument_id"].to_numpy(dtype=object)
    is_crashing = (ids == CRASHING) & (priced["source"] == SOURCE).to_numpy(dtype=bool)
    return _Shelf(
        ids,
        priced["price_close_e4"].to_numpy(np.float64) / 100,
        priced["lot_size_shares"].fillna(1).to_numpy(np.int64).clip(1),
        random.permutation(1 / np.arange(1, len(priced) + 1) ** 0.6),
        int(np.flatnonzero(is_crashing)[0]) if is_crashing.any() else None,
    )


def _fill(random: np.random.Generator, market: str, shelf: _Shelf, mood: NDArray[np.int64]) -> _Folio:
    """Choose holdings, cash and debt of one market's accounts."""
    place, weight = _choose_names(random, shelf, mood)
    n = len(mood)
    middle, width, least = (16e6, 0.9, 2e6) if market == "US" else (95e6, 0.8, 55e6)
    size = np.maximum(middle * np.exp(width * random.standard_normal(n)), least)
    lot_minor = shelf.price_minor[place] * shelf.lot_size_shares[place]
    lots = np.maximum(np.floor(size[:, None] * weight / lot_minor), 1) * (weight > 0)
    quantity = (lots * shelf.lot_size_shares[place]).astype(np.int64)
    longs = (quantity * shelf.price_minor[place]).sum(axis=1)
    cash = longs * np.where(random.random(n) < 0.4, random.uniform(0.005, 0.05, n), 0.0)
    if market == "US":
        place, quantity, shorts = _sell_short(random, shelf, mood, place, quantity, longs)
        cash += 1.5 * shorts
    else:
        shorts = np.zeros(n)
    cash_minor = np.rint(cash).astype(np.int64)
    ratio = _equity_ratio(random, market, mood)
    if market == "US":
        equity = ratio * longs + 2 * _SHORT_CHARGE * shorts
        debt = longs + cash_minor - shorts - equity
    else:
        debt = (longs + cash_minor) * (1 - ratio)
    debt = np.where(mood == _NO_DEBT, 0.0, debt)
    debt_minor = np.maximum(np.rint(debt / _PRINCIPAL_STEP_MINOR), 0).astype(np.int64) * _PRINCIPAL_STEP_MINOR
    return _Folio(place, quantity, cash_minor, debt_minor)


def _choose_names(
    random: np.random.Generator, shelf: _Shelf, mood: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Columns of the shelf and weights summing to one, both (n_accounts, n_holdings); weight zero is no holding."""
    n, names = len(mood), len(shelf.instrument_id)
    wide = min(HOLDINGS_MAX, names)
    # The largest of log-popularity plus Gumbel noise are a draw without replacement, popular names first.
    keys = np.log(shelf.popularity) + random.gumbel(size=(n, names))
    if shelf.crashing is not None:
        keys[:, shelf.crashing] = -np.inf
    place = np.argsort(-keys, axis=1)[:, :wide]
    holdings = random.choice(np.arange(1, HOLDINGS_MAX + 1), n, p=[0.2, 0.25, 0.2, 0.15, 0.12, 0.08]).clip(max=wide)
    weight = random.gamma(1.5, size=(n, wide)) + 0.05
    weight *= np.arange(wide) < holdings[:, None]
    if shelf.crashing is not None:
        is_concentrated = mood == _CONCENTRATED
        others = weight[:, 1:].sum(axis=1)
        place[is_concentrated, 0] = shelf.crashing
        weight[is_concentrated, 0] = np.maximum(others, 1.0)[is_concentrated] * 19
        # A few hold a little of it, and lose a little.
        dabbles = ~is_concentrated & (holdings >= 2) & (random.random(n) < 0.06)
        last = holdings[dabbles] - 1
        place[dabbles, last] = shelf.crashing
        weight[dabbles, last] = 0
        weight[dabbles, last] = 0.1 * weight[dabbles].sum(axis=1)
    return place, weight / weight.sum(axis=1, keepdims=True)


def _sell_short(
    random: np.random.Generator,
    shelf: _Shelf,
    mood: NDArray[np.int64],
    place: NDArray[np.int64],
    quantity: NDArray[np.int64],
    longs: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Add a small short position in one more name to a few accounts; also the shorts' value in minor units."""
    n, names = len(mood), len(shelf.instrument_id)
    name = random.integers(0, names, n)
    is_held = ((place == name[:, None]) & (quantity > 0)).any(axis=1)
    price = shelf.price_minor[name]
    # Below five dollars the exchange asks for more than the value of a short; nobody here is short of such a name.
    may = ~is_held & (name != shelf.crashing) & (price >= 1_000) & ((mood == _COMFORTABLE) | (mood == _NO_DEBT))
    sells = may & (random.random(n) < SHORT_RATIO)
    sold = np.where(sells, np.floor(longs * random.uniform(0.04, 0.10, n) / price), 0).astype(np.int64)
    return np.column_stack([place, name]), np.column_stack([quantity, -sold]), sold * price


def _equity_ratio(random: np.random.Generator, market: str, mood: NDArray[np.int64]) -> NDArray[np.float64]:
    """Equity each account is given, as a share of its long value (US) or of all its assets (CN)."""
    n, draw = len(mood), random.random(len(mood))
    if market == "US":
        choices = {
            _COMFORTABLE: _LONG_CHARGE * np.minimum(1.25 + random.gamma(2.2, 0.3, n), 3.0),
            _BELOW: _LONG_CHARGE * (0.55 + 0.25 * draw),
            _NEAR: _LONG_CHARGE * (1.005 + 0.06 * draw),
            _CONCENTRATED: 0.34 + 0.14 * draw,
        }
    else:
        # The exchange's figure is assets over debt, whose call line is 130 %.
        choices = {
            _COMFORTABLE: 1 - 1 / (1.55 + 1.8 * random.beta(1.6, 3.2, n)),
            _BELOW: 1 - 1 / (1.12 + 0.16 * draw),
            _NEAR: 1 - 1 / (1.302 + 0.04 * draw),
            _CONCENTRATED: 1 - 1 / (1.9 + 0.2 * draw),
        }
    ratio = np.ones(n)
    for of_mood, value in choices.items():
        ratio = np.where(mood == of_mood, value, ratio)
    return ratio


def _frames(
    random: np.random.Generator,
    market: str,
    currency: str,
    plan: DeskPlan,
    account_ids: NDArray[np.object_],
    shelf: _Shelf,
    folio: _Folio,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Contracts, positions and deposits of one market's accounts."""
    row, column = np.nonzero(folio.quantity_shares)
    positions = pd.DataFrame(
        {
            "account_id": account_ids[row],
            "instrument_id": shelf.instrument_id[folio.place[row, column]],
            "quantity_shares": folio.quantity_shares[row, column],
        }
    )
    has_cash = folio.cash_minor > 0
    deposits = pd.DataFrame(
        {"account_id": account_ids[has_cash], "amount_minor": folio.cash_minor[has_cash], "currency": currency}
    )
    account, number, principal = _split_debts(random, folio.debt_minor)
    newest = plan.day - timedelta(days=1)
    days = sessions_between(market, plan.day - timedelta(days=_CONTRACT_AGE_DAYS_MAX[market]), newest)
    due = [_months_after(day, 6 if market == "CN" else 12) for day in days]
    opened = random.integers(0, len(days), len(account)).tolist()
    contracts = pd.DataFrame(
        {
            "contract_id": [f"L{i[1:]}-{k}" for i, k in zip(account_ids[account], number.tolist(), strict=True)],
            "account_id": account_ids[account],
            "currency": currency,
            "principal_minor": principal,
            "opened_on": [days[k] for k in opened],
            "matures_on": [due[k] for k in opened],
        }
    )
    return contracts, positions, deposits


def _split_debts(
    random: np.random.Generator, debt_minor: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut each debt into one to three contracts: account, number from 1, principal, each (n_contracts,)."""
    n, steps = len(debt_minor), debt_minor // _PRINCIPAL_STEP_MINOR
    pieces = random.choice([1, 2, 3], n, p=[0.5, 0.3, 0.2])
    cuts = np.sort(random.random((n, 2)), axis=1)
    cuts = np.where(pieces[:, None] > np.array([2, 1]), cuts, np.array([0.0, 0.0]))
    edges = np.column_stack([np.zeros(n), np.sort(cuts, axis=1), np.ones(n)])
    bounds = np.floor(edges * steps[:, None]).astype(np.int64)
    amounts = np.diff(bounds, axis=1) * _PRINCIPAL_STEP_MINOR
    account, piece = np.nonzero(amounts)
    number = np.cumsum(amounts > 0, axis=1, dtype=np.int64)[account, piece]
    return account.astype(np.int64), number, amounts[account, piece]


def _months_after(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))
