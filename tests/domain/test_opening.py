"""A desk is believed as a whole or not at all, and everything that speaks against it is said at once."""

from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest

from domain.ledger import Chart
from domain.money import AMOUNT_MAX
from domain.opening import (
    ANY_ROLE,
    COLUMNS,
    FINDINGS_SHOWN_MAX,
    BroughtAccount,
    BroughtBalance,
    BroughtClient,
    BroughtContract,
    BroughtPosition,
    BroughtThirdParty,
    Finding,
    Opening,
    Surroundings,
    fault_of_name,
    judge_opening,
    lines_of,
    told,
)
from domain.rulebook import chart
from rulebooks import load_rulebook

DAY = date(2026, 6, 16)
EARLY = date(2026, 1, 5)
LATE = date(2026, 7, 5)


@pytest.fixture(scope="module")
def around() -> Surroundings:
    [edition] = load_rulebook("house.ledger").editions
    rules: Chart = chart(edition)
    roles = ("segregated_bank", "own_bank", "custodian", "lender", "clearing_house", "borrower")
    return Surroundings(rules, {"us.finra_4210"}, roles, role_of={"unnamed": ANY_ROLE})


DESK = Opening(
    DAY,
    [BroughtClient(2, "C1", "old", "Ada")],
    [BroughtAccount(2, "A1", "C1", "US", "USD", "us.finra_4210", EARLY, "old")],
    [
        BroughtThirdParty(2, "BANK", "segregated_bank", "1010.USD", "old", "the bank"),
        BroughtThirdParty(3, "CSD", "custodian", None, "old", "the depository"),
        BroughtThirdParty(4, "LEND", "lender", None, "old", "the lender"),
    ],
    [
        BroughtBalance(2, "1010.USD", "USD", 500),
        BroughtBalance(3, "2010.A1", "USD", -500),
        BroughtBalance(4, "1210.A1", "USD", 900),
        BroughtBalance(5, "1110.USD", "USD", 100),
        BroughtBalance(6, "3010.USD", "USD", -1_000),
    ],
    [
        BroughtPosition(2, "A1", "US.ONE", 30, "CSD"),
        BroughtPosition(3, "A1", "US.TWO", -4, "LEND"),
        BroughtPosition(4, "LEND", "US.TWO", 6, "CSD"),
    ],
    [BroughtContract(2, "K1", "A1", "USD", 600, EARLY, LATE), BroughtContract(3, "K2", "A1", "USD", 300, EARLY, LATE)],
)


def rebuilt(table: str, rows: list[Any]) -> Opening:
    instead: dict[str, Any] = {table: rows}
    return replace(DESK, **instead)


def changed(table: str, at: int, **values: Any) -> Opening:
    rows = list(getattr(DESK, table))
    rows[at] = replace(rows[at], **values)
    return rebuilt(table, rows)


def without(table: str, at: int) -> Opening:
    rows = list(getattr(DESK, table))
    del rows[at]
    return rebuilt(table, rows)


def with_more(table: str, row: Any) -> Opening:
    return rebuilt(table, [*getattr(DESK, table), row])


def found(opening: Opening, around: Surroundings) -> list[tuple[str, int, str, str]]:
    return [(one.file, one.line, one.column, one.rule) for one in judge_opening(opening, around)]


def test_a_desk_that_is_right_has_no_findings(around: Surroundings) -> None:
    assert judge_opening(DESK, around) == []


def test_a_desk_with_nothing_in_it_is_right(around: Surroundings) -> None:
    assert judge_opening(Opening(DAY), around) == []


WRONG = {
    "a client without a name": (changed("clients", 0, name=" "), ("clients", 2, "name", "name_must_be_plain")),
    "a client twice": (
        with_more("clients", BroughtClient(3, "C1", "old", "Eve")),
        ("clients", 3, "client_id", "key_must_be_unique"),
    ),
    "an account of nobody": (
        changed("accounts", 0, client_id="C9"),
        ("accounts", 2, "client_id", "client_must_be_known"),
    ),
    "a rulebook nobody wrote": (
        changed("accounts", 0, rulebook="uk.fca"),
        ("accounts", 2, "rulebook", "rulebook_must_exist"),
    ),
    "an account opened tomorrow": (
        changed("accounts", 0, opened_on=LATE),
        ("accounts", 2, "opened_on", "date_must_not_be_in_the_future"),
    ),
    "a role nobody has": (
        changed("third_parties", 1, role="friend"),
        ("third_parties", 3, "role", "role_must_be_known"),
    ),
    "a bank that proves the other bank account": (
        changed("third_parties", 0, ledger_account_id="1110.USD"),
        ("third_parties", 2, "ledger_account_id", "bank_must_prove_a_bank_account"),
    ),
    "a custodian that proves a bank account": (
        changed("third_parties", 1, ledger_account_id="1010.USD"),
        ("third_parties", 3, "ledger_account_id", "bank_must_prove_a_bank_account"),
    ),
    "a third party without a name": (
        changed("third_parties", 1, name=""),
        ("third_parties", 3, "name", "name_must_be_plain"),
    ),
    "a class that is not in the chart": (
        changed("balances", 3, ledger_account_id="1111.USD"),
        ("balances", 5, "ledger_account_id", "account_must_take_balances"),
    ),
    "shares among the money": (
        changed("balances", 3, ledger_account_id="9010.CSD"),
        ("balances", 5, "ledger_account_id", "account_must_take_balances"),
    ),
    "what the import fills itself": (
        changed("balances", 3, ledger_account_id="3900.USD"),
        ("balances", 5, "ledger_account_id", "account_must_take_balances"),
    ),
    "a balance of no account": (
        with_more("balances", BroughtBalance(7, "1220.A9", "USD", 1)),
        ("balances", 7, "ledger_account_id", "account_must_be_known"),
    ),
    "a client's balance in another currency": (
        with_more("balances", BroughtBalance(7, "1220.A1", "CNY", 1)),
        ("balances", 7, "currency", "currency_must_match_the_account"),
    ),
    "the desk's balance in another currency": (
        with_more("balances", BroughtBalance(7, "1110.CNY", "USD", 1)),
        ("balances", 7, "currency", "currency_must_match_the_account"),
    ),
    "client money below zero": (
        changed("balances", 1, balance_minor=500),
        ("balances", 3, "debit", "client_money_must_cover"),
    ),
    "books that do not balance": (
        changed("balances", 3, balance_minor=99),
        ("balances", 0, "", "debits_must_equal_credits"),
    ),
    "a sum no column can hold": (
        replace(DESK, balances=[*DESK.balances, BroughtBalance(7, "1310.USD", "USD", AMOUNT_MAX)]),
        ("balances", 0, "", "balance_must_fit_in_64_bits"),
    ),
    "client money at the desk's own bank": (
        changed("balances", 0, ledger_account_id="1310.USD"),
        ("balances", 0, "", "client_money_must_stay_segregated"),
    ),
    "a contract of no account": (
        changed("contracts", 1, account_id="A9"),
        ("contracts", 3, "account_id", "account_must_be_known"),
    ),
    "a contract in another currency": (
        changed("contracts", 1, currency="CNY"),
        ("contracts", 3, "currency", "currency_must_match_the_account"),
    ),
    "a contract without a debt": (
        changed("contracts", 1, principal_minor=0),
        ("contracts", 3, "principal", "principal_must_be_positive"),
    ),
    "a contract that ends before it begins": (
        changed("contracts", 1, matures_on=EARLY),
        ("contracts", 3, "matures_on", "maturity_must_follow_opening"),
    ),
    "a contract from the future": (
        changed("contracts", 1, opened_on=date(2026, 6, 17)),
        ("contracts", 3, "opened_on", "date_must_not_be_in_the_future"),
    ),
    "contracts that are not the loan": (
        without("contracts", 1),
        ("balances", 4, "1210.A1", "contracts_must_equal_the_loan"),
    ),
    "a contract without a loan": (
        without("balances", 2),
        ("balances", 0, "1210.A1", "contracts_must_equal_the_loan"),
    ),
    "a position of no account": (
        changed("positions", 0, account_id="A9"),
        ("positions", 2, "account_id", "account_must_be_known"),
    ),
    "a position of no shares": (
        changed("positions", 0, quantity_shares=0),
        ("positions", 2, "quantity_shares", "quantity_must_not_be_zero"),
    ),
    "a position nowhere": (
        changed("positions", 0, place="MOON"),
        ("positions", 2, "place", "third_party_must_be_known"),
    ),
    "less than nothing at a place": (
        changed("positions", 0, quantity_shares=-30),
        ("positions", 2, "quantity_shares", "shares_must_cover"),
    ),
    "less than nothing borrowed": (
        changed("positions", 2, quantity_shares=-6),
        ("positions", 4, "quantity_shares", "shares_must_cover"),
    ),
    "shares at a bank": (changed("positions", 0, place="BANK"), ("positions", 2, "place", "place_must_hold_shares")),
    "the same position twice": (
        with_more("positions", BroughtPosition(5, "A1", "US.ONE", 1, "CSD")),
        ("positions", 5, "account_id", "key_must_be_unique"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found_where_it_stands(around: Surroundings, case: str) -> None:
    opening, where = WRONG[case]
    assert where in found(opening, around)


def test_everything_that_is_wrong_is_said_at_once(around: Surroundings) -> None:
    opening = replace(changed("accounts", 0, client_id="C9"), positions=changed("positions", 0, place="MOON").positions)
    assert found(opening, around) == [
        ("accounts", 2, "client_id", "client_must_be_known"),
        ("positions", 2, "place", "third_party_must_be_known"),
    ]


def test_whom_the_books_know_need_not_be_brought_again(around: Surroundings) -> None:
    known = replace(around, clients={"C1"}, currency_of={"A1": "USD"}, role_of={"CSD": "custodian", "LEND": "lender"})
    assert judge_opening(replace(DESK, clients=[], accounts=[], third_parties=[]), known) == []


def test_a_place_nobody_named_may_hold_and_lend(around: Surroundings) -> None:
    rows = [BroughtPosition(2, "A1", "US.ONE", 3, "unnamed"), BroughtPosition(3, "A1", "US.TWO", -3, "unnamed")]
    assert judge_opening(replace(DESK, positions=rows), around) == []


@pytest.mark.parametrize("table", COLUMNS)
def test_what_depends_on_lines_nobody_could_read_is_not_judged(around: Surroundings, table: str) -> None:
    """Without its accounts every balance would be a balance of nobody, and say nothing new."""
    rows: dict[str, Any] = {table: []}
    assert judge_opening(replace(DESK, unread=frozenset({table}), **rows), around) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("欧阳娜娜", None),
        ("Smith, John & Söhne", None),
        ("محمد بن سلمان", None),
        ("Robert'); DROP TABLE client;--", None),
        ("علی\u200cرضا", None),
        ("", "nothing"),
        (" Ada", "blanks around it"),
        ("Ada\x00", "the character U+0000 at position 4"),
        ("Ada\nEve", "the character U+000A at position 4"),
        ("\u202eAda", "the character U+202E at position 1"),
        ("A" * 10_000, "10,000 characters that cannot be compared with the lists of those nobody may deal with"),
        ("---", "3 characters that cannot be compared with the lists of those nobody may deal with"),
    ],
)
def test_a_name_is_judged_without_being_repeated(name: str, fault: str | None) -> None:
    assert fault_of_name(name) == fault


def test_no_name_stands_in_a_finding_or_in_what_is_shown_of_a_row(around: Surroundings) -> None:
    opening = changed("clients", 0, name="Very Secret\x07")
    assert "Secret" not in "".join(map(str, judge_opening(opening, around)))
    assert "Secret" not in repr(opening.clients)


def test_what_is_told_counts_everything_and_shows_the_first() -> None:
    findings = [Finding("balances", line, "debit", "a_rule", "one", "two", "Mend it.") for line in range(2, 62)]
    said = told(findings, "The desk", "findings.csv")
    assert "there are 60 findings. Nothing was written. All of them stand in findings.csv." in said
    assert said.count("(a_rule)") == FINDINGS_SHOWN_MAX
    assert said.endswith("… and 10 more.")
    assert "\n  balances, line 2, debit: expected one, but got two (a_rule). Mend it." in said
    assert "there is 1 finding." in told(findings[:1], "The desk")


def test_ids_are_shown_in_escapes(around: Surroundings) -> None:
    [finding] = judge_opening(changed("accounts", 0, client_id="\x1b[31m"), around)
    assert "\x1b" not in str(finding)


def test_the_tables_are_written_the_way_they_are_read() -> None:
    written = lines_of(DESK)
    assert {table: len(lines[0]) for table, lines in written.items()} == {
        table: len(names) for table, names in COLUMNS.items()
    }
    assert written["balances"][:2] == [("1010.USD", "USD", "5.00", ""), ("2010.A1", "USD", "", "5.00")]
    assert written["contracts"][0] == ("K1", "A1", "USD", "6.00", "2026-01-05", "2026-07-05")
    assert isinstance(COLUMNS, MappingProxyType)
