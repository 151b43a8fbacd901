"""The books handed out: Parquet for machines, text for other accounting tools, and a desk that can be brought in again.

One read transaction, one ledger head. Clients appear by their ids only. A folder is there whole, with a manifest that
lets anybody prove every byte and every sum, or it is not there at all.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from books import schema
from books.engine import Books, reading
from books.extract import sums_at
from books.journal import ROWS_PER_STATEMENT, LedgerHead, ledger_head
from books.ledger_accounts import all_ledger_accounts
from books.opening import Keyed, opening_of
from books.positions import UNNAMED
from books.rules import chart_on
from domain.errors import ExportNotPossible
from domain.ledger import Account, ledger_account_id
from domain.opening import COLUMNS, lines_of
from domain.plain_text import (
    Movement,
    account_name,
    beancount_assertion,
    beancount_opening,
    beancount_transaction,
    hledger_assertion,
    hledger_transaction,
)

FORMAT: Final = 1
"""Which layout of an export this is."""

_TEXT, _WHOLE, _DAY, _MOMENT = pa.string(), pa.int64(), pa.date32(), pa.timestamp("us", tz="UTC")
_TWO_PHASES: Final = {
    "effective_on": _DAY, "event_id": _TEXT, "phase": _TEXT, "pending_id": _TEXT, "expires_on": _DAY,
    "reverses": _TEXT, "approval_id": _TEXT,
}  # fmt: skip
_BOOKED: Final = {"booked_on": _DAY, "known_at": _MOMENT, "entry_hash": _TEXT}
_ENDS: Final = {
    "sequence": _WHOLE, "transfer_id": _TEXT, "template": _TEXT, "debit_account_id": _TEXT,
    "credit_account_id": _TEXT,
}  # fmt: skip

LAYOUT: Final[Mapping[str, Mapping[str, pa.DataType]]] = {
    "journal": {
        **_ENDS, "amount_minor": _WHOLE, "currency": _TEXT, **_TWO_PHASES, "counterparty": _TEXT, "channel": _TEXT,
        **_BOOKED,
    },
    "securities_journal": {**_ENDS, "quantity_shares": _WHOLE, "instrument_id": _TEXT, **_TWO_PHASES, **_BOOKED},
    "balances": {
        "ledger_account_id": _TEXT, "code": _TEXT, "currency": _TEXT, "debits_posted_minor": _WHOLE,
        "credits_posted_minor": _WHOLE, "debits_pending_minor": _WHOLE, "credits_pending_minor": _WHOLE,
        "balance_minor": _WHOLE,
    },
    "holdings": {
        "ledger_account_id": _TEXT, "code": _TEXT, "instrument_id": _TEXT, "debits_posted_shares": _WHOLE,
        "credits_posted_shares": _WHOLE, "debits_pending_shares": _WHOLE, "credits_pending_shares": _WHOLE,
        "balance_shares": _WHOLE,
    },
    "accounts": {
        "account_id": _TEXT, "client_id": _TEXT, "market": _TEXT, "currency": _TEXT, "rulebook": _TEXT,
        "opened_on": _DAY, "source": _TEXT,
    },
    "contracts": {
        "contract_id": _TEXT, "account_id": _TEXT, "currency": _TEXT, "principal_minor": _WHOLE, "opened_on": _DAY,
        "matures_on": _DAY,
    },
}  # fmt: skip
"""The Parquet files of an export, each with its columns. Money in minor units, balances with debits positive."""

SUMMED: Final = {
    "journal": ("amount_minor", "currency"),
    "securities_journal": ("quantity_shares", None),
    "balances": ("balance_minor", "currency"),
    "holdings": ("balance_shares", None),
    "contracts": ("principal_minor", "currency"),
}
"""What the manifest adds up, and by what; the sums of balances and of holdings are zero."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was handed out: where it lies, as of which head, its files, and why no opening could be written, if so."""

    folder: Path
    head: LedgerHead
    files: Mapping[str, Mapping[str, Any]]
    without_opening: str | None


def export_books(books: Books, folder: Path, *, known_at: datetime) -> Export:
    """Write the whole books into a new ``folder``.

    Raises
    ------
    ExportNotPossible
        The folder is there already and holds something, or the folder it should lie in is not there.
    """
    _require_place(folder)
    staged = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    staged.mkdir()
    try:
        with reading(books) as connection:
            export = _Writing(connection, staged).everything(known_at)
        for file in sorted(staged.rglob("*")):
            _settle(file)
        _settle(staged)
        # Renaming over an empty folder takes its place.
        staged.replace(folder)
        _settle(folder.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Export(folder, export.head, export.files, export.without_opening)


@dataclass
class _Writing:
    """An export on its way into a folder nobody else sees yet."""

    connection: sa.Connection
    folder: Path
    sums: dict[str, Counter[str]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def everything(self, known_at: datetime) -> Export:
        """Write every file; the manifest comes last."""
        connection, head = self.connection, ledger_head(self.connection)
        last: date | None = connection.execute(sa.select(sa.func.max(schema.event.c.booked_on))).scalar_one()
        if last is None:
            raise ExportNotPossible(
                "An export needs books with something in them, but these are empty. Nothing was written; run "
                "`lombard init`, which adopts the rulebooks, or look whether LOMBARD_BOOKS_URL names the right books."
            )
        chart = chart_on(connection, last)
        ledger = [account for account, _ in all_ledger_accounts(connection, chart, head.sequence)]
        money = sums_at(connection, schema.transfer, head)
        shares = sums_at(connection, schema.security_transfer, head)
        self._parquet("balances", _sums_rows(money))
        self._parquet("holdings", _sums_rows(shares))
        self._parquet("accounts", self._select(schema.account, "account_id"))
        self._parquet("contracts", self._select(schema.contract, "contract_id"))
        self._journals(_Texts(_names(ledger, chart.classes, shares), money, shares, last), f"Books at {head}")
        without_opening = self._opening(last)
        files = {str(file.relative_to(self.folder)): self._described(file) for file in sorted(self.folder.rglob("*.*"))}
        manifest = {
            "format": FORMAT,
            "ledger_head": {"sequence": head.sequence, "entry_hash": head.entry_hash},
            "last_day": last.isoformat(),
            "exported_at": known_at.isoformat(),
            "without_opening": without_opening,
            "files": files,
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=True)
        (self.folder / "manifest.json").write_text(f"{text}\n", encoding="utf-8")
        return Export(self.folder, head, files, without_opening)

    def _select(self, table: sa.Table, order: str) -> Iterator[Sequence[Any]]:
        columns = [table.c[name] for name in LAYOUT[f"{table.name}s"]]
        yield from self.connection.execute(sa.select(*columns).order_by(table.c[order])).tuples()

    def _journals(self, texts: "_Texts", title: str) -> None:
        with ExitStack() as open_files:
            beancount = open_files.enter_context(_text_file(self.folder / "books.beancount"))
            hledger = open_files.enter_context(_text_file(self.folder / "books.hledger"))
            first: date | None = self.connection.execute(sa.select(sa.func.min(schema.event.c.effective_on))).scalar()
            beancount.writelines(texts.opening(first or texts.last_day, title))
            hledger.write("decimal-mark .\n")
            for name, table in (("journal", schema.transfer), ("securities_journal", schema.security_transfer)):
                self._parquet(name, _written_along(self._transfers(name, table), table, texts, beancount, hledger))
            for movement in self._first_edition():
                texts.write(movement, beancount, hledger)
            for assertion, other in texts.assertions():
                beancount.write(assertion)
                hledger.write(other)

    def _transfers(self, name: str, table: sa.Table) -> Iterator[sa.Row[Any]]:
        event = schema.event.c
        columns = [table.c[one] if one in table.c else event[one] for one in LAYOUT[name]]
        query = sa.select(*columns).join_from(table, schema.event).order_by(table.c.sequence)
        yield from self.connection.execute(query, execution_options={"yield_per": ROWS_PER_STATEMENT})

    def _first_edition(self) -> Iterator[Movement]:
        """Shares the first edition of the books moved, whose other side it did not name."""
        moved, event = schema.position_movement.c, schema.event.c
        query = sa.select(schema.position_movement, event.booked_on).join_from(schema.position_movement, schema.event)
        row: Any
        for row in self.connection.execute(query.order_by(moved.sequence)):
            ends = [ledger_account_id("9010", UNNAMED), ledger_account_id("9020", row.account_id)]
            debit, credit = ends if row.quantity_shares > 0 else reversed(ends)
            yield Movement(
                row.movement_id, row.kind, row.sequence, debit, credit, abs(row.quantity_shares), row.instrument_id,
                False, row.effective_on, row.booked_on,
            )  # fmt: skip

    def _opening(self, day: date) -> str | None:
        """Write the desk as another one brings it in; returns why it cannot be written, or None."""
        try:
            opening = opening_of(self.connection, day)
        except ExportNotPossible as reason:
            return str(reason)
        folder = self.folder / "opening"
        folder.mkdir()
        for table, lines in lines_of(opening).items():
            with _text_file(folder / f"{table}.csv") as file:
                file.write(",".join(COLUMNS[table]) + "\n")
                file.writelines(",".join(line) + "\n" for line in lines)
                file.write(f"#rows,{len(lines)}\n")
            self.rows[f"opening/{table}.csv"] = len(lines)
        return None

    def _parquet(self, name: str, rows: Iterable[Sequence[Any]]) -> None:
        """Write rows as they come, some thousands at a time, and add up what the manifest tells."""
        columns = pa.schema(list(LAYOUT[name].items()))
        amount, unit = SUMMED.get(name, (None, None))
        at, by = (columns.names.index(one) if one else None for one in (amount, unit))
        sums, count = Counter[str](), 0
        with pq.ParquetWriter(self.folder / f"{name}.parquet", columns, write_page_checksum=True) as writer:
            for some in _in_pieces(rows):
                count += len(some)
                if at is not None:
                    for row in some:
                        sums[row[by] if by is not None else "shares"] += row[at]
                arrays = [
                    pa.array(column, kind) for column, kind in zip(zip(*some, strict=True), columns.types, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=columns))
        self.rows[f"{name}.parquet"] = count
        if amount:
            self.sums[f"{name}.parquet"] = sums

    def _described(self, file: Path) -> dict[str, Any]:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        name = str(file.relative_to(self.folder))
        told: dict[str, Any] = {"sha256": digest, "bytes": file.stat().st_size}
        if name in self.rows:
            told["rows"] = self.rows[name]
        if name in self.sums:
            told["sums"] = dict(sorted(self.sums[name].items()))
        return told


@dataclass
class _Texts:
    """What both dialects need to know: names of accounts, what they must hold in the end, and the last day so far."""

    names: Mapping[str, str]
    money: Keyed
    shares: Keyed
    last_day: date

    def opening(self, first_day: date, title: str) -> Iterator[str]:
        instruments = sorted({instrument_id for _, instrument_id in self.shares})
        currencies = sorted({currency for _, currency in self.money})
        yield from beancount_opening(first_day, self.names, instruments, currencies, title)

    def write(self, movement: Movement, beancount: TextIO, hledger: TextIO) -> None:
        beancount.write(beancount_transaction(movement, self.names))
        hledger.write(hledger_transaction(movement, self.names))
        self.last_day = max(self.last_day, movement.effective_on)

    def assertions(self) -> Iterator[tuple[str, str]]:
        """What every account holds on the day after the last movement."""
        day = self.last_day + timedelta(days=1)
        for sums, is_money in ((self.money, True), (self.shares, False)):
            for (account_id, unit), of in sorted(sums.items()):
                told = (day, self.names[account_id], of.balance, unit)
                yield beancount_assertion(*told, is_money=is_money), hledger_assertion(*told, is_money=is_money)


def _names(ledger: Iterable[Account], classes: Mapping[str, Any], shares: Keyed) -> dict[str, str]:
    """Every ledger account there is by its name in the texts; the first edition's place has no owner."""
    names = {one.ledger_account_id: account_name(one.ledger_account_id, one.kind) for one in ledger}
    for account_id, _ in sorted(shares):
        names.setdefault(account_id, account_name(account_id, classes[account_id.partition(".")[0]].kind))
    return names


def _written_along(
    rows: Iterable[sa.Row[Any]], table: sa.Table, texts: _Texts, beancount: TextIO, hledger: TextIO
) -> Iterator[Sequence[Any]]:
    """The rows as they are, each movement among them written into both texts on its way."""
    is_money = table is schema.transfer
    for row in rows:
        # What is pending has not moved, and what was voided or has expired never will.
        if row.phase in (None, "post"):
            amount, unit = (row.amount_minor, row.currency) if is_money else (row.quantity_shares, row.instrument_id)
            movement = Movement(
                row.transfer_id, row.template, row.sequence, row.debit_account_id, row.credit_account_id, amount, unit,
                is_money, row.effective_on, row.booked_on, row.event_id,
            )  # fmt: skip
            texts.write(movement, beancount, hledger)
        yield row


def _sums_rows(sums: Keyed) -> Iterator[Sequence[Any]]:
    for (account_id, unit), of in sorted(sums.items()):
        yield (
            account_id, account_id.partition(".")[0], unit, of.debits_posted, of.credits_posted, of.debits_pending,
            of.credits_pending, of.balance,
        )  # fmt: skip


def _in_pieces(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    some: list[Sequence[Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == ROWS_PER_STATEMENT:
            yield some
            some = []
    if some:
        yield some


def _text_file(file: Path) -> TextIO:
    return file.open("x", encoding="utf-8", newline="\n")


def _require_place(folder: Path) -> None:
    if not folder.parent.is_dir():
        raise ExportNotPossible(
            f"The export should lie in {folder}, but there is no folder {folder.parent}. Nothing was written; make it, "
            f"then export again."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportNotPossible(
            f"An export needs a folder of its own, but {folder} holds something already. Nothing was written; name a "
            f"new folder."
        )


def _settle(path: Path) -> None:
    """See that a file or folder is on the disk, not on its way there."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
