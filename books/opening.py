"""The desk as the books know it, in the form in which another desk's books bring it in."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa

from books import schema
from books.extract import sums_at
from books.journal import ledger_head
from books.positions import UNNAMED
from domain.errors import ExportNotPossible
from domain.ledger import Sums
from domain.opening import (
    BroughtAccount,
    BroughtBalance,
    BroughtClient,
    BroughtContract,
    BroughtPosition,
    BroughtThirdParty,
    Opening,
)

Keyed = dict[tuple[str, str], Sums]
"""Sums by ledger account and unit."""


def opening_of(connection: sa.Connection, day: date) -> Opening:
    """The desk as it stands, in the form in which another desk brings it in; what is in flight stays behind.

    Raises
    ------
    ExportNotPossible
        Shares stand where a position cannot say it: passed on from a client's name to a short seller, for instance.
    """
    head = ledger_head(connection)
    money, shares = sums_at(connection, schema.transfer, head), sums_at(connection, schema.security_transfer, head)
    balances = [
        BroughtBalance(0, account_id, currency, of.balance)
        for (account_id, currency), of in sorted(money.items())
        if of.balance
    ]
    client, account, party = schema.client.c, schema.account.c, schema.third_party.c
    clients = connection.execute(sa.select(client.client_id, client.source).order_by(client.client_id))
    accounts = connection.execute(
        sa.select(account.account_id, account.client_id, account.market, account.currency, account.rulebook,
                  account.opened_on, account.source).order_by(account.account_id)
    )  # fmt: skip
    parties = connection.execute(
        sa.select(party.third_party_id, party.role, party.ledger_account_id, party.source).order_by(
            party.third_party_id
        )
    )
    return Opening(
        day,
        [BroughtClient(0, row.client_id, row.source, row.client_id) for row in clients],
        [BroughtAccount(0, *row) for row in accounts.tuples()],
        [BroughtThirdParty(0, name, role, proves, source, name) for name, role, proves, source in parties.tuples()],
        balances,
        list(_positions(shares)),
        list(_contracts_owed(connection, money)),
    )


def _contracts_owed(connection: sa.Connection, money: Keyed) -> Iterator[BroughtContract]:
    """What is still owed on each contract: repayments went to the oldest first."""
    contract = schema.contract.c
    query = sa.select(
        contract.contract_id, contract.account_id, contract.currency, contract.principal_minor, contract.opened_on,
        contract.matures_on,
    )  # fmt: skip
    owed = {(name.partition(".")[2], unit): of.balance for (name, unit), of in money.items() if name[:5] == "1210."}
    found: Any
    for found in connection.execute(query.order_by(contract.opened_on.desc(), contract.contract_id.desc())):
        key = (found.account_id, found.currency)
        principal = min(found.principal_minor, owed.get(key, 0))
        if principal > 0:
            owed[key] -= principal
            told = (found.contract_id, *key, principal, found.opened_on, found.matures_on)
            yield BroughtContract(0, *told)


def _positions(shares: Keyed) -> Iterator[BroughtPosition]:
    """Pair what is somewhere with whose it is, instrument by instrument."""
    instruments: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for (name, instrument_id), of in sorted(shares.items()):
        code, _, owner = name.partition(".")
        _count(instruments[instrument_id], code, owner, of.balance)
    for instrument_id, held in sorted(instruments.items()):
        for place, account_id, quantity in _paired(held["9010"], held["9020"]):
            yield BroughtPosition(0, account_id, instrument_id, quantity, place)
        for account_id, lender, quantity in _paired(held["9110"], held["9120"]):
            yield BroughtPosition(0, account_id, instrument_id, -quantity, lender)
        for place, lender, quantity in _paired(held["9010"], held["9120"]):
            yield BroughtPosition(0, lender, instrument_id, quantity, place)
        if left := [f"{code}.{owner}" for code, owners in sorted(held.items()) for owner, n in owners.items() if n]:
            raise ExportNotPossible(
                f"An opening says of all shares at which place they are and in whose name, but of {instrument_id} it "
                f"cannot for {', '.join(left)}: they were passed on from one client to another, or stand on the wrong "
                f"side. The rest of the export was written; let a lender stand between them, then export again."
            )


def _count(held: dict[str, Counter[str]], code: str, owner: str, balance: int) -> None:
    """Add a balance on the side its class has.

    The first edition of the books kept what a client owed as less than nothing in its name, taken from a place it did
    not name: that client owes a lender nobody named, and nothing is missing at the place.
    """
    if code == "9020" and balance > 0:
        held["9110"][owner] += balance
        held["9120"][UNNAMED] += balance
        held["9010"][UNNAMED] += balance
    else:
        held[code][owner] += balance if code in ("9010", "9110") else -balance


def _paired(debits: Counter[str], credits: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Take from both sides what matches, in the order they stand in; what is left stays in them."""
    for debit in list(debits):
        for credit in list(credits):
            quantity = min(debits[debit], credits[credit])
            if quantity > 0:
                debits[debit] -= quantity
                credits[credit] -= quantity
                yield debit, credit, quantity
