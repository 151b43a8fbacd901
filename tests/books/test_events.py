"""The desk's events by their templates: whole stories, from the deposit to the fee, leave the published balances."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from books import schema
from books.approvals import event_content, transfer_content
from books.audit import verify
from books.client_states import freeze_content, move_client
from books.engine import reading
from books.extract import sums_at
from books.journal import ledger_head
from books.positions import quantities
from books.posting import client_money, post, post_event
from books.rules import chart_on
from domain.clients.identity import State
from domain.errors import TransferRefused
from domain.ledger import Transfer, expand

GOLDEN = Path(__file__).parents[1] / "golden"
DAY = date(2026, 6, 16)


class Story:
    """Tells events of one Chinese client, A3, one after another, and knows what the ledger then says."""

    def __init__(self, books: sa.Engine, when: dict[str, Any]) -> None:
        self.books, self.when, self.told = books, when, 0

    def __call__(self, template: str, settles: str | None = None, **amounts: int) -> str:
        self.told += 1
        event_id = f"{template}.{self.told}"
        post_event(
            self.books,
            template,
            event_id,
            owners={"client": "A3", "9010": "CSD", "9120": "LENDER"},
            amounts=amounts,
            unit="CNY",
            instrument_id="CN.600519",
            effective_on=DAY,
            settles=settles,
            **self.when,
        )
        return event_id

    def trial_balance(self) -> dict[str, int]:
        with reading(self.books) as connection:
            sums = sums_at(connection, schema.transfer, ledger_head(connection))
        codes: dict[str, int] = {}
        for (account_id, _), of in sums.items():
            codes[account_id[:4]] = codes.get(account_id[:4], 0) + of.balance
        return {code: balance for code, balance in codes.items() if balance}

    def in_flight(self) -> int:
        with reading(self.books) as connection:
            sums = sums_at(connection, schema.transfer, ledger_head(connection))
        return sum(of.debits_pending + of.credits_pending for of in sums.values())

    def shares(self) -> list[int]:
        with reading(self.books) as connection:
            return [shares for _, _, shares in quantities(connection)]


@pytest.fixture
def tell(desk: sa.Engine, when: dict[str, Any]) -> Story:
    return Story(desk, when)


def expected(case: str) -> dict[str, int]:
    told: dict[str, int] = json.loads((GOLDEN / case / "expected.json").read_text(encoding="utf-8"))[
        "trial_balance_minor"
    ]
    return told


def segregated(tell: Story) -> bool:
    balances = tell.trial_balance()
    return balances.get("1010", 0) + balances.get("2010", 0) == 0


@pytest.mark.parametrize("case", ["AC-001"])
def test_a_financed_buy_from_deposit_to_forced_sale_leaves_the_published_balances(tell: Story, case: str) -> None:
    """AC-001, by template; client money is segregated after every event, trade date and settlement alike."""
    tell("capital_paid_in", cash=100_000_000)
    tell("client_deposit", cash=15_000_000)
    buy = tell("financed_buy", cost=20_000_000, commission=6_000, shares=20_000)
    assert tell.shares() == []
    tell("financed_buy_settled", settles=buy, cost=20_000_000, commission=6_000, shares=20_000)
    assert tell.shares() == [20_000]
    tell("interest_accrued", interest=120_000)
    tell("ecl_charged", allowance=25_000)
    tell("dividend", cash=150_000)
    tell("interest_collected", interest=120_000)
    sale = tell("forced_sale", net=17_985_600, commission=5_400, stamp=9_000, shares=20_000)
    assert segregated(tell)
    assert tell.in_flight() == 2 * 17_985_600
    assert client_money(tell.books, ["A3"])["A3"] == 15_000_000 - 6_000 + 150_000 - 120_000
    tell("forced_sale_settled", settles=sale, net=17_985_600, commission=5_400, stamp=9_000, shares=20_000)
    tell("loan_repaid", principal=20_000_000)
    tell("ecl_released", allowance=25_000)
    tell("custody_fee", fee=2_500)
    assert tell.trial_balance() == expected(case)
    assert (tell.in_flight(), tell.shares()) == (0, [])
    assert verify(tell.books).entries == ledger_head(tell.books).sequence


@pytest.mark.parametrize("case", ["AC-005"])
def test_a_short_sale_from_borrowing_to_return_leaves_the_published_balances(tell: Story, case: str) -> None:
    """AC-005, by template: borrow, short sale, mark, manufactured dividend, fees, buy-in, return."""
    tell("capital_paid_in", cash=50_000_000)
    tell("client_deposit", cash=12_000_000)
    tell("securities_borrowed", collateral=20_400_000, shares=5_000)
    short = tell("short_sale", net=19_982_000, commission=8_000, stamp=10_000, shares=5_000)
    tell("short_sale_settled", settles=short, net=19_982_000, commission=8_000, stamp=10_000, shares=5_000)
    assert tell.shares() == [-5_000]
    tell("collateral_marked_up", collateral=2_040_000)
    tell("manufactured_dividend", paid=250_000)
    tell("short_fee", fee=88_000)
    tell("borrow_fee", fee=33_000)
    buy_in = tell("buy_in", cost=21_500_000, commission=8_600, shares=5_000)
    assert client_money(tell.books, ["A3"])["A3"] == 12_000_000 + 19_982_000 - 250_000 - 88_000 - 21_508_600
    tell("buy_in_settled", settles=buy_in, cost=21_500_000, commission=8_600, shares=5_000)
    tell("securities_returned", collateral=22_440_000, shares=5_000)
    assert tell.trial_balance() == expected(case)
    assert (tell.in_flight(), tell.shares()) == (0, [])
    assert segregated(tell)


def test_a_recall_takes_the_shares_back_to_the_lender(tell: Story) -> None:
    tell("capital_paid_in", cash=1_000)
    tell("securities_borrowed", collateral=1_000, shares=10)
    recall = tell("recall", shares=10)
    tell("securities_recalled", settles=recall, collateral=1_000, shares=10)
    assert tell.trial_balance() == {"1110": 1_000, "3010": -1_000}


def test_a_call_is_topped_up_in_cash_and_in_shares(tell: Story) -> None:
    tell("call_topped_up", cash=500)
    tell("call_topped_up_in_securities", shares=30)
    assert (tell.trial_balance(), tell.shares()) == ({"1010": 500, "2010": -500}, [30])


def test_a_rights_issue_is_paid_from_the_clients_own_money(tell: Story) -> None:
    tell("client_deposit", cash=1_000)
    tell("rights", cash=400, gained=20)
    assert (tell.trial_balance(), tell.shares()) == ({"1010": 600, "2010": -600}, [20])


def test_a_write_off_needs_two_officers(tell: Story) -> None:
    tell("capital_paid_in", cash=1_000)
    tell("loan_drawn", cash=900)
    tell("ecl_charged", allowance=300)
    with pytest.raises(TransferRefused, match="approval_must_stand"):
        tell("write_off", allowance=300, principal=600)


def test_a_recovery_lowers_the_loss(tell: Story) -> None:
    tell("recovery", cash=250)
    assert tell.trial_balance() == {"1110": 250, "5020": -250}


def test_an_event_without_a_template_is_refused_by_name(tell: Story) -> None:
    with pytest.raises(TransferRefused, match=r"template_must_fit_accounts: .* has no template gift"):
        tell("gift", cash=1)


BREAKS_SEGREGATION = {
    "a fee that leaves the clients' bank without a client's debit": ("custody_fee", "1110.CNY", "1010.CNY"),
    "a client's debit whose money stays at the clients' bank": ("custody_fee", "2010.A3", "4040.CNY"),
    "a sale settled without its proceeds": ("sale_settled", "1010.CNY", "1310.CNY"),
}


@pytest.mark.parametrize("case", BREAKS_SEGREGATION)
def test_what_would_mix_client_money_with_our_own_is_refused_at_the_door(
    desk: sa.Engine, when: dict[str, Any], case: str
) -> None:
    deposit = Transfer("d", "client_deposit", "1010.CNY", "2010.A3", 100, "CNY", DAY)
    head = post(desk, [deposit], **when)
    template, debit, credit = BREAKS_SEGREGATION[case]
    with pytest.raises(TransferRefused, match=r"client_money_must_stay_segregated: in CNY .*Nothing was written"):
        post(desk, [Transfer("x", template, debit, credit, 5, "CNY", DAY)], **when)
    assert ledger_head(desk) == head


def test_a_reversal_stands_beside_what_it_undoes(tell: Story) -> None:
    """Without an approval it is refused; corrections are new transfers, and the original is never touched."""
    tell("client_deposit", cash=100)
    wrong = Transfer("r", "reversal", "2010.A3", "1010.CNY", 100, "CNY", DAY, reverses="client_deposit.1.cash")
    with pytest.raises(TransferRefused, match="approval_must_stand"):
        post(tell.books, [wrong], **tell.when)
    with pytest.raises(TransferRefused, match="reversed_must_exist"):
        post(tell.books, [replace(wrong, reverses="nothing")], **tell.when)


def test_a_backdated_posting_says_when_it_was_known(desk: sa.Engine, when: dict[str, Any]) -> None:
    early = Transfer("d", "client_deposit", "1010.CNY", "2010.A3", 100, "CNY", DAY - timedelta(days=30))
    post(desk, [early], **when)
    event = schema.event.c
    query = sa.select(event.effective_on, event.booked_on, event.known_at).where(event.business_key == "transfer:d")
    with reading(desk) as connection:
        assert tuple(connection.execute(query).one()) == (DAY - timedelta(days=30), DAY, when["known_at"])


def test_a_clock_that_goes_back_is_refused_and_one_that_differs_a_little_waits(
    desk: sa.Engine, when: dict[str, Any]
) -> None:
    deposit = Transfer("d1", "client_deposit", "1010.CNY", "2010.A3", 100, "CNY", DAY)
    back = when | {"known_at": when["known_at"] - timedelta(seconds=6)}
    with pytest.raises(TransferRefused, match=r"clock_must_not_go_back.*set the clock of this machine right"):
        post(desk, [deposit], **back)
    post(desk, [deposit], **(when | {"known_at": when["known_at"] - timedelta(seconds=4)}))
    query = sa.select(schema.event.c.known_at).where(schema.event.c.business_key == "transfer:d1")
    with reading(desk) as connection:
        assert connection.execute(query).scalar_one() == when["known_at"]


def approved(tell: Story, officers: Any, action: str, transfer: Transfer) -> Transfer:
    """The transfer once two officers have signed for it; the approval is not part of what they sign."""
    approval_id = officers.approve(tell.books, action, transfer.transfer_id, transfer_content(transfer))
    return replace(transfer, approval_id=approval_id)


def test_a_large_withdrawal_leaves_once_two_officers_have_signed_for_it(tell: Story, officers: Any) -> None:
    """One million yuan is not large, one fen more is (house.approvals)."""
    tell("client_deposit", cash=500_000_000)
    small = Transfer("w1", "client_withdrawal", "2010.A3", "1010.CNY", 100_000_000, "CNY", DAY)
    large = replace(small, transfer_id="w2", amount_minor=100_000_001)
    post(tell.books, [small], **tell.when)
    with pytest.raises(TransferRefused, match="w2 refused, approval_must_stand"):
        post(tell.books, [large], **tell.when)
    signed = approved(tell, officers, "large_withdrawal", large)
    with pytest.raises(TransferRefused, match="w2 refused, approval_must_stand"):
        post(tell.books, [replace(signed, amount_minor=100_000_002)], **tell.when)
    post(tell.books, [signed], **tell.when)
    assert client_money(tell.books, ["A3"]) == {"A3": 299_999_999}


def test_a_write_off_stands_once_two_officers_have_signed_for_the_whole_event(tell: Story, officers: Any) -> None:
    tell("capital_paid_in", cash=1_000)
    tell("loan_drawn", cash=900)
    tell("ecl_charged", allowance=300)
    with reading(tell.books) as connection:
        chart = chart_on(connection, DAY)
    legs = expand(
        chart, "write_off", "loss.1", owners={"client": "A3"}, amounts={"allowance": 300, "principal": 600}, unit="CNY",
        effective_on=DAY,
    )  # fmt: skip
    approval_id = officers.approve(tell.books, "write_off", "loss.1", event_content(legs))
    post(tell.books, [replace(leg, approval_id=approval_id) for leg in legs], **tell.when)
    assert tell.trial_balance() == {"1110": 100, "3010": -1_000, "5020": 900}


def test_a_reversal_two_officers_have_signed_for_undoes_what_it_names(tell: Story, officers: Any) -> None:
    tell("client_deposit", cash=100)
    wrong = Transfer("r", "reversal", "2010.A3", "1010.CNY", 100, "CNY", DAY, reverses="client_deposit.1.cash")
    post(tell.books, [approved(tell, officers, "reversal", wrong)], **tell.when)
    assert tell.trial_balance() == {}
    with reading(tell.books) as connection:
        posted = connection.execute(sa.select(schema.transfer.c.transfer_id)).scalars().all()
    assert posted == ["client_deposit.1.cash", "r"]


@pytest.mark.parametrize("template", ["client_withdrawal", "loan_drawn", "purchase", "sale", "short_sale"])
def test_a_frozen_clients_account_neither_trades_nor_pays_out(tell: Story, officers: Any, template: str) -> None:
    """What the desk must do all the same it does: a forced sale, a fee, a dividend."""
    tell("client_deposit", cash=1_000)
    evidence = "ab" * 32
    with reading(tell.books) as connection:
        content = freeze_content(connection, "C3", State.frozen, evidence)
    approval_id = officers.approve(tell.books, "freeze", "C3", content)
    move_client(tell.books, "C3", State.frozen, "ma", "court order", evidence, approval_id, **tell.when)
    amount = {"purchase": "cost", "sale": "net", "short_sale": "net"}.get(template, "cash")
    with pytest.raises(TransferRefused, match="client_must_be_active"):
        tell(template, **{amount: 10})
    tell("custody_fee", fee=5)
    tell("forced_sale", net=20)
