"""Sentences about the ledger that must hold for any transfers whatsoever."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import (
    GENESIS_HASH,
    REVERSAL,
    Account,
    AccountClass,
    Chart,
    Circumstances,
    Leg,
    Rejection,
    SecurityTransfer,
    Sums,
    Template,
    Transfer,
    balances,
    canonical,
    client_accounts,
    content_of,
    desk_accounts,
    entry_hash,
    expand,
    first_broken_entry,
    judge,
    reversal,
    segregation_kept,
    sums_of,
    third_party_accounts,
)
from domain.money import AMOUNT_MAX
from domain.rulebook import chart
from rulebooks import load_rulebook

CHART = chart(load_rulebook("house.ledger").governing(on=date(2026, 1, 5)))
ACCOUNTS = {
    account.ledger_account_id: account
    for account in (
        *desk_accounts(CHART, "USD"),
        *desk_accounts(CHART, "CNY"),
        *client_accounts(CHART, "A1", "USD"),
        *client_accounts(CHART, "A2", "CNY"),
        *third_party_accounts(CHART, "CSD"),
        *third_party_accounts(CHART, "LENDER"),
    )
}
DAYS = st.dates(date(2025, 12, 30), date(2026, 1, 5))
SIMPLE = sorted(
    name
    for name, template in CHART.templates.items()
    if template.approval is None
    and not any(leg.posts or leg.phase or "*" in (leg.debit, leg.credit) for leg in template.legs)
)
"""Templates that move at once."""

transfers = st.builds(
    Transfer,
    transfer_id=st.sampled_from(["t1", "t2", "t3"]),
    template=st.sampled_from(sorted(CHART.templates)),
    debit_account_id=st.sampled_from(sorted(ACCOUNTS)),
    credit_account_id=st.sampled_from(sorted(ACCOUNTS)),
    amount_minor=st.sampled_from([-1, 0, AMOUNT_MAX + 1]) | st.integers(1, AMOUNT_MAX),
    currency=st.sampled_from(["USD", "CNY"]),
    effective_on=DAYS,
    phase=st.sampled_from([None, None, "pending", "post", "void", "expire"]),
    pending_id=st.sampled_from([None, None, "t1", "t2"]),
    expires_on=st.none() | DAYS,
)


@st.composite
def sound_events(draw: st.DrawFn) -> list[Any]:
    """Events whose legs break no rule by themselves, so that the ledger under test is not empty."""
    template = draw(st.sampled_from(SIMPLE))
    client, unit = draw(st.sampled_from([("A1", "USD"), ("A2", "CNY")]))
    names = {leg.amount for leg in CHART.templates[template].legs}
    amounts = {name: draw(st.sampled_from([0, 1, 100, 10**15]) | st.integers(1, 10**6)) for name in sorted(names)}
    return expand(
        CHART,
        template,
        draw(st.sampled_from(["e1", "e2", "e3", "e4", "e5"])),
        owners={"client": client, "third_party": "CSD", "shares.credit": "LENDER"}
        if template.startswith("securities_lent")
        else {"client": client, "9010": "CSD", "9120": "LENDER"},
        amounts=amounts,
        unit=unit,
        instrument_id="US.X",
        effective_on=draw(DAYS),
    )


attempts_of_all_kinds = st.lists(transfers.map(lambda t: [t]) | sound_events(), max_size=20).map(
    lambda lists: [transfer for one in lists for transfer in one]
)


class Ledger:
    """An empty ledger that judges and keeps, the way ``books.posting`` does, without a store."""

    def __init__(self) -> None:
        self.posted: dict[str, Any] = {}

    def post(self, transfer: Any, *, is_approved: bool = False, needs_approval: bool = False) -> Rejection | None:
        sums = sums_of(self.posted.values())
        resolved = {one.pending_id for one in self.posted.values()}
        undone = sum(one.amount for one in self.posted.values() if one.reverses == transfer.reverses)
        known = Circumstances(
            ACCOUNTS.get(transfer.debit_account_id),
            ACCOUNTS.get(transfer.credit_account_id),
            sums.get((transfer.debit_account_id, transfer.unit), Sums()),
            sums.get((transfer.credit_account_id, transfer.unit), Sums()),
            self.posted.get(transfer.transfer_id),
            self.posted.get(transfer.pending_id),
            transfer.pending_id is not None and transfer.pending_id in resolved,
            self.posted.get(transfer.reverses),
            undone if transfer.reverses else 0,
            is_approved,
            needs_approval or transfer.template == REVERSAL,
        )
        verdict = judge(CHART, transfer, known)
        if verdict is None:
            self.posted.setdefault(transfer.transfer_id, transfer)
        return verdict

    def post_all(self, attempts: Iterable[Any]) -> list[Rejection | None]:
        return [self.post(attempt) for attempt in attempts]


@given(attempts_of_all_kinds)
def test_money_and_shares_are_neither_made_nor_lost(attempts: list[Any]) -> None:
    """Per currency and instrument, not just overall: a dollar must never turn into a yuan."""
    ledger = Ledger()
    ledger.post_all(attempts)
    net: dict[str, list[int]] = {}
    for (_, unit), sums in sums_of(ledger.posted.values()).items():
        of_unit = net.setdefault(unit, [0, 0])
        of_unit[0] += sums.balance
        of_unit[1] += sums.debits_pending - sums.credits_pending
    assert all(totals == [0, 0] for totals in net.values())


@given(attempts_of_all_kinds)
def test_posting_everything_twice_changes_nothing(attempts: list[Any]) -> None:
    """A client that never heard our answer may safely ask again."""
    ledger = Ledger()
    verdicts = ledger.post_all(attempts)
    before = dict(ledger.posted)
    again = [attempt for attempt, verdict in zip(attempts, verdicts, strict=True) if verdict is None]
    assert set(ledger.post_all(again)) <= {None}
    assert ledger.posted == before


@given(attempts_of_all_kinds)
def test_no_sum_is_ever_negative_and_no_client_is_below_nothing(attempts: list[Any]) -> None:
    ledger = Ledger()
    ledger.post_all(attempts)
    for (account_id, _), sums in sums_of(ledger.posted.values()).items():
        assert min(sums.debits_posted, sums.credits_posted, sums.debits_pending, sums.credits_pending) >= 0
        if account_id.startswith(("2010.", "9020.")):
            assert sums.available_to_debit >= 0
        if account_id.startswith("9010."):
            assert sums.available_to_credit >= 0


@given(st.lists(sound_events(), max_size=10), st.randoms(use_true_random=False))
def test_balances_do_not_depend_on_the_order_of_independent_transfers(events: list[Any], random: Any) -> None:
    posted = [transfer for event in events for transfer in event if transfer.phase is None]
    shuffled = list(posted)
    random.shuffle(shuffled)
    assert sums_of(shuffled) == sums_of(posted)


@pytest.mark.parametrize("golden", ["AC-001", "AC-005"], indirect=True)
def test_a_whole_story_leaves_the_published_trial_balance(golden: Any) -> None:
    story = [
        Transfer(f"t{n}", event, debit, credit, amount, "CNY", date(2026, 1, 5))
        for n, (event, debit, credit, amount) in enumerate(golden.given["journal_minor"])
    ]
    left = {code: balance for code, balance in balances(story).items() if balance}
    assert left == golden.expected["trial_balance_minor"]
    assert left["1010"] == -left["2010"]


DEPOSIT = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 1_000, "USD", date(2026, 1, 5))
WITHDRAWAL = Transfer("w1", "client_withdrawal", "2010.A1", "1010.USD", 600, "USD", date(2026, 1, 6))
IN_FLIGHT = replace(WITHDRAWAL, phase="pending", expires_on=date(2026, 1, 7))

BROKEN: dict[Rejection, Any] = {
    Rejection.accounts_must_exist: replace(DEPOSIT, credit_account_id="2010.NOBODY"),
    Rejection.accounts_must_differ: replace(DEPOSIT, credit_account_id="1010.USD"),
    Rejection.amount_must_be_positive: replace(DEPOSIT, amount_minor=0),
    Rejection.amount_must_fit_in_64_bits: replace(DEPOSIT, amount_minor=AMOUNT_MAX + 1),
    Rejection.units_must_match: replace(DEPOSIT, debit_account_id="1010.CNY"),
    Rejection.template_must_fit_accounts: replace(DEPOSIT, template="loan_repaid"),
    Rejection.pending_must_exist: replace(WITHDRAWAL, phase="post", pending_id="nothing"),
    Rejection.pending_must_fit: replace(WITHDRAWAL, phase="post", pending_id="flight", amount_minor=601),
    Rejection.reversed_must_exist: reversal(replace(DEPOSIT, transfer_id="no"), "r1", date(2026, 1, 6), "ok"),
    Rejection.reversed_must_fit: reversal(replace(DEPOSIT, transfer_id="t0"), "r1", date(2026, 1, 6), "ok", 1_001),
    Rejection.approval_must_stand: reversal(replace(DEPOSIT, transfer_id="t0"), "r1", date(2026, 1, 6), "ok", 100),
    Rejection.client_money_must_cover: replace(WITHDRAWAL, amount_minor=401),
    Rejection.shares_must_cover: SecurityTransfer(
        "s1", "securities_withdrawn", "9020.A1", "9010.CSD", 1, "US.X", date(2026, 1, 6)
    ),
    Rejection.balance_must_fit_in_64_bits: replace(DEPOSIT, amount_minor=AMOUNT_MAX),
    Rejection.exists_with_different_content: replace(DEPOSIT, transfer_id="t0", amount_minor=999),
}


@pytest.fixture
def ledger() -> Ledger:
    """A1 has 1,000.00, of which 600 are on their way out."""
    ledger = Ledger()
    assert ledger.post_all([replace(DEPOSIT, transfer_id="t0"), replace(IN_FLIGHT, transfer_id="flight")]) == [
        None,
        None,
    ]
    return ledger


@pytest.mark.parametrize("rule", BROKEN, ids=str)
def test_each_rule_is_named_when_it_is_broken(ledger: Ledger, rule: Rejection) -> None:
    assert ledger.post(BROKEN[rule]) is rule


@pytest.mark.parametrize("amount", [0.5, 100.0, float("nan"), float("inf"), True, "100", None])
def test_an_amount_that_is_no_whole_number_of_cents_is_refused(ledger: Ledger, amount: Any) -> None:
    assert ledger.post(replace(DEPOSIT, amount_minor=amount)) is Rejection.amount_must_be_whole


def test_the_first_broken_rule_wins(ledger: Ledger) -> None:
    wrong = replace(DEPOSIT, credit_account_id="2010.NOBODY", amount_minor=0, currency="CNY", template="?")
    assert ledger.post(wrong) is Rejection.accounts_must_exist
    assert ledger.post(replace(wrong, credit_account_id="1010.USD")) is Rejection.accounts_must_differ
    assert ledger.post(replace(wrong, transfer_id="t0")) is Rejection.exists_with_different_content


def test_money_in_flight_counts_against_what_is_available(ledger: Ledger) -> None:
    assert ledger.post(replace(WITHDRAWAL, transfer_id="w2", amount_minor=401)) is Rejection.client_money_must_cover
    assert ledger.post(replace(WITHDRAWAL, transfer_id="w2", amount_minor=400)) is None


@pytest.mark.parametrize("phase", ["post", "void"])
def test_money_in_flight_lands_or_comes_back_once(ledger: Ledger, phase: Any) -> None:
    settled = replace(WITHDRAWAL, transfer_id="w2", phase=phase, pending_id="flight")
    assert ledger.post(settled) is None
    assert ledger.post(replace(settled, transfer_id="w3")) is Rejection.pending_must_be_open
    money = sums_of(ledger.posted.values())["2010.A1", "USD"]
    assert money.debits_pending == 0
    assert money.available_to_debit == (400 if phase == "post" else 1_000)


def test_what_is_posted_in_part_releases_the_rest(ledger: Ledger) -> None:
    part = replace(WITHDRAWAL, transfer_id="w2", phase="post", pending_id="flight", amount_minor=100)
    assert ledger.post(part) is None
    money = sums_of(ledger.posted.values())["2010.A1", "USD"]
    assert (money.debits_pending, money.available_to_debit) == (0, 900)


def test_what_is_pending_expires_after_its_day_and_not_before(ledger: Ledger) -> None:
    late = replace(WITHDRAWAL, transfer_id="w2", phase="post", pending_id="flight", effective_on=date(2026, 1, 8))
    assert ledger.post(late) is Rejection.pending_must_not_be_expired
    early = replace(late, phase="expire", effective_on=date(2026, 1, 7))
    assert ledger.post(early) is Rejection.pending_must_fit
    assert ledger.post(replace(early, effective_on=date(2026, 1, 8))) is None


def test_a_reversal_exchanges_the_sides_and_never_undoes_more_than_there_is(ledger: Ledger) -> None:
    original = ledger.posted["t0"]
    first = reversal(original, "r1", date(2026, 1, 6), "ok", 250)
    assert (first.debit_account_id, first.credit_account_id) == ("2010.A1", "1010.USD")
    assert ledger.post(first, is_approved=True) is None
    assert (
        ledger.post(replace(first, transfer_id="r2", amount_minor=751), is_approved=True) is Rejection.reversed_must_fit
    )
    same_sides = replace(first, transfer_id="r3", debit_account_id="1010.USD", credit_account_id="2010.A1")
    assert ledger.post(same_sides, is_approved=True) is Rejection.reversed_must_fit
    assert ledger.post(reversal(first, "r4", date(2026, 1, 6), "ok"), is_approved=True) is Rejection.reversed_must_exist


def test_a_pending_leg_cannot_be_posted_at_once_and_a_settling_leg_needs_what_it_settles() -> None:
    sale = {"client": "A1", "9010": "CSD"}
    (net,) = expand(CHART, "sale", "e1", owners=sale, amounts={"net": 5}, unit="USD", effective_on=date(2026, 1, 5))
    ledger = Ledger()
    assert net.phase == "pending"
    assert ledger.post(replace(net, phase=None)) is Rejection.template_must_fit_accounts
    settled = expand(
        CHART,
        "sale_settled",
        "e2",
        owners=sale,
        amounts={"net": 5},
        unit="USD",
        effective_on=date(2026, 1, 6),
        settles="e1",
    )
    assert ledger.post(settled[0]) is Rejection.pending_must_exist
    assert ledger.post_all([net, *settled]) == [None] * 3
    assert balances(ledger.posted.values()) == {"1310.USD": 0, "2010.A1": -5, "1010.USD": 5}


def test_a_batch_that_parts_client_money_from_what_is_owed_is_named_by_its_currency() -> None:
    assert segregation_kept([("1010", "USD", 5), ("2010", "USD", -5), ("1110", "CNY", 3)]) is None
    assert segregation_kept([("1010", "USD", 5), ("2010", "CNY", -5)]) == "CNY"


@pytest.mark.parametrize("template", sorted(CHART.templates))
def test_every_template_keeps_client_money_segregated(template: str) -> None:
    """Leg by leg with any amounts: what its posted legs move at the clients' bank they move of what is owed."""
    names = sorted({leg.amount for leg in CHART.templates[template].legs})
    owners = {"client": "A1", "9010": "CSD", "9120": "LENDER", "debit.debit": "1110.USD", "credit.credit": "1110.USD",
              "shares.debit": "CSD"} | ({"shares.credit": "LENDER"} if "lent" in template else {})  # fmt: skip
    legs = expand(
        CHART, template, "e", owners=owners, amounts={name: 7**n for n, name in enumerate(names, 1)}, unit="USD",
        instrument_id="US.X", effective_on=date(2026, 1, 5), settles="earlier",
    )  # fmt: skip
    assert len(legs) == len(CHART.templates[template].legs)
    lines = [
        (account[:4], leg.unit, sign * leg.amount)
        for leg in legs
        if leg.phase in (None, "post")
        for account, sign in ((leg.debit_account_id, 1), (leg.credit_account_id, -1))
    ]
    assert segregation_kept(lines) is None


def test_a_currency_a_client_and_a_third_party_bring_each_class_of_the_chart_once() -> None:
    brought = (*desk_accounts(CHART, "USD"), *client_accounts(CHART, "A1", "USD"), *third_party_accounts(CHART, "CSD"))
    assert sorted(account.code for account in brought) == sorted(CHART.classes)
    assert Account("2010.A1", "2010", "liability", "USD", "A1") in brought
    assert Account("9020.A1", "9020", "securities", None, "A1") in brought


def test_a_chart_whose_templates_speak_of_other_accounts_cannot_be_made() -> None:
    cash = AccountClass("cash", "现金", "asset", "currency")
    shares = AccountClass("shares", "证券", "securities", "client")
    for debit, credit in (("1", "9"), ("1", "2")):
        with pytest.raises(AssertionError, match=r"t\.leg"):
            Chart(
                MappingProxyType({"1": cash, "2": shares}),
                MappingProxyType({"t": Template("t", (Leg("leg", debit, credit, "amount"),))}),
                "any",
            )


def test_what_a_transfer_leaves_unsaid_is_not_written() -> None:
    assert set(content_of(DEPOSIT)) == {
        "transfer_id", "template", "debit_account_id", "credit_account_id", "amount_minor", "currency", "effective_on",
    }  # fmt: skip


bodies = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=10) | st.dates(), max_size=5)


@given(bodies)
def test_equal_facts_have_equal_bytes_in_whatever_order_they_were_told(body: dict[str, object]) -> None:
    assert canonical(dict(reversed(body.items()))) == canonical(body)
    assert canonical(json.loads(canonical(body))) == canonical(body)


@pytest.mark.parametrize("value", [{"amount": 0.5j}, {"amount": object()}, {"amount": float("nan")}])
def test_a_fact_that_cannot_be_written_exactly_is_refused(value: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


def chain_of(facts: list[dict[str, object]]) -> list[tuple[bytes, str]]:
    chained, previous = [], GENESIS_HASH
    for fact in facts:
        previous = entry_hash(previous, canonical(fact))
        chained.append((canonical(fact), previous))
    return chained


@given(st.lists(bodies, min_size=1, max_size=10), st.data())
def test_an_entry_changed_anywhere_breaks_the_chain_right_there(
    facts: list[dict[str, object]], data: st.DataObject
) -> None:
    chained = chain_of(facts)
    assert first_broken_entry(chained) is None
    position = data.draw(st.integers(0, len(chained) - 1))
    body, claimed = chained[position]
    chained[position] = (body + b" ", claimed)
    assert first_broken_entry(chained) == position


@given(st.lists(bodies, min_size=2, max_size=10), st.data())
def test_an_entry_taken_out_of_the_middle_breaks_the_chain(facts: list[dict[str, object]], data: st.DataObject) -> None:
    chained = chain_of(facts)
    position = data.draw(st.integers(0, len(chained) - 2))
    del chained[position]
    assert first_broken_entry(chained) == position


def test_the_chain_is_plain_sha_256_over_the_previous_hash_and_the_body() -> None:
    """Anyone can recompute it: printf the 32 zero bytes and the JSON, pipe them into sha256sum."""
    body = canonical({"b": date(2026, 1, 5), "a": 1, "c": "é"})
    assert body == b'{"a":1,"b":"2026-01-05","c":"\\u00e9"}'
    assert entry_hash(GENESIS_HASH, body) == "1b968dd6f95540b6cec32d3d0bdb92e67f93b0e16619d6d76e6bb421f28381f7"
