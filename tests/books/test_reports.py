"""Reports are sums of what moved: of any day, as known on any later day, and never changed by what comes after."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from books.posting import post
from books.reports import journal_of, statement, trial_balance
from domain.errors import ReportNotPossible
from domain.ledger import Transfer, sums_of

DAY = date(2026, 6, 16)
NEXT = DAY + timedelta(days=1)


def deposit(name: str, amount: int, effective_on: date = DAY, account: str = "A1") -> Transfer:
    return Transfer(name, "client_deposit", "1010.USD", f"2010.{account}", amount, "USD", effective_on)


def withdrawal(name: str, amount: int, effective_on: date = DAY) -> Transfer:
    return Transfer(name, "client_withdrawal", "2010.A1", "1010.USD", amount, "USD", effective_on)


def balances_of(books: sa.Engine, day: date, known_on: date, **more: bool) -> dict[tuple[str, str], int]:
    lines = trial_balance(books, day, known_on, **more).lines
    return {(line.account, line.currency): line.debit_minor - line.credit_minor for line in lines}


def test_a_trial_balance_names_each_class_in_both_languages(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [deposit("d1", 500), deposit("d2", 700, account="A2")], **when)
    found = trial_balance(desk, DAY, DAY)
    assert [(one.account, one.chinese, one.debit_minor, one.credit_minor) for one in found.lines] == [
        ("1010", "客户资金存款", 1_200, 0),
        ("2010", "代理买卖证券款", 0, 1_200),
    ]
    assert found.lines[1].title == "client money payable"
    assert found.totals() == {"USD": (1_200, 1_200)}
    by_account = balances_of(desk, DAY, DAY, by_account=True)
    assert by_account == {("1010.USD", "USD"): 1_200, ("2010.A1", "USD"): -500, ("2010.A2", "USD"): -700}


def test_a_backdated_posting_changes_the_day_only_for_those_who_know_of_it(
    desk: sa.Engine, when: dict[str, Any]
) -> None:
    post(desk, [deposit("d1", 500)], **when)
    assert not trial_balance(desk, DAY, DAY).is_final
    tomorrow = when | {"booked_on": NEXT, "known_at": when["known_at"] + timedelta(days=1)}
    post(desk, [deposit("d2", 70, effective_on=DAY - timedelta(days=3))], **tomorrow)
    assert balances_of(desk, DAY, DAY)["2010", "USD"] == -500
    assert balances_of(desk, DAY, NEXT)["2010", "USD"] == -570
    assert balances_of(desk, DAY - timedelta(days=1), DAY) == {}
    assert balances_of(desk, DAY - timedelta(days=1), NEXT)["2010", "USD"] == -70
    assert trial_balance(desk, DAY, DAY).is_final


def test_what_is_in_flight_is_in_no_report(desk: sa.Engine, when: dict[str, Any]) -> None:
    sale = Transfer("s", "sale", "1310.USD", "2010.A1", 100, "USD", DAY, phase="pending")
    post(desk, [sale], **when)
    assert balances_of(desk, DAY, DAY) == {}
    settled = Transfer("p", "sale_settled", "1310.USD", "2010.A1", 80, "USD", DAY, phase="post", pending_id="s")
    proceeds = Transfer("q", "sale_settled", "1010.USD", "1310.USD", 80, "USD", DAY)
    post(desk, [settled, proceeds], **when)
    assert balances_of(desk, DAY, DAY) == {("1010", "USD"): 80, ("2010", "USD"): -80}


def test_a_statement_runs_from_what_was_brought_forward_to_what_is_carried_forward(
    desk: sa.Engine, when: dict[str, Any]
) -> None:
    days = [DAY - timedelta(days=number) for number in (9, 3, 2)]
    post(desk, [deposit("d1", 500, days[0]), withdrawal("w1", 200, days[2]), deposit("d2", 40, days[1])], **when)
    [money] = statement(desk, "A1", days[1], DAY, DAY)
    assert (money.ledger_account_id, money.unit, money.is_money) == ("2010.A1", "USD", True)
    assert money.brought_forward == -500
    told = [(line.transfer_id, line.moved, line.balance) for line in money.lines]
    assert told == [("d2", -40, -540), ("w1", 200, -340)]
    assert money.carried_forward == -340


def test_a_statement_shows_shares_beside_money(desk: sa.Engine, hold: Any) -> None:
    hold(desk, ("h1", "A1", "US.ONE", 30, DAY), ("h2", "A1", "US.ONE", -20, DAY), ("h3", "A1", "US.TWO", 5, DAY))
    found = {(one.ledger_account_id, one.unit): one.carried_forward for one in statement(desk, "A1", DAY, DAY, DAY)}
    assert found == {("9020.A1", "US.ONE"): -30, ("9020.A1", "US.TWO"): -5, ("9110.A1", "US.ONE"): 20}


def test_what_did_not_move_is_still_carried_on_a_statement(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [deposit("d1", 500, DAY - timedelta(days=9))], **when)
    [money] = statement(desk, "A1", DAY, DAY, DAY)
    assert (money.brought_forward, money.carried_forward, money.lines) == (-500, -500, [])


def test_an_account_of_the_desk_has_a_statement_too(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [deposit("d1", 500)], **when)
    [bank] = statement(desk, "1010.USD", DAY, DAY, DAY)
    assert (bank.chinese, bank.carried_forward) == ("客户资金存款", 500)


def test_a_client_is_not_told_what_the_desk_expects_to_lose(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [Transfer("e", "ecl_charged", "5020.USD", "1230.A1", 9, "USD", DAY)], **when)
    assert statement(desk, "A1", DAY, DAY, DAY) == []
    assert [one.carried_forward for one in statement(desk, "1230.A1", DAY, DAY, DAY)] == [-9]


def test_the_journal_of_a_day_holds_what_was_booked_on_it(desk: sa.Engine, when: dict[str, Any], hold: Any) -> None:
    post(desk, [deposit("d1", 500, DAY - timedelta(days=9))], **when)
    hold(desk, ("h1", "A1", "US.ONE", 30, DAY))
    told = [(line.transfer_id, line.amount, line.unit, line.is_money, line.phase) for line in journal_of(desk, DAY)]
    assert told == [("d1", 500, "USD", True, None), ("h1", 30, "US.ONE", False, None)]
    assert journal_of(desk, NEXT) == []


@pytest.mark.parametrize(
    ("day", "known_on", "words"),
    [
        (NEXT, DAY, rf"What {NEXT} ended with .* as known on {DAY}\. Ask for it as known on {NEXT}"),
        (date(2020, 1, 1), date(2020, 1, 1), rf"The books begin on {DAY}.*Ask for a later day"),
    ],
)
def test_what_could_not_be_known_is_refused(desk: sa.Engine, day: date, known_on: date, words: str) -> None:
    with pytest.raises(ReportNotPossible, match=words):
        trial_balance(desk, day, known_on)
    with pytest.raises(ReportNotPossible, match=words):
        statement(desk, "A1", day, day, known_on)


def test_empty_books_have_no_reports(books: sa.Engine) -> None:
    with pytest.raises(ReportNotPossible, match="The books are empty"):
        trial_balance(books, DAY, DAY)


@pytest.mark.parametrize("account_id", ["A9", "1010.CHF", "9999.USD", "2010.A9", "", "A1'; DROP TABLE event; --"])
def test_an_account_nobody_knows_is_named(desk: sa.Engine, account_id: str) -> None:
    with pytest.raises(ReportNotPossible, match=r"the books know no .*Correct the id"):
        statement(desk, account_id, DAY, DAY, DAY)


def test_days_that_run_backwards_are_refused(desk: sa.Engine) -> None:
    with pytest.raises(ReportNotPossible, match="Exchange the two days"):
        statement(desk, "A1", NEXT, DAY, NEXT)


def slow_trial_balance(
    posted: Sequence[tuple[date, Transfer]], day: date, known_on: date
) -> dict[tuple[str, str], int]:
    """The twin: every transfer looked at, one by one."""
    counted = [one for booked_on, one in posted if booked_on <= known_on and one.effective_on <= day]
    found = {key: sums.balance for key, sums in sums_of(counted).items()}
    return {key: balance for key, balance in found.items() if balance}


@pytest.fixture
def posted() -> list[tuple[date, Transfer]]:
    """What the examples before this one have posted, each with the day it was booked on."""
    return []


Story = list[tuple[int, int, int]]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    story=st.lists(st.tuples(st.integers(0, 3), st.integers(-4, 1), st.integers(1, 10**12)), min_size=1, max_size=12)
)
def test_a_trial_balance_as_known_never_changes_and_equals_its_slow_twin(
    desk: sa.Engine, when: dict[str, Any], posted: list[tuple[date, Transfer]], story: Story
) -> None:
    """Each example goes on in the same books, on later days than the one before it."""
    today = max((booked_on for booked_on, _ in posted), default=DAY)
    seen: dict[tuple[date, date], dict[tuple[str, str], int]] = {}
    for forward, shift, amount in story:
        later = today + timedelta(days=forward)
        if later > today:
            for back in range(3):
                day = today - timedelta(days=back)
                seen[day, today] = balances_of(desk, day, today, by_account=True)
        today = later
        transfer = deposit(f"t{len(posted)}", amount, today + timedelta(days=shift))
        known_at = when["known_at"] + (today - DAY)
        post(desk, [transfer], booked_on=today, known_at=known_at)
        posted.append((today, transfer))
    seen[today, today] = slow_trial_balance(posted, today, today)
    for (day, known_on), told in seen.items():
        assert balances_of(desk, day, known_on, by_account=True) == told
        assert slow_trial_balance(posted, day, known_on) == told
