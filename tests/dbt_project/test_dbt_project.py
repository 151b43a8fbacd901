"""The SQL half of the desk on a lake small enough to read: three days, three accounts, one late tick."""

import os
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from assets.lake import Lake
from assets.schemas import TABLES
from domain.money import EXPONENTS, format_minor, half_up, market_value_minor, ratio_of_minor
from domain.rulebook import ageing_schedules
from rulebooks import load_rulebook

REPOSITORY = Path(__file__).parents[2]
PROJECT = REPOSITORY / "dbt_project"
MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 15), date(2026, 6, 16), date(2026, 6, 17)
FIRST_BATCH, SECOND_BATCH = "20260617T140000Z", "20260617T150000Z"

pytestmark = pytest.mark.xdist_group("dbt")


class TinyLake:
    """What one small desk was told, day by day."""

    def __init__(self, lake: Lake, write_rows: Callable[..., None]) -> None:
        self.lake = lake
        self.write_rows = write_rows

    def write(self, table: str, day: date, rows: list[dict[str, Any]], part: str = "all") -> None:
        self.write_rows(self.lake, table, day, rows, part)

    def market(self) -> None:
        closes = {
            MONDAY: {"US.AAA": 100_0000, "US.BBB": 50_0000, "US.HLT": 8_0000},
            TUESDAY: {"US.AAA": 102_0000, "US.BBB": 50_0000},
            WEDNESDAY: {"US.AAA": 90_0000, "US.BBB": 25_5000},
        }
        for day, prices in closes.items():
            bars = [{"instrument_id": name, "price_close_e4": price, "line": 1} for name, price in prices.items()]
            self.write("raw_market__daily_bars", day, bars)
            self.write(
                "raw_market__instruments",
                day,
                [
                    {
                        "instrument_id": name,
                        "symbol": name[3:],
                        "market": "US",
                        "currency": "USD",
                        "asset_class": "equity",
                    }
                    for name in closes[MONDAY]
                ],
            )
        carried = {
            TUESDAY: {"US.AAA": (100_0000, MONDAY), "US.BBB": (50_0000, MONDAY), "US.HLT": (8_0000, MONDAY)},
            # Two new shares of BBB for one old before the opening of Wednesday.
            WEDNESDAY: {"US.AAA": (102_0000, TUESDAY), "US.BBB": (25_0000, TUESDAY), "US.HLT": (8_0000, MONDAY)},
        }
        for day, closed in carried.items():
            rows = [{"instrument_id": n, "price_e4": p, "price_date": d} for n, (p, d) in closed.items()]
            self.write("calc_market__previous_closes", day, rows)
        split = {"instrument_id": "US.BBB", "kind": "split", "split_ratio": 2.0, "line": 1}
        self.write("raw_market__corporate_actions", WEDNESDAY, [split])
        for batch, price, quoted_at in (
            (FIRST_BATCH, 95_0050, datetime(2026, 6, 17, 13, 59, 58, tzinfo=UTC)),
            (SECOND_BATCH, 101_0000, datetime(2026, 6, 17, 13, 31, tzinfo=UTC)),
        ):
            quote = {"batch": batch, "instrument_id": "US.AAA", "price_e4": price, "quoted_at": quoted_at, "line": 2}
            self.write("raw_market__prices", WEDNESDAY, [quote], batch)

    def books(self) -> None:
        accounts = ("A1", "A2", "A3")
        ledger = {
            "1010.USD": ("1010", "asset", None, 30_500_00),
            "1110.USD": ("1110", "asset", None, -6_000_00),
            "2010.A1": ("2010", "liability", "A1", 0),
            "2010.A2": ("2010", "liability", "A2", -500_00),
            "2010.A3": ("2010", "liability", "A3", -30_000_00),
            "1210.A1": ("1210", "asset", "A1", 6_000_00),
        }
        for day, held in ((TUESDAY, 10), (WEDNESDAY, 20)):
            self.write(
                "raw_books__accounts",
                day,
                [
                    {
                        "account_id": name,
                        "client_id": f"C{name}",
                        "market": "US",
                        "currency": "USD",
                        "rulebook": "us.finra_4210",
                    }
                    for name in accounts
                ],
            )
            self.write(
                "raw_books__positions",
                day,
                [
                    {"account_id": "A1", "instrument_id": "US.AAA", "quantity_shares": 100},
                    {"account_id": "A1", "instrument_id": "US.BBB", "quantity_shares": held},
                    {"account_id": "A1", "instrument_id": "US.HLT", "quantity_shares": 5},
                    {"account_id": "A3", "instrument_id": "US.AAA", "quantity_shares": -100},
                ],
            )
            chart, balances = [], []
            for name, (code, kind, account, balance) in ledger.items():
                chart.append(
                    {"ledger_account_id": name, "code": code, "kind": kind, "account_id": account, "currency": "USD"}
                )
                balances.append({"ledger_account_id": name, "currency": "USD", "balance_minor": balance})
            self.write("raw_books__ledger_accounts", day, chart)
            self.write("raw_books__balances", day, balances)
        posted = (
            ("client_deposit", "1010.USD", "2010.A2", 500_00),
            ("client_deposit", "1010.USD", "2010.A3", 30_000_00),
            ("loan_drawn", "1210.A1", "1110.USD", 6_000_00),
        )
        transfers = [
            {"sequence": number, "transfer_id": f"T{number}", "template": template, "debit_account_id": debit,
             "credit_account_id": credit, "amount_minor": amount, "currency": "USD", "effective_on": TUESDAY,
             "booked_on": TUESDAY}
            for number, (template, debit, credit, amount) in enumerate(posted, 1)
        ]  # fmt: skip
        self.write("raw_books__transfers", TUESDAY, transfers)

    def requirements(self) -> None:
        for part in (FIRST_BATCH, "close"):
            self.write(
                "calc_margin__requirements",
                WEDNESDAY,
                [
                    {
                        "slice": part,
                        "account_id": account,
                        "currency": "USD",
                        "requirement_exchange_minor": requirement,
                        "requirement_house_minor": requirement,
                        "requirement_minor": requirement,
                        "restore_minor": requirement,
                        "rulebook_edition": "us.finra_4210@2000-01-01",
                    }
                    for account, requirement in (("A1", 3_600_00), ("A3", 2_700_00))
                ],
                part,
            )


@pytest.fixture(scope="session")
def lake(
    tmp_path_factory: pytest.TempPathFactory, write_rows: Callable[..., None], run_dbt_on: Callable[..., None]
) -> Lake:
    """Build every model, data test and unit test once over the tiny lake."""
    folder = tmp_path_factory.mktemp("desk")
    lake = Lake(folder / "lake", folder / "warehouse.duckdb")
    lake.prepare()
    tiny = TinyLake(lake, write_rows)
    tiny.market()
    tiny.books()
    tiny.requirements()
    run_dbt_on(lake, "build", WEDNESDAY)
    return lake


def valued(lake: Lake, day: date, part: str) -> pd.DataFrame:
    return lake.query(
        "select * from int_margin__accounts_valued where as_of_date = ? and slice = ? order by account_id", [day, part]
    ).set_index("account_id")


def test_an_account_without_positions_still_has_a_row(lake: Lake) -> None:
    account = valued(lake, WEDNESDAY, "close").loc["A2"]
    assert (account["equity_minor"], account["positions"], account["cash_minor"]) == (500_00, 0, 500_00)


def test_equity_is_what_would_be_left(lake: Lake) -> None:
    accounts = valued(lake, WEDNESDAY, "close")
    assert accounts.loc["A1", "equity_minor"] == 100 * 90_00 + 20 * 25_50 + 5 * 8_00 - 6_000_00
    assert accounts.loc["A3", "equity_minor"] == 30_000_00 - 100 * 90_00


def test_a_late_tick_never_overrides(lake: Lake) -> None:
    prices = lake.query(
        "select slice, price_e4, price_kind from int_market__prices_by_slice"
        " where instrument_id = 'US.AAA' and as_of_date = ? order by slice_rank",
        [WEDNESDAY],
    )
    assert prices["slice"].tolist() == ["open", FIRST_BATCH, SECOND_BATCH, "close"]
    assert prices["price_e4"].tolist() == [102_0000, 95_0050, 95_0050, 90_0000]
    assert prices["price_kind"].tolist() == ["previous_close", "quote", "quote", "bar"]


def test_a_split_and_a_halt_leave_the_value_of_a_position_alone(lake: Lake) -> None:
    opened = lake.query(
        "select instrument_id, market_value_minor, price_date from int_collateral__positions_priced"
        " where account_id = 'A1' and as_of_date = ? and slice = 'open'",
        [WEDNESDAY],
    ).set_index("instrument_id")
    assert opened.loc["US.BBB", "market_value_minor"] == 20 * 25_00 == 10 * 50_00
    assert opened.loc["US.HLT", "market_value_minor"] == 5 * 8_00
    assert opened.loc["US.HLT", "price_date"] == MONDAY


def test_a_return_does_not_take_a_split_for_a_crash(lake: Lake) -> None:
    returns = lake.query(
        "select return_ratio from int_market__daily_returns where instrument_id = 'US.BBB' and as_of_date = ?",
        [WEDNESDAY],
    )
    assert returns["return_ratio"].tolist() == pytest.approx([0.0198026272961797])


def test_the_day_closes_into_a_table_with_the_call_in_it(lake: Lake) -> None:
    status = lake.query("select * from fct_margin__account_status_daily order by account_id").set_index("account_id")
    assert set(status["as_of_date"]) == {WEDNESDAY}
    assert status["is_in_call"].tolist() == [True, False, False]
    assert status["source"].unique().tolist() == ["synthetic"]
    assert str(status.loc["A1", "excess_amount"]) == "-50.0000"


def test_debits_equal_credits_on_every_day(lake: Lake) -> None:
    totals = lake.query(
        "select as_of_date, cast(sum(balance_minor) as bigint) as total from fct_ledger__trial_balance group by 1"
    )
    assert totals["total"].tolist() == [0, 0]


def test_money_in_sql_is_money_in_python(lake: Lake) -> None:
    """Both round half up; the quantities reach where a float would have lost the cents."""
    module = (PROJECT / "macros" / "money.sql").read_text()
    currencies = re.findall(r"'([A-Z]{3})'", module)
    assert sorted(currencies) == sorted(EXPONENTS)
    quantities = [1, -1, 3, -7, 900_000_000_000, -900_000_000_001]
    prices = [1, 5, 49, 50, 51, 10_050, 1_000_000_001]
    cases = [(q, p, c) for q in quantities for p in prices for c in ("USD", "JPY", "KWD") if abs(q * p) < 10**18]
    compiled = compile_macro("market_value_minor('quantity', 'price', 'currency')")
    assert answer(lake, compiled, cases) == [market_value_minor(*case) for case in cases]
    compiled = compile_macro("ratio_of_minor('quantity', '0.3')")
    assert answer(lake, compiled, cases) == [ratio_of_minor(quantity, 0.3) for quantity, _, _ in cases]
    assert half_up(-5, 10) == -1


def test_money_for_people_reads_the_same_in_sql(lake: Lake) -> None:
    cases = [(minor, 0, c) for minor in (0, 5, 99, 100, 123_456, 1_000_000_000_007) for c in ("USD", "JPY", "KWD")]
    told = answer(lake, compile_macro("format_minor('quantity', 'currency')"), cases)
    assert told == [format_minor(minor, currency) for minor, _, currency in cases]


def test_ages_fall_into_the_buckets_of_the_rulebook(lake: Lake) -> None:
    """Interest (1220) ages like a loan, what was advanced or overdrawn like a receivable."""
    schedules = ageing_schedules(load_rulebook("house.ageing").governing(on=WEDNESDAY)).schedules
    cases = [(days, 0, code) for days in range(100) for code in ("1220", "1320", "2010")]
    schedule_of = {"1220": "loans", "1320": "receivables", "2010": "receivables"}
    bucket = compile_macro("age_bucket('currency', 'quantity')", "closing.sql")
    expected = [schedules[schedule_of[code]].bucket_of(days).name for days, _, code in cases]
    assert answer(lake, bucket, cases) == expected
    schedule = compile_macro("ageing_schedule('currency')", "closing.sql")
    assert answer(lake, schedule, cases) == [schedule_of[code] for _, _, code in cases]
    closed = [
        bucket.up_to_days for one in schedules.values() for bucket in one.buckets if bucket.up_to_days is not None
    ]
    assert int(compile_macro("ageing_window_days()", "closing.sql")) == max(closed) + 1


def compile_macro(call: str, file: str = "money.sql") -> str:
    """Expand one call of a macro the way dbt does."""
    import jinja2

    text = (PROJECT / "macros" / file).read_text()
    environment = jinja2.Environment(autoescape=False)  # noqa: S701  (what comes out is SQL, not a page)
    return environment.from_string(text + "{{ " + call + " }}").render().strip()


def answer(lake: Lake, expression: str, cases: list[tuple[int, int, str]]) -> list[Any]:
    with lake.door() as connection:
        connection.register("cases", pd.DataFrame(cases, columns=["quantity", "price", "currency"]))
        return [row[0] for row in connection.execute(f"select {expression} from cases").fetchall()]


def test_an_unknown_currency_stops_the_query(lake: Lake) -> None:
    compiled = compile_macro("market_value_minor('quantity', 'price', 'currency')")
    with pytest.raises(Exception, match="Unknown currency XXX"):
        answer(lake, compiled, [(1, 1, "XXX")])


def test_every_table_of_the_lake_is_a_source_and_every_column_is_explained() -> None:
    sources = yaml.safe_load((PROJECT / "models" / "_sources.yml").read_text())["sources"]
    tables = {table["name"]: table for table in sources[0]["tables"]}
    assert set(tables) == set(TABLES)
    assert all(table["config"]["meta"]["dagster"]["asset_key"] == [name] for name, table in tables.items())
    explained = set(re.findall(r"{% docs (\w+) %}", (PROJECT / "models" / "_columns.md").read_text()))
    assert {name for schema in TABLES.values() for name in schema.names} <= explained


def test_every_model_stands_beside_its_description() -> None:
    models = sorted(path for path in (PROJECT / "models").rglob("*.sql"))
    assert models and all(path.with_suffix(".yml").exists() for path in models)
    for path in models:
        described = yaml.safe_load(path.with_suffix(".yml").read_text())["models"][0]
        assert described["name"] == path.stem
        assert "One row per" in described["description"], path.stem


def test_the_settings_of_the_warehouse_survive_a_crash() -> None:
    profile = yaml.safe_load((PROJECT / "profiles.yml").read_text())["lombard"]["outputs"]["desk"]
    assert profile["settings"]["auto_checkpoint_skip_wal_threshold"] == 2**62
    assert profile["path"] == "{{ env_var('LOMBARD_WAREHOUSE', ':memory:') }}"
    assert "LOMBARD_WAREHOUSE" in profile["path"] and os.sep not in profile["path"]
