"""The one way money and shares move: transfers are judged one by one and written as one batch, or not at all."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.approvals import approval_terms_on, approved_transfers
from books.client_states import may_trade
from books.engine import Books, reading, writing_again
from books.journal import Entry, LedgerHead, append, batches, refused
from books.ledger_accounts import ledger_accounts
from books.rules import chart_on
from domain.errors import TransferRefused
from domain.ledger import (
    REVERSAL,
    Account,
    AnyTransfer,
    Chart,
    Circumstances,
    Rejection,
    SecurityTransfer,
    Sums,
    Transfer,
    add_credit,
    add_debit,
    content_of,
    expand,
    judge,
    ledger_account_id,
    moved,
    segregation_kept,
)
from domain.money import AMOUNT_MAX


def post(books: Books, transfers: Sequence[AnyTransfer], *, booked_on: date, known_at: datetime) -> LedgerHead:
    """Post a batch in one transaction; what was posted before stays, what breaks a rule refuses the whole batch.

    Client money stays segregated: a batch moves as much at the clients' bank as it moves of what is owed to clients.
    """

    def write(connection: sa.Connection) -> LedgerHead:
        batch = Batch(connection, chart_on(connection, booked_on), transfers, booked_on)
        head = append(connection, batch.entries(), booked_on, known_at)
        batch.keep_sums(head)
        return head

    return writing_again(books, write)


def post_event(
    books: Books,
    template: str,
    event_id: str,
    *,
    owners: Mapping[str, str],
    amounts: Mapping[str, int],
    unit: str,
    effective_on: date,
    booked_on: date,
    known_at: datetime,
    **more: Any,
) -> LedgerHead:
    """Post one event of the desk by its template; see :func:`domain.ledger.expand` for what it takes."""

    def write(connection: sa.Connection) -> LedgerHead:
        chart = chart_on(connection, booked_on)
        if template not in chart.templates:
            raise refused(
                f"Event {event_id}", Rejection.template_must_fit_accounts, f"{chart.edition} has no template {template}"
            )
        legs = expand(
            chart, template, event_id, owners=owners, amounts=amounts, unit=unit, effective_on=effective_on, **more
        )
        return post(connection, legs, booked_on=booked_on, known_at=known_at)

    return writing_again(books, write)


def client_money(books: Books, account_ids: Collection[str]) -> dict[str, int]:
    """What each client may still spend, in minor units: what is owed to them less what is in flight."""
    with reading(books) as connection:
        available = {}
        for batch in batches(sorted(account_ids)):
            names = [ledger_account_id("2010", account_id) for account_id in batch]
            query = sa.select(*list(schema.balance.columns)[:6]).where(schema.balance.c.ledger_account_id.in_(names))
            for row in connection.execute(query):
                available[str(row[0]).partition(".")[2]] = Sums(*map(int, row[2:])).available_to_debit
        return {account_id: available.get(account_id, 0) for account_id in account_ids}


@dataclass
class Batch:
    """Transfers on their way into the books, with all the books know that bears on them."""

    connection: sa.Connection
    chart: Chart
    transfers: Sequence[AnyTransfer]
    booked_on: date
    accounts: dict[str, Account] = field(default_factory=dict)
    posted: dict[str, AnyTransfer] = field(default_factory=dict)
    resolved: set[str] = field(default_factory=set)
    undone: dict[str, int] = field(default_factory=dict)
    sums: dict[tuple[str, str], Sums] = field(default_factory=dict)
    fresh: set[tuple[str, str]] = field(default_factory=set)
    approved: Collection[str] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    barred: Collection[str] = ()

    def entries(self) -> Iterator[Entry]:
        """Journal entries of the transfers that are new; raises :class:`TransferRefused` at the first broken rule."""
        self._look_up()
        segregated: list[tuple[str, str, int]] = []
        for transfer in self.transfers:
            debit, credit = transfer.debit_account_id, transfer.credit_account_id
            known = self._circumstances(transfer)
            if rejection := judge(self.chart, transfer, known):
                raise _refused(transfer, rejection)
            if known.existing is not None:
                continue
            self.posted[transfer.transfer_id] = transfer
            if transfer.pending_id is not None:
                self.resolved.add(transfer.pending_id)
            if transfer.reverses is not None:
                self.undone[transfer.reverses] = known.reversed_before + transfer.amount
            posted, pending = moved(transfer, known.pending)
            unit = transfer.unit
            self.sums[debit, unit] = add_debit(known.debit_sums, posted, pending)
            self.sums[credit, unit] = add_credit(known.credit_sums, posted, pending)
            self.fresh.update(((debit, unit), (credit, unit)))
            if posted:
                segregated += ((debit[:4], unit, posted), (credit[:4], unit, -posted))
            yield _entry(transfer)
        if currency := segregation_kept(segregated):
            raise _refused_batch(self.transfers, currency)

    def keep_sums(self, head: LedgerHead) -> None:
        """Bring the projections to where the batch left them."""
        rows = [(key, self.sums[key]) for key in sorted(self.fresh)]
        money = [
            (account, unit, *_four(sums), head.sequence) for (account, unit), sums in rows if not self._holds(account)
        ]
        shares = [
            (account, unit, *_four(sums), head.sequence) for (account, unit), sums in rows if self._holds(account)
        ]
        for table, keys, values in ((schema.balance, 1, money), (schema.holding, 2, shares)):
            if values:
                self.connection.exec_driver_sql(_upsert(table, keys, self.connection.dialect.paramstyle), values)

    def _holds(self, account_id: str) -> bool:
        return self.accounts[account_id].currency is None

    def _circumstances(self, transfer: AnyTransfer) -> Circumstances:
        debit, credit, unit = transfer.debit_account_id, transfer.credit_account_id, transfer.unit
        template = self.chart.templates.get(transfer.template)
        needs_approval = transfer.template == REVERSAL or (
            template is not None
            and (
                template.approval is not None
                or (template.approval_above is not None and transfer.amount > self.limits.get(unit, AMOUNT_MAX))
            )
        )
        return Circumstances(
            self.accounts.get(debit),
            self.accounts.get(credit),
            self.sums.get((debit, unit), _NOTHING),
            self.sums.get((credit, unit), _NOTHING),
            self.posted.get(transfer.transfer_id),
            self.posted.get(transfer.pending_id) if transfer.pending_id else None,
            transfer.pending_id in self.resolved,
            self.posted.get(transfer.reverses) if transfer.reverses else None,
            self.undone.get(transfer.reverses, 0) if transfer.reverses else 0,
            transfer.transfer_id in self.approved,
            needs_approval,
            not (self.barred and template is not None and template.needs_active_client and self._is_barred(transfer)),
        )

    def _is_barred(self, transfer: AnyTransfer) -> bool:
        """Whether it moves something of a client who may not trade today."""
        names = (transfer.debit_account_id, transfer.credit_account_id)
        return any(name in self.accounts and self.accounts[name].account_id in self.barred for name in names)

    def _look_up(self) -> None:
        """Ask the books, once per question and batch."""
        transfers = self.transfers
        for table, kind in ((schema.transfer, Transfer), (schema.security_transfer, SecurityTransfer)):
            of_kind = [t for t in transfers if isinstance(t, kind)]
            if of_kind:
                self._look_up_kind(table, kind, of_kind)
        self.approved = approved_transfers(self.connection, transfers, self.chart)
        templates = {t.template for t in transfers}
        if templates & self.chart.limited:
            self.limits = approval_terms_on(self.connection, self.booked_on).large_withdrawal_minor
        touched = {t.debit_account_id for t in transfers} | {t.credit_account_id for t in transfers}
        if unknown := touched - self.accounts.keys():
            self.accounts |= ledger_accounts(self.connection, self.chart, unknown)
        guarded = templates & self.chart.for_active_clients
        trading = {
            self.accounts[name].account_id
            for t in (transfers if guarded else ())
            if t.template in guarded and t.transfer_id not in self.posted
            for name in (t.debit_account_id, t.credit_account_id)
            if name in self.accounts
        } - {None}
        if trading:
            verdicts = may_trade(self.connection, sorted(str(account_id) for account_id in trading))
            self.barred = {account_id for account_id, broken in verdicts.items() if broken is not None}

    def _look_up_kind(
        self, table: sa.Table, kind: type[Transfer] | type[SecurityTransfer], transfers: Sequence[AnyTransfer]
    ) -> None:
        column, row = table.c, sa.select(*(table.c[name] for name in _NAMES[kind]))
        pending = {t.pending_id for t in transfers if t.pending_id is not None}
        undone = {t.reverses for t in transfers if t.reverses is not None}
        for batch in batches({t.transfer_id for t in transfers} | pending | undone):
            found: Any
            for found in self.connection.execute(row.where(column.transfer_id.in_(batch))):
                self.posted[found[0]] = kind(*found)
        for batch in batches(pending):
            query = sa.select(column.pending_id).where(column.pending_id.in_(batch))
            self.resolved.update(self.connection.execute(query).scalars())
        for batch in batches(undone):
            amount = sa.func.sum(column.amount_minor if kind is Transfer else column.quantity_shares)
            query = sa.select(column.reverses, amount).where(column.reverses.in_(batch)).group_by(column.reverses)
            self.undone.update({found[0]: int(found[1]) for found in self.connection.execute(query)})
        self._look_up_sums(kind, {t.debit_account_id for t in transfers} | {t.credit_account_id for t in transfers})

    def _look_up_sums(self, kind: type, account_ids: set[str]) -> None:
        table = schema.balance if kind is Transfer else schema.holding
        columns = list(table.columns)[:6]
        for batch in batches(sorted(account_ids)):
            query = sa.select(*columns).where(table.c.ledger_account_id.in_(batch))
            row: Any
            for row in self.connection.execute(query):
                name, unit, *sums = row
                self.sums[name, unit] = Sums(*map(int, sums))
                # Who has moved before is known, and need not be looked for.
                code, _, owner = name.partition(".")
                one = self.chart.classes[code]
                currency = None if one.holds_securities else unit
                self.accounts[name] = Account(name, code, one.kind, currency, owner if one.is_per_client else None)


_NOTHING: Final = Sums()

_NAMES: Final = {
    kind: tuple(column.name for column in table.columns if column.name != "sequence")
    for kind, table in ((Transfer, schema.transfer), (SecurityTransfer, schema.security_transfer))
}
for _kind, _names in _NAMES.items():
    assert _names == tuple(_kind.__slots__), "a transfer has the columns of its table, in their order"


def _four(sums: Sums) -> tuple[int, int, int, int]:
    return sums.debits_posted, sums.credits_posted, sums.debits_pending, sums.credits_pending


def _upsert(table: sa.Table, keys: int, paramstyle: str) -> str:
    names = [column.name for column in table.columns]
    marks = ", ".join(["?" if paramstyle == "qmark" else "%s"] * len(names))
    kept = ", ".join(f"{name} = excluded.{name}" for name in names[2:])
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks}) "
        f"ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {kept}"
    )


def _entry(transfer: AnyTransfer) -> Entry:
    kind = "transfer" if isinstance(transfer, Transfer) else "security_transfer"
    return Entry(kind, transfer.transfer_id, transfer.effective_on, content_of(transfer))


def _refused(transfer: AnyTransfer, rejection: Rejection) -> TransferRefused:
    return TransferRefused(
        f"Transfer {transfer.transfer_id} refused, {rejection}: {transfer.amount} {transfer.unit} from "
        f"{transfer.debit_account_id} to {transfer.credit_account_id} effective {transfer.effective_on}. "
        f"Nothing was written; correct it and post again under a new transfer_id."
    )


def _refused_batch(transfers: Sequence[AnyTransfer], currency: str) -> TransferRefused:
    first = transfers[0].transfer_id
    return TransferRefused(
        f"Batch of {len(transfers)} transfers from {first} on refused, "
        f"{Rejection.client_money_must_stay_segregated}: in {currency} it would part what lies at the clients' bank "
        f"(1010) from what is owed to clients (2010). Nothing was written; post both sides in one batch."
    )
