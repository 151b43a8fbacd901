"""The books at a terminal: a desk in, the books out, any day as it was known, and events posted by template."""

import csv
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from books.approvals import decide, enter_officer_key, request_approval, transfer_content
from books.audit import verify
from books.engine import create_books, open_books
from books.journal import LedgerHead, ledger_head
from books.reports import transfers_named
from books.rules import adopt
from books.signatures import new_key, public_text
from domain.errors import (
    AmountNotExact,
    DeskError,
    DeskNotReady,
    ExportNotPossible,
    OpeningRefused,
    ReportNotPossible,
    TransferRefused,
)
from domain.ledger import reversal
from feeds.opening_balances import HEADERS
from orchestration.books import When, now
from orchestration.books_command import app
from rulebooks import editions_of

DAY = "2026-06-16"
LINES = {
    "clients": ["C1,old,Ada Lovelace"],
    "accounts": ["A1,C1,US,USD,us.finra_4210,2026-01-05,old"],
    "third_parties": ["BANK,segregated_bank,1010.USD,old,the bank", "CSD,custodian,,old,the depository"],
    "balances": ["1010.USD,USD,500.00,", "2010.A1,USD,,500.00", "1110.USD,USD,1000,", "3010.USD,USD,,1000"],
    "positions": ["A1,US.ONE,30,CSD"],
    "contracts": [],
}

Desk = Callable[..., Path]


@pytest.fixture
def url(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Books with their rules and nothing else, where the settings name them."""
    home.mkdir()
    address = f"sqlite:///{home / 'books.db'}"
    monkeypatch.setenv("LOMBARD_BOOKS_URL", address)
    engine = open_books(address)
    create_books(engine)
    adopt(engine, editions_of(), booked_on=date(2026, 6, 16), known_at=datetime(2026, 6, 16, 20, tzinfo=UTC))
    engine.dispose()
    yield address


@pytest.fixture
def folder(tmp_path: Path) -> Desk:
    def write(**instead: list[str]) -> Path:
        made = tmp_path / "old desk"
        made.mkdir(exist_ok=True)
        for table, lines in (LINES | instead).items():
            text = "\n".join([HEADERS[table], *lines, f"#rows,{len(lines)}", ""])
            (made / f"{table}.csv").write_text(text, encoding="utf-8")
        return made

    return write


@pytest.fixture
def desk(url: str, folder: Desk) -> str:
    """The books after the desk came in."""
    lombard("import", str(folder()), "--day", DAY)
    return url


def lombard(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def said(*words: str) -> str:
    ran = lombard(*words)
    assert ran.exit_code == 0, ran.output
    return " ".join(ran.stdout.split())


def head_of(url: str) -> LedgerHead:
    engine = open_books(url)
    head = ledger_head(engine)
    assert verify(engine).entries == head.sequence
    engine.dispose()
    return head


def test_a_desk_is_looked_at_first_and_then_brought_in_once(url: str, folder: Desk) -> None:
    before = head_of(url)
    source = str(folder())
    told = said("import", source, "--day", DAY, "--check")
    assert "can be brought in as of 2026-06-16: clients 1, accounts 1, third parties 2, balances 4" in told
    assert head_of(url) == before
    assert f"Booked on {DAY}" in said("import", source, "--day", DAY)
    after = head_of(url)
    assert "It stood in the books already; nothing changed" in said("import", source, "--day", DAY)
    assert head_of(url) == after != before


def test_everything_wrong_is_said_and_stands_in_a_report_beside_the_folder(url: str, folder: Desk) -> None:
    before = head_of(url)
    source = folder(balances=["1010.USD,USD,１,", "2010.A9,USD,,500.00"], positions=["A1,US.ONE,-3,CSD"])
    with pytest.raises(OpeningRefused, match=r"there are 3 findings\. Nothing was written") as refused:
        lombard("import", str(source), "--day", DAY)
    report = source.with_name("old desk.findings.csv")
    assert f"All of them stand in {report}" in str(refused.value)
    with report.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["line"], row["rule"]) for row in rows] == [
        ("balances", "2", "number_must_be_plain"),
        ("balances", "3", "account_must_be_known"),
        ("positions", "2", "shares_must_cover"),
    ]
    assert head_of(url) == before


def test_a_desk_of_another_database_comes_in_by_its_address(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.db") as old:
        for table, header in HEADERS.items():
            names = header.split(",")
            old.execute(f"CREATE TABLE {table} ({', '.join(f'{name} TEXT' for name in names)})")
            for line in LINES[table]:
                marks = ", ".join("?" * len(names))
                old.execute(f"INSERT INTO {table} VALUES ({marks})", line.split(",", len(names) - 1))
    old.close()
    assert "Brought in as of" in said("import", f"sqlite:///{tmp_path / 'old.db'}", "--day", DAY)


def test_a_desk_cannot_be_brought_in_as_of_tomorrow(url: str, folder: Desk) -> None:
    with pytest.raises(OpeningRefused, match="as it stood on an evening that is over"):
        lombard("import", str(folder()), "--day", "2999-01-01")


def test_no_law_but_one_of_margin_holds_an_account(url: str, folder: Desk) -> None:
    source = folder(accounts=["A1,C1,US,USD,house.ledger,2026-01-05,old"])
    with pytest.raises(OpeningRefused, match="rulebook_must_exist"):
        lombard("import", str(source), "--day", DAY)


def test_the_trial_balance_is_shown_in_both_languages_with_the_line_that_both_sides_agree(desk: str) -> None:
    told = said("trial-balance", "--day", DAY)
    assert "Trial balance 试算平衡表 of 2026-06-16, as known on 2026-06-16" in told
    assert "代理买卖证券款" in told
    assert "Both sides agree 借贷平衡: 1,500.00 USD." in told
    assert "may change it until 2026-06-16 is closed" in told
    accounts = said("trial-balance", "--day", DAY, "--known", "2026-06-17", "--accounts")
    assert "2010.A1" in accounts and "as known on 2026-06-17" in accounts
    told = json.loads(lombard("trial-balance", "--day", DAY, "--json").stdout)
    assert told["totals"] == {"USD": {"debit_minor": 150_000, "credit_minor": 150_000}}
    assert {line["account"]: line["debit_minor"] - line["credit_minor"] for line in told["lines"]} == {
        "1010": 50_000, "1110": 100_000, "2010": -50_000, "3010": -100_000,
    }  # fmt: skip


def test_a_trial_balance_known_before_its_day_is_refused(desk: str) -> None:
    with pytest.raises(ReportNotPossible, match="Ask for it as known on 2026-06-16"):
        lombard("trial-balance", "--day", DAY, "--known", "2026-06-15")
    assert lombard("trial-balance", "--day", "16.06.2026").exit_code == 2
    assert "Nothing had moved" in said("trial-balance", "--day", "2026-06-01", "--known", DAY)


def test_a_statement_shows_money_and_shares_with_what_was_held(desk: str) -> None:
    said("post", "client_withdrawal", "--id", "w1", "--amount", "cash=120.50", "--client", "A1")
    words = ["statement", "A1", "--from", "2026-06-16", "--to", "2026-06-16"]
    told = said(*words)
    assert "379.50 USD Cr 贷" in told
    assert "30 US.ONE Cr 贷" in told
    money, shares = json.loads(lombard(*words, "--json").stdout)
    assert (money["ledger_account_id"], money["carried_forward"]) == ("2010.A1", -37_950)
    assert (shares["unit"], shares["carried_forward"]) == ("US.ONE", -30)
    assert said("statement", "A1") == told
    assert "held nothing and moved nothing" in said("statement", "1310.USD", "--from", DAY, "--to", DAY)
    with pytest.raises(ReportNotPossible, match="the books know no 'A9'"):
        lombard("statement", "A9", "--from", DAY, "--to", DAY)


def test_the_journal_of_a_day_lists_what_was_booked(desk: str) -> None:
    assert "opening.2010.A1.credit" in said("journal", "--day", DAY)
    lines = json.loads(lombard("journal", "--day", DAY, "--json").stdout)
    assert [line["amount"] for line in lines] == [50_000, 50_000, 100_000, 100_000, 30]


def test_events_are_listed_with_their_legs(desk: str) -> None:
    told = said("events")
    assert "client_withdrawal" in told and "financed_buy_settled" in told and "house.ledger@" in told


def test_an_event_posted_again_under_its_id_changes_nothing(desk: str) -> None:
    words = ["post", "client_deposit", "--id", "d1", "--amount", "cash=10.01", "--client", "A1"]
    assert f"Event d1 stands, booked on {DAY}" in said(*words)
    head = head_of(desk)
    said(*words)
    assert head_of(desk) == head
    with pytest.raises(TransferRefused, match="exists_with_different_content"):
        lombard(*words[:-3], "cash=10.02", *words[-2:])


def test_a_purchase_is_reserved_and_then_expires(desk: str) -> None:
    said(
        "post", "purchase", "--id", "p1", "--client", "A1", "--third-party", "CSD", "--instrument", "US.ONE",
        "--amount", "cost=300.00", "--amount", "commission=1.00", "--amount", "shares=7", "--expires", "2026-06-16",
    )  # fmt: skip
    with pytest.raises(TransferRefused, match="client_money_must_cover"):
        lombard("post", "client_withdrawal", "--id", "w1", "--amount", "cash=200", "--client", "A1")
    assert "0 reservations were released" in said("expire")
    told = said("expire", "--day", "2026-06-17")
    assert "p1.cost has expired. p1.commission has expired. p1.shares has expired." in told
    said("post", "client_withdrawal", "--id", "w1", "--amount", "cash=200", "--client", "A1")


WRONG = {
    "an event nobody knows": (["gift", "--amount", "cash=1", "--client", "A1"], TransferRefused, "has no event 'gift'"),
    "an amount it does not have": (
        ["client_deposit", "--amount", "fee=1", "--client", "A1"], TransferRefused, "'fee' is none of cash",
    ),
    "an amount twice": (
        ["client_deposit", "--amount", "cash=1", "--amount", "cash=1", "--client", "A1"], TransferRefused,
        "given twice",
    ),
    "no amount at all": (["client_deposit", "--amount", "cash=0", "--client", "A1"], TransferRefused, "are zero"),
    "less than nothing": (
        ["client_deposit", "--amount", "cash=-1", "--client", "A1"], TransferRefused, "amount_must_be_positive",
    ),
    "half a cent": (["client_deposit", "--amount", "cash=0.005", "--client", "A1"], AmountNotExact, "minor units"),
    "no number": (["client_deposit", "--amount", "cash=NaN", "--client", "A1"], AmountNotExact, "plain digits"),
    "an amount without a name": (["client_deposit", "--amount", "1", "--client", "A1"], DeskNotReady, "NAME=VALUE"),
    "a client nobody knows": (
        ["client_deposit", "--amount", "cash=1", "--client", "A9"], TransferRefused, "say which by",
    ),
    "no client": (
        ["client_deposit", "--amount", "cash=1", "--currency", "USD"], TransferRefused,
        "whose account its leg cash is to credit was not said; say it by --owner 2010=OWNER or --client",
    ),
    "another currency": (
        ["client_deposit", "--amount", "cash=1", "--client", "A1", "--currency", "CNY"], TransferRefused,
        "accounts_must_exist|units_must_match",
    ),
    "shares of nothing": (
        ["securities_deposited", "--amount", "shares=1", "--client", "A1", "--third-party", "CSD"], TransferRefused,
        "say which by --instrument",
    ),
    "half a share": (
        ["securities_deposited", "--amount", "shares=1.5", "--client", "A1"], TransferRefused, "amount_must_be_whole",
    ),
    "a settlement of nothing": (
        ["sale_settled", "--amount", "net=1", "--client", "A1"], TransferRefused, "say which by --settles",
    ),
    "any account not named": (
        ["opening_balance", "--amount", "debit=1", "--currency", "USD"], TransferRefused, "--owner debit.debit=ACCOUNT",
    ),
    "more than there is": (
        ["client_withdrawal", "--amount", "cash=500.01", "--client", "A1"], TransferRefused, "client_money_must_cover",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_event_that_cannot_be_posted_is_refused_in_words(desk: str, case: str) -> None:
    words, kind, told = WRONG[case]
    before = head_of(desk)
    with pytest.raises(kind, match=told):
        lombard("post", *words, "--id", "x1")
    assert head_of(desk) == before


def test_a_leg_between_two_accounts_of_a_class_names_both(desk: str) -> None:
    with pytest.raises(TransferRefused, match="accounts_must_exist"):
        lombard(
            "post", "securities_lent", "--id", "l1", "--currency", "USD", "--instrument", "US.ONE", "--amount",
            "shares=5", "--owner", "shares.debit=NOBODY", "--owner", "shares.credit=CSD",
        )  # fmt: skip


def approved(url: str, transfer_id: str) -> str:
    """Two officers sign the reversal of a transfer."""
    engine = open_books(url)
    [wrong] = transfers_named(engine, [transfer_id])
    undo = reversal(wrong, f"correction.{transfer_id}", date(2026, 6, 16), "approval.1")
    when: When = {"booked_on": date(2026, 6, 16), "known_at": now()}
    maker, checker = new_key(), new_key()
    enter_officer_key(engine, "lin", "operations", public_text(maker), source="officer", **when)
    enter_officer_key(engine, "wu", "finance", public_text(checker), source="officer", **when)
    content = transfer_content(undo)
    request_approval(
        engine, "reversal", undo.transfer_id, content, "posted twice", maker, approval_id="approval.1", **when
    )
    decide(engine, "approval.1", "approved", "seen", checker, **when)
    engine.dispose()
    return "approval.1"


def test_a_reversal_needs_the_signature_of_two_officers(desk: str) -> None:
    said("post", "ecl_charged", "--id", "e1", "--amount", "allowance=7.00", "--client", "A1")
    with pytest.raises(TransferRefused, match="approval_must_stand"):
        lombard("reverse", "e1.allowance", "--approval", "none")
    approval_id = approved(desk, "e1.allowance")
    assert "correction.e1.allowance stand" in said("reverse", "e1.allowance", "--approval", approval_id)
    told = json.loads(lombard("trial-balance", "--day", DAY, "--json").stdout)
    assert "5020" not in {line["account"] for line in told["lines"]}


def test_a_reversal_of_nothing_is_refused_by_name(desk: str) -> None:
    with pytest.raises(ReportNotPossible, match="the books know no 'e9'"):
        lombard("reverse", "e9", "--approval", "none")
    with pytest.raises(DeskNotReady, match="how much of one transfer"):
        both = ["opening.1010.USD.debit", "opening.2010.A1.credit"]
        lombard("reverse", *both, "--approval", "none", "--amount", "1")


def test_the_books_are_handed_out_and_come_in_elsewhere(
    desk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = said("export", str(tmp_path / "export"))
    assert "files, and their manifest" in told
    with pytest.raises(ExportNotPossible, match="name a new folder"):
        lombard("export", str(tmp_path / "export"))
    monkeypatch.setenv("LOMBARD_BOOKS_URL", f"sqlite:///{tmp_path / 'other.db'}")
    engine = open_books(f"sqlite:///{tmp_path / 'other.db'}")
    create_books(engine)
    adopt(engine, editions_of(), booked_on=date(2026, 6, 16), known_at=datetime(2026, 6, 16, 20, tzinfo=UTC))
    engine.dispose()
    said("import", str(tmp_path / "export" / "opening"), "--day", DAY)
    other = json.loads(lombard("trial-balance", "--day", DAY, "--json").stdout)
    monkeypatch.setenv("LOMBARD_BOOKS_URL", desk)
    assert other == json.loads(lombard("trial-balance", "--day", DAY, "--json").stdout)


def test_books_without_rules_say_what_to_run(home: Path, folder: Desk) -> None:
    home.mkdir()
    engine = open_books(f"sqlite:///{home / 'books.db'}")
    create_books(engine)
    engine.dispose()
    for words in (["import", str(folder()), "--day", DAY], ["events"], ["expire"]):
        with pytest.raises(DeskNotReady, match="lombard init"):
            lombard(*words)
    with pytest.raises(DeskError, match="The books are empty"):
        lombard("trial-balance", "--day", DAY)


def test_a_balance_of_invented_clients_says_so_on_the_screen(url: str, folder: Desk) -> None:
    lombard("import", str(folder(accounts=["A1,C1,US,USD,us.finra_4210,2026-01-05,synthetic"])), "--day", DAY)
    assert "Synthetic 合成数据" in said("trial-balance", "--day", DAY)
    assert "Synthetic 合成数据" in said("statement", "A1")


def test_rights_in_a_store_that_knows_no_roles_are_refused_in_words(desk: str) -> None:
    with pytest.raises(DeskNotReady, match="Roles and their rights are PostgreSQL's"):
        lombard("grant", "desk")
    assert "Synthetic" not in said("trial-balance", "--day", DAY)
