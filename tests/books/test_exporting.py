"""What is handed out says the same as the books: to machines, to beancount and hledger, and to another desk."""

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from beancount import loader
from beancount.core import data, realization

from books import schema
from books.engine import create_books, open_books, reading
from books.exporting import LAYOUT, export_books
from books.extract import sums_at
from books.importing import bring_in
from books.journal import ledger_head
from books.opening import opening_of
from books.posting import post, post_event
from books.reports import trial_balance
from books.rules import adopt
from books.seeding import seed
from books.vault import Vault
from domain.errors import ExportNotPossible
from domain.ledger import Transfer
from domain.money import EXPONENTS
from domain.opening import Opening
from rulebooks import editions_of

DAY = date(2026, 6, 16)
NOW = datetime(2026, 6, 16, 21, tzinfo=UTC)

Balances = dict[tuple[str, str], int]


@pytest.fixture
def busy(books: sa.Engine, small_desk: Any, vault: Vault, when: dict[str, Any]) -> sa.Engine:
    """A seeded desk with a story: a short sale, a purchase in flight, borrowed shares, interest backdated."""
    adopt(books, editions_of(), **when)
    seed(books, small_desk, vault=vault, **when)
    same: dict[str, Any] = {"unit": "USD", "effective_on": DAY, "instrument_id": "us/lower one", **when}
    owners = {"client": "A1", "9010": "custodian.USD", "9120": "lender.USD"}
    post_event(books, "securities_borrowed", "b", owners=owners, amounts={"collateral": 50, "shares": 9}, **same)
    sale = {"net": 4_000, "commission": 3, "stamp": 2, "shares": 4}
    post_event(books, "short_sale", "s", owners=owners, amounts=sale, **same)
    post_event(books, "short_sale_settled", "t", owners=owners, amounts=sale, settles="s", **same)
    post_event(books, "purchase", "p", owners=owners, amounts={"cost": 700, "shares": 3}, **same)
    early = DAY - timedelta(days=40)
    post(books, [Transfer('odd "id";', "interest_accrued", "1220.A2", "4010.USD", 77, "USD", early)], **when)
    return books


def money_and_shares(books: sa.Engine) -> tuple[Balances, Balances]:
    with reading(books) as connection:
        head = ledger_head(connection)
        found = [sums_at(connection, table, head) for table in (schema.transfer, schema.security_transfer)]
    money, shares = ({key: of.balance for key, of in sums.items() if of.balance} for sums in found)
    return money, shares


def export(books: sa.Engine, folder: Path) -> dict[str, Any]:
    export_books(books, folder, known_at=NOW)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def test_every_file_is_what_the_manifest_says(busy: sa.Engine, tmp_path: Path) -> None:
    manifest = export(busy, tmp_path / "export")
    head = ledger_head(busy)
    assert manifest["ledger_head"] == {"sequence": head.sequence, "entry_hash": head.entry_hash}
    files = {str(file.relative_to(tmp_path / "export")): file for file in (tmp_path / "export").rglob("*.*")}
    assert files.keys() == manifest["files"].keys() | {"manifest.json"}
    assert {f"{name}.parquet" for name in LAYOUT} <= files.keys()
    for name, told in manifest["files"].items():
        content = files[name].read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (told["sha256"], told["bytes"]), name
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_tables_have_their_columns_and_the_sums_of_the_manifest(busy: sa.Engine, tmp_path: Path) -> None:
    manifest = export(busy, tmp_path / "export")
    for name, columns in LAYOUT.items():
        with pq.ParquetFile(tmp_path / "export" / f"{name}.parquet", page_checksum_verification=True) as file:
            table = file.read()
        assert dict(zip(table.schema.names, table.schema.types, strict=True)) == dict(columns)
        assert table.num_rows == manifest["files"][f"{name}.parquet"]["rows"] > 0
    sums = {name: told["sums"] for name, told in manifest["files"].items() if "sums" in told}
    assert sums["balances.parquet"] == {"CNY": 0, "USD": 0}
    assert sums["holdings.parquet"] == {"shares": 0}
    assert sums["contracts.parquet"] == {"CNY": 11_000_000, "USD": 10_000_000}
    journal = pq.read_table(tmp_path / "export" / "journal.parquet")
    told = Counter[str]()
    for currency, amount in zip(journal["currency"].to_pylist(), journal["amount_minor"].to_pylist(), strict=True):
        told[currency] += amount
    assert sums["journal.parquet"] == dict(told)


def test_balances_handed_out_are_those_of_the_books(busy: sa.Engine, tmp_path: Path) -> None:
    export(busy, tmp_path / "export")
    money, shares = money_and_shares(busy)
    for name, unit, amount, expected in (
        ("balances", "currency", "balance_minor", money),
        ("holdings", "instrument_id", "balance_shares", shares),
    ):
        rows = pq.read_table(tmp_path / "export" / f"{name}.parquet").to_pylist()
        assert {(row["ledger_account_id"], row[unit]): row[amount] for row in rows if row[amount]} == expected
    [in_flight] = [row for row in rows if row["ledger_account_id"] == "9020.A1" and row["credits_pending_shares"]]
    assert (in_flight["credits_pending_shares"], in_flight["balance_shares"]) == (3, 0)


def test_no_client_is_named_in_anything_handed_out(busy: sa.Engine, tmp_path: Path) -> None:
    export(busy, tmp_path / "export")
    for file in (tmp_path / "export").rglob("*.*"):
        assert b"Client 1" not in file.read_bytes(), file.name


def beancount_balances(file: Path) -> Balances:
    """Every balance as beancount computes it from the text, under the books' own names."""
    entries, errors, _ = loader.load_file(str(file))
    assert errors == []
    names = {one.account: one.meta["ledger_account_id"] for one in entries if isinstance(one, data.Open)}
    instruments = {one.currency: one.meta["instrument_id"] for one in entries if isinstance(one, data.Commodity)}
    found: Balances = {}
    for account in realization.iter_children(realization.realize(entries)):
        for position in account.balance:
            unit = position.units.currency
            minor = Decimal(position.units.number).scaleb(EXPONENTS.get(unit, 0))
            assert minor == int(minor)
            if minor:
                found[names[account.account], instruments.get(unit, unit)] = int(minor)
    return found


def test_beancount_recomputes_every_balance_to_the_last_minor_unit(busy: sa.Engine, tmp_path: Path) -> None:
    export(busy, tmp_path / "export")
    money, shares = money_and_shares(busy)
    assert beancount_balances(tmp_path / "export" / "books.beancount") == money | shares


def test_the_text_asserts_every_balance_so_that_a_changed_amount_is_found(busy: sa.Engine, tmp_path: Path) -> None:
    export(busy, tmp_path / "export")
    file = tmp_path / "export" / "books.beancount"
    text = file.read_text(encoding="utf-8")
    money, shares = money_and_shares(busy)
    assert text.count(" balance ") >= len(money) + len(shares)
    assert text.count("  0.77 USD\n") == text.count("  -0.77 USD\n") == 1
    file.write_text(text.replace("0.77 USD\n", "0.78 USD\n"), encoding="utf-8")
    _, errors, _ = loader.load_file(str(file))
    assert len(errors) == 2


def test_every_transaction_carries_the_id_of_its_transfer(busy: sa.Engine, tmp_path: Path) -> None:
    export(busy, tmp_path / "export")
    entries, _, _ = loader.load_file(str(tmp_path / "export" / "books.beancount"))
    told = {one.meta["transfer_id"]: one for one in entries if isinstance(one, data.Transaction)}
    assert told['odd "id";'].date == DAY - timedelta(days=40)
    assert told["t.net"].meta["event_id"] == "t"
    assert "s.net" not in told, "what is pending has not moved"


def test_hledger_recomputes_every_balance_too(busy: sa.Engine, tmp_path: Path) -> None:
    hledger = shutil.which("hledger")
    if hledger is None:
        pytest.skip("needs hledger, which is not here")
    export(busy, tmp_path / "export")
    ran = subprocess.run(
        [hledger, "-f", str(tmp_path / "export" / "books.hledger"), "bal", "--flat", "-N", "-O", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    names = {
        one.account: one.meta["ledger_account_id"]
        for one in loader.load_file(str(tmp_path / "export" / "books.beancount"))[0]
        if isinstance(one, data.Open)
    }
    rows, _ = json.loads(ran.stdout)
    found = Counter[tuple[str, str]]()
    for account, _, _, amounts in rows:
        for amount in amounts:
            quantity, unit = amount["aquantity"], amount["acommodity"]
            number = Decimal(quantity["decimalMantissa"]).scaleb(EXPONENTS.get(unit, 0) - quantity["decimalPlaces"])
            assert number == int(number)
            found[names[account], unit] += int(number)
    money, shares = money_and_shares(busy)
    spelt = {"us/lower one": "X'_75_73_2F_6C_6F_77_65_72_20_6F_6E_65"}
    expected = {(name, spelt.get(unit, unit)): balance for (name, unit), balance in (money | shares).items()}
    assert {key: balance for key, balance in found.items() if balance} == expected


def second_books(tmp_path: Path) -> sa.Engine:
    engine = open_books(f"sqlite:///{tmp_path / 'second.db'}")
    create_books(engine)
    adopt(engine, editions_of(), booked_on=DAY, known_at=NOW)
    return engine


def test_a_desk_handed_out_is_brought_into_empty_books_unchanged(busy: sa.Engine, vault: Vault, tmp_path: Path) -> None:
    with reading(busy) as connection:
        opening = opening_of(connection, DAY)
    other = second_books(tmp_path)
    same: dict[str, Any] = {"vault": vault, "rulebooks": {"us.finra_4210"}, "booked_on": DAY, "known_at": NOW}
    bring_in(other, opening, **same)
    assert money_and_shares(other) == money_and_shares(busy)
    for by_account in (False, True):
        both = [trial_balance(books, DAY, DAY, by_account=by_account) for books in (busy, other)]
        assert both[0] == both[1]
    with reading(other) as connection:
        assert opening_of(connection, DAY) == opening
    other.dispose()


def lines_under(folder: Path) -> dict[str, list[str]]:
    return {file.stem: file.read_text(encoding="utf-8").splitlines() for file in folder.glob("*.csv")}


def test_the_opening_lies_beside_as_six_files(busy: sa.Engine, tmp_path: Path) -> None:
    manifest = export(busy, tmp_path / "export")
    lines = lines_under(tmp_path / "export" / "opening")
    assert lines["clients"][:2] == ["client_id,source,name", "C1,synthetic,C1"]
    assert lines["contracts"][-1] == "#rows,6"
    assert "lender.USD,us/lower one,5,custodian.USD" in lines["positions"]
    assert "A1,us/lower one,-4,lender.USD" in lines["positions"]
    assert manifest["without_opening"] is None
    assert manifest["files"]["opening/contracts.csv"]["rows"] == 6


def owed(opening: Opening) -> Mapping[str, int]:
    return {one.contract_id: one.principal_minor for one in opening.contracts}


def test_a_repayment_is_taken_from_the_oldest_contract(busy: sa.Engine, when: dict[str, Any]) -> None:
    from books.contracts import open_contract

    same: dict[str, Any] = {"opened_on": date(2026, 2, 1), "matures_on": date(2026, 8, 1), "currency": "USD"}
    open_contract(busy, "K1b", "A1", principal_minor=5_000, **same, **when)
    loan = Transfer("l", "loan_drawn", "1210.A1", "1110.USD", 5_000, "USD", DAY)
    repaid = [
        Transfer("r", "loan_repaid", "2010.A1", "1210.A1", 400_000, "USD", DAY),
        Transfer("m", "loan_repaid", "1110.USD", "1010.USD", 400_000, "USD", DAY),
    ]
    post(busy, [loan, *repaid], **when)
    with reading(busy) as connection:
        assert {name: owed(opening_of(connection, DAY))[name] for name in ("K1", "K1b")} == {
            "K1": 600_000, "K1b": 5_000,
        }  # fmt: skip


def test_shares_passed_on_from_client_to_client_cost_the_opening_and_nothing_else(
    busy: sa.Engine, tmp_path: Path, when: dict[str, Any]
) -> None:
    """Shares of A4 that a short seller delivered lie nowhere, so no position can say where."""
    same: dict[str, Any] = {"unit": "USD", "effective_on": DAY, "instrument_id": "US.ONE", **when}
    owners = {"client": "A2", "9010": "custodian.USD"}
    post_event(busy, "short_sale", "s2", owners=owners, amounts={"shares": 100}, **same)
    post_event(busy, "short_sale_settled", "t2", owners=owners, amounts={"shares": 100}, settles="s2", **same)
    manifest = export(busy, tmp_path / "export")
    assert "of US.ONE it cannot for 9020.A4, 9110.A2" in manifest["without_opening"]
    assert not (tmp_path / "export" / "opening").exists()
    money, shares = money_and_shares(busy)
    assert beancount_balances(tmp_path / "export" / "books.beancount") == money | shares


def test_a_folder_with_something_in_it_is_left_alone(busy: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    export(busy, tmp_path / "export")
    before = {file: file.read_bytes() for file in (tmp_path / "export").rglob("*.*")}
    with pytest.raises(ExportNotPossible, match=r"holds something already. Nothing was written; name a new folder"):
        export(busy, tmp_path / "export")
    assert {file: file.read_bytes() for file in (tmp_path / "export").rglob("*.*")} == before
    with pytest.raises(ExportNotPossible, match="there is no folder"):
        export(busy, tmp_path / "nowhere" / "export")


def test_an_export_that_fails_leaves_nothing_behind(
    busy: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("books.exporting.lines_of", fail)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space left"):
        export(busy, tmp_path / "export")
    assert sorted(tmp_path.iterdir()) == before


def test_empty_books_cannot_be_handed_out(books: sa.Engine, tmp_path: Path) -> None:
    with pytest.raises(ExportNotPossible, match="these are empty"):
        export(books, tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_what_the_first_edition_moved_is_handed_out_and_brought_in(
    desk: sa.Engine, vault: Vault, tmp_path: Path
) -> None:
    """Shares of the first edition lie at a place it did not name, and what was owed was less than nothing."""
    with desk.begin() as connection:
        for number, quantity in ((1, 10), (2, -4)):
            sequence = ledger_head(desk).sequence + number
            told = (sequence, "movement", f"movement:m{number}", DAY, DAY, NOW, "{}", "0" * 64)
            connection.execute(schema.event.insert().values(told))
            what = (sequence, f"m{number}", f"A{number}", "US.ONE", "delivered", quantity, DAY)
            connection.execute(schema.position_movement.insert().values(what))
        for name, debit, credit in (("9010.unnamed", 10, 4), ("9020.A1", 0, 10), ("9020.A2", 4, 0)):
            connection.execute(schema.holding.insert().values((name, "US.ONE", debit, credit, 0, 0, sequence)))
    export(desk, tmp_path / "export")
    _, shares = money_and_shares(desk)
    assert beancount_balances(tmp_path / "export" / "books.beancount") == shares
    with reading(desk) as connection:
        opening = opening_of(connection, DAY)
    other = second_books(tmp_path)
    rulebooks = {"us.finra_4210", "cn.sse_margin_trading"}
    bring_in(other, opening, vault=vault, rulebooks=rulebooks, booked_on=DAY, known_at=NOW)
    assert money_and_shares(other)[1] == {
        ("9010.unnamed", "US.ONE"): 10, ("9020.A1", "US.ONE"): -10,
        ("9110.A2", "US.ONE"): 4, ("9120.unnamed", "US.ONE"): -4,
    }  # fmt: skip
    other.dispose()
