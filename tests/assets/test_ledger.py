"""Corporate actions of the day reach every holder once, and the tables of the books stand on one head."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from assets.lake import Lake
from assets.ledger import BOOK_TABLES, calc_ledger__entitlements, days_not_extracted, raw_books
from books.clients import open_account, take_over_client
from books.engine import create_books, open_books, writing
from books.positions import shares_delivered
from books.posting import post
from books.rules import adopt
from books.third_parties import enter_third_party
from books.vault import Vault
from domain.errors import UnpricedPosition
from domain.ledger import Transfer
from rulebooks import editions_of

DAY, BEFORE = date(2026, 6, 17), date(2026, 6, 16)
KNOWN_AT = datetime(2026, 6, 16, 20, 0, tzinfo=UTC)
ACTIONS, CLOSES = "raw_market__corporate_actions", "calc_market__previous_closes"


@pytest.fixture
def books(tmp_path: Path, vault: Vault) -> Iterator[sa.Engine]:
    """A1 holds 101 shares of US.X since the day before."""
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    create_books(engine)
    with writing(engine) as connection:
        same = {"source": "synthetic", "booked_on": BEFORE, "known_at": KNOWN_AT}
        where = {"market": "US", "currency": "USD", "rulebook": "us.finra_4210", "opened_on": date(2026, 1, 5)}
        adopt(connection, editions_of("house.ledger"), booked_on=BEFORE, known_at=KNOWN_AT)
        take_over_client(connection, "C1", "Client 1", vault=vault, reason="a test", evidence_hash="0" * 64, **same)
        open_account(connection, "A1", "C1", **where, **same)
        enter_third_party(connection, "CSD", "custodian", "the depository", **same)
        held = [shares_delivered("m1", "A1", "CSD", "US.X", 101, BEFORE)]
        post(connection, held, booked_on=BEFORE, known_at=KNOWN_AT)
    yield engine
    engine.dispose()


def entitle(lake: Lake, books: sa.Engine) -> pd.DataFrame:
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_ledger__entitlements(context, lake=lake, books=books)
    return lake.read("calc_ledger__entitlements", DAY)


def test_a_fraction_of_a_share_is_paid_at_the_previous_close_carried_over_the_split(
    lake: Lake, books: sa.Engine, rows_of: Callable[..., pd.DataFrame]
) -> None:
    """101 × 3/2 is 151 and a half; half a share at 20.00 is 10.00."""
    lake.write(CLOSES, rows_of(CLOSES, {"instrument_id": "US.X", "price_e4": 200_000}), DAY)
    lake.write(ACTIONS, rows_of(ACTIONS, {"instrument_id": "US.X", "kind": "split", "split_ratio": 1.5}), DAY)
    for _ in range(2):
        (row,) = entitle(lake, books).to_dict("records")
        assert (row["quantity_before_shares"], row["quantity_after_shares"], row["cash_minor"]) == (101, 151, 1_000)
        assert (row["account_id"], row["kind"], row["currency"]) == ("A1", "split", "USD")


def test_a_split_without_a_previous_close_is_refused_and_books_nothing(
    lake: Lake, books: sa.Engine, rows_of: Callable[..., pd.DataFrame]
) -> None:
    lake.write(CLOSES, rows_of(CLOSES, {"instrument_id": "US.OTHER"}), DAY)
    told = [{"instrument_id": "US.X", "kind": kind, "split_ratio": 1.5} for kind in ("cash_dividend", "split")]
    lake.write(ACTIONS, rows_of(ACTIONS, *told), DAY)
    with pytest.raises(UnpricedPosition, match="Nothing was booked; load its history"):
        entitle(lake, books)
    lake.write(ACTIONS, rows_of(ACTIONS), DAY)
    assert entitle(lake, books).empty


def test_a_dividend_is_paid_to_those_who_held_the_share(
    lake: Lake, books: sa.Engine, rows_of: Callable[..., pd.DataFrame]
) -> None:
    told = [{"instrument_id": name, "kind": "cash_dividend", "dividend_e4": 2_500} for name in ("US.X", "US.NOBODYS")]
    lake.write(ACTIONS, rows_of(ACTIONS, *told), DAY)
    rows = entitle(lake, books)
    assert rows["instrument_id"].tolist() == ["US.X"]
    assert rows["cash_minor"].tolist() == [2_525]


def test_a_day_without_actions_is_written_as_an_empty_day(lake: Lake, books: sa.Engine) -> None:
    assert entitle(lake, books).empty
    assert lake.days("calc_ledger__entitlements") == [DAY]


def take_in(lake: Lake, books: sa.Engine, day: date = DAY) -> dict[str, dg.MaterializeResult]:
    with dg.build_asset_context(partition_key=day.isoformat()) as context:
        return {result.asset_key.to_user_string(): result for result in raw_books(context, books=books, lake=lake)}


def pay_in(books: sa.Engine, transfer_id: str, day: date) -> None:
    paid = Transfer(transfer_id, "client_deposit", "1010.USD", "2010.A1", 500, "USD", day)
    post(books, [paid], booked_on=day, known_at=KNOWN_AT)


def test_all_tables_of_the_books_stand_on_the_same_head(lake: Lake, books: sa.Engine) -> None:
    told = take_in(lake, books)
    assert told.keys() == BOOK_TABLES.keys()
    heads = {str(result.metadata["ledger_head"]) for result in told.values()}
    read = {lake.read(table, DAY)["ledger_head"].iloc[0] for table in ("raw_books__accounts", "raw_books__positions")}
    assert heads == read
    assert len(read) == 1


def test_a_day_nobody_extracted_is_taken_in_with_the_next(lake: Lake, books: sa.Engine) -> None:
    """The books moved on Tuesday and Wednesday; the pipeline first ran on Thursday."""
    thursday = date(2026, 6, 18)
    pay_in(books, "d1", DAY)
    pay_in(books, "d2", thursday)
    assert days_not_extracted(books, lake, thursday) == [BEFORE, DAY]
    take_in(lake, books, thursday)
    assert lake.days("raw_books__transfers") == [BEFORE, DAY, thursday]
    assert lake.read("raw_books__transfers", DAY)["transfer_id"].tolist() == ["d1"]
    assert lake.read("raw_books__transfers", thursday)["transfer_id"].tolist() == ["d2"]
    assert lake.read("raw_books__security_transfers", BEFORE)["transfer_id"].tolist() == ["m1"]
    assert days_not_extracted(books, lake, thursday) == []


def test_a_day_on_which_nothing_moved_is_not_missed(lake: Lake, books: sa.Engine) -> None:
    adopt(books, editions_of("house.aml"), booked_on=DAY, known_at=KNOWN_AT)
    assert days_not_extracted(books, lake, date(2026, 6, 18)) == [BEFORE]


def test_what_is_booked_while_a_close_is_under_way_is_in_the_next_days_file(lake: Lake, books: sa.Engine) -> None:
    """After the close read the books and before it posted its interest, a client paid in."""
    next_day = date(2026, 6, 18)
    pay_in(books, "d1", DAY)
    take_in(lake, books)
    pay_in(books, "meanwhile", DAY)
    interest = Transfer("i1", "interest_accrued", "1220.A1", "4010.USD", 7, "USD", DAY)
    post(books, [interest], booked_on=DAY, known_at=KNOWN_AT)
    take_in(lake, books, next_day)
    assert lake.read("raw_books__transfers", DAY)["transfer_id"].tolist() == ["d1"]
    assert lake.read("raw_books__transfers", next_day)["transfer_id"].tolist() == ["meanwhile", "i1"]
