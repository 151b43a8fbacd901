"""Two invented stock markets: who is listed, and a history in which volatility clusters and tails are fat.

No symbol here belongs to a real share: US tickers of six letters or more, and Chinese codes with a letter, do not
exist. Returns are a country factor, a sector factor and a residual, each GARCH(1,1) with Student-t innovations and its
own persistence, the country's with a leverage term. So volatility can be forecast, and a random walk of it beaten.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feeds.calendars import is_session, sessions_between
from feeds.synthetic_plan import DeskPlan, stream

CRASHING, SPLITTING, PAYING_DIVIDEND = "US.VALERIAN", "US.SEXTANT", "US.FLORIN"
HALTED, LIMIT_DOWN = "CN.X60007", "CN.X60011"
"""The names with a part to play on the plan's day."""

SPLIT_RATIO_OF_THE_DAY: Final = 1.5
"""New shares per old; odd lots leave fractions, so the split also pays cash in lieu."""

HALT_SESSIONS: Final = 8
"""Sessions without a bar, the plan's day included."""

SESSIONS_PER_YEAR: Final = 252
BURN_IN_SESSIONS: Final = 250
"""Sessions simulated and thrown away, so that no volatility starts at its mean."""

RETURN_MAX: Final = 0.30
"""Largest unplanned daily log return: a larger one would pass for a planted one."""

_US: Final = {
    "technology": "GIMBAL LANTERN ORRERY QUILLON SEXTANT VERNIER",
    "health": "BETONY COMFREY LOVAGE MALLOW VALERIAN YARROW",
    "finance": "BEZANT DENIER FLORIN GUILDER OBOLUS STATER",
    "energy": "BRAZIER CINDER EMBERS FURNACE TINDER",
    "consumer": "BRIOCHE CRUMPET MARZIPAN NOUGAT TREACLE",
    "industry": "ANVILS BELLOWS CAPSTAN HALYARD WINDLASS",
}
_SECTORS: Final = tuple(_US)
_CN: Final = {
    "main": [f"X600{k:02d}" for k in range(1, 15)],
    "star": [f"X688{k:02d}" for k in range(1, 5)],
    "chinext": [f"X300{k:02d}" for k in range(1, 5)],
}
_SPLITS_OF_THE_PAST: Final = {
    "US.GIMBAL": (0.30, 2.0),
    "US.BEZANT": (0.45, 0.2),
    "US.BRIOCHE": (0.60, 3.0),
    "CN.X60003": (0.50, 1.4),
    "CN.X30002": (0.70, 1.3),
}
"""Where in the history (as a share of it), and new shares per old."""

_PAYERS_QUARTERLY: Final = (
    "US.FLORIN", "US.GUILDER", "US.OBOLUS", "US.STATER", "US.FURNACE", "US.CINDER", "US.TREACLE", "US.ANVILS",
)  # fmt: skip
_PAYERS_YEARLY: Final = ("CN.X60001", "CN.X60002", "CN.X60004", "CN.X60005", "CN.X60009", "CN.X60013")


@dataclass(frozen=True)
class Listing:
    """One invented instrument."""

    instrument_id: str
    market: str
    currency: str
    sector: str
    asset_class: str
    board: str
    lot_size_shares: int
    price_limit_percent: int | None

    @property
    def symbol(self) -> str:
        """The instrument's name within its market."""
        return self.instrument_id.partition(".")[2]


@dataclass(frozen=True)
class Action:
    """A split or a cash dividend, effective before the open of its session."""

    instrument_id: str
    ex_date: date
    split_ratio: float = 1.0
    dividend_cents: int = 0


@dataclass(frozen=True)
class Tape:
    """One market's daily history. Arrays are (n_sessions, n_instruments); prices are whole cents (or fen)."""

    listings: tuple[Listing, ...]
    days: tuple[date, ...]
    open_cents: NDArray[np.int64]
    high_cents: NDArray[np.int64]
    low_cents: NDArray[np.int64]
    close_cents: NDArray[np.int64]
    volume_shares: NDArray[np.int64]
    is_traded: NDArray[np.bool_]
    actions: list[Action] = field(default_factory=list)

    def place(self, instrument_id: str) -> int:
        """Column of an instrument."""
        return [listing.instrument_id for listing in self.listings].index(instrument_id)


def listings_of(market: str) -> tuple[Listing, ...]:
    """Everything listed in one market, ordered by instrument."""
    if market == "US":
        shares = [
            Listing(f"US.{word}", "US", "USD", sector, "equity", board, 1, None)
            for sector, words in _US.items()
            for board in ("nasdaq" if sector in ("technology", "health") else "nyse",)
            for word in words.split()
        ]
        funds = [
            Listing(f"US.{word}", "US", "USD", sector, "etf", "nyse", 1, None)
            for word, sector in (("BROADFUND", "none"), ("TECHFUND", "technology"), ("BANKFUND", "finance"))
        ]
    else:
        shares = [
            Listing(f"CN.{code}", "CN", "CNY", _SECTORS[k % len(_SECTORS)], "equity", board, 100, percent)
            for board, codes in _CN.items()
            for percent in (10 if board == "main" else 20,)
            for k, code in enumerate(codes)
        ]
        funds = [Listing(f"CN.X510{k:02d}", "CN", "CNY", "none", "etf", "main", 100, 10) for k in (1, 2)]
    return tuple(sorted(shares + funds, key=lambda listing: listing.instrument_id))


def sessions_of(market: str, plan: DeskPlan) -> tuple[date, ...]:
    """The plan's sessions before its day, and its day where the exchange is open."""
    since = plan.day - timedelta(days=int(plan.sessions * 1.6) + 30)
    before = sessions_between(market, since, plan.day - timedelta(days=1))[-plan.sessions :]
    assert len(before) == plan.sessions, f"The {market} calendar holds too few sessions before {plan.day}."
    return (*before, plan.day) if is_session(market, plan.day) else tuple(before)


def simulate(market: str, plan: DeskPlan) -> Tape:
    """Draw one market's whole history and plant what its day is to show."""
    random, listings, days = stream(plan, f"market {market}"), listings_of(market), sessions_of(market, plan)
    returns, volatility = _returns(random, listings, len(days), market)
    tape = _trade(random, listings, days, returns, volatility, _planned_actions(listings, days, plan))
    if days[-1] == plan.day:
        _plant(tape, plan)
    return tape


def limit_cents(reference_cents: NDArray[np.int64], percent: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Price ``percent`` away from the reference (signed), rounded half up to a whole cent."""
    return (reference_cents * (100 + percent) * 2 + 100) // 200


def _returns(
    random: np.random.Generator, listings: tuple[Listing, ...], sessions: int, market: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Daily log returns and their conditional volatilities, both (n_sessions, n_instruments)."""
    n = len(listings)
    is_fund = np.array([listing.asset_class == "etf" for listing in listings])
    sector = np.array([[listing.sector == name for name in _SECTORS] for listing in listings])
    factor_volatility = np.r_[0.15 if market == "US" else 0.19, random.uniform(0.07, 0.12, len(_SECTORS))]
    own_volatility = np.where(is_fund, 0.02, random.uniform(0.16, 0.38, n))
    reaction = np.r_[0.07, random.uniform(0.07, 0.13, len(_SECTORS) + n)]
    persistence = np.r_[0.975, random.uniform(0.92, 0.985, len(_SECTORS) + n)]
    leverage = np.r_[0.10, np.zeros(len(_SECTORS) + n)]
    shocks, variance = _garch(
        random, np.r_[factor_volatility, own_volatility], reaction, leverage, persistence, sessions
    )
    country_beta = np.where(is_fund, 1.0, random.uniform(0.6, 1.5, n))
    sector_beta = np.where(is_fund, 1.0, random.uniform(0.6, 1.3, n))
    loadings = np.hstack([country_beta[:, None], sector * sector_beta[:, None], np.eye(n)])
    returns = np.clip(shocks @ loadings.T + 0.0002, -RETURN_MAX, RETURN_MAX)
    return returns, np.sqrt(variance @ (loadings**2).T)


def _garch(
    random: np.random.Generator,
    volatility: NDArray[np.float64],
    reaction: NDArray[np.float64],
    leverage: NDArray[np.float64],
    persistence: NDArray[np.float64],
    sessions: int,
    degrees_of_freedom: float = 5.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shocks of GJR-GARCH(1,1) processes and their variances, both (n_sessions, n_processes).

    ``volatility`` is annual and unconditional; ``persistence`` is reaction + leverage / 2 + memory.
    """
    mean_variance = volatility**2 / SESSIONS_PER_YEAR
    memory = persistence - reaction - leverage / 2
    scale = np.sqrt((degrees_of_freedom - 2) / degrees_of_freedom)
    innovations = random.standard_t(degrees_of_freedom, (BURN_IN_SESSIONS + sessions, len(volatility))) * scale
    shocks, variances = np.empty_like(innovations), np.empty_like(innovations)
    variance = mean_variance.copy()
    for t, innovation in enumerate(innovations):
        variances[t] = variance
        shocks[t] = shock = np.sqrt(variance) * innovation
        news = (reaction + leverage * (shock < 0)) * shock**2
        variance = mean_variance * (1 - persistence) + news + memory * variance
    return shocks[BURN_IN_SESSIONS:], variances[BURN_IN_SESSIONS:]


def _planned_actions(
    listings: tuple[Listing, ...], days: tuple[date, ...], plan: DeskPlan
) -> dict[int, list[tuple[int, float, float]]]:
    """By session: column, new shares per old, and dividend as a ratio of the previous close."""
    place = {listing.instrument_id: k for k, listing in enumerate(listings)}
    last, planned = len(days) - 1, []
    planned += [(int(last * at), i, ratio, 0.0) for i, (at, ratio) in _SPLITS_OF_THE_PAST.items() if i in place]
    for payers, every, ratio in ((_PAYERS_QUARTERLY, 63, 0.006), (_PAYERS_YEARLY, 243, 0.022)):
        for k, payer in enumerate(name for name in payers if name in place):
            # Only the first payer's calendar ends on the plan's day; the others went before it.
            first = last if payer == PAYING_DIVIDEND else last - 5 - 6 * k
            planned += [(t, payer, 1.0, ratio) for t in range(first, 0, -every)]
    if SPLITTING in place and days[-1] == plan.day:
        planned.append((last, SPLITTING, SPLIT_RATIO_OF_THE_DAY, 0.0))
    by_session: dict[int, list[tuple[int, float, float]]] = {}
    for t, instrument_id, split, dividend in planned:
        if t > 0:
            by_session.setdefault(t, []).append((place[instrument_id], split, dividend))
    return by_session


def _trade(
    random: np.random.Generator,
    listings: tuple[Listing, ...],
    days: tuple[date, ...],
    returns: NDArray[np.float64],
    volatility: NDArray[np.float64],
    planned: dict[int, list[tuple[int, float, float]]],
) -> Tape:
    """Turn returns into bars of whole cents that respect each board's price limit and each ex-date."""
    shape, n = returns.shape, len(listings)
    percent = np.array([listing.price_limit_percent or 0 for listing in listings])
    previous = np.rint(np.exp(random.uniform(np.log(15), np.log(180), n)) * 100).astype(np.int64)
    overnight = 0.25 * returns + 0.35 * volatility * random.standard_normal(shape)
    # Extremes of a Brownian bridge between open and close, whose law is known exactly.
    spread = -2 * (0.85 * volatility) ** 2 * np.log(random.uniform(1e-12, 1, (2, *shape)))
    through = returns - overnight
    rise = (through + np.sqrt(through**2 + spread[0])) / 2
    fall = (through - np.sqrt(through**2 + spread[1])) / 2
    bars = np.empty((4, *shape), dtype=np.int64)
    actions: list[Action] = []
    for t in range(shape[0]):
        reference = previous.copy()
        for k, split, dividend_ratio in planned.get(t, []):
            dividend = max(1, round(float(previous[k]) * dividend_ratio)) if dividend_ratio else 0
            reference[k] = max(1, int((previous[k] - dividend) / split + 0.5))
            actions.append(Action(listings[k].instrument_id, days[t], split, dividend))
        moves = np.stack([overnight[t], overnight[t] + rise[t], overnight[t] + fall[t], returns[t]])
        cents = np.maximum(np.rint(reference * np.exp(moves)), 1).astype(np.int64)
        lowest, highest = limit_cents(reference, -percent), limit_cents(reference, percent)
        bars[:, t] = np.where(percent > 0, np.clip(cents, lowest, highest), cents)
        previous = bars[3, t]
    bars[1], bars[2] = bars.max(axis=0), bars.min(axis=0)
    typical = np.exp(random.uniform(np.log(2e5), np.log(8e6), n))
    excitement = 0.5 * np.abs(returns) / volatility + 0.35 * random.standard_normal(shape)
    volume = np.maximum(np.rint(typical * np.exp(excitement) / 100), 1).astype(np.int64) * 100
    opened, high, low, close = bars
    return Tape(listings, days, opened, high, low, close, volume, np.ones(shape, dtype=bool), actions)


def _plant(tape: Tape, plan: DeskPlan) -> None:
    """Overwrite the plan's day where a name has a part to play; the day is the last, so nothing follows from it."""

    def bar(instrument_id: str, opened: float, high: float, low: float, close: float) -> None:
        k = tape.place(instrument_id)
        previous = int(tape.close_cents[-2, k])
        of_day = (tape.open_cents, tape.high_cents, tape.low_cents, tape.close_cents)
        for cents, ratio in zip(of_day, (opened, high, low, close), strict=True):
            cents[-1, k] = round(previous * ratio)
        tape.volume_shares[-1, k] *= 9

    if tape.listings[0].market == "US":
        fall = float(stream(plan, "crash").uniform(0.38, 0.43))
        bar(CRASHING, 0.93, 0.94, 1 - fall - 0.015, 1 - fall)
        return
    bar(LIMIT_DOWN, 0.955, 0.962, 0.90, 0.90)
    k = tape.place(LIMIT_DOWN)
    tape.low_cents[-1, k] = tape.close_cents[-1, k] = limit_cents(tape.close_cents[-2, k], -10)
    tape.is_traded[-min(HALT_SESSIONS, len(tape.days) // 2) :, tape.place(HALTED)] = False
