"""What looks odd in the movements of accounts: plain reference functions, one per rule of RULEBOOK 10.3.

They are written to be read, not to be quick: the models in the warehouse find the same alerts over the whole ledger,
and are held to these. A window of 24 hours is ``(t - 24 h, t]``: what happened exactly 24 hours ago is outside.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from fractions import Fraction
from itertools import pairwise

from domain.clients.rules import AlertLines, LargeValueLines
from domain.money import format_minor


class AlertRule(StrEnum):
    """Which pattern an alert is of."""

    structuring = auto()
    velocity = auto()
    burst = auto()
    dormant_reactivation = auto()
    third_party_funding = auto()
    shared_device = auto()


@dataclass(frozen=True, slots=True)
class Movement:
    """Money paid in or out, or traded with, at a moment; all of one currency where they are judged together.

    ``kind`` is ``deposit``, ``withdrawal`` or ``trade``. ``counterparty`` is who stands behind an outside payment (a
    blind index, never a name).
    """

    account_id: str
    at: datetime
    kind: str
    amount_minor: int
    counterparty: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """An account used from a device (or an address) at a moment."""

    account_id: str
    device_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One pattern found: whose, when it was complete, how much and how many movements make it, and a sentence."""

    rule: AlertRule
    subject: str
    at: datetime
    amount_minor: int
    count: int
    sentence: str


def structuring(movements: Iterable[Movement], currency: str, lines: AlertLines) -> tuple[Alert, ...]:
    """Deposits each too small to be reported that together pass the limit within a rolling window, per account.

    A currency without lines has no limit to stay below, and no alert.
    """
    line = lines.structuring.get(currency)
    if line is None:
        return ()
    alerts = []
    for account_id, own in _by_account(movements):
        small = [
            one for one in own if one.kind == "deposit" and line.floor_minor <= one.amount_minor < line.limit_minor
        ]
        for last in small:
            inside = _window(small, last.at, lines.structuring_hours)
            total = sum(one.amount_minor for one in inside)
            if len(inside) >= lines.structuring_count_min and total > line.limit_minor:
                sentence = (
                    f"{len(inside)} deposits below {format_minor(line.limit_minor, currency)} within "
                    f"{lines.structuring_hours} hours make {format_minor(total, currency)}."
                )
                alerts.append(Alert(AlertRule.structuring, account_id, last.at, total, len(inside), sentence))
    return _once(alerts)


def velocity(movements: Iterable[Movement], currency: str, lines: AlertLines) -> tuple[Alert, ...]:
    """Money that leaves as it came: withdrawn to most of what was paid in within the window, and hardly traded with."""
    alerts = []
    for account_id, own in _by_account(movements):
        for last in own:
            if last.kind != "withdrawal":
                continue
            inside = _window(own, last.at, lines.velocity_hours)
            paid_in, paid_out, traded = (_total(inside, kind) for kind in ("deposit", "withdrawal", "trade"))
            if not paid_in:
                continue
            is_out = Fraction(paid_out, paid_in) >= lines.velocity_out_ratio
            if is_out and Fraction(traded, paid_in) < lines.velocity_traded_ratio:
                sentence = (
                    f"Of {format_minor(paid_in, currency)} paid in within {lines.velocity_hours} hours "
                    f"{format_minor(paid_out, currency)} left again, and {format_minor(traded, currency)} was traded."
                )
                alerts.append(Alert(AlertRule.velocity, account_id, last.at, paid_out, len(inside), sentence))
    return _once(alerts)


def burst(movements: Iterable[Movement], currency: str, lines: AlertLines) -> tuple[Alert, ...]:
    """A day on which more is paid in and out than a multiple of the mean of the days with movements before it.

    Days are UTC days of the moments given. An account with too few days behind it has no habit to break.
    """
    alerts = []
    for account_id, own in _by_account(movements):
        paid = [one for one in own if one.kind in ("deposit", "withdrawal")]
        for day in sorted({one.at.date() for one in paid}):
            before = [one for one in paid if timedelta(0) < day - one.at.date() <= timedelta(days=lines.burst_days)]
            days = len({one.at.date() for one in before})
            if days < lines.burst_active_days_min:
                continue
            today = [one for one in paid if one.at.date() == day]
            total, habit = (sum(one.amount_minor for one in some) for some in (today, before))
            if total * days > lines.burst_multiple * habit:
                sentence = (
                    f"{format_minor(total, currency)} moved on {day}, more than {lines.burst_multiple} times the mean "
                    f"of the {days} days with movements in the {lines.burst_days} days before."
                )
                alerts.append(Alert(AlertRule.burst, account_id, today[-1].at, total, len(today), sentence))
    return tuple(alerts)


def dormant_reactivation(movements: Iterable[Movement], currency: str, lines: AlertLines) -> tuple[Alert, ...]:
    """The first movement after a silence."""
    alerts = []
    for account_id, own in _by_account(movements):
        for before, after in pairwise(own):
            silence = after.at - before.at
            if silence >= timedelta(days=lines.dormant_days):
                sentence = f"{format_minor(after.amount_minor, currency)} moved after {silence.days} days of silence."
                rule = AlertRule.dormant_reactivation
                alerts.append(Alert(rule, account_id, after.at, after.amount_minor, 1, sentence))
    return tuple(alerts)


def third_party_funding(
    movements: Iterable[Movement], currency: str, own_counterparties: dict[str, frozenset[str]]
) -> tuple[Alert, ...]:
    """Deposits that came from somebody other than the client, or from nobody known.

    ``own_counterparties`` are, per account, the blind indexes of the client's own bank accounts.
    """
    alerts = []
    for account_id, own in _by_account(movements):
        for one in own:
            known = own_counterparties.get(account_id, frozenset())
            if one.kind == "deposit" and (one.counterparty is None or one.counterparty not in known):
                whose = "nobody known" if one.counterparty is None else "somebody other than the client"
                sentence = f"{format_minor(one.amount_minor, currency)} was paid in by {whose}."
                rule = AlertRule.third_party_funding
                alerts.append(Alert(rule, account_id, one.at, one.amount_minor, 1, sentence))
    return tuple(alerts)


def shared_device(sign_ins: Iterable[SignIn], lines: AlertLines) -> tuple[Alert, ...]:
    """A device that one more account joins, so that too many use it within the window; the subject is the device."""
    alerts = []
    ordered = sorted(sign_ins, key=lambda one: (one.device_id, one.at, one.account_id))
    for place, last in enumerate(ordered):
        before = {
            one.account_id
            for one in ordered[:place]
            if one.device_id == last.device_id and last.at - one.at < timedelta(days=lines.device_days)
        }
        accounts = before | {last.account_id}
        if last.account_id not in before and len(accounts) >= lines.device_accounts_min:
            sentence = f"{len(accounts)} accounts used one device within {lines.device_days} days."
            alerts.append(Alert(AlertRule.shared_device, last.device_id, last.at, 0, len(accounts), sentence))
    return tuple(alerts)


def is_large_value(kind: str, amount_minor: int, currency: str, lines: LargeValueLines) -> bool:
    """Whether a movement of this kind reaches the amount from which it is reported; other currencies have no line."""
    line = lines.from_minor[kind].get(currency)
    return line is not None and amount_minor >= line


def _by_account(movements: Iterable[Movement]) -> list[tuple[str, list[Movement]]]:
    """Movements of each account in the order they happened."""
    own: dict[str, list[Movement]] = {}
    for one in movements:
        own.setdefault(one.account_id, []).append(one)
    return [(account_id, sorted(own[account_id], key=lambda one: one.at)) for account_id in sorted(own)]


def _window(movements: Sequence[Movement], end: datetime, hours: int) -> list[Movement]:
    return [one for one in movements if end - timedelta(hours=hours) < one.at <= end]


def _total(movements: Iterable[Movement], kind: str) -> int:
    return sum(one.amount_minor for one in movements if one.kind == kind)


def _once(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Movements of one moment complete a pattern together, and are one alert."""
    return tuple({(alert.subject, alert.at): alert for alert in alerts}.values())
