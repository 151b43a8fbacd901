"""A rate is the sum of its parts, and every calendar day of a loan earns interest exactly once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from assets.lake import Lake
from assets.pricing import calc_pricing__accruals, calc_pricing__loan_rates
from books import schema
from books.clients import open_account, take_over_client
from books.contracts import open_contract
from books.engine import create_books, open_books, reading, writing
from books.rules import adopt
from books.vault import Vault
from rulebooks import editions_of, load_rulebook

DAY = date(2026, 6, 17)
BEGINNING = date(2025, 12, 30)
"""Day on which every client and loan is entered into the books."""
KNOWN_AT = datetime(2026, 6, 17, 20, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Loan:
    contract_id: str
    account_id: str
    opened_on: date
    currency: str = "USD"
    principal_minor: int = 36_000_000


@dataclass(frozen=True)
class PricedDesk:
    """A lake and books in which loans can be opened, priced and accrued on one day after another."""

    lake: Lake
    books: sa.Engine
    build_views: Callable[..., None]
    rows_of: Callable[..., pd.DataFrame]
    vault: Vault

    def lend(self, *loans: Loan) -> None:
        same = {"source": "synthetic", "booked_on": BEGINNING, "known_at": KNOWN_AT}
        with writing(self.books) as connection:
            for loan in loans:
                market = "US" if loan.currency == "USD" else "CN"
                where = {"market": market, "currency": loan.currency, "rulebook": "any", "opened_on": date(2020, 1, 2)}
                take_over_client(
                    connection, f"C.{loan.account_id}", "Client", vault=self.vault, reason="a test",
                    evidence_hash="0" * 64, **same,
                )  # fmt: skip
                open_account(connection, loan.account_id, f"C.{loan.account_id}", **where, **same)
                open_contract(
                    connection, loan.contract_id, loan.account_id, currency=loan.currency,
                    principal_minor=loan.principal_minor, opened_on=loan.opened_on, matures_on=date(2027, 1, 4),
                    booked_on=BEGINNING, known_at=KNOWN_AT,
                )  # fmt: skip

    def accrue(self, day: date, *loans: Loan, rate_e8: int = 5_000_000) -> dict[str, int]:
        """Days of interest per contract on ``day``, at the rate given."""
        told = [
            {"contract_id": loan.contract_id, "account_id": loan.account_id, "currency": loan.currency,
             "principal_minor": loan.principal_minor, "rate_e8": rate_e8, "as_of_date": day}
            for loan in loans
        ]  # fmt: skip
        self.lake.write("calc_pricing__loan_rates", self.rows_of("calc_pricing__loan_rates", *told), day)
        contracts = [(loan.contract_id, day, loan.opened_on) for loan in loans]
        self.build_views(
            stg_books__contracts=pd.DataFrame(contracts, columns=["contract_id", "as_of_date", "opened_on"])
        )
        with dg.build_asset_context(partition_key=day.isoformat()) as context:
            calc_pricing__accruals(context, lake=self.lake, books=self.books, rulebooks=load_rulebook)
        rows = self.lake.read("calc_pricing__accruals", day)
        return dict(zip(rows["contract_id"], rows["days"], strict=True))

    def accrued_minor(self) -> int:
        transfer = schema.transfer.c
        interest = sa.select(transfer.amount_minor).where(transfer.template == "interest_accrued")
        with reading(self.books) as connection:
            return sum(connection.execute(interest).scalars())


@pytest.fixture
def desk(
    lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame], vault: Vault, tmp_path: Path
) -> Iterator[PricedDesk]:
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    create_books(engine)
    adopt(engine, editions_of("house.ledger"), booked_on=BEGINNING, known_at=KNOWN_AT)
    yield PricedDesk(lake, engine, build_views, rows_of, vault)
    engine.dispose()


def test_on_a_weekday_a_loan_earns_one_day(desk: PricedDesk) -> None:
    """360,000.00 at 5 % over 360 days is 50.00 a day."""
    loan = Loan("K1", "A1", date(2026, 1, 5))
    desk.lend(loan)
    assert desk.accrue(DAY, loan) == {"K1": 1}
    assert desk.accrued_minor() == 5_000


def test_on_monday_a_loan_earns_the_weekend_too(desk: PricedDesk) -> None:
    old, weekend, fresh = (
        Loan("K1", "A1", date(2026, 1, 5)), Loan("K2", "A2", date(2026, 6, 14)), Loan("K3", "A3", date(2026, 6, 15)),
    )  # fmt: skip
    desk.lend(old, weekend, fresh)
    assert desk.accrue(date(2026, 6, 15), old, weekend, fresh) == {"K1": 3, "K2": 1}


def test_interest_posted_twice_is_posted_once(desk: PricedDesk) -> None:
    loan = Loan("K1", "A1", date(2026, 1, 5))
    desk.lend(loan)
    desk.accrue(DAY, loan)
    desk.accrue(DAY, loan)
    assert desk.accrued_minor() == 5_000


def test_a_day_both_exchanges_rest_loses_no_interest(desk: PricedDesk) -> None:
    """No end_of_day runs on New Year's Day; the session after it owes that day as well."""
    loan = Loan("K1", "A1", date(2025, 12, 30))
    desk.lend(loan)
    days = [desk.accrue(day, loan)["K1"] for day in (date(2025, 12, 31), date(2026, 1, 2))]
    assert sum(days) == (date(2026, 1, 2) - date(2025, 12, 30)).days


def test_a_day_on_which_no_loan_is_open_is_written_as_an_empty_day(desk: PricedDesk) -> None:
    assert desk.accrue(DAY) == {}
    assert desk.accrued_minor() == 0


def price(lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame], **rates: int) -> Any:
    """Price one loan in each currency; a currency named has a rate from the vendor."""
    accounts = pd.DataFrame(
        {
            "account_id": ["A1", "A2"], "currency": ["USD", "CNY"], "debt_minor": [700_000, 700_000],
            "interest_minor": 0, "short_value_minor": 0, "assets_minor": [1_000_000, 2_000_000],
        }
    ).assign(as_of_date=DAY, slice="close")  # fmt: skip
    loans = accounts[["account_id", "currency"]].assign(
        contract_id=["K1", "K2"], principal_minor=700_000, as_of_date=DAY, ledger_head="4:a", source="synthetic"
    )
    positions = pd.DataFrame(
        {"account_id": ["A1", "A2"], "instrument_id": ["US.X", "CN.Y"], "market_value_minor": [1_000_000, 2_000_000]}
    )
    build_views(
        int_margin__accounts_valued=accounts,
        stg_books__contracts=loans,
        int_collateral__positions_priced=positions.assign(as_of_date=DAY, slice="close"),
        stg_market__rates=pd.DataFrame(
            {"currency": list(rates), "rate_e8": list(rates.values()), "as_of_date": [DAY] * len(rates)}
        ).astype({"currency": "str", "rate_e8": "int64"}),
    )
    forecasts = [{"instrument_id": name, "volatility_ratio": 0.60} for name in ("US.X", "CN.Y")]
    lake.write("calc_forecasting__volatility", rows_of("calc_forecasting__volatility", *forecasts), DAY)
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_pricing__loan_rates(context, lake=lake, rulebooks=load_rulebook)
    return lake.read("calc_pricing__loan_rates", DAY).set_index("contract_id")


def test_the_parts_of_every_rate_sum_to_it(
    lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame]
) -> None:
    rows = price(lake, build_views, rows_of, USD=4_321_000)
    parts = rows["risk_free_e8"] + rows["funding_premium_e8"] + rows["expected_loss_premium_e8"]
    assert parts.tolist() == rows["rate_e8"].tolist()
    assert (rows["expected_loss_premium_e8"] > 0).all()


def test_the_vendors_rate_goes_before_the_houses(
    lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame]
) -> None:
    rows = price(lake, build_views, rows_of, USD=4_321_000)
    assert rows["risk_free_e8"].to_dict() == {"K1": 4_321_000, "K2": 1_800_000}


def test_a_loan_with_less_collateral_costs_more(
    lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame]
) -> None:
    rows = price(lake, build_views, rows_of, USD=4_321_000)
    assert rows.loc["K1", "expected_loss_premium_e8"] > rows.loc["K2", "expected_loss_premium_e8"]
    assert rows["pd_ratio"].between(0, 1).all()
    assert rows["volatility_ratio"].tolist() == pytest.approx([0.60, 0.60])
