"""Each pattern is found where it is complete, and not a moment or a cent before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.monitoring import (
    Alert,
    AlertRule,
    Movement,
    SignIn,
    burst,
    dormant_reactivation,
    is_large_value,
    shared_device,
    structuring,
    third_party_funding,
    velocity,
)
from domain.clients.rules import AlertLines, LargeValueLines

NOON = datetime(2026, 6, 17, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def deposit(at: datetime, amount_minor: int, account_id: str = "A1", counterparty: str | None = None) -> Movement:
    return Movement(account_id, at, "deposit", amount_minor, counterparty)


def withdrawal(at: datetime, amount_minor: int) -> Movement:
    return Movement("A1", at, "withdrawal", amount_minor)


def moments(alerts: tuple[Alert, ...]) -> list[datetime]:
    return [alert.at for alert in alerts]


@pytest.mark.parametrize("golden", ["AML-005"], indirect=True)
def test_small_deposits_that_together_pass_the_limit_are_found(golden: Any, alert_lines: AlertLines) -> None:
    movements = [
        deposit(datetime.fromisoformat(one["t"]).replace(tzinfo=UTC), one["amt"] * 100) for one in golden.given["txns"]
    ]
    (alert,) = structuring(movements, "USD", alert_lines)
    assert [f"{alert.at:%Y-%m-%dT%H:%M}"] == golden.expected["alert_times"]
    assert alert.amount_minor == golden.expected["sum"] * 100
    assert alert.sentence == "3 deposits below 10,000.00 USD within 24 hours make 14,400.00 USD."


@pytest.mark.parametrize(
    ("first", "second", "apart", "is_found"),
    [
        pytest.param(500_000, 500_001, HOUR, True, id="a cent above the limit together"),
        pytest.param(500_000, 500_000, HOUR, False, id="exactly the limit together"),
        pytest.param(999_999, 300_000, HOUR, True, id="the largest and the smallest that count"),
        pytest.param(999_999, 299_999, HOUR, False, id="a cent below the floor"),
        pytest.param(1_000_000, 900_000, HOUR, False, id="one that is reported by itself"),
        pytest.param(900_000, 900_000, DAY, False, id="exactly a day apart"),
        pytest.param(900_000, 900_000, DAY - timedelta(microseconds=1), True, id="a moment less than a day apart"),
        pytest.param(900_000, 900_000, timedelta(0), True, id="in one moment"),
    ],
)
def test_the_edges_of_structuring(
    first: int, second: int, apart: timedelta, is_found: bool, alert_lines: AlertLines
) -> None:
    found = structuring([deposit(NOON, first), deposit(NOON + apart, second)], "USD", alert_lines)
    assert moments(found) == ([NOON + apart] if is_found else [])


def test_deposits_of_two_accounts_or_without_a_limit_are_not_put_together(alert_lines: AlertLines) -> None:
    movements = [deposit(NOON, 900_000), deposit(NOON, 900_000, "A2")]
    assert structuring(movements, "USD", alert_lines) == ()
    assert structuring([deposit(NOON, 900_000)] * 2, "KWD", alert_lines) == ()
    assert len(structuring([deposit(NOON, 4_900_000), deposit(NOON, 200_000)], "CNY", alert_lines)) == 0
    assert len(structuring([deposit(NOON, 4_900_000), deposit(NOON, 1_500_000)], "CNY", alert_lines)) == 1


MOVEMENTS = st.lists(
    st.builds(
        Movement,
        st.sampled_from(["A1", "A2"]),
        st.integers(0, 200).map(lambda hours: NOON + hours * HOUR / 2),
        st.sampled_from(["deposit", "withdrawal", "trade"]),
        st.integers(1, 1_200_000),
    ),
    max_size=15,
)


@given(MOVEMENTS, st.randoms())
def test_the_order_in_which_movements_are_told_does_not_matter(
    alert_lines: AlertLines, movements: list[Movement], order: Any
) -> None:
    told = sorted(movements, key=lambda _: order.random())
    for rule in (structuring, velocity, burst):
        assert {(a.subject, a.at, a.amount_minor) for a in rule(movements, "USD", alert_lines)} == {
            (a.subject, a.at, a.amount_minor) for a in rule(told, "USD", alert_lines)
        }


@pytest.mark.parametrize(
    ("paid_out", "traded", "apart", "is_found"),
    [
        pytest.param(90_000, 9_999, HOUR, True, id="nine tenths out, under a tenth traded"),
        pytest.param(89_999, 0, HOUR, False, id="a cent less out"),
        pytest.param(90_000, 10_000, HOUR, False, id="a tenth traded"),
        pytest.param(100_000, 0, DAY, False, id="a day later"),
    ],
)
def test_money_that_leaves_as_it_came_is_found(
    paid_out: int, traded: int, apart: timedelta, is_found: bool, alert_lines: AlertLines
) -> None:
    movements = [deposit(NOON, 100_000), withdrawal(NOON + apart, paid_out)]
    movements += [Movement("A1", NOON + apart / 2, "trade", traded)] if traded else []
    assert moments(velocity(movements, "USD", alert_lines)) == ([NOON + apart] if is_found else [])
    assert velocity(movements[1:], "USD", alert_lines) == ()


def test_a_day_far_above_the_habit_is_found_once_there_is_a_habit(alert_lines: AlertLines) -> None:
    habit = [deposit(NOON - at * DAY, 10_000) for at in range(1, 6)]
    assert burst([*habit, deposit(NOON, 30_000)], "USD", alert_lines) == ()
    assert moments(burst([*habit, deposit(NOON, 20_000), withdrawal(NOON + HOUR, 10_001)], "USD", alert_lines)) == [
        NOON + HOUR
    ]
    assert burst([*habit[1:], deposit(NOON, 99_999)], "USD", alert_lines) == ()
    long_ago = [deposit(NOON - (90 + at) * DAY, 10_000) for at in range(1, 6)]
    assert burst([*long_ago, deposit(NOON, 99_999)], "USD", alert_lines) == ()


def test_the_first_movement_after_a_silence_is_found(alert_lines: AlertLines) -> None:
    assert dormant_reactivation([deposit(NOON, 1)], "USD", alert_lines) == ()
    waited = NOON + 180 * DAY
    assert dormant_reactivation([deposit(NOON, 1), deposit(waited - HOUR, 1)], "USD", alert_lines) == ()
    (alert,) = dormant_reactivation([deposit(waited, 500), deposit(NOON, 1)], "USD", alert_lines)
    assert (alert.at, alert.amount_minor) == (waited, 500)
    assert alert.sentence == "5.00 USD moved after 180 days of silence."


def test_money_from_somebody_else_is_found_and_so_is_money_from_nobody_known() -> None:
    movements = [deposit(NOON, 1, counterparty=who) for who in ("own", "other", None)]
    found = third_party_funding(movements, "USD", {"A1": frozenset({"own"})})
    assert [alert.sentence for alert in found] == [
        "0.01 USD was paid in by somebody other than the client.",
        "0.01 USD was paid in by nobody known.",
    ]
    assert len(third_party_funding(movements, "USD", {})) == 3


def test_a_device_is_shared_once_the_third_account_joins(alert_lines: AlertLines) -> None:
    used = [SignIn(f"A{at}", "D1", NOON + at * DAY) for at in (1, 2, 3)]
    (alert,) = shared_device(reversed(used), alert_lines)
    assert (alert.rule, alert.subject, alert.at, alert.count) == (AlertRule.shared_device, "D1", NOON + 3 * DAY, 3)
    assert shared_device([*used[:2], SignIn("A2", "D1", NOON + 3 * DAY)], alert_lines) == ()
    assert shared_device([*used[:2], SignIn("A3", "D2", NOON)], alert_lines) == ()
    assert shared_device([*used[:2], SignIn("A3", "D1", NOON + 31 * DAY)], alert_lines) == ()
    again = shared_device([*used, SignIn("A3", "D1", NOON + 4 * DAY), SignIn("A4", "D1", NOON + 5 * DAY)], alert_lines)
    assert [alert.count for alert in again] == [3, 4]


@pytest.mark.parametrize(
    ("kind", "amount_minor", "currency", "is_large"),
    [
        ("us_cash", 1_000_000, "USD", False),
        ("us_cash", 1_000_001, "USD", True),
        ("cn_cash", 5_000_000, "CNY", True),
        ("cn_cash", 4_999_999, "CNY", False),
        ("cn_natural_person_cross_border", 1_000_000, "USD", True),
        ("cn_legal_person_transfer", 200_000_000, "CNY", True),
        ("cn_cash", 10**9, "JPY", False),
    ],
)
def test_a_movement_is_reported_from_its_line_on(
    kind: str, amount_minor: int, currency: str, is_large: bool, large_value_lines: LargeValueLines
) -> None:
    assert is_large_value(kind, amount_minor, currency, large_value_lines) == is_large
