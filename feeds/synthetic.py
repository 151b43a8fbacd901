"""The invented market the desk shows itself with: nothing in it is real, and every row says ``source = synthetic``.

Shares, prices, clients, debts and statements are all made up from a seed; the same plan gives the same bytes. Beside
the files lies ``truth.json`` with everything planted in them, so that what the desk finds can be scored. No figure
measured on this data says anything about a real market or a real client.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from domain.errors import DeskNotReady, MarketFolderNotUsable
from feeds.calendars import closes_at, opens_at
from feeds.synthetic_clients import ClientBook, concentrated_accounts, plan_clients, plan_deposits
from feeds.synthetic_market import CRASHING, HALTED, LIMIT_DOWN, Tape, limit_cents, simulate
from feeds.synthetic_plan import (
    DEMO_DAY,
    SOURCE,
    DeskPlan,
    Planted,
    is_synthetic,
    put_down,
    put_down_truth,
    stream,
)
from feeds.synthetic_statements import write_statements

__all__ = ["DEMO_DAY", "ClientBook", "DeskPlan", "plan_clients", "plan_deposits", "write_exchange", "write_statements"]

_BATCHES_AFTER_OPEN: Final = {"CN": (0.5, 4.0, 5.0), "US": (0.5, 3.5, 6.0)}
"""Hours from the open at which a batch is cut: 02:00, 05:30, 06:30, 14:00, 17:00 and 19:30 UTC on the demo day."""

_CRASH_SHARE: Final = (0.35, 0.70, 0.95)
"""How much of the day's fall of the crashing name has happened at each US batch."""

_QUOTE_AGE_SECONDS_MAX: Final = 170
"""The oldest a punctual quote is when its batch is cut."""

_HEADERS: Final = {
    "instruments": "instrument_id,symbol,market,currency,asset_class,board,lot_size_shares,price_limit_ratio,source",
    "corporate_actions": "instrument_id,ex_date,kind,split_ratio,dividend,source",
    "rates": "as_of_date,currency,tenor_days,rate,source",
    "daily": "instrument_id,open,high,low,close,volume,currency,source",
    "intraday": "instrument_id,quoted_at,price,bid,ask,volume,currency,source",
}


@dataclass(frozen=True)
class _Quote:
    instrument_id: str
    quoted_at: datetime
    price_cents: int
    bid_cents: int
    ask_cents: int
    volume_shares: int
    currency: str
    planted: Planted = field(default_factory=dict)

    def line(self) -> str:
        prices = ",".join(_decimal(cents) for cents in (self.price_cents, self.bid_cents, self.ask_cents))
        when = _instant(self.quoted_at)
        return f"{self.instrument_id},{when},{prices},{self.volume_shares},{self.currency},{SOURCE}"


def write_exchange(landing: Path, plan: DeskPlan) -> None:
    """Write the reference data, the history, the day's price batches and the truth about them.

    An earlier invented market in ``landing`` is replaced. Raises :class:`MarketFolderNotUsable` where the folder holds
    a market that is not invented, and :class:`DeskNotReady` where no exchange is open on the plan's day.
    """
    _clear(landing)
    tapes = [simulate(market, plan) for market in ("CN", "US")]
    if all(tape.days[-1] != plan.day for tape in tapes):
        raise DeskNotReady(
            f"The plan's day must be a session of an exchange, but neither XSHG nor XNYS is open on {plan.day}. "
            f"Nothing was written; choose another day."
        )
    planted = [*_write_reference(landing, plan, tapes), *_write_daily(landing, plan, tapes)]
    for name, quotes in _batches(plan, tapes):
        put_down(landing / "intraday" / f"{name}.csv", _HEADERS["intraday"], *_numbered([q.line() for q in quotes]))
        for line, quote in enumerate(quotes, start=2):
            if quote.planted:
                planted.append({**quote.planted, "file": f"intraday/{name}.csv", "line": line})
    put_down_truth(landing, plan, planted)


def _clear(landing: Path) -> None:
    """Remove what an earlier plan invented here; refuse where something real would be mixed with it."""
    instruments = landing / "reference" / "instruments.csv"
    if instruments.exists() and not is_synthetic(instruments):
        raise MarketFolderNotUsable(
            f"An invented market needs an empty folder, or one that holds an invented market, but {instruments} does "
            f"not say {SOURCE!r}. Nothing was written; give another folder."
        )
    for folder in ("daily", "intraday", "custodian", "bank"):
        for file in sorted((landing / folder).glob("*.csv")):
            if is_synthetic(file):
                file.unlink()


def _write_reference(landing: Path, plan: DeskPlan, tapes: list[Tape]) -> list[Planted]:
    listings = sorted((one for tape in tapes for one in tape.listings), key=lambda one: one.instrument_id)
    rows = [
        f"{one.instrument_id},{one.symbol},{one.market},{one.currency},{one.asset_class},{one.board},{one.lot_size_shares},"
        f"{'' if one.price_limit_percent is None else f'0.{one.price_limit_percent}'},{SOURCE}"
        for one in listings
    ]
    put_down(landing / "reference" / "instruments.csv", _HEADERS["instruments"], rows)
    actions = sorted(
        (action for tape in tapes for action in tape.actions), key=lambda action: (action.ex_date, action.instrument_id)
    )
    rows = []
    planted: list[Planted] = []
    for line, action in enumerate(actions, start=2):
        is_split = action.dividend_cents == 0
        terms = f"split,{action.split_ratio:g}," if is_split else f"cash_dividend,,{_decimal(action.dividend_cents)}"
        rows.append(f"{action.instrument_id},{action.ex_date},{terms},{SOURCE}")
        if action.ex_date == plan.day:
            planted.append(
                {
                    "kind": "split" if is_split else "dividend",
                    "file": "reference/corporate_actions.csv",
                    "line": line,
                    "instrument_id": action.instrument_id,
                    **(
                        {"split_ratio": action.split_ratio}
                        if is_split
                        else {"dividend": _decimal(action.dividend_cents)}
                    ),
                    "expected_effect": "positions_multiply_and_fractions_are_paid" if is_split else "holders_are_paid",
                }
            )
    put_down(landing / "reference" / "corporate_actions.csv", _HEADERS["corporate_actions"], rows)
    put_down(landing / "reference" / "rates.csv", _HEADERS["rates"], _rates(plan, tapes))
    return planted


def _rates(plan: DeskPlan, tapes: list[Tape]) -> Iterator[str]:
    """One overnight rate a week and currency, ending on the plan's day; levels are as invented as the rest."""
    random = stream(plan, "rates")
    first = min(tape.days[0] for tape in tapes)
    days = [plan.day - timedelta(weeks=week) for week in range((plan.day - first).days // 7, -1, -1)]
    basis_points = {
        currency: level + np.cumsum(random.integers(-2, 3, len(days)))
        for currency, level in (("CNY", 170), ("USD", 410))
    }
    for k, day in enumerate(days):
        for currency, path in basis_points.items():
            yield f"{day},{currency},1,0.{max(int(path[k]), 1):04d},{SOURCE}"


def _write_daily(landing: Path, plan: DeskPlan, tapes: list[Tape]) -> list[Planted]:
    rows: dict[date, list[str]] = {}
    planted = []
    for tape in tapes:
        heads = [f"{one.instrument_id}," for one in tape.listings]
        tails = [f",{one.currency},{SOURCE}" for one in tape.listings]
        cents = np.stack([tape.open_cents, tape.high_cents, tape.low_cents, tape.close_cents], axis=2).tolist()
        volumes, traded = tape.volume_shares.tolist(), tape.is_traded.tolist()
        for t, day in enumerate(tape.days):
            lines = rows.setdefault(day, [])
            for head, tail, (o, h, low, c), volume, is_traded in zip(
                heads, tails, cents[t], volumes[t], traded[t], strict=True
            ):
                if is_traded:
                    lines.append(f"{head}{_decimal(o)},{_decimal(h)},{_decimal(low)},{_decimal(c)},{volume}{tail}")
    for day, lines in sorted(rows.items()):
        put_down(landing / "daily" / f"{day}.csv", _HEADERS["daily"], *_numbered(lines))
    for tape in tapes:
        if tape.days[-1] == plan.day:
            planted += _planted_bars(plan, tape, rows[plan.day])
    return planted


def _planted_bars(plan: DeskPlan, tape: Tape, lines: list[str]) -> list[Planted]:
    """The crash, or the halt and the limit-down, as they stand in the day's file of ``lines``."""

    def where(instrument_id: str) -> Planted:
        line = next((n for n, row in enumerate(lines, start=2) if row.startswith(f"{instrument_id},")), None)
        k = tape.place(instrument_id)
        last = np.flatnonzero(tape.is_traded[:, k])[-1]
        return {
            "file": f"daily/{plan.day}.csv",
            "line": line,
            "instrument_id": instrument_id,
            "last_bar_on": tape.days[last].isoformat(),
            "price_close": _decimal(int(tape.close_cents[last, k])),
            "price_close_before": _decimal(int(tape.close_cents[last - (line is not None), k])),
        }

    if tape.listings[0].market == "US":
        accounts = concentrated_accounts(plan, ("CN", "US"))
        crash = {"kind": "crashing_concentrated_name", **where(CRASHING), "accounts": accounts}
        return [{**crash, "expected_effect": "margin_call"}]
    return [
        {"kind": "halt", **where(HALTED), "expected_effect": "keeps_previous_close"},
        {"kind": "limit_down", **where(LIMIT_DOWN), "expected_effect": "close_is_the_lower_limit"},
    ]


def _batches(plan: DeskPlan, tapes: list[Tape]) -> Iterator[tuple[str, list[_Quote]]]:
    """Each price batch of the day by name, with its quotes in the order they arrived."""
    for tape in tapes:
        market = tape.listings[0].market
        if tape.days[-1] != plan.day:
            continue
        opened, closed = opens_at(market, plan.day), closes_at(market, plan.day)
        instants = [opened + timedelta(hours=hours) for hours in _BATCHES_AFTER_OPEN[market]]
        instants = [instant.astimezone(UTC) for instant in instants if instant <= closed]
        shares = np.array([(instant - opened) / (closed - opened) for instant in instants])
        random = stream(plan, f"quotes {market}")
        batches = _quotes(random, tape, instants, shares)
        (_spoil_chinese if market == "CN" else _spoil_american)(batches)
        for instant, quotes in zip(instants, batches, strict=True):
            yield f"{instant:%Y%m%dT%H%M%SZ}", quotes


def _quotes(
    random: np.random.Generator, tape: Tape, instants: list[datetime], shares: np.ndarray
) -> list[list[_Quote]]:
    """Sound quotes of each batch; ``shares`` is how much of the session has passed at each."""
    opened, high, low, close = (
        cents[-1] for cents in (tape.open_cents, tape.high_cents, tape.low_cents, tape.close_cents)
    )
    n = len(tape.listings)
    wander = random.standard_normal((len(shares), n)) * 0.3 * np.sqrt(shares * (1 - shares))[:, None]
    path = opened + (close - opened) * shares[:, None] + wander * (high - low)
    if any(one.instrument_id == CRASHING for one in tape.listings):
        k = tape.place(CRASHING)
        path[:, k] = opened[k] + (close[k] - opened[k]) * np.array(_CRASH_SHARE[: len(shares)])
    path = np.clip(np.rint(path), low, high).astype(np.int64)
    half_spread = np.maximum(np.rint(path * random.uniform(1e-4, 8e-4, path.shape)), 1).astype(np.int64)
    bid, ask = np.maximum(path - half_spread, 1), path + half_spread
    for k, one in enumerate(tape.listings):
        if one.price_limit_percent:
            # A bid or an offer beyond the day's limit is not accepted by the exchange. No Chinese ex-date is the day's.
            previous = tape.close_cents[-2, k]
            bid[:, k] = np.maximum(bid[:, k], limit_cents(previous, -one.price_limit_percent))
            ask[:, k] = np.minimum(ask[:, k], limit_cents(previous, one.price_limit_percent))
    age = random.integers(1, _QUOTE_AGE_SECONDS_MAX + 1, path.shape)
    batches = []
    for b, instant in enumerate(instants):
        quotes = [
            _Quote(
                one.instrument_id,
                instant - timedelta(seconds=int(age[b, k])),
                int(path[b, k]),
                int(bid[b, k]),
                int(ask[b, k]),
                max(100, int(tape.volume_shares[-1, k] * shares[b]) // 100 * 100),
                one.currency,
            )
            for k, one in enumerate(tape.listings)
            if tape.is_traded[-1, k]
        ]
        batches.append(sorted(quotes, key=lambda quote: (quote.quoted_at, quote.instrument_id)))
    return batches


def _spoil_american(batches: list[list[_Quote]]) -> None:
    """Plant an instrument nobody lists, a quote sent twice, and a far-off one that arrives too late."""
    strangers = replace(batches[0][0], instrument_id="US.NOWHERE")
    batches[0].insert(5, _planted(strangers, "unknown_instrument", reason="instrument_must_be_known"))
    if len(batches) < 2:
        return
    twice = batches[1][7]
    batches[1].append(_planted(twice, "duplicate_quote", reason="quote_must_be_unique"))
    if len(batches) < 3:
        return
    late = next(quote for quote in batches[1] if quote.instrument_id == "US.CAPSTAN")
    far_off = round(late.price_cents * 0.55)
    overtaken = replace(
        late,
        quoted_at=late.quoted_at - timedelta(minutes=100),
        price_cents=far_off,
        bid_cents=far_off - 2,
        ask_cents=far_off + 2,
    )
    # The late tick is all the last batch says of the instrument: taken for news, it would stand.
    batches[2][:] = [quote for quote in batches[2] if quote.instrument_id != late.instrument_id]
    in_force = {"in_force_price": _decimal(late.price_cents), "in_force_quoted_at": _instant(late.quoted_at)}
    batches[2].append(_planted(overtaken, "late_tick", effect="never_overrides", **in_force))


def _spoil_chinese(batches: list[list[_Quote]]) -> None:
    """Plant a quote whose bid lies above its ask, and one with a price of zero, in place of sound ones."""
    for batch, instrument_id in ((1, "CN.X60005"), (2, "CN.X68802")):
        if batch >= len(batches):
            return
        k = next(k for k, quote in enumerate(batches[batch]) if quote.instrument_id == instrument_id)
        sound = batches[batch][k]
        if batch == 1:
            crossed = replace(sound, bid_cents=sound.ask_cents, ask_cents=sound.bid_cents)
            batches[batch][k] = _planted(crossed, "crossed_quote", reason="bid_must_not_exceed_ask")
        else:
            worthless = replace(sound, price_cents=0)
            batches[batch][k] = _planted(worthless, "non_positive_price", reason="price_must_be_positive")


def _planted(quote: _Quote, kind: str, reason: str = "", effect: str = "kept_out", **more: str) -> _Quote:
    expected = {"expected_reason": reason} if reason else {}
    told = {"kind": kind, "instrument_id": quote.instrument_id, **expected, "expected_effect": effect, **more}
    return replace(quote, planted=told)


def _decimal(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _numbered(rows: list[str]) -> tuple[list[str], list[str]]:
    """Rows, and the trailer that says how many they are."""
    return rows, [f"#rows,{len(rows)}"]
