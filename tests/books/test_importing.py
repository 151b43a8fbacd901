"""A desk from another system is brought in whole, once, in one transaction; or nothing of it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.client_states import client_state
from books.engine import reading
from books.extract import sums_at
from books.importing import bring_in, findings_of, opening_hash
from books.journal import LedgerHead, ledger_head
from books.posting import client_money, post
from books.reports import trial_balance
from books.rules import adopt
from books.vault import Vault
from domain.clients.identity import State
from domain.errors import OpeningRefused, TransferRefused
from domain.ledger import Transfer
from domain.opening import (
    BroughtAccount,
    BroughtBalance,
    BroughtClient,
    BroughtContract,
    BroughtPosition,
    BroughtThirdParty,
    Opening,
)
from rulebooks import editions_of

DAY = date(2026, 6, 15)
TODAY = date(2026, 6, 16)
EARLY = date(2026, 1, 5)
LATE = date(2026, 7, 5)

OPENING = Opening(
    DAY,
    [BroughtClient(2, "C1", "old", "Ada Lovelace"), BroughtClient(3, "C2", "old", "欧阳娜娜")],
    [
        BroughtAccount(2, "A1", "C1", "US", "USD", "us.finra_4210", EARLY, "old"),
        BroughtAccount(3, "A2", "C2", "CN", "CNY", "cn.sse_margin_trading", EARLY, "old"),
    ],
    [
        BroughtThirdParty(2, "BANK", "segregated_bank", "1010.USD", "old", "the bank"),
        BroughtThirdParty(3, "CSD", "custodian", None, "old", "the depository"),
        BroughtThirdParty(4, "LEND", "lender", None, "old", "the lender"),
    ],
    [
        BroughtBalance(2, "1010.USD", "USD", 500),
        BroughtBalance(3, "2010.A1", "USD", -500),
        BroughtBalance(4, "1210.A1", "USD", 900),
        BroughtBalance(5, "1230.A1", "USD", -7),
        BroughtBalance(6, "5020.USD", "USD", 7),
        BroughtBalance(7, "1110.USD", "USD", 100),
        BroughtBalance(8, "3010.USD", "USD", -1_000),
        BroughtBalance(9, "1220.A2", "CNY", 33),
        BroughtBalance(10, "4010.CNY", "CNY", -33),
    ],
    [
        BroughtPosition(2, "A1", "US.ONE", 30, "CSD"),
        BroughtPosition(3, "A1", "US.TWO", -4, "LEND"),
        BroughtPosition(4, "LEND", "US.TWO", 6, "CSD"),
    ],
    [BroughtContract(2, "K1", "A1", "USD", 600, EARLY, LATE), BroughtContract(3, "K2", "A1", "USD", 300, EARLY, LATE)],
)

Bring = Callable[..., LedgerHead]


@pytest.fixture
def empty(books: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    """Books of a desk that was only just made."""
    adopt(books, editions_of(), **when)
    return books


@pytest.fixture
def bring(empty: sa.Engine, vault: Vault, when: dict[str, Any]) -> Bring:
    def bring_into(opening: Opening) -> LedgerHead:
        return bring_in(empty, opening, vault=vault, rulebooks={"us.finra_4210", "cn.sse_margin_trading"}, **when)

    return bring_into


def holdings(books: sa.Engine) -> dict[tuple[str, str], int]:
    with reading(books) as connection:
        sums = sums_at(connection, schema.security_transfer, ledger_head(connection))
    return {key: of.balance for key, of in sums.items() if of.balance}


def test_a_desk_stands_in_the_books_as_it_stood_before(empty: sa.Engine, bring: Bring) -> None:
    head = bring(OPENING)
    lines = trial_balance(empty, DAY, TODAY, by_account=True).lines
    told = {line.account: line.debit_minor - line.credit_minor for line in lines}
    assert told == {row.ledger_account_id: row.balance_minor for row in OPENING.balances}
    assert holdings(empty) == {
        ("9010.CSD", "US.ONE"): 30,
        ("9020.A1", "US.ONE"): -30,
        ("9110.A1", "US.TWO"): 4,
        ("9120.LEND", "US.TWO"): -10,
        ("9010.CSD", "US.TWO"): 6,
    }
    assert client_money(empty, ["A1"]) == {"A1": 500}
    assert verify(empty).entries == head.sequence


def test_clients_are_taken_over_active_and_their_names_are_sealed(
    empty: sa.Engine, bring: Bring, vault: Vault, when: dict[str, Any]
) -> None:
    bring(OPENING)
    with reading(empty) as connection:
        assert client_state(connection, "C1") is State.active
        [taken_over] = connection.execute(
            sa.select(schema.client_transition).where(schema.client_transition.c.client_id == "C1")
        ).all()
        bodies = "".join(connection.execute(sa.select(schema.event.c.body)).scalars())
    assert taken_over.reason == f"brought in from another system as of {DAY}"
    assert taken_over.evidence_hash == opening_hash(OPENING)
    assert "Lovelace" not in bodies
    assert json.dumps("欧阳娜娜")[1:-1] not in bodies
    withdrawal = Transfer("w", "client_withdrawal", "2010.A1", "1010.USD", 100, "USD", TODAY)
    post(empty, [withdrawal], **when)


def test_bringing_in_the_same_desk_again_changes_nothing(empty: sa.Engine, bring: Bring) -> None:
    head = bring(OPENING)
    assert bring(OPENING) == head
    assert ledger_head(empty) == head


def test_bringing_in_the_same_desk_again_after_it_moved_on_changes_nothing(
    empty: sa.Engine, bring: Bring, when: dict[str, Any]
) -> None:
    bring(OPENING)
    head = post(empty, [Transfer("d", "client_deposit", "1010.USD", "2010.A1", 100, "USD", TODAY)], **when)
    assert bring(OPENING) == head


OTHERWISE: dict[str, tuple[str, int, dict[str, Any], str]] = {
    "a client by another name": ("clients", 0, {"name": "Ada Byron"}, "clients, line 2, name"),
    "a client from another source": ("clients", 0, {"source": "older"}, "clients, line 2, source"),
    "an account opened on another day": ("accounts", 1, {"opened_on": DAY}, "accounts, line 3, opened_on"),
    "a third party by another name": ("third_parties", 1, {"name": "other"}, "third_parties, line 3, name"),
    "a contract that ends on another day": (
        "contracts", 1, {"matures_on": date(2026, 8, 1)},
        "contracts, line 3, matures_on: expected matures_on '2026-07-05'",
    ),
    "more shares": (
        "positions", 0, {"quantity_shares": 31}, "positions, line 2, quantity_shares: expected quantity_shares 30",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE)
def test_the_same_id_with_other_content_is_refused_by_line(empty: sa.Engine, bring: Bring, case: str) -> None:
    table, at, values, where = OTHERWISE[case]
    head = bring(OPENING)
    rows = list(getattr(OPENING, table))
    rows[at] = replace(rows[at], **values)
    instead: dict[str, Any] = {table: rows}
    with pytest.raises(
        OpeningRefused, match=r"exists_with_different_content.*Leave out what is in the books"
    ) as refused:
        bring(replace(OPENING, **instead))
    assert where in str(refused.value)
    assert "Ada" not in str(refused.value)
    assert ledger_head(empty) == head


def test_every_line_that_differs_is_told_at_once(bring: Bring) -> None:
    bring(OPENING)
    balances = [replace(OPENING.balances[0], balance_minor=501), replace(OPENING.balances[1], balance_minor=-501)]
    with pytest.raises(OpeningRefused, match="there are 2 findings"):
        bring(replace(OPENING, balances=[*balances, *OPENING.balances[2:]]))


def test_a_desk_that_is_not_right_leaves_nothing_behind(empty: sa.Engine, bring: Bring) -> None:
    head = ledger_head(empty)
    with pytest.raises(OpeningRefused, match=r"(?s)there are 2 findings\. Nothing was written.*debits_must_equal"):
        bring(replace(OPENING, balances=OPENING.balances[:-1], positions=[replace(OPENING.positions[0], place="MOON")]))
    with pytest.raises(OpeningRefused, match=r"lines of positions could not be read\. Nothing was written"):
        bring(replace(OPENING, unread=frozenset({"positions"})))
    assert ledger_head(empty) == head
    with reading(empty) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.data_key)).scalar_one() == 0


def test_what_the_ledger_refuses_takes_everything_else_with_it(
    empty: sa.Engine, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a judgement ever missed, the rules of the ledger still stand, and the transaction is one."""
    monkeypatch.setattr("books.importing.judge_opening", lambda *_: [])
    head = ledger_head(empty)
    with pytest.raises(TransferRefused, match="client_money_must_stay_segregated"):
        bring(replace(OPENING, balances=OPENING.balances[1:]))
    assert ledger_head(empty) == head


def test_looking_whether_a_desk_is_right_writes_nothing(empty: sa.Engine, vault: Vault, when: dict[str, Any]) -> None:
    head = ledger_head(empty)
    rulebooks = {"us.finra_4210", "cn.sse_margin_trading"}
    same: dict[str, Any] = {"vault": vault, "booked_on": when["booked_on"]}
    assert findings_of(empty, OPENING, rulebooks=rulebooks, **same) == []
    [finding] = findings_of(empty, OPENING, rulebooks=rulebooks - {"us.finra_4210"}, **same)
    assert (finding.file, finding.line, finding.rule) == ("accounts", 2, "rulebook_must_exist")
    assert ledger_head(empty) == head


def test_accounts_of_a_second_import_may_belong_to_clients_of_the_first(empty: sa.Engine, bring: Bring) -> None:
    bring(replace(OPENING, accounts=[], balances=[], positions=[], contracts=[]))
    bring(replace(OPENING, clients=[], third_parties=[]))
    assert client_money(empty, ["A1"]) == {"A1": 500}


def test_ids_put_together_never_meet(bring: Bring, empty: sa.Engine) -> None:
    """Account A with instrument B.C, and account A.B with instrument C, are two positions."""
    accounts = [BroughtAccount(2, name, "C1", "US", "USD", "us.finra_4210", EARLY, "old") for name in ("A", "A.B")]
    positions = [BroughtPosition(2, "A", "B.C", 1, "CSD"), BroughtPosition(3, "A.B", "C", 2, "CSD")]
    bring(replace(OPENING, accounts=accounts, positions=positions, balances=[], contracts=[]))
    assert holdings(empty)["9020.A.B", "C"] == -2


def test_the_evidence_says_nothing_of_names() -> None:
    renamed = replace(OPENING, clients=[replace(one, name="X") for one in OPENING.clients])
    assert opening_hash(renamed) == opening_hash(OPENING)
    assert opening_hash(replace(OPENING, contracts=[])) != opening_hash(OPENING)
