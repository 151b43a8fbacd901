"""Bringing a whole desk into the books: everything is judged first, then written in one transaction, or nothing is."""

import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.client_states import taken_over_entries
from books.clients import account_entry, client_entries, open_currencies
from books.contracts import contract_entry
from books.engine import Books, reading, writing
from books.journal import Entry, LedgerHead, batches, book, ledger_head, spoken
from books.positions import UNNAMED
from books.posting import post
from books.rules import chart_on
from books.third_parties import ROLES, third_party_entry
from books.vault import Vault
from domain.clients.details import Field
from domain.errors import OpeningRefused, PersonalDataNotUsable
from domain.ledger import AnyTransfer, Chart, Rejection, Transfer, canonical, content_of, expand
from domain.opening import (
    ANY_ROLE,
    COLUMNS,
    BroughtBalance,
    BroughtClient,
    BroughtPosition,
    Finding,
    Opening,
    Surroundings,
    judge_opening,
    lines_of,
    told,
)

Facts = Iterator[tuple[str, int, Entry]]
"""What a desk would have written: table and line it stands on, and the entry."""

_KEPT_APART: Final = "~"
"""No id holds it, so that ids put together with it are one position's only."""


def findings_of(
    books: Books, opening: Opening, *, vault: Vault, rulebooks: Collection[str], booked_on: date
) -> list[Finding]:
    """All that speaks against bringing ``opening`` into these books; nothing is written."""
    with reading(books) as connection:
        around = _surroundings(connection, chart_on(connection, booked_on), rulebooks)
        return judge_opening(opening, around) or [
            *_conflicts_of_clients(connection, opening, vault),
            *_conflicts(connection, opening, around),
        ]


def bring_in(
    books: Books, opening: Opening, *, vault: Vault, rulebooks: Collection[str], booked_on: date, known_at: datetime
) -> LedgerHead:
    """Write the desk as it stood on ``opening.day``: balances against 3900, shares into names and places.

    Clients are taken over as active, with their names sealed; the one step of each says where it comes from, and the
    hash of everything that came with it. Bringing in the same desk again changes nothing.

    Raises
    ------
    OpeningRefused
        Something cannot be believed, or stands in the books already with other content.
    """
    with writing(books) as connection:
        findings = findings_of(connection, opening, vault=vault, rulebooks=rulebooks, booked_on=booked_on)
        if findings:
            raise OpeningRefused(told(findings, "The desk"))
        if opening.unread:
            raise OpeningRefused(
                f"The desk must be right as a whole, but lines of {', '.join(sorted(opening.unread))} could not be "
                f"read. Nothing was written; correct them and import again."
            )
        around = _surroundings(connection, chart_on(connection, booked_on), rulebooks)
        open_currencies(connection, _source_of_currency(opening), booked_on, known_at)
        fresh = [client for client in opening.clients if client.client_id not in around.clients]
        book(connection, _client_entries(connection, vault, fresh, opening, booked_on), booked_on, known_at)
        book(connection, (entry for _, _, entry in _party_facts(opening, booked_on)), booked_on, known_at)
        post(connection, list(opening_transfers(opening, around)), booked_on=booked_on, known_at=known_at)
        return ledger_head(connection)


def opening_hash(opening: Opening) -> str:
    """SHA-256 over everything a desk brings but names: the evidence on which its clients are taken over."""
    tables = {
        table: [line[:-1] if COLUMNS[table][-1] == "name" else line for line in lines]
        for table, lines in lines_of(opening).items()
    }
    return hashlib.sha256(canonical({"day": opening.day, **tables})).hexdigest()


def opening_transfers(opening: Opening, around: Surroundings) -> Iterator[AnyTransfer]:
    """The transfers that bring balances and positions in, in the order of their lines."""
    for balance in opening.balances:
        yield _balance_transfer(balance, around.chart, opening.day)
    accounts = {*around.currency_of, *(row.account_id for row in opening.accounts)}
    for position in opening.positions:
        yield _position_transfer(position, around.chart, opening.day, position.account_id not in accounts)


def _balance_transfer(balance: BroughtBalance, chart: Chart, day: date) -> AnyTransfer:
    side = "debit" if balance.balance_minor > 0 else "credit"
    [transfer] = expand(
        chart,
        "opening_balance",
        f"opening.{balance.ledger_account_id}",
        owners={f"{side}.{side}": balance.ledger_account_id},
        amounts={side: abs(balance.balance_minor)},
        unit=balance.currency,
        effective_on=day,
    )
    return transfer


def _position_transfer(position: BroughtPosition, chart: Chart, day: date, is_lenders: bool) -> AnyTransfer:
    """Shares in a client's name at a place; shares a client owes a lender; or shares a lender's, at their place."""
    account_id, place, shares = position.account_id, position.place, position.quantity_shares
    if is_lenders:
        template, amount, owners = "securities_borrowed", "shares", {"9010": place, "9120": account_id}
    elif shares > 0:
        template, amount, owners = "opening_balance", "shares", {"9010": place, "9020": account_id}
    else:
        template, amount, owners = "opening_balance", "short", {"9110": account_id, "9120": place}
    [transfer] = expand(
        chart,
        template,
        f"opening.{_KEPT_APART.join((account_id, position.instrument_id, place))}",
        owners=owners,
        amounts={amount: abs(shares)},
        unit="",
        effective_on=day,
        instrument_id=position.instrument_id,
    )
    return transfer


def _surroundings(connection: sa.Connection, chart: Chart, rulebooks: Collection[str]) -> Surroundings:
    account, party = schema.account.c, schema.third_party.c
    return Surroundings(
        chart,
        rulebooks,
        ROLES,
        set(connection.execute(sa.select(schema.client.c.client_id)).scalars()),
        {row[0]: row[1] for row in connection.execute(sa.select(account.account_id, account.currency))},
        {row[0]: row[1] for row in connection.execute(sa.select(party.third_party_id, party.role))}
        | {UNNAMED: ANY_ROLE},
    )


def _source_of_currency(opening: Opening) -> dict[str, str]:
    """Who speaks for the desk's own accounts in each currency: its first account in it, or else its first client."""
    sources = [row.source for row in opening.clients] + [row.source for row in opening.third_parties]
    every: dict[str, str] = {row.currency: row.source for row in reversed(opening.accounts)}
    for balance in opening.balances:
        every.setdefault(balance.currency, sources[0] if sources else "import")
    return every


def _client_entries(
    connection: sa.Connection, vault: Vault, clients: list[BroughtClient], opening: Opening, booked_on: date
) -> Iterator[Entry]:
    yield from client_entries(connection, vault, [(one.client_id, one.name, one.source) for one in clients], booked_on)
    reason, evidence = f"brought in from another system as of {opening.day}", opening_hash(opening)
    for client in clients:
        yield from taken_over_entries([client.client_id], client.source, reason, evidence, booked_on)


def _party_facts(opening: Opening, booked_on: date) -> Facts:
    for party in opening.third_parties:
        entry = third_party_entry(
            party.third_party_id, party.role, party.name, party.source, booked_on, party.ledger_account_id
        )
        yield "third_parties", party.line, entry
    for a in opening.accounts:
        yield (
            "accounts",
            a.line,
            account_entry(a.account_id, a.client_id, a.market, a.currency, a.rulebook, a.opened_on, a.source),
        )
    for c in opening.contracts:
        yield (
            "contracts",
            c.line,
            contract_entry(c.contract_id, c.account_id, c.currency, c.principal_minor, c.opened_on, c.matures_on),
        )


def _facts(opening: Opening, around: Surroundings) -> Facts:
    yield from _party_facts(opening, opening.day)
    places = [("balances", row.line) for row in opening.balances] + [
        ("positions", row.line) for row in opening.positions
    ]
    for (table, line), transfer in zip(places, opening_transfers(opening, around), strict=True):
        kind = "transfer" if isinstance(transfer, Transfer) else "security_transfer"
        yield table, line, Entry(kind, transfer.transfer_id, transfer.effective_on, content_of(transfer))


def _conflicts_of_clients(connection: sa.Connection, opening: Opening, vault: Vault) -> Iterator[Finding]:
    """Clients the books know under another name, or from another source."""
    client = schema.client.c
    for batch in batches(opening.clients):
        brought = {one.client_id: one for one in batch}
        query = sa.select(client.client_id, client.name, client.source).where(client.client_id.in_(sorted(brought)))
        for client_id, sealed, source in connection.execute(query.order_by(client.client_id)).tuples():
            one = brought[client_id]
            for column, differs in (
                ("name", not _is_named(connection, vault, client_id, sealed, one.name)),
                ("source", source != one.source),
            ):
                if differs:
                    yield Finding(
                        "clients", one.line, column, Rejection.exists_with_different_content,
                        f"the {column} by which the books know {client_id!a}", "another", _LEAVE_OUT,
                    )  # fmt: skip


def _is_named(connection: sa.Connection, vault: Vault, client_id: str, sealed: str, name: str) -> bool:
    try:
        return vault.open(connection, client_id, Field.full_name, sealed) == name
    except PersonalDataNotUsable:
        # A client who was forgotten, or got a new key, can no longer be compared.
        return True


_LEAVE_OUT: Final = "Leave out what is in the books, or give what is new an id of its own."


def _conflicts(connection: sa.Connection, opening: Opening, around: Surroundings) -> list[Finding]:
    """Lines whose id stands in the books already, with other content."""
    findings = []
    event = schema.event.c
    for batch in batches(_facts(opening, around)):
        facts = {entry.business_key: (table, line, entry) for table, line, entry in batch}
        found: Any
        for found in connection.execute(
            sa.select(event.business_key, event.body).where(event.business_key.in_(sorted(facts)))
        ):
            table, line, entry = facts[found.business_key]
            booked = spoken(json.loads(found.body)["what"])
            if canonical(booked) != canonical(spoken(entry.what)):
                findings.append(_conflict(table, line, entry, booked))
    return sorted(findings, key=lambda one: (one.file, one.line))


def _conflict(table: str, line: int, entry: Entry, booked: dict[str, Any]) -> Finding:
    said = json.loads(canonical(spoken(entry.what)))
    differing = sorted(name for name in said.keys() | booked.keys() if said.get(name) != booked.get(name))
    # A name is nobody's business here; that it differs is.
    shown = [name for name in differing if name != "name"]
    books_say = ", ".join(f"{name} {booked.get(name)!a}" for name in shown) or "the same name"
    expected = f"{books_say}, as the books say of {entry.key!a}"
    got = ", ".join(f"{name} {said.get(name)!a}" for name in shown) or "another"
    return Finding(
        table, line, differing[0], Rejection.exists_with_different_content, expected, got, _LEAVE_OUT,
    )  # fmt: skip
