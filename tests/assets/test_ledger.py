"""Corporate actions of the day reach every holder once, and the six tables of the books stand on one head."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa

from assets.lake import Lake
from assets.ledger import BOOK_TABLES, calc_ledger__entitlements, raw_books
from books.clients import open_account, take_over_client
from books.engine import create_books, open_books, writing
from books.positions import Movement, move_positions
from books.vault import Vault
from domain.errors import UnpricedPosition

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
        take_over_client(connection, "C1", "Client 1", vault=vault, reason="a test", evidence_hash="0" * 64, **same)
        open_account(connection, "A1", "C1", **where, **same)
        held = [Movement("m1", "A1", "US.X", "deposit", 101, BEFORE)]
        move_positions(connection, held, booked_on=BEFORE, known_at=KNOWN_AT)
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


def test_all_tables_of_the_books_stand_on_the_same_head(lake: Lake, books: sa.Engine) -> None:
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        told = {str(result.asset_key): result for result in raw_books(context, books=books, lake=lake)}
    assert len(told) == len(BOOK_TABLES) == 6
    heads = {str(result.metadata["ledger_head"]) for result in told.values()}
    read = {lake.read(table, DAY)["ledger_head"].iloc[0] for table in ("raw_books__accounts", "raw_books__positions")}
    assert heads == read
    assert len(read) == 1
