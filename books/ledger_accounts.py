"""Which ledger accounts there are: they have no table of their own, they follow from who the books know."""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from books import schema
from books.journal import batches
from books.positions import UNNAMED
from domain.ledger import Account, Chart, client_accounts, desk_accounts, third_party_accounts


def ledger_accounts(connection: sa.Connection, chart: Chart, ledger_account_ids: Iterable[str]) -> dict[str, Account]:
    """Those of the named ledger accounts that exist."""
    wanted: dict[str, list[tuple[str, str]]] = {"currency": [], "client": [], "third_party": []}
    for name in ledger_account_ids:
        code, _, owner = name.partition(".")
        if code in chart.classes:
            wanted[chart.classes[code].owner].append((code, owner))
    currencies = _known(connection, schema.currency.c.currency, [owner for _, owner in wanted["currency"]])
    currency_of = currency_of_clients(connection, [owner for _, owner in wanted["client"]])
    third_parties = _known(
        connection, schema.third_party.c.third_party_id, [owner for _, owner in wanted["third_party"]]
    )
    # The first edition of the books did not ask where shares lay.
    third_parties[UNNAMED] = UNNAMED
    found = {}
    for owner_kind, known in (("currency", currencies), ("client", currency_of), ("third_party", third_parties)):
        for code, owner in wanted[owner_kind]:
            if owner in known:
                one, name = chart.classes[code], f"{code}.{owner}"
                currency = None if one.holds_securities else known[owner]
                found[name] = Account(name, code, one.kind, currency, owner if one.is_per_client else None)
    return found


def all_ledger_accounts(connection: sa.Connection, chart: Chart, until_sequence: int) -> Iterator[tuple[Account, str]]:
    """Every ledger account there is at an entry of the books, with the source of whoever it belongs to."""
    row: Any
    currency, account, third_party = schema.currency.c, schema.account.c, schema.third_party.c
    desk = sa.select(currency.currency, currency.source).where(currency.sequence <= until_sequence)
    for row in connection.execute(desk.order_by(currency.currency)).all():
        yield from ((one, row.source) for one in desk_accounts(chart, row.currency))
    clients = sa.select(account.account_id, account.currency, account.source).where(account.sequence <= until_sequence)
    for row in connection.execute(clients.order_by(account.account_id)).all():
        yield from ((one, row.source) for one in client_accounts(chart, row.account_id, row.currency))
    places = sa.select(third_party.third_party_id, third_party.source).where(third_party.sequence <= until_sequence)
    for row in connection.execute(places.order_by(third_party.third_party_id)).all():
        yield from ((one, row.source) for one in third_party_accounts(chart, row.third_party_id))


def _known(connection: sa.Connection, column: sa.Column[str], values: list[str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for batch in batches(sorted(set(values))):
        found = connection.execute(sa.select(column).where(column.in_(batch))).scalars()
        known |= {value: value for value in found}
    return known


def currency_of_clients(connection: sa.Connection, account_ids: Iterable[str]) -> dict[str, str]:
    """The currency each client account is kept in."""
    account = schema.account.c
    known: dict[str, str] = {}
    for batch in batches(sorted(set(account_ids))):
        query = sa.select(account.account_id, account.currency).where(account.account_id.in_(batch))
        known.update({row[0]: row[1] for row in connection.execute(query)})
    return known
