"""Two closes on a generated history: the ledger in SQL is the ledger in plain loops, and no pattern is missed."""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd
import pytest

from assets.clients import monitoring_thresholds
from assets.lake import Lake
from domain.clients.monitoring import (
    Alert,
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
from domain.rulebook import alert_lines, large_value_lines
from rulebooks import load_rulebook

TUESDAY, WEDNESDAY = date(2026, 6, 16), date(2026, 6, 17)
BEGINNING = date(2025, 11, 3)
CLOSED_AT = time(21, 30, tzinfo=UTC)
"""What is booked later in a day is first seen by the close of the next one."""

CURRENCY_OF = {"A1": "USD", "A2": "USD", "A3": "USD", "A4": "USD", "A5": "CNY", "A6": "CNY"}
CLIENT_OF = {"A1": "C1", "A2": "C1", "A3": "C3", "A4": "C4", "A5": "C5", "A6": "C5"}
MARKET_OF = {account: "US" if currency == "USD" else "CN" for account, currency in CURRENCY_OF.items()}
CODES = {"1010": "asset", "1110": "asset", "1210": "asset", "1220": "asset", "2010": "liability", "2310": "liability",
         "3010": "equity", "4010": "income"}  # fmt: skip
PER_CLIENT = ("1210", "1220", "2010")

pytestmark = pytest.mark.xdist_group("dbt")

Transfer = dict[str, Any]


def booked(at: datetime) -> date:
    """The business day whose close first sees what was booked at a moment."""
    return at.date() if at.timetz() < CLOSED_AT else at.date() + timedelta(days=1)


def transfer(
    number: int, template: str, debit: str, credit: str, amount: int, at: datetime, **more: Any
) -> Transfer:  # fmt: skip
    account = (debit if debit.partition(".")[2] in CURRENCY_OF else credit).partition(".")[2]
    return {
        "sequence": number, "transfer_id": f"T{number}", "template": template, "debit_account_id": debit,
        "credit_account_id": credit, "amount_minor": amount, "currency": CURRENCY_OF.get(account, account),
        "effective_on": at.date(), "booked_on": at.date(), "known_at": at, "as_of_date": booked(at),
    } | more  # fmt: skip


def generated_history() -> list[Transfer]:
    """Clients pay in, trade and take out in bursts and after silences; interest is booked for the day before."""
    pick = random.Random(11)
    days = sorted(pick.sample(range(0, (TUESDAY - BEGINNING).days), 40))
    moments = [BEGINNING + timedelta(days=day) for day in days] + [TUESDAY] * 2 + [WEDNESDAY] * 2
    history: list[Transfer] = []
    for account, currency in CURRENCY_OF.items():
        # A6 sleeps all winter.
        asleep = account == "A6"
        for day in (moments[0], *moments[-3:]) if asleep else moments:
            at = datetime.combine(day, time(pick.randrange(0, 20), pick.randrange(60), tzinfo=UTC))
            for _ in range(pick.randrange(1, 5)):
                hours = pick.choice([0, 0, 1, 2, 3])
                at = min(at + timedelta(hours=hours), datetime.combine(day, time(23, 59), UTC))
                if day == WEDNESDAY:
                    at = min(at, datetime.combine(day, time(20), UTC))
                history += _movement(pick, len(history) + 1, account, currency, at)
    return history


def _movement(pick: random.Random, number: int, account: str, currency: str, at: datetime) -> list[Transfer]:
    scale = 5 if currency == "CNY" else 1
    amount = scale * pick.choice([299_999, 300_000, 400_000, 500_001, 990_000, 999_999, 1_000_000, 1_000_001])
    money, bank, clearing = f"2010.{account}", f"1010.{currency}", f"2310.{currency}"
    outside = {"channel": pick.choice(["cash", "wire"]), "counterparty": pick.choice([None, f"own {account}", "other"])}
    kind = pick.choice(["deposit"] * 4 + ["inside", "withdrawal", "withdrawal", "trade", "pending", "interest"])
    if kind == "deposit":
        return [transfer(number, "client_deposit", bank, money, amount, at, **outside)]
    if kind == "inside":
        return [transfer(number, "client_deposit", bank, money, amount, at)]
    if kind == "withdrawal":
        return [transfer(number, "client_withdrawal", money, bank, amount, at, channel="cash")]
    if kind == "interest":
        late = {"effective_on": at.date() - timedelta(days=pick.choice([0, 1, 1, 30]))}
        return [transfer(number, "interest_accrued", f"1220.{account}", f"4010.{currency}", amount, at, **late)]
    pending = transfer(number, "purchase", money, clearing, amount, at, phase="pending")
    if kind == "pending":
        return [pending, transfer(number + 1, "purchase", money, clearing, amount, at, phase="void")]
    settled = {"phase": "post", "pending_id": pending["transfer_id"]}
    return [pending, transfer(number + 1, "purchase_settled", money, clearing, amount // 40, at, **settled)]


def generated_accesses() -> list[dict[str, Any]]:
    pick = random.Random(5)
    accesses = []
    for number in range(60):
        day = TUESDAY + timedelta(days=pick.choice([1, 0, -1, -2, -9, -29, -30, -31, -60]))
        at = datetime.combine(day, time(pick.randrange(0, 20), tzinfo=UTC))
        told = {"access_id": f"X{number}", "account_id": pick.choice(list(CURRENCY_OF)), "accessed_at": at}
        accesses.append({**told, "device_hash": f"D{pick.randrange(7)}", "as_of_date": day})
    return accesses


@dataclass(frozen=True)
class Closed:
    """A lake whose Tuesday and Wednesday were closed, and the trial balances as Tuesday's close left them."""

    lake: Lake
    history: list[Transfer]
    accesses: list[dict[str, Any]]
    after_tuesday: pd.DataFrame

    @property
    def moved(self) -> list[Transfer]:
        return [one for one in self.history if one.get("phase") in (None, "post")]


@pytest.fixture(scope="module")
def closed(
    tmp_path_factory: pytest.TempPathFactory, write_rows: Callable[..., None], run_dbt_on: Callable[..., None]
) -> Closed:
    """Close Tuesday on top of half a year nobody closed, then Wednesday on top of Tuesday."""
    folder = tmp_path_factory.mktemp("closed")
    lake = Lake(folder / "lake", folder / "warehouse.duckdb")
    lake.prepare()
    history, accesses = generated_history(), generated_accesses()
    for day in sorted({one["as_of_date"] for one in (*history, *accesses)}):
        for table, rows in (("raw_books__transfers", history), ("raw_clients__accesses", accesses)):
            of_the_day = [one for one in rows if one["as_of_date"] == day]
            if of_the_day:
                write_rows(lake, table, day, of_the_day)
        write_rows(lake, "raw_books__accounts", day, _accounts())
        write_rows(lake, "raw_books__ledger_accounts", day, _ledger_accounts())
        own = [{"account_id": account, "counterparty": f"own {account}"} for account in CURRENCY_OF]
        write_rows(lake, "raw_clients__counterparties", day, own)
    edition = load_rulebook("house.aml").governing(on=TUESDAY)
    lines = monitoring_thresholds(alert_lines(edition), large_value_lines(edition)).to_dict("records")
    models = "+fct_clients__alerts", "+fct_ledger__trial_balance_daily", "+fct_ledger__roll_forward_daily"
    views = "fct_ledger__trial_balance_as_known", "+fct_ledger__control_accounts"
    kept = pd.DataFrame()
    for day in (TUESDAY, WEDNESDAY):
        write_rows(lake, "calc_clients__monitoring_thresholds", day, lines)
        moved = [one for one in history if one["as_of_date"] <= day and one.get("phase") in (None, "post")]
        sums = sorted(balances_of(moved).items())
        balances = [{"ledger_account_id": a, "currency": c, "balance_minor": b} for (a, c), b in sums]
        write_rows(lake, "raw_books__balances", day, balances)
        run_dbt_on(lake, "run", day, "--select", *models, *views)
        if day == TUESDAY:
            kept = lake.query("select * from fct_ledger__trial_balance_daily")
    return Closed(lake, history, accesses, kept)


def _accounts() -> list[dict[str, Any]]:
    return [
        {"account_id": a, "client_id": CLIENT_OF[a], "market": MARKET_OF[a], "currency": c}
        for a, c in CURRENCY_OF.items()
    ]


def _ledger_accounts() -> list[dict[str, Any]]:
    desk = [(f"{code}.{c}", code, None, c) for code in CODES for c in ("USD", "CNY") if code not in PER_CLIENT]
    clients = [(f"{code}.{a}", code, a, c) for code in PER_CLIENT for a, c in CURRENCY_OF.items()]
    names = ("ledger_account_id", "code", "account_id", "currency")
    return [dict(zip(names, row, strict=True)) | {"kind": CODES[row[1]]} for row in (*desk, *clients)]


def balances_of(moved: Iterable[Transfer]) -> dict[tuple[str, str], int]:
    sums: Counter[tuple[str, str]] = Counter()
    for one in moved:
        sums[one["debit_account_id"], one["currency"]] += one["amount_minor"]
        sums[one["credit_account_id"], one["currency"]] -= one["amount_minor"]
    return dict(sums)


def trial_balance(moved: Iterable[Transfer], day: date, known_on: date) -> dict[tuple[str, str], int]:
    """The slow twin: every line that was in effect by a day and known by another, summed by class."""
    known = [one for one in moved if one["effective_on"] <= day and one["as_of_date"] <= known_on]
    sums: Counter[tuple[str, str]] = Counter()
    for (account, currency), balance in balances_of(known).items():
        sums[account.partition(".")[0], currency] += balance
    return dict(sums)


def by_class(rows: pd.DataFrame) -> dict[tuple[str, str], int]:
    keys = zip(rows["code"], rows["currency"], strict=True)
    return dict(zip(keys, map(int, rows["balance_minor"]), strict=True))


@pytest.mark.parametrize("day", [TUESDAY, WEDNESDAY])
def test_every_account_closes_with_the_sum_of_all_its_lines(closed: Closed, day: date) -> None:
    rows = closed.lake.query("select * from fct_ledger__roll_forward_daily where as_of_date = ?", [day])
    closing = dict(
        zip(zip(rows["ledger_account_id"], rows["currency"], strict=True), rows["closing_minor"], strict=True)
    )
    told = balances_of(one for one in closed.moved if one["as_of_date"] <= day)
    assert {key: balance for key, balance in closing.items() if balance} == {k: b for k, b in told.items() if b}


def test_what_wednesday_opens_with_is_what_tuesday_closed_with(closed: Closed) -> None:
    differing = closed.lake.query(
        "select * from (from fct_ledger__roll_forward_daily where as_of_date = ?) as wednesday "
        "full outer join (from fct_ledger__roll_forward_daily where as_of_date = ? and closing_minor != 0) as tuesday "
        "using (ledger_account_id, currency) "
        "where coalesce(wednesday.opening_minor, 0) != coalesce(tuesday.closing_minor, 0)",
        [WEDNESDAY, TUESDAY],
    )
    assert differing.empty
    lines = closed.lake.query("select cast(sum(lines) as bigint) as lines from fct_ledger__roll_forward_daily")
    assert lines["lines"].tolist() == [2 * len(closed.moved)]


@pytest.mark.parametrize("known_on", [BEGINNING + timedelta(days=90), TUESDAY, WEDNESDAY])
@pytest.mark.parametrize("days_before", [0, 1, 31])
def test_a_trial_balance_as_known_is_what_was_in_effect_and_known(
    closed: Closed, known_on: date, days_before: int
) -> None:
    day = known_on - timedelta(days=days_before)
    rows = closed.lake.query(
        "select * from fct_ledger__trial_balance_as_known where as_of_date = ? and known_on = ?", [day, known_on]
    )
    assert by_class(rows) == trial_balance(closed.moved, day, known_on)
    assert sum(by_class(rows).values()) == 0


def test_a_close_keeps_what_was_kept_before_and_adds_a_version_where_the_past_changed(closed: Closed) -> None:
    kept = closed.lake.query("select * from fct_ledger__trial_balance_daily")
    pd.testing.assert_frame_equal(
        kept[kept["known_on"] == TUESDAY].reset_index(drop=True), closed.after_tuesday.reset_index(drop=True)
    )
    versions = sorted(set(zip(kept["as_of_date"], kept["known_on"], strict=True)))
    assert versions == [(TUESDAY, TUESDAY), (TUESDAY, WEDNESDAY), (WEDNESDAY, WEDNESDAY)]
    for day, known_on in versions:
        version = kept[(kept["as_of_date"] == day) & (kept["known_on"] == known_on)]
        assert by_class(version) == trial_balance(closed.moved, day, known_on)
    late = [one for one in closed.moved if one["as_of_date"] == WEDNESDAY and one["effective_on"] <= TUESDAY]
    assert late, "something was booked for the day before"


def test_clients_accounts_add_up_to_their_control_account(closed: Closed) -> None:
    rows = closed.lake.query("select * from fct_ledger__control_accounts")
    assert set(rows["as_of_date"]) == {TUESDAY, WEDNESDAY}
    assert rows["difference_minor"].unique().tolist() == [0]


@pytest.fixture(scope="module")
def movements(closed: Closed) -> list[tuple[Transfer, Movement]]:
    """What the reference functions are told: the client's side of everything that moved."""
    kinds = {"client_deposit": "deposit", "client_withdrawal": "withdrawal", "purchase_settled": "trade"}
    told = []
    for one in closed.moved:
        if one["template"] in kinds:
            side = "credit" if one["template"] == "client_deposit" else "debit"
            account = one[f"{side}_account_id"].partition(".")[2]
            kind, payer = kinds[one["template"]], one.get("counterparty")
            told.append((one, Movement(account, one["known_at"], kind, one["amount_minor"], payer)))
    return told


def alerts_of(closed: Closed, rule: str) -> pd.DataFrame:
    return closed.lake.query("select * from fct_clients__alerts where rule = ? order by alert_id", [rule])


def expected_of(
    movements: list[tuple[Transfer, Movement]], find: Callable[[list[Movement], str], Iterable[Alert]]
) -> list[Alert]:
    return [
        alert
        for currency in ("USD", "CNY")
        for alert in find([m for one, m in movements if one["currency"] == currency], currency)
    ]


def told_of(rows: pd.DataFrame) -> set[tuple[Any, ...]]:
    return {
        (row.account_id, row.window_until_at, int(row.amount_minor), int(row.movements), row.explanation)
        for row in rows.itertuples()
    }


@pytest.mark.parametrize("rule", ["structuring", "velocity", "dormant_reactivation"])
def test_the_warehouse_finds_what_the_reference_finds(
    closed: Closed, movements: list[tuple[Transfer, Movement]], rule: str
) -> None:
    lines = alert_lines(load_rulebook("house.aml").governing(on=TUESDAY))
    find = {"structuring": structuring, "velocity": velocity, "dormant_reactivation": dormant_reactivation}[rule]
    expected = expected_of(movements, lambda some, currency: find(some, currency, lines))
    assert expected, "the history holds the pattern"
    rows = alerts_of(closed, rule)
    assert told_of(rows) == {(a.subject, a.at, a.amount_minor, a.count, a.sentence) for a in expected}
    assert len(rows) == len(expected)


def test_a_burst_is_found_once_a_day_even_where_it_goes_on_after_the_close(
    closed: Closed, movements: list[tuple[Transfer, Movement]]
) -> None:
    lines = alert_lines(load_rulebook("house.aml").governing(on=TUESDAY))
    expected = expected_of(movements, lambda some, currency: burst(some, currency, lines))
    assert expected, "the history holds the pattern"
    rows = alerts_of(closed, "burst")
    assert {(row.account_id, row.window_until_at.date()) for row in rows.itertuples()} == {
        (alert.subject, alert.at.date()) for alert in expected
    }
    assert len(rows) == len(expected)


def test_money_from_somebody_else_is_found_where_it_came_from_outside(
    closed: Closed, movements: list[tuple[Transfer, Movement]]
) -> None:
    own = {account: frozenset({f"own {account}"}) for account in CURRENCY_OF}
    outside = [(one, moved) for one, moved in movements if one.get("channel")]
    expected = expected_of(outside, lambda some, currency: third_party_funding(some, currency, own))
    rows = alerts_of(closed, "third_party_funding")
    told = [(row.account_id, row.window_until_at, int(row.amount_minor), row.explanation) for row in rows.itertuples()]
    assert sorted(told) == sorted((a.subject, a.at, a.amount_minor, a.sentence) for a in expected)
    assert len(outside) < len(movements), "what moves inside the desk has no payer"


def test_cash_is_added_up_per_client_and_day(closed: Closed, movements: list[tuple[Transfer, Movement]]) -> None:
    lines = large_value_lines(load_rulebook("house.aml").governing(on=TUESDAY))
    totals: Counter[tuple[str, str, str, str, date]] = Counter()
    for one, moved in movements:
        if one.get("channel") == "cash":
            who = CLIENT_OF[moved.account_id], MARKET_OF[moved.account_id], one["currency"]
            totals[(*who, moved.kind, one["booked_on"])] += moved.amount_minor
    expected = {
        f"large_cash/{client}/{market}/{currency}/{kind}/{day}"
        for (client, market, currency, kind, day), total in totals.items()
        if is_large_value(f"{market.lower()}_cash", total, currency, lines)
    }
    assert expected
    assert set(alerts_of(closed, "large_cash")["alert_id"]) == expected


def test_a_shared_device_is_found_when_one_more_account_joins(closed: Closed) -> None:
    lines = alert_lines(load_rulebook("house.aml").governing(on=TUESDAY))
    sign_ins = [SignIn(one["account_id"], one["device_hash"], one["accessed_at"]) for one in closed.accesses]
    expected = shared_device(sign_ins, lines)
    assert expected
    told = {
        (row.alert_id.split("/")[1], row.window_until_at, int(row.movements), row.explanation)
        for row in alerts_of(closed, "shared_device").itertuples()
    }
    assert told == {(a.subject, a.at, a.count, a.sentence) for a in expected}


def test_no_alert_says_who_somebody_is(closed: Closed) -> None:
    rows = closed.lake.query("select distinct explanation, alert_id from fct_clients__alerts")
    assert not rows["explanation"].str.contains("own A|other$|A[0-9]|C[0-9]", regex=True).any()


def test_asking_for_one_day_as_known_on_another_reads_no_lines(closed: Closed) -> None:
    question = "explain select * from fct_ledger__trial_balance_as_known where as_of_date = ? and known_on = ?"
    with closed.lake.door() as connection:
        plan = "\n".join(row[1] for row in connection.execute(question, [TUESDAY, WEDNESDAY]).fetchall())
    assert "fct_ledger__turnover_daily" in plan
    assert "READ_PARQUET" not in plan.upper()
    assert "CROSS_PRODUCT" not in plan.upper() or plan.upper().count("CROSS_PRODUCT") == 1


@pytest.mark.parametrize(
    ("model", "tables"),
    [
        ("fct_ledger__roll_forward_daily", 2),
        ("fct_ledger__turnover_daily", 2),
        ("fct_clients__movements_daily", 4),
        ("fct_ledger__trial_balance_daily", 0),
    ],
)
def test_a_close_opens_only_the_files_since_the_last_one(closed: Closed, model: str, tables: int) -> None:
    """However long the history, a close reads one file of each table, and of what it kept the day before."""
    compiled = next((closed.lake.root.parent / "target" / "compiled").rglob(f"{model}.sql"))
    with closed.lake.door() as connection:
        plan = "\n".join(row[1] for row in connection.execute("explain analyze " + compiled.read_text()).fetchall())
    opened = re.findall(r"Scanning Files: (\d+)/(\d+)", plan)
    assert plan.count("Function: READ_PARQUET") == len(opened) == tables
    assert all(int(some) == 1 < int(every) for some, every in opened), opened
