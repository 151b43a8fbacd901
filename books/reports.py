"""What people ask the books: trial balances, statements and the journal of a day, each as it was known on any day.

Read-only, and summed by the store: ``effective_on`` says which day a posting counts for, ``booked_on`` on which day the
books learned of it. A closed day never learns anything more, so a report as known on a closed day never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa

from books import schema
from books.engine import Books, reading
from books.journal import batches, open_day
from books.ledger_accounts import ledger_accounts
from books.positions import UNNAMED
from books.rules import chart_on
from domain.errors import ReportNotPossible
from domain.ledger import AccountClass, AnyTransfer, Chart, SecurityTransfer, Transfer, ledger_account_id

NOT_FOR_CLIENTS: Final = frozenset({"1230"})
"""Classes per client that say what the desk thinks of a client, not what lies between them."""

_MONEY: Final = (schema.transfer, "amount_minor", "currency")
_SHARES: Final = (schema.security_transfer, "quantity_shares", "instrument_id")


@dataclass(frozen=True, slots=True)
class TrialLine:
    """The balance of one class of accounts, or of one account, in one currency; one of the two sides is zero."""

    account: str
    title: str
    chinese: str
    currency: str
    debit_minor: int
    credit_minor: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """All balances of money at the end of ``day``, as known at the end of ``known_on``.

    ``is_final`` says that the books have moved on from ``known_on``, or sealed it: nothing can change this any more.
    """

    day: date
    known_on: date
    is_final: bool
    lines: Sequence[TrialLine]

    def totals(self) -> dict[str, tuple[int, int]]:
        """Debits and credits of each currency; they agree."""
        sums: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            debits, credits = sums.get(line.currency, (0, 0))
            sums[line.currency] = (debits + line.debit_minor, credits + line.credit_minor)
        return sums


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One movement of an account, and what it then held; debits positive."""

    sequence: int
    transfer_id: str
    template: str
    effective_on: date
    booked_on: date
    moved: int
    balance: int


@dataclass(frozen=True, slots=True)
class AccountStatement:
    """One ledger account in one unit from the morning of the first day to the evening of the last."""

    ledger_account_id: str
    title: str
    chinese: str
    unit: str
    is_money: bool
    brought_forward: int
    lines: Sequence[StatementLine]

    @property
    def carried_forward(self) -> int:
        """What it held in the end."""
        return self.lines[-1].balance if self.lines else self.brought_forward


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One transfer as it was booked."""

    sequence: int
    transfer_id: str
    template: str
    debit_account_id: str
    credit_account_id: str
    amount: int
    unit: str
    is_money: bool
    effective_on: date
    phase: str | None


def trial_balance(books: Books, day: date, known_on: date, *, by_account: bool = False) -> TrialBalance:
    """The trial balance of ``day`` as the books knew it on ``known_on``, by class, or by account.

    Raises
    ------
    ReportNotPossible
        ``known_on`` lies before ``day``, or before anything was booked.
    """
    with reading(books) as connection:
        chart = _chart_known_on(connection, day, known_on)
        still_open = open_day(connection)
        line = _lines(*_MONEY, known_on).c
        account = line.ledger_account_id if by_account else sa.func.substr(line.ledger_account_id, 1, 4)
        balance = sa.func.sum(line.moved)
        query = sa.select(account, line.unit, balance).where(line.effective_on <= day)
        query = query.group_by(account, line.unit).having(balance != 0)
        lines = [
            _trial_line(chart, str(name), unit, int(total))
            for name, unit, total in connection.execute(query.order_by(line.unit, account)).tuples()
        ]
    return TrialBalance(day, known_on, still_open is not None and known_on < still_open, lines)


def statement(books: Books, account_id: str, first: date, last: date, known_on: date) -> list[AccountStatement]:
    """Money and shares of a client's account, or of one ledger account (``1110.USD``), from ``first`` to ``last``.

    Movements stand in the order of the days they count for. Accounts that never held anything are left out.

    Raises
    ------
    ReportNotPossible
        The books know no such account on ``known_on``, or the days run backwards.
    """
    if last < first:
        raise ReportNotPossible(
            f"A statement runs from its first day to its last, but {last} lies before {first}. Exchange the two days."
        )
    with reading(books) as connection:
        chart = _chart_known_on(connection, last, known_on)
        names = _names(connection, chart, account_id, known_on)
        found: list[AccountStatement] = []
        for name in names:
            one = chart.classes[name.partition(".")[0]]
            found += _statements(connection, name, one, (first, last, known_on))
    return found


def journal_of(books: Books, day: date) -> list[JournalLine]:
    """Every transfer of money and of shares booked on ``day``, in the order of booking."""
    with reading(books) as connection:
        lines = []
        for table, amount, unit in (_MONEY, _SHARES):
            column, event = table.c, schema.event.c
            query = (
                sa.select(
                    column.sequence, column.transfer_id, column.template, column.debit_account_id,
                    column.credit_account_id, column[amount].label("amount"), column[unit].label("unit"),
                    sa.literal(table is schema.transfer).label("is_money"),
                    column.effective_on, column.phase,
                )
                .join_from(table, schema.event)
                .where(event.booked_on == day)
            )  # fmt: skip
            row: Any
            for row in connection.execute(query):
                lines.append(JournalLine(**row._mapping))
    return sorted(lines, key=lambda line: line.sequence)


def _chart_known_on(connection: sa.Connection, day: date, known_on: date) -> Chart:
    """The chart of ``known_on``; refuses a day that was not over by then."""
    if known_on < day:
        raise ReportNotPossible(
            f"What {day} ended with can be known on that day or later, but the report was asked for as known on "
            f"{known_on}. Ask for it as known on {day}, or for an earlier day."
        )
    first: date | None = connection.execute(sa.select(sa.func.min(schema.event.c.booked_on))).scalar_one()
    if first is None or known_on < first:
        since = f"begin on {first}" if first else "are empty"
        raise ReportNotPossible(
            f"The books {since}, but the report was asked for as known on {known_on}. Ask for a later day, or look "
            f"whether LOMBARD_BOOKS_URL names the right books."
        )
    return chart_on(connection, known_on)


def _names(connection: sa.Connection, chart: Chart, account_id: str, known_on: date) -> list[str]:
    """The ledger accounts a statement is about."""
    account, event = schema.account.c, schema.event.c
    opened = (
        sa.select(account.account_id)
        .join_from(schema.account, schema.event)
        .where(account.account_id == account_id, event.booked_on <= known_on)
    )
    if connection.execute(opened).first() is not None:
        codes = [code for code, one in chart.classes.items() if one.is_per_client and code not in NOT_FOR_CLIENTS]
        return [ledger_account_id(code, account_id) for code in codes]
    if ledger_accounts(connection, chart, [account_id]):
        return [account_id]
    raise ReportNotPossible(
        f"A statement needs a client's account (A1), or a ledger account of the chart with its owner (1110.USD), but "
        f"the books know no {account_id!a} on {known_on}. Correct the id, or ask for a later day."
    )


def _statements(
    connection: sa.Connection, name: str, one: AccountClass, days: tuple[date, date, date]
) -> list[AccountStatement]:
    """One ledger account, unit by unit, each line with what the account then held."""
    first, last, known_on = days
    kind = _SHARES if one.holds_securities else _MONEY
    line = _lines(*kind, known_on, name).c
    until = sa.select(line.unit, sa.func.sum(line.moved)).where(line.effective_on < first).group_by(line.unit)
    before = {str(unit): int(total) for unit, total in connection.execute(until).tuples()}
    running = sa.func.sum(line.moved).over(
        partition_by=line.unit, order_by=(line.effective_on, line.sequence), rows=(None, 0)
    )
    names = ("sequence", "transfer_id", "template", "effective_on", "booked_on", "moved", "unit")
    all_lines = sa.select(*(line[one] for one in names), running.label("balance")).subquery()
    shown = sa.select(all_lines).where(all_lines.c.effective_on.between(first, last))
    lines: dict[str, list[StatementLine]] = {unit: [] for unit, total in before.items() if total}
    row: Any
    for row in connection.execute(shown.order_by(all_lines.c.unit, all_lines.c.effective_on, all_lines.c.sequence)):
        told = {name: value for name, value in row._mapping.items() if name != "unit"}
        lines.setdefault(row.unit, []).append(StatementLine(**told | {"balance": int(row.balance)}))
    return [
        AccountStatement(name, one.title, one.chinese, unit, not one.holds_securities, before.get(unit, 0), lines[unit])
        for unit in sorted(lines)
    ]


def _trial_line(chart: Chart, name: str, unit: str, total: int) -> TrialLine:
    one = chart.classes[name.partition(".")[0]]
    return TrialLine(name, one.title, one.chinese, unit, max(total, 0), max(-total, 0))


def _lines(table: sa.Table, amount: str, unit: str, known_on: date, name: str | None = None) -> sa.Subquery:
    """Both ends of everything that moved and was booked by ``known_on``, or those of one account; debits positive."""
    ends = [_ends(table, amount, unit, sign) for sign in (1, -1)]
    if table is schema.security_transfer:
        ends += [_first_edition(sign) for sign in (1, -1)]
    known = [one.where(schema.event.c.booked_on <= known_on) for one in ends]
    if name is not None:
        known = [one.where(one.selected_columns.ledger_account_id == name) for one in known]
    return sa.union_all(*known).subquery()


def _ends(table: sa.Table, amount: str, unit: str, sign: int) -> sa.Select[Any]:
    column, event = table.c, schema.event.c
    return (
        sa.select(
            (column.debit_account_id if sign > 0 else column.credit_account_id).label("ledger_account_id"),
            column[unit].label("unit"),
            (sign * column[amount]).label("moved"),
            column.sequence,
            column.transfer_id,
            column.template,
            column.effective_on,
            event.booked_on,
        )
        .join_from(table, schema.event)
        # What is pending has not moved, and what was voided or has expired never will.
        .where(sa.or_(column.phase.is_(None), column.phase == "post"))
    )


def _first_edition(sign: int) -> sa.Select[Any]:
    """Shares the first edition of the books moved, whose other side it did not name."""
    moved, event = schema.position_movement.c, schema.event.c
    in_name = sa.literal("9020.") + moved.account_id
    return sa.select(
        (sa.literal(ledger_account_id("9010", UNNAMED)) if sign > 0 else in_name).label("ledger_account_id"),
        moved.instrument_id.label("unit"),
        (sign * moved.quantity_shares).label("moved"),
        moved.sequence,
        moved.movement_id.label("transfer_id"),
        moved.kind.label("template"),
        moved.effective_on,
        event.booked_on,
    ).join_from(schema.position_movement, schema.event)


def transfers_named(books: Books, transfer_ids: Sequence[str]) -> list[AnyTransfer]:
    """Transfers of money or of shares by their ids, in the order asked for.

    Raises
    ------
    ReportNotPossible
        One of them was never booked.
    """
    found: dict[str, AnyTransfer] = {}
    kinds: tuple[tuple[sa.Table, Any], ...] = (
        (schema.transfer, Transfer),
        (schema.security_transfer, SecurityTransfer),
    )
    with reading(books) as connection:
        for table, kind in kinds:
            columns = [column for column in table.columns if column.name != "sequence"]
            for batch in batches(transfer_ids):
                rows = connection.execute(sa.select(*columns).where(table.c.transfer_id.in_(batch)))
                found |= {row.transfer_id: kind(*row) for row in rows}
    for transfer_id in transfer_ids:
        if transfer_id not in found:
            raise ReportNotPossible(
                f"A transfer is named by the id it was booked under, but the books know no {transfer_id[:64]!a}. "
                f"Nothing was written; `lombard books journal --day D` lists them."
            )
    return [found[transfer_id] for transfer_id in transfer_ids]
