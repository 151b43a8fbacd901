"""Clients and their accounts: who the desk knows, and which ledger accounts come with them.

What is personal about a client stands in the books sealed (:mod:`books.vault`), its name among it; a client the first
edition of the books entered has its invented name in the clear, and stays readable.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.client_files import CLIENTS_RULEBOOK, evidence_on, signed_on
from books.client_states import client_state, taken_over_entries
from books.engine import Books, writing
from books.journal import Entry, LedgerHead, Value, batches, book, ledger_head, refused, require_known
from books.rules import edition_on
from books.vault import Vault, is_sealed
from domain.clients.details import INDEXED, Field, require_usable
from domain.clients.identity import SENTENCES, CreditApplication, State, judge_credit_account
from domain.ledger import Rejection
from domain.money import exponent
from domain.rulebook import credit_account_terms, suitability_terms

SYNTHETIC: Final = "synthetic"
"""The source of whatever is invented."""


def open_client(
    books: Books, client_id: str, name: str, *, vault: Vault, source: str, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Enter a client, as a draft; the name is sealed before anything is written."""
    with writing(books) as connection:
        entries = client_entries(connection, vault, [(client_id, name, source)], booked_on)
        book(connection, entries, booked_on, known_at)
        return ledger_head(connection)


def take_over_client(
    books: Books,
    client_id: str,
    name: str,
    *,
    vault: Vault,
    source: str,
    reason: str,
    evidence_hash: str,
    booked_on: date,
    known_at: datetime,
) -> LedgerHead:
    """Enter a client whose application the desk did not see, active at once; the one step of it says why."""
    with writing(books) as connection:
        entries = client_entries(connection, vault, [(client_id, name, source)], booked_on)
        book(connection, entries, booked_on, known_at)
        book(connection, taken_over_entries([client_id], source, reason, evidence_hash, booked_on), booked_on, known_at)
        return ledger_head(connection)


def client_entries(
    connection: sa.Connection, vault: Vault, clients: Sequence[tuple[str, str, str]], effective_on: date
) -> list[Entry]:
    """The journal entries that enter clients given as (client_id, name, source), their names sealed."""
    for _, name, _ in clients:
        require_usable(Field.full_name, name)
    column = schema.client.c
    in_the_clear: dict[str, str] = {}
    for batch in batches(client_id for client_id, _, _ in clients):
        rows: Any = connection.execute(sa.select(column.client_id, column.name).where(column.client_id.in_(batch)))
        in_the_clear.update((client_id, name) for client_id, name in rows if not is_sealed(name))
    for client_id, name, _ in clients:
        # Otherwise the journal would say what it already has, and that is a name.
        if in_the_clear.get(client_id, name) != name:
            raise refused(
                f"Client {client_id}", Rejection.exists_with_different_content, "it was entered under another name"
            )
    sealed = vault.seal_many(
        connection,
        [(client_id, Field.full_name, name) for client_id, name, _ in clients if client_id not in in_the_clear],
    )
    following = iter(sealed)
    return [
        client_entry(client_id, in_the_clear.get(client_id) or next(following), source, effective_on)
        for client_id, _, source in clients
    ]


def client_entry(client_id: str, sealed_name: str, source: str, effective_on: date) -> Entry:
    """The journal entry that enters a client whose name is sealed already."""
    return Entry("client", client_id, effective_on, {"client_id": client_id, "name": sealed_name, "source": source})


def set_client_detail(
    books: Books, client_id: str, field: Field | str, value: str, *, vault: Vault, booked_on: date, known_at: datetime
) -> LedgerHead:
    """Seal one value of a client into the books; the same value again changes nothing.

    A change of what the client is screened by asks for a new screening before the next step.
    """
    known = require_usable(str(field), value)
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id], f"Detail {known}")
        if client_state(connection, client_id) is State.closed:
            raise refused(
                f"Detail {known} of {client_id}",
                "client_must_not_be_closed",
                "who comes back after closing is a new client",
            )
        entry = _detail_entry(connection, vault, client_id, known, value, booked_on)
        book(connection, [entry] if entry else [], booked_on, known_at)
        return ledger_head(connection)


def client_details(connection: sa.Connection, vault: Vault, client_id: str) -> dict[Field, str]:
    """What is known of a client, opened, in memory only: the latest value of each field."""
    require_known(connection, schema.client.c.client_id, [client_id], "Details")
    return details_of(connection, vault, [client_id])[client_id]


def details_of(connection: sa.Connection, vault: Vault, client_ids: Collection[str]) -> dict[str, dict[Field, str]]:
    """The same of many clients."""
    latest: dict[tuple[str, str], str] = {}
    client, detail = schema.client.c, schema.client_detail.c
    for batch in batches(sorted(client_ids)):
        names: Any = connection.execute(sa.select(client.client_id, client.name).where(client.client_id.in_(batch)))
        latest.update(((client_id, Field.full_name.value), name) for client_id, name in names)
        query = sa.select(detail.client_id, detail.field, detail.sealed).where(detail.client_id.in_(batch))
        values: Any = connection.execute(query.order_by(detail.sequence))
        latest.update(((client_id, field), sealed) for client_id, field, sealed in values)
    opened = vault.open_many(connection, [(client_id, field, text) for (client_id, field), text in latest.items()])
    found: dict[str, dict[Field, str]] = {client_id: {} for client_id, _ in latest}
    for (client_id, field), text in zip(latest, opened, strict=True):
        found[client_id][Field(field)] = text
    return found


def clients_with(connection: sa.Connection, vault: Vault, field: Field, value: str) -> list[str]:
    """Clients for whom ``value`` was ever entered in ``field``, found by its blind index: nothing is opened."""
    column = schema.client_detail.c
    query = sa.select(column.client_id).where(column.blind_index.in_(vault.blind_indexes(field, value))).distinct()
    return sorted(connection.execute(query).scalars())


def rekey_client(books: Books, client_id: str, *, vault: Vault, booked_on: date, known_at: datetime) -> LedgerHead:
    """Give a client a new data key: its values are entered anew, and what was sealed before is closed for ever."""
    with writing(books) as connection:
        details = client_details(connection, vault, client_id)
        vault.replace_data_key(connection, client_id)
        entries = [
            _detail_entry(connection, vault, client_id, field, value, booked_on) for field, value in details.items()
        ]
        book(connection, [entry for entry in entries if entry is not None], booked_on, known_at)
        return ledger_head(connection)


def _detail_entry(
    connection: sa.Connection, vault: Vault, client_id: str, field: Field, value: str, on: date
) -> Entry | None:
    """The journal entry of one value; None where the books say it already."""
    column = schema.client_detail.c
    query = sa.select(column.sealed).where(column.client_id == client_id, column.field == field.value)
    before: Any = connection.execute(query.order_by(column.sequence)).scalars().all()
    sealed = vault.seal(connection, client_id, field, value)
    if before and before[-1] == sealed:
        return None
    what: dict[str, Value] = {
        "detail_id": f"{client_id}/{field}/{len(before) + 1}",
        "client_id": client_id,
        "field": field.value,
        "sealed": sealed,
        "blind_index": vault.blind_index(field, value) if field in INDEXED else None,
    }
    return Entry("client_detail", str(what["detail_id"]), on, what)


def open_account(
    books: Books,
    account_id: str,
    client_id: str,
    *,
    market: str,
    currency: str,
    rulebook: str,
    opened_on: date,
    source: str,
    booked_on: date,
    known_at: datetime,
    assets_minor: Sequence[int] = (),
) -> LedgerHead:
    """Open a margin account for an active client; the first account of a currency opens the desk's own accounts in it.

    An account that is not invented is a credit account (信用账户), and the client must fulfil its conditions too:
    suitability, risk disclosure and trading history on file, and what its market asks for. ``assets_minor`` are the
    client's securities assets at each of the last sessions, the latest last.
    """
    entry = account_entry(account_id, client_id, market, currency, rulebook, opened_on, source)
    with writing(books) as connection:
        require_known(connection, schema.client.c.client_id, [client_id], f"Account {account_id}")
        account = schema.account.c
        if not connection.execute(sa.select(account.sequence).where(account.account_id == account_id)).first():
            _require_may_open(connection, entry, tuple(assets_minor), booked_on)
        open_currencies(connection, {currency: source}, booked_on, known_at)
        book(connection, [entry], booked_on, known_at)
        return ledger_head(connection)


def _require_may_open(connection: sa.Connection, entry: Entry, assets_minor: tuple[int, ...], on: date) -> None:
    client_id, market = str(entry.what["client_id"]), str(entry.what["market"])
    state = client_state(connection, client_id)
    subject = f"Account {entry.key} of {client_id}"
    if entry.what["source"] == SYNTHETIC:
        if state is not State.active:
            raise refused(subject, Rejection.client_must_be_active, f"the client is {state}")
        return
    edition = edition_on(connection, CLIENTS_RULEBOOK, on)
    evidence = evidence_on(connection, client_id, on)
    level, first = evidence.get("suitability"), evidence.get("trading_history")
    account = schema.account.c
    owned: Any = connection.execute(sa.select(account.market).where(account.client_id == client_id)).scalars()
    wish = CreditApplication(
        market=market,
        on=on,
        state=state,
        suitability_level=int(level) if level else None,
        disclosure_signed_on=signed_on(connection, client_id, "risk_disclosure", on),
        assets_minor=assets_minor,
        first_traded_on=date.fromisoformat(first) if first else None,
        markets_with_one=frozenset(owned),
    )
    broken = judge_credit_account(wish, credit_account_terms(edition), suitability_terms(edition))
    if broken is not None:
        raise refused(subject, broken, SENTENCES[broken])


def open_currencies(
    connection: sa.Connection, source_of_currency: dict[str, str], booked_on: date, known_at: datetime
) -> None:
    """Open the desk-wide ledger accounts of currencies that have none yet."""
    known: set[str] = set(connection.execute(sa.select(schema.currency.c.currency)).scalars())
    entries = []
    for currency, source in sorted(source_of_currency.items()):
        exponent(currency)
        if currency not in known:
            entries.append(Entry("currency", currency, booked_on, {"currency": currency, "source": source}))
    book(connection, entries, booked_on, known_at)


def account_entry(
    account_id: str, client_id: str, market: str, currency: str, rulebook: str, opened_on: date, source: str
) -> Entry:
    """The journal entry that opens an account."""
    what: dict[str, Value] = {
        "account_id": account_id,
        "client_id": client_id,
        "market": market,
        "currency": currency,
        "rulebook": rulebook,
        "opened_on": opened_on,
        "source": source,
    }
    return Entry("account", account_id, opened_on, what)
