"""Sentences about the ledger that must hold for any transfers whatsoever."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import (
    CHART,
    GENESIS_HASH,
    TEMPLATES,
    Account,
    Rejection,
    Transfer,
    balances,
    canonical,
    client_accounts,
    desk_accounts,
    entry_hash,
    first_broken_entry,
    judge,
)
from domain.money import AMOUNT_MAX

ACCOUNTS = {
    account.ledger_account_id: account
    for account in (
        *desk_accounts("USD"),
        *desk_accounts("CNY"),
        *client_accounts("A1", "USD"),
        *client_accounts("A2", "CNY"),
    )
}

transfers = st.builds(
    Transfer,
    transfer_id=st.sampled_from(["t1", "t2", "t3"]),
    template=st.sampled_from(sorted(TEMPLATES)),
    debit_account_id=st.sampled_from(sorted(ACCOUNTS)),
    credit_account_id=st.sampled_from(sorted(ACCOUNTS)),
    amount_minor=st.sampled_from([-1, 0, AMOUNT_MAX + 1]) | st.integers(1, AMOUNT_MAX),
    currency=st.sampled_from(["USD", "CNY"]),
    effective_on=st.dates(date(2025, 12, 30), date(2026, 1, 5)),
)


@st.composite
def sound_transfers(draw: st.DrawFn) -> Transfer:
    """Transfers that break no rule by themselves, so that the ledger under test is not empty."""
    template = draw(st.sampled_from(sorted(TEMPLATES)))
    account_id, currency = draw(st.sampled_from([("A1", "USD"), ("A2", "CNY")]))
    debit, credit = (f"{code}.{account_id if CHART[code].is_per_client else currency}" for code in TEMPLATES[template])
    return Transfer(
        transfer_id=draw(st.sampled_from(["t1", "t2", "t3", "t4", "t5"])),
        template=template,
        debit_account_id=debit,
        credit_account_id=credit,
        amount_minor=draw(st.integers(1, AMOUNT_MAX)),
        currency=currency,
        effective_on=draw(st.dates(date(2025, 12, 30), date(2026, 1, 5))),
    )


attempts_of_all_kinds = st.lists(transfers | sound_transfers(), max_size=20)


def post_all(attempts: list[Transfer]) -> tuple[dict[str, Transfer], list[Rejection | None]]:
    """Post each attempt in turn, the way ``books.posting`` does, onto an empty ledger."""
    ledger: dict[str, Transfer] = {}
    verdicts = []
    for attempt in attempts:
        debit, credit = ACCOUNTS[attempt.debit_account_id], ACCOUNTS[attempt.credit_account_id]
        verdict = judge(attempt, debit, credit, ledger.get(attempt.transfer_id))
        verdicts.append(verdict)
        if verdict is None:
            ledger[attempt.transfer_id] = attempt
    return ledger, verdicts


@given(attempts_of_all_kinds)
def test_money_is_neither_made_nor_lost(attempts: list[Transfer]) -> None:
    """Per currency, not just overall: a dollar must never turn into a yuan."""
    ledger, _ = post_all(attempts)
    net: dict[str, int] = {}
    for account_id, balance in balances(ledger.values()).items():
        currency = ACCOUNTS[account_id].currency
        net[currency] = net.get(currency, 0) + balance
    assert all(total == 0 for total in net.values())


@given(attempts_of_all_kinds)
def test_posting_everything_twice_changes_nothing(attempts: list[Transfer]) -> None:
    """A client that never heard our answer may safely ask again."""
    ledger, verdicts = post_all(attempts)
    again, _ = post_all(attempts + [a for a, v in zip(attempts, verdicts, strict=True) if v is None])
    assert again == ledger


@given(st.lists(sound_transfers(), max_size=20), st.randoms(use_true_random=False))
def test_balances_do_not_depend_on_the_order_of_transfers(posted: list[Transfer], random: object) -> None:
    shuffled = list(posted)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert balances(shuffled) == balances(posted)


@pytest.mark.parametrize("golden", ["AC-001", "AC-005"], indirect=True)
def test_a_whole_story_leaves_the_published_trial_balance(golden: Any) -> None:
    story = [
        Transfer(f"t{n}", event, debit, credit, amount, "CNY", date(2026, 1, 5))
        for n, (event, debit, credit, amount) in enumerate(golden.given["journal_minor"])
    ]
    left = {code: balance for code, balance in balances(story).items() if balance}
    assert left == golden.expected["trial_balance_minor"]
    assert left["1010"] == -left["2010"]


@given(sound_transfers())
def test_a_sound_transfer_is_accepted(transfer: Transfer) -> None:
    debit, credit = ACCOUNTS[transfer.debit_account_id], ACCOUNTS[transfer.credit_account_id]
    assert judge(transfer, debit, credit, None) is None


DEPOSIT = Transfer("t1", "client_deposit", "1010.USD", "2010.A1", 1_000, "USD", date(2026, 1, 5))

BROKEN = {
    Rejection.accounts_must_exist: replace(DEPOSIT, credit_account_id="2010.NOBODY"),
    Rejection.accounts_must_differ: replace(DEPOSIT, credit_account_id="1010.USD"),
    Rejection.amount_must_be_positive: replace(DEPOSIT, amount_minor=0),
    Rejection.amount_must_fit_in_64_bits: replace(DEPOSIT, amount_minor=AMOUNT_MAX + 1),
    Rejection.currencies_must_match: replace(DEPOSIT, debit_account_id="1010.CNY"),
    Rejection.template_must_fit_accounts: replace(DEPOSIT, template="loan_repaid"),
    Rejection.exists_with_different_content: replace(DEPOSIT, amount_minor=999),
}


@pytest.mark.parametrize("rule", BROKEN, ids=str)
def test_each_rule_is_named_when_it_is_broken(rule: Rejection) -> None:
    attempt = BROKEN[rule]
    debit, credit = ACCOUNTS.get(attempt.debit_account_id), ACCOUNTS.get(attempt.credit_account_id)
    assert judge(attempt, debit, credit, DEPOSIT) is rule


def test_the_first_broken_rule_wins() -> None:
    """All rules but the first are broken too by an unnamed account, no amount and the wrong template."""
    everything_wrong = replace(DEPOSIT, credit_account_id="1010.USD", amount_minor=0, currency="CNY", template="?")
    bank = ACCOUNTS["1010.USD"]
    assert judge(everything_wrong, bank, None, DEPOSIT) is Rejection.accounts_must_exist
    assert judge(everything_wrong, bank, bank, DEPOSIT) is Rejection.accounts_must_differ


def test_a_client_cannot_take_out_more_than_is_there() -> None:
    debit, credit = ACCOUNTS["2010.A1"], ACCOUNTS["1010.USD"]
    withdrawal = Transfer("w1", "client_withdrawal", "2010.A1", "1010.USD", 501, "USD", date(2026, 1, 5))
    assert judge(withdrawal, debit, credit, None, available_minor=500) is Rejection.client_money_must_cover
    assert judge(withdrawal, debit, credit, None, available_minor=501) is None
    assert judge(withdrawal, debit, credit, withdrawal, available_minor=0) is None


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_template_uses_the_chart(template: str) -> None:
    assert set(TEMPLATES[template]) <= set(CHART)


def test_a_currency_and_an_account_bring_each_class_of_the_chart_once() -> None:
    codes = sorted(account.code for account in (*desk_accounts("USD"), *client_accounts("A1", "USD")))
    assert codes == sorted(CHART)
    assert Account("2010.A1", "2010", "USD", "A1").kind == "liability"


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
