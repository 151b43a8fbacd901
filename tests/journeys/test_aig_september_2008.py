"""Ten days in September 2008, on real prices: five accounts hold AIG, some of them on margin.

AIG closed at 22.79 on Monday the 8th, at 12.16 on Friday the 12th, at 5.09 on the 15th, the day Lehman Brothers failed,
and at 2.05 on the 17th. The clients are invented; every price is the exchange's.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from books.audit import verify
from books.seeding import seed
from feeds.folders import open_market_folder
from feeds.synthetic import DeskPlan
from orchestration.demo import deliver_statements
from orchestration.desk import Desk, now, quieten
from orchestration.settings import load_settings
from orchestration.vaults import made_vault
from rulebooks import load_rulebook

LEAN = Path(__file__).parents[2].parent / "shared" / "data" / "us" / "lean"
pytestmark = pytest.mark.skipif(not LEAN.exists(), reason="needs the real Lean prices of ../shared, which is not here")

FIRST, LAST = date(2008, 9, 8), date(2008, 9, 19)
CLOSES = {
    "2008-09-08": 227_900, "2008-09-09": 183_100, "2008-09-10": 173_700, "2008-09-11": 177_300, "2008-09-12": 121_600,
    "2008-09-15": 50_900, "2008-09-16": 39_400, "2008-09-17": 20_500, "2008-09-18": 23_900, "2008-09-19": 42_200,
}  # fmt: skip
"""AIG's closing prices times 10,000, as published; the desk must stand on these and on no others."""

DEBTS = {"half": 10_200_000, "fifth": 4_000_000, "tenth": 2_000_000, "spread": 30_000_000, "clear": 0}
"""What each account owes on the 5th, in cents."""

HOLDINGS = {
    "half": {"US.AIG": 10_000},
    "fifth": {"US.AIG": 10_000},
    "tenth": {"US.AIG": 10_000},
    "spread": {"US.SPY": 3_000, "US.IBM": 2_000, "US.AIG": 1_000},
    "clear": {"US.AIG": 5_000},
}


@dataclass(frozen=True)
class Story:
    """The desk after the ten days, and the account status of each of its closes."""

    desk: Desk
    days: list[date]

    def status(self, account: str) -> pd.DataFrame:
        rows = self.desk.lake.query(
            "select * from fct_margin__account_status_daily where account_id = ? order by as_of_date", [account]
        )
        return rows.set_index(rows["as_of_date"].astype(str).str[:10])

    def calls(self) -> pd.DataFrame:
        return pd.concat(
            [self.desk.lake.read("calc_margin__calls", day, "close") for day in self.days], ignore_index=True
        )


def client_book(opened_on: date) -> Any:
    def frame(columns: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
        return pd.DataFrame(list(rows), columns=columns.split()).assign(source="synthetic")

    loans = [(f"K-{a}", a, "USD", debt, opened_on, date(2009, 9, 5)) for a, debt in DEBTS.items() if debt]
    return SimpleNamespace(
        clients=frame("client_id name", *[(f"C-{a}", f"Client {a} (synthetic)") for a in DEBTS]),
        accounts=frame(
            "account_id client_id market currency rulebook opened_on",
            *[(a, f"C-{a}", "US", "USD", "us.finra_4210", opened_on) for a in DEBTS],
        ),
        contracts=frame("contract_id account_id currency principal_minor opened_on matures_on", *loans),
        positions=frame(
            "account_id instrument_id quantity_shares",
            *[(a, name, shares) for a, held in HOLDINGS.items() for name, shares in held.items()],
        ),
        deposits=frame("account_id amount_minor currency"),
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    quieten()
    desk = Desk(load_settings(home=tmp_path_factory.mktemp("aig") / "desk", market_folder=LEAN))
    market = open_market_folder(LEAN)
    sessions = [day for day in market.sessions() if day <= LAST]
    before = sessions[: sessions.index(FIRST)][-250:]
    days = sessions[sessions.index(FIRST) :]
    desk.prepare(FIRST)
    since = {"ops": {"raw_market__corporate_actions": {"config": {"since": str(before[0])}}}}
    desk.run("load_reference", before[-1], since)
    desk.run("load_history", before[0], until=before[-1])
    with desk.books() as engine:
        seed(engine, client_book(before[-1]), vault=made_vault(desk.settings), booked_on=before[-1], known_at=now())
    for day in days:
        desk.run("start_of_day", day)
        for batch in market.batches_of(day):
            desk.revalue(batch, day)
        deliver_statements(desk, DeskPlan(day=day))
        desk.run("end_of_day", day)
    yield Story(desk, days)
    desk.instance.dispose()


def test_the_desk_stands_on_the_prices_of_the_exchange(story: Story) -> None:
    bars = story.desk.lake.read_between("raw_market__daily_bars", FIRST, LAST)
    aig = bars[bars["instrument_id"] == "US.AIG"].set_index("as_of_date")["price_close_e4"]
    assert {str(day): price for day, price in aig.items()} == CLOSES
    assert set(bars["source"]) == {"quantconnect_lean"}


def test_margin_calls_appear_on_the_right_days(story: Story) -> None:
    called = story.calls().groupby("account_id")["as_of_date"].agg(lambda days: sorted(map(str, days)))
    every_day = list(CLOSES)
    # Half of its shares' worth borrowed: the forecast's haircut calls it two days before the fall of the 12th.
    assert called["half"] == every_day[every_day.index("2008-09-10") :]
    # A fifth and a tenth borrowed: the weekend of Lehman Brothers calls both on Monday the 15th.
    assert called["fifth"] == every_day[every_day.index("2008-09-15") :]
    assert called["tenth"] == every_day[every_day.index("2008-09-15") :]
    # Spread over three names, or without debt: never.
    assert "spread" not in called and "clear" not in called


def test_the_exchange_alone_would_have_called_later(story: Story) -> None:
    """What the house's haircut is for: by the exchange's 25 % the first call comes on the 12th, when it is too late."""
    status = story.status("half")
    exchange = status.index[status["equity_minor"] < status["requirement_exchange_minor"]]
    assert exchange[0] == "2008-09-12"


@pytest.mark.parametrize("account", sorted(DEBTS))
def test_equity_is_what_is_left_when_everything_is_sold(story: Story, account: str) -> None:
    """Counted again by hand: shares at the close, less the loan, less the interest of the days before."""
    bars = story.desk.lake.read_between("raw_market__daily_bars", FIRST, LAST).set_index(
        ["as_of_date", "instrument_id"]
    )
    interest = 0
    for day in story.days:
        worth = sum(q * int(bars.loc[(day, name), "price_close_e4"]) // 100 for name, q in HOLDINGS[account].items())
        status = story.status(account).loc[str(day)]
        assert status["equity_minor"] == worth - DEBTS[account] - interest + status["cash_minor"]
        accruals = story.desk.lake.read("calc_pricing__accruals", day)
        interest += int(accruals.loc[accruals["account_id"] == account, "interest_minor"].sum())


def test_the_requirement_is_the_stricter_of_exchange_and_house(story: Story) -> None:
    for day in story.days:
        haircut = story.desk.lake.read("calc_collateral__haircuts", day).set_index("instrument_id")["haircut_ratio"]
        worth = 10_000 * CLOSES[str(day)] // 100
        row = story.status("half").loc[str(day)]
        assert row["requirement_exchange_minor"] == worth // 4
        assert row["requirement_house_minor"] == pytest.approx(worth * haircut["US.AIG"], abs=1)
        assert row["requirement_minor"] == max(row["requirement_exchange_minor"], row["requirement_house_minor"])


def test_the_shortfall_is_counted(story: Story) -> None:
    """Below zero equity the client owes more than there is; that is the desk's own money."""
    calls = story.calls()
    assert (calls["shortfall_minor"] == (-calls["equity_minor"]).clip(lower=0)).all()
    half = calls[calls["account_id"] == "half"]
    under_water = [day for day in CLOSES if 10_000 * CLOSES[day] // 100 < DEBTS["half"]]
    assert list(half.loc[half["shortfall_minor"] > 0, "as_of_date"].astype(str)) == under_water
    assert under_water[0] == "2008-09-15"


def test_the_ledger_stays_in_balance(story: Story) -> None:
    for day in story.days:
        balances = story.desk.lake.read("raw_books__balances", day)
        assert balances.groupby("currency")["balance_minor"].sum().eq(0).all()
    with story.desk.books() as engine:
        assert verify(engine).entries > 0


def test_every_call_names_the_price_the_edition_and_the_ledger_head_it_stood_on(story: Story) -> None:
    editions = {edition.name for edition in load_rulebook("us.finra_4210").editions}
    for call in story.calls().to_dict("records"):
        (position,) = json.loads(call["price_basis"])
        assert (position["instrument_id"], position["price_e4"]) == ("US.AIG", CLOSES[str(call["as_of_date"])])
        assert call["rulebook_edition"] in editions
        assert call["house_edition"].startswith("house.margin@")
        balances = story.desk.lake.read("raw_books__balances", call["as_of_date"])
        assert set(balances["ledger_head"]) == {call["ledger_head"]}


def test_a_call_can_be_computed_again_from_its_own_row(story: Story) -> None:
    """The replay of a call needs its price basis, its haircut of the day and its equity, and nothing else."""
    for call in story.calls().to_dict("records"):
        (position,) = json.loads(call["price_basis"])
        worth = position["quantity_shares"] * position["price_e4"] // 100
        haircuts = story.desk.lake.read("calc_collateral__haircuts", call["as_of_date"]).set_index("instrument_id")
        house = worth * haircuts.loc["US.AIG", "haircut_ratio"]
        assert call["requirement_minor"] == pytest.approx(max(worth / 4, house), abs=1)
        assert call["call_minor"] == call["requirement_minor"] - call["equity_minor"]


def test_the_calls_stand_in_the_books(story: Story) -> None:
    from books import schema

    with story.desk.books() as engine, engine.connect() as connection:
        booked = {row.call_id: row.call_minor for row in connection.execute(schema.margin_call.select())}
    calls = story.calls()
    assert booked == dict(zip(calls["call_id"], calls["call_minor"], strict=True))
