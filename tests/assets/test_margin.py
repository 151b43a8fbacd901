"""Requirements add up per account, the house can only ask for more, and every call names what it stood on."""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from assets import margin
from assets.lake import Lake
from assets.margin import accounts_valued, calc_margin__calls, calc_margin__requirements
from assets.partitions import Slice
from books import schema
from books.clients import open_account, take_over_client
from books.engine import create_books, open_books, reading, writing
from books.vault import Vault
from domain.errors import NoPrices
from domain.rulebook import ChargePerPosition, maintenance_rule
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)
BuildViews = Callable[..., None]


class FixedAnswer:
    """A lake that answers every question with the same rows."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    def query(self, sql: str, parameters: list[Any]) -> pd.DataFrame:
        return self.rows.copy()


def account(account_id: str, **told: Any) -> dict[str, Any]:
    """A row of ``int_margin__accounts_valued`` as of the close."""
    market = told.pop("market", "US")
    rulebook = "us.finra_4210" if market == "US" else "cn.sse_margin_trading"
    ordinary = {
        "account_id": account_id, "as_of_date": DAY, "slice": "close", "market": market, "rulebook": rulebook,
        "currency": "USD" if market == "US" else "CNY", "short_value_minor": 0, "debt_minor": 0, "interest_minor": 0,
        "equity_minor": 0, "ledger_head": "9:0123456789abcdef", "source": "synthetic",
    }  # fmt: skip
    return ordinary | told


def position(account_id: str, instrument_id: str, quantity: int, price_e4: int | None, **told: Any) -> dict[str, Any]:
    """A row of ``int_collateral__positions_priced`` as of the close; two decimals of currency."""
    value = None if price_e4 is None else quantity * price_e4 // 100
    ordinary = {
        "account_id": account_id, "as_of_date": DAY, "slice": "close", "instrument_id": instrument_id,
        "quantity_shares": quantity, "price_e4": price_e4, "market_value_minor": value, "haircut_ratio": 0.30,
        "price_kind": "bar", "price_date": DAY,
    }  # fmt: skip
    return ordinary | told


def us_rule() -> ChargePerPosition:
    rule = maintenance_rule(load_rulebook("us.finra_4210").governing(on=DAY))
    assert isinstance(rule, ChargePerPosition)
    return rule


def charged(accounts: list[str], *positions: dict[str, Any]) -> tuple[list[int], list[int]]:
    frame = pd.DataFrame([account(name) for name in accounts])
    lake = FixedAnswer(pd.DataFrame(positions))
    exchange, house = margin._charge_positions(frame, lake, DAY, "close", us_rule())  # type: ignore[arg-type]
    return exchange.tolist(), house.tolist()


def test_the_charges_of_an_account_are_the_sum_of_those_of_its_positions() -> None:
    """A quarter of 10,000.00 and of 2,000.00 for the exchange, three tenths of both for the house."""
    positions = (position("A1", "US.X", 100, 1_000_000), position("A1", "US.Y", 40, 500_000))
    assert charged(["A1"], *positions) == ([300_000], [360_000])


def test_positions_of_accounts_under_another_rulebook_are_left_to_it() -> None:
    positions = (position("A0", "CN.X", 100, 1_000_000), position("A2", "US.Y", 40, 500_000))
    assert charged(["A1", "A2", "A3"], *positions) == ([0, 50_000, 0], [0, 60_000, 0])


def test_a_short_position_is_charged_on_its_absolute_value() -> None:
    assert charged(["A1"], position("A1", "US.X", -100, 1_000_000)) == ([300_000], [300_000])


@pytest.mark.parametrize("unknown", [None, np.nan])
def test_an_instrument_nobody_forecast_has_no_lending_value(unknown: float | None) -> None:
    exchange, house = charged(["A1"], position("A1", "US.X", 100, 1_000_000, haircut_ratio=unknown))
    assert (exchange, house) == ([250_000], [1_000_000])


@pytest.fixture
def desk(lake: Lake, build_views: BuildViews) -> Lake:
    """A1 is in call, A2 is not, A3 in Shanghai is in call and A4 there holds nothing and owes nothing."""
    build_views(
        int_margin__accounts_valued=pd.DataFrame(
            [
                account("A1", equity_minor=200_000, debt_minor=800_000),
                account("A2", equity_minor=900_000, debt_minor=100_000),
                account("A3", market="CN", equity_minor=-50_000, debt_minor=990_000, interest_minor=10_000),
                account("A4", market="CN"),
            ]
        ),
        int_collateral__positions_priced=pd.DataFrame(
            [
                position("A1", "US.X", 100, 1_000_000),
                position("A2", "US.X", 100, 1_000_000),
                position("A3", "CN.Y", 1_000, 95_000),
            ]
        ),
    )
    return lake


def value_slice(lake: Lake, name: str = "close") -> pd.DataFrame:
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_margin__requirements(context, Slice(slice=name), lake=lake, rulebooks=load_rulebook)
    return lake.read("calc_margin__requirements", DAY, name).set_index("account_id")


def test_every_account_has_one_requirement_and_the_stricter_one_binds(desk: Lake) -> None:
    rows = value_slice(desk)
    asked = ["requirement_exchange_minor", "requirement_house_minor", "requirement_minor", "restore_minor"]
    assert {name: tuple(row) for name, row in rows[asked].iterrows()} == {
        "A1": (250_000, 300_000, 300_000, 300_000),
        "A2": (250_000, 300_000, 300_000, 300_000),
        "A3": (300_000, 0, 300_000, 400_000),
        "A4": (0, 0, 0, 0),
    }


def test_a_requirement_names_the_editions_and_the_ledger_head_it_stood_on(desk: Lake) -> None:
    rows = value_slice(desk)
    assert rows.loc["A1", "rulebook_edition"] == "us.finra_4210@2026-06-04"
    assert rows.loc["A3", "rulebook_edition"].startswith("cn.sse_margin_trading@")
    assert set(rows["house_edition"]) == {"house.margin@2000-01-01"}
    assert set(rows["ledger_head"]) == {"9:0123456789abcdef"}
    assert set(rows["source"]) == {"synthetic"}


def test_a_slice_nobody_delivered_is_refused_and_says_what_to_do(desk: Lake) -> None:
    with pytest.raises(NoPrices, match=r"No account is valued on 2026-06-17 at '20260617T140000Z'.*deliver its prices"):
        accounts_valued(desk, DAY, "20260617T140000Z")


@pytest.fixture
def books(tmp_path: Path, vault: Vault) -> Iterator[sa.Engine]:
    """Books with the four accounts of the desk."""
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    create_books(engine)
    same = {"source": "synthetic", "booked_on": DAY, "known_at": pd.Timestamp("2026-06-17T20:00Z").to_pydatetime()}
    with writing(engine) as connection:
        take_over_client(connection, "C1", "Client 1", vault=vault, reason="a test", evidence_hash="0" * 64, **same)
        for name, market, currency in (("A1", "US", "USD"), ("A2", "US", "USD"), ("A3", "CN", "CNY")):
            where = {"market": market, "currency": currency, "rulebook": "any", "opened_on": date(2026, 1, 5)}
            open_account(connection, name, "C1", **where, **same)
    yield engine
    engine.dispose()


def call(lake: Lake, books: sa.Engine) -> pd.DataFrame:
    value_slice(lake)
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_margin__calls(context, Slice(slice="close"), lake=lake, books=books, rulebooks=load_rulebook)
    return lake.read("calc_margin__calls", DAY, "close").set_index("account_id")


def booked_calls(books: sa.Engine) -> list[str]:
    with reading(books) as connection:
        return sorted(connection.execute(sa.select(schema.margin_call.c.call_id)).scalars())


def test_a_call_can_be_computed_again_from_what_it_names(desk: Lake, books: sa.Engine) -> None:
    calls = call(desk, books)
    assert calls.index.tolist() == ["A1", "A3"]
    one = calls.loc["A1"]
    (held,) = json.loads(one["price_basis"])
    assert held == {
        "instrument_id": "US.X", "quantity_shares": 100, "price_e4": 1_000_000, "price_kind": "bar",
        "price_date": "2026-06-17",
    }  # fmt: skip
    exchange, house = charged(["A1"], position("A1", held["instrument_id"], held["quantity_shares"], held["price_e4"]))
    assert max(exchange[0], house[0]) == one["requirement_minor"]
    assert one["call_minor"] == one["requirement_minor"] - one["equity_minor"] == 100_000
    named = [one["rulebook_edition"], one["house_edition"], one["ledger_head"]]
    assert named == ["us.finra_4210@2026-06-04", "house.margin@2000-01-01", "9:0123456789abcdef"]


def test_a_call_under_the_account_ratio_restores_the_higher_line_and_tells_the_shortfall(
    desk: Lake, books: sa.Engine
) -> None:
    one = call(desk, books).loc["A3"]
    assert (one["call_minor"], one["shortfall_minor"], one["currency"]) == (450_000, 50_000, "CNY")
    assert "restores it to 400000" in one["explanation"]


def test_a_call_is_due_after_the_sessions_of_its_own_market(desk: Lake, books: sa.Engine) -> None:
    """Two sessions after Wednesday: both exchanges rest on Friday the 19th, so Thursday and Monday."""
    due = call(desk, books)["due_on"]
    assert due.tolist() == [date(2026, 6, 22), date(2026, 6, 22)]


def test_a_call_comes_into_the_books_once(desk: Lake, books: sa.Engine) -> None:
    first = call(desk, books)
    assert call(desk, books)["call_id"].tolist() == first["call_id"].tolist()
    assert booked_calls(books) == ["2026-06-17/close/A1", "2026-06-17/close/A3"]


def test_a_day_without_a_call_is_written_as_an_empty_day(lake: Lake, build_views: BuildViews, books: sa.Engine) -> None:
    build_views(
        int_margin__accounts_valued=pd.DataFrame([account("A2", equity_minor=900_000)]),
        int_collateral__positions_priced=pd.DataFrame([position("A2", "US.X", 100, 1_000_000)]),
    )
    assert call(lake, books).empty
    assert booked_calls(books) == []
