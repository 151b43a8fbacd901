"""What the pipeline is handed: the books of one moment, the same whenever asked, down to column and type."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from assets.schemas import TABLES
from books.accesses import record_access
from books.accruals import post_accruals
from books.audit import verify
from books.clients import set_client_detail
from books.engine import reading
from books.extract import KNOWN_WHEN_BOOKED, bank_movements, extract
from books.journal import ledger_head
from books.positions import shares_delivered
from books.posting import post
from books.rules import adopt, chart_on
from books.seeding import seed
from books.vault import Vault
from domain.errors import TransferRefused
from domain.ledger import Transfer
from rulebooks import editions_of

MAY_BE_UNSAID = {
    "account_id", "ledger_account_id", "event_id", "phase", "pending_id", "expires_on", "reverses", "approval_id",
    "counterparty", "channel",
}  # fmt: skip

NOW = datetime(2026, 6, 18, 3, 0, tzinfo=UTC)


@pytest.fixture
def seeded(books: sa.Engine, small_desk: Any, vault: Vault, when: dict[str, Any]) -> sa.Engine:
    adopt(books, editions_of("house.ledger", "house.approvals"), **when)
    seed(books, small_desk, vault=vault, **when)
    return books


@pytest.fixture
def tomorrow(when: dict[str, Any]) -> dict[str, Any]:
    return when | {"booked_on": when["booked_on"] + timedelta(days=1)}


def test_every_table_has_the_columns_the_pipeline_declares(seeded: sa.Engine, when: dict[str, Any]) -> None:
    tables = extract(seeded, when["booked_on"], NOW)
    assert set(tables) == {name for name in TABLES if name.startswith(("raw_books__", "raw_clients__"))}
    for name, table in tables.items():
        assert table.schema.equals(TABLES[name]), name
        if name.startswith("raw_clients__"):
            continue
        assert table.num_rows > 0
        unsaid = {column for column in table.column_names if table[column].null_count}
        assert unsaid <= MAY_BE_UNSAID, name
        assert set(table["source"].to_pylist()) == {"synthetic"}
        assert set(table["known_at"].to_pylist()) == {when["known_at"] if name in KNOWN_WHEN_BOOKED else NOW}
        assert set(table["as_of_date"].to_pylist()) == {when["booked_on"]}


def test_empty_books_give_empty_tables_of_the_same_shape(books: sa.Engine, when: dict[str, Any]) -> None:
    for name, table in extract(books, when["booked_on"], NOW).items():
        assert table.schema.equals(TABLES[name])
        assert table.num_rows == 0


def test_one_extract_has_one_ledger_head(seeded: sa.Engine, when: dict[str, Any]) -> None:
    tables = extract(seeded, when["booked_on"], NOW)
    heads = {
        head
        for table in tables.values()
        if "ledger_head" in table.column_names
        for head in table["ledger_head"].to_pylist()
    }
    assert heads == {str(ledger_head(seeded))}


def test_seeding_the_same_desk_again_changes_nothing(
    seeded: sa.Engine, small_desk: Any, vault: Vault, when: dict[str, Any]
) -> None:
    head = ledger_head(seeded)
    assert seed(seeded, small_desk, vault=vault, **when) == head
    assert (
        verify(seeded).entries
        == head.sequence
        == len(editions_of("house.ledger", "house.approvals")) + 2 + 6 + 6 * 6 + 6 + 6 + 8 + 12 + 2 + 6 + 6
    )


def test_debits_equal_credits_in_every_currency(seeded: sa.Engine, when: dict[str, Any]) -> None:
    tables = extract(seeded, when["booked_on"], NOW)
    balances = tables["raw_books__balances"].to_pandas()
    assert balances.groupby("currency")["balance_minor"].sum().to_dict() == {"CNY": 0, "USD": 0}
    of = balances.set_index("ledger_account_id")["balance_minor"]
    assert of["1210.A2"] == 2_000_000
    assert of["2010.A2"] == -500_000
    assert of["1010.USD"] == 2_000_000
    assert of["1110.USD"] == 10_000_000  # capital of 20,000,000, half of it lent
    assert of["3010.USD"] == -20_000_000


def test_client_money_equals_the_segregated_bank(seeded: sa.Engine, when: dict[str, Any]) -> None:
    tables = extract(seeded, when["booked_on"], NOW)
    accounts = tables["raw_books__ledger_accounts"].to_pandas()
    balances = tables["raw_books__balances"].to_pandas().merge(accounts[["ledger_account_id", "code"]])
    client_money = balances[balances["code"].isin(["1010", "2010"])]
    assert client_money.groupby("currency")["balance_minor"].sum().to_dict() == {"CNY": 0, "USD": 0}


def test_every_money_account_of_the_chart_is_listed(seeded: sa.Engine, when: dict[str, Any]) -> None:
    accounts = extract(seeded, when["booked_on"], NOW)["raw_books__ledger_accounts"].to_pandas()
    with reading(seeded) as connection:
        classes = [one for one in chart_on(connection, when["booked_on"]).classes.values() if not one.holds_securities]
    per_client = sum(one.is_per_client for one in classes)
    assert len(accounts) == 2 * (len(classes) - per_client) + 6 * per_client
    assert set(accounts["kind"]) <= {"asset", "liability", "equity", "income", "expense"}
    assert accounts["account_id"].isna().sum() == 2 * (len(classes) - per_client)


def test_an_old_day_asked_for_again_gives_the_same_numbers(
    seeded: sa.Engine, when: dict[str, Any], tomorrow: dict[str, Any]
) -> None:
    before = extract(seeded, when["booked_on"], NOW)
    deposit = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 7, "USD", when["booked_on"])
    post(seeded, [deposit], **tomorrow)
    post(seeded, [shares_delivered("m1", "A1", "custodian.USD", "US.ONE", 1, when["booked_on"])], **tomorrow)
    assert extract(seeded, when["booked_on"], NOW) == before
    after = extract(seeded, tomorrow["booked_on"], NOW)
    assert after["raw_books__transfers"]["transfer_id"].to_pylist() == ["t1"]
    assert after["raw_books__positions"]["quantity_shares"][0].as_py() == 102
    assert (
        dict(
            zip(
                *after["raw_books__balances"].select(["ledger_account_id", "balance_minor"]).to_pydict().values(),
                strict=True,
            )
        )["2010.A1"]
        == -500_007
    )
    quiet = extract(seeded, tomorrow["booked_on"] + timedelta(days=1), NOW)
    assert quiet["raw_books__transfers"].num_rows == 0
    assert quiet["raw_books__balances"]["ledger_head"][0] == after["raw_books__balances"]["ledger_head"][0]


def test_a_day_before_the_books_were_opened_is_empty(seeded: sa.Engine) -> None:
    tables = extract(seeded, date(2026, 1, 1), NOW)
    assert {table.num_rows for table in tables.values()} == {0}


def test_the_bank_sees_what_touched_it_and_nothing_else(seeded: sa.Engine, tomorrow: dict[str, Any]) -> None:
    day = tomorrow["booked_on"]
    deposit = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 700, "USD", day)
    loan = Transfer("t2", "loan_drawn", "1210.A5", "1110.CNY", 900, "CNY", day)
    interest = Transfer("t3", "interest_accrued", "1220.A1", "4010.USD", 5, "USD", day)
    post(seeded, [deposit, loan, interest], **tomorrow)
    seen = bank_movements(seeded, day)
    assert list(seen.itertuples(index=False, name=None)) == [
        ("1010.USD", "t1", day, 700, "USD"),
        ("1110.CNY", "t2", day, -900, "CNY"),
    ]
    assert seen["amount_minor"].dtype == "int64"
    assert bank_movements(seeded, day + timedelta(days=1)).empty


ACCRUAL = {
    "contract_id": "K1",
    "account_id": "A1",
    "transfer_id": "interest.K1.2026-06-16",
    "currency": "USD",
    "interest_minor": 167,
}


def test_interest_is_accrued_once_per_contract_and_day(seeded: sa.Engine, when: dict[str, Any]) -> None:
    nothing = ACCRUAL | {
        "contract_id": "K2",
        "account_id": "A2",
        "transfer_id": "interest.K2.2026-06-16",
        "interest_minor": 0,
    }
    accruals = pd.DataFrame([ACCRUAL, nothing])
    head = post_accruals(seeded, accruals, **when)
    assert post_accruals(seeded, accruals, **when) == head
    balances = extract(seeded, when["booked_on"] + timedelta(days=1), NOW)["raw_books__balances"].to_pandas()
    of = balances.set_index("ledger_account_id")["balance_minor"]
    assert (of["1220.A1"], of["1220.A2"], of["4010.USD"]) == (167, 0, -167)


def test_a_close_run_twice_finds_the_books_it_found_at_first(seeded: sa.Engine, when: dict[str, Any]) -> None:
    """What a close writes follows from its numbers, and so cannot be among them."""
    day = when["booked_on"]
    first = extract(seeded, day, NOW)
    post_accruals(seeded, pd.DataFrame([ACCRUAL]), **when)
    assert all(extract(seeded, day, NOW)[table].equals(rows) for table, rows in first.items())


def test_what_the_close_writes_belongs_to_the_next_day(
    seeded: sa.Engine, when: dict[str, Any], tomorrow: dict[str, Any]
) -> None:
    day = when["booked_on"]
    today = extract(seeded, day, NOW)["raw_books__transfers"].num_rows
    post_accruals(seeded, pd.DataFrame([ACCRUAL]), **when)
    later = Transfer("late", "client_deposit", "1010.USD", "2010.A1", 100, "USD", tomorrow["booked_on"])
    post(seeded, [later], **tomorrow)
    next_day = extract(seeded, tomorrow["booked_on"], NOW)["raw_books__transfers"].column("transfer_id").to_pylist()
    assert extract(seeded, day, NOW)["raw_books__transfers"].num_rows == today
    assert next_day == [ACCRUAL["transfer_id"], "late"]


def test_interest_on_somebody_elses_contract_is_refused(seeded: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="contract_must_belong_to_account"):
        post_accruals(seeded, pd.DataFrame([ACCRUAL | {"account_id": "A2"}]), **when)


def test_a_desk_that_contradicts_the_books_is_refused_whole(
    seeded: sa.Engine, small_desk: Any, vault: Vault, when: dict[str, Any]
) -> None:
    head = ledger_head(seeded)
    other = replace(small_desk, deposits=small_desk.deposits.assign(amount_minor=1))
    with pytest.raises(TransferRefused, match=r"deposit\.A1 refused, exists_with_different_content"):
        seed(seeded, other, vault=vault, **when)
    assert ledger_head(seeded) == head


def test_devices_and_own_bank_accounts_are_told_by_hash_only(
    desk: sa.Engine, vault: Any, when: dict[str, Any], tomorrow: dict[str, Any]
) -> None:
    device = "ab" * 32
    record_access(desk, "s1", "A1", device, **when)
    set_client_detail(desk, "C1", "bank_account", "62220000 1234 5678", vault=vault, **when)
    tables = extract(desk, when["booked_on"], NOW)
    (access,) = tables["raw_clients__accesses"].to_pylist()
    assert (access["access_id"], access["account_id"], access["device_hash"]) == ("s1", "A1", device)
    assert access["accessed_at"] == when["known_at"]
    (own,) = tables["raw_clients__counterparties"].to_pylist()
    assert own["account_id"] == "A1" and "1234" not in own["counterparty"]
    record_access(desk, "s2", "A2", device, **tomorrow)
    later = extract(desk, tomorrow["booked_on"], NOW)
    assert later["raw_clients__accesses"]["access_id"].to_pylist() == ["s2"]
    assert later["raw_clients__counterparties"].num_rows == 1


def test_a_device_that_is_no_hash_is_refused_without_being_repeated(desk: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(TransferRefused, match="device_must_be_hashed") as refusal:
        record_access(desk, "s1", "A1", "Robert's phone", **when)
    assert "Robert" not in str(refusal.value)
    with pytest.raises(TransferRefused, match="accounts_must_exist"):
        record_access(desk, "s1", "A9", "ab" * 32, **when)
