"""Reads the desk that comes from another system, from six files of one folder or six tables of one database.

Nothing is guessed and nothing repaired. A file that cannot be believed and a field that cannot be read are findings,
and reading goes on, so that whoever prepares the desk hears everything at once.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from domain.errors import AmountNotExact, DeliveryRefused
from domain.money import EXPONENTS, to_minor
from domain.opening import (
    COLUMNS,
    BroughtAccount,
    BroughtBalance,
    BroughtClient,
    BroughtContract,
    BroughtPosition,
    BroughtThirdParty,
    Finding,
    Opening,
)
from feeds import delimited
from feeds.deliveries import Fault

HEADERS: Final = MappingProxyType({table: ",".join(names) for table, names in COLUMNS.items()})
"""The first line of each file, byte for byte; the last is ``#rows,`` and how many lines came between."""

ROWS_AT_ONCE: Final = 5_000
"""How many rows of a database are held at a time."""

SHOWN_CHARACTERS_MAX: Final = 60
"""How much of a field that cannot be read is shown."""

_ROW_OF: Final[Mapping[str, type]] = MappingProxyType(
    {
        "clients": BroughtClient,
        "accounts": BroughtAccount,
        "third_parties": BroughtThirdParty,
        "balances": BroughtBalance,
        "positions": BroughtPosition,
        "contracts": BroughtContract,
    }
)
_DAYS: Final = ("opened_on", "matures_on")
_AMOUNTS: Final = ("debit", "credit", "principal")
_NO_TYPE: Final = "text, a whole number, an exact decimal or a day"


class _Unreadable(Exception):
    """Why a field cannot be read: the rule, what was expected, what came, and what to do."""


def read_opening_folder(folder: Path, day: date) -> tuple[Opening, list[Finding]]:
    """The desk in the CSV files of ``folder``, as it stood at the end of ``day``, with all that could not be read.

    Raises
    ------
    DeliveryRefused
        There is no such folder.
    """
    if not folder.is_dir():
        raise DeliveryRefused(
            f"The desk to import must be a folder with {', '.join(f'{table}.csv' for table in COLUMNS)}, but {folder} "
            f"is no folder. Nothing was written; name the folder, or the address of a database."
        )
    findings: list[Finding] = []
    tables = {table: _lines(folder / f"{table}.csv", table, folder, findings) for table in COLUMNS}
    return _opening(tables, day, findings)


def read_opening_database(address: str, day: date) -> tuple[Opening, list[Finding]]:
    """The desk in six tables of a database, read in one transaction that writes nothing.

    Raises
    ------
    DeliveryRefused
        No database answers at that address, or none that can be spoken to. The message never repeats a password.
    """
    engine = _engine(address)
    where = engine.url.render_as_string(hide_password=True)
    findings: list[Finding] = []
    try:
        with engine.connect().execution_options(postgresql_readonly=True, stream_results=True) as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only=ON")
            tables = {table: _records(connection, table, findings) for table in COLUMNS}
            return _opening(tables, day, findings)
    except SQLAlchemyError as failure:
        told = str(getattr(failure, "orig", None) or failure).strip().splitlines()[0]
        raise DeliveryRefused(
            f"The desk to import must lie in tables of {where}, but they cannot be read: {told}. Nothing was written; "
            f"see that the database answers and its tables may be read, then import again."
        ) from failure
    finally:
        engine.dispose()


def _engine(address: str) -> sa.Engine:
    try:
        parsed: URL = make_url(address)
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or not Path(parsed.database).is_file():
                raise DeliveryRefused(
                    f"The desk to import must lie in a SQLite file, but there is none at {parsed.database}. Nothing "
                    f"was written; correct the address."
                )
            parsed = parsed.set(database=Path(parsed.database).resolve().as_uri(), query={"mode": "ro", "uri": "true"})
        return sa.create_engine(parsed, poolclass=sa.NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError) as failure:
        raise DeliveryRefused(
            "The desk to import must be a folder, or an address like postgresql+psycopg://<user>@<host>/<database> or "
            "sqlite:///<file> whose driver is installed, but what came is neither. Nothing was written; correct it."
        ) from failure


def _opening(
    tables: Mapping[str, Iterator[tuple[int, list[str]]]], day: date, findings: list[Finding]
) -> tuple[Opening, list[Finding]]:
    rows: dict[str, list[Any]] = {}
    for table, lines in tables.items():
        rows[table] = list(_rows(table, lines, findings))
    return Opening(day, unread=frozenset(one.file for one in findings), **rows), findings


def _lines(file: Path, table: str, folder: Path, findings: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """The fields of every line of a file; a name may hold commas, and comes last."""
    sheet = delimited.read_sheet(file, folder, HEADERS[table], trailer_required=True)
    if isinstance(sheet, Fault):
        expected = f"a whole file of the columns {HEADERS[table]}"
        findings.append(Finding(table, 0, "", sheet.reason, expected, sheet.explanation, _EXPORT_AGAIN))
        return
    count = len(COLUMNS[table])
    for line, text in enumerate(sheet.lines, 2):
        fields = text.split(",", count - 1) if COLUMNS[table][-1] == "name" else text.split(",")
        if len(fields) == count:
            yield line, fields
        else:
            expected = f"{count} fields ({HEADERS[table]})"
            findings.append(Finding(table, line, "", "columns_must_match", expected, str(len(fields)), _EXPORT_AGAIN))


_EXPORT_AGAIN: Final = "Have it exported again whole."


def _records(connection: sa.Connection, table: str, findings: list[Finding]) -> Iterator[tuple[int, list[str]]]:
    """The fields of every row of a table, as text."""
    found = _columns(connection, table)
    if found is None or set(found) != set(COLUMNS[table]):
        got = "no such table" if found is None else ", ".join(ascii(name) for name in found)
        findings.append(
            Finding(
                table, 0, "", "columns_must_match", f"the columns {HEADERS[table]}", got, "Make a view of that name."
            )
        )
        return
    names = COLUMNS[table]
    query: Any = (
        sa.select(*(sa.column(name) for name in names)).select_from(sa.table(table)).order_by(sa.column(names[0]))
    )
    streamed = connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})
    for line, row in enumerate(streamed, 1):
        fields: list[str] = []
        for name, value in zip(names, row, strict=True):
            text = _text_of(value)
            if text is None:
                got = f"a value of type {type(value).__name__}"
                remedy = "Cast it in a view: amounts as text, days as days."
                findings.append(Finding(table, line, name, "type_must_be_exact", _NO_TYPE, got, remedy))
            else:
                fields.append(text)
        if len(fields) == len(names):
            yield line, fields


def _columns(connection: sa.Connection, table: str) -> list[str] | None:
    inspector = sa.inspect(connection)
    try:
        return [str(column["name"]) for column in inspector.get_columns(table)]
    except sa.exc.NoSuchTableError:
        return None


def _text_of(value: object) -> str | None:
    """What a database holds, as a file would say it; a float is not what was once written, and a moment is no day."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool | datetime):
        return None
    if isinstance(value, int):
        return str(value)
    return value.isoformat() if isinstance(value, date) else None


def _rows(table: str, lines: Iterable[tuple[int, list[str]]], findings: list[Finding]) -> Iterator[Any]:
    """The lines of a table as typed rows; a line with a field that cannot be read is left out and told."""
    names = COLUMNS[table]
    for line, texts in lines:
        fields = dict(zip(names, texts, strict=True))
        values: dict[str, Any] = {}
        faults = 0
        for name, text in fields.items():
            try:
                values[name] = _reader(name)(text, fields)
            except _Unreadable as fault:
                faults += 1
                rule, expected, remedy = fault.args
                findings.append(Finding(table, line, name, rule, expected, _shown(name, text), remedy))
        if not faults and table == "balances":
            balance = _one_side(line, values.pop("debit"), values.pop("credit"), findings)
            faults += balance is None
            values["balance_minor"] = balance
        if not faults:
            if "principal" in values:
                values["principal_minor"] = values.pop("principal")
            yield _ROW_OF[table](line=line, **values)


def _one_side(line: int, debit: int | None, credit: int | None, findings: list[Finding]) -> int | None:
    """A balance stands on one side, and is more than nothing: a sign is too easily read the other way."""
    if (debit is None) != (credit is None) and (debit or credit or 0) > 0:
        return debit if debit is not None else -(credit or 0)
    got = "both" if debit is not None and credit is not None else "none" if debit is None is credit else "not so much"
    expected = "an amount above zero, as debit or as credit"
    remedy = "Write what an asset holds as debit, what is owed as credit, and leave out what is zero."
    findings.append(Finding("balances", line, "debit", "balance_must_stand_on_one_side", expected, got, remedy))
    return None


Reader = Callable[[str, Mapping[str, str]], Any]


def _reader(name: str) -> Reader:
    if name in _AMOUNTS:
        return _amount
    if name in _DAYS:
        return _day
    return _READERS.get(name, _name)


def _amount(text: str, fields: Mapping[str, str]) -> int | None:
    if text == "" and "debit" in fields:
        return None
    currency = fields["currency"]
    if currency not in EXPONENTS:
        # The currency is a finding of its own; without it, nobody can say how fine the amount may be.
        return 0 if "principal" in fields else None
    try:
        return to_minor(text, currency)
    except AmountNotExact:
        expected = f"plain digits with a point, no finer than the minor unit of {currency}"
        raise _Unreadable("number_must_be_plain", expected, "Write it as 1234.56.") from None


def _day(text: str, _: Mapping[str, str]) -> date:
    day = delimited.day_or_nothing(text)
    if day is None or not re.fullmatch(delimited.DAY, text):
        raise _Unreadable("date_must_be_readable", "a day that exists", "Write it as 2026-06-17.")
    return day


def _currency(text: str, _: Mapping[str, str]) -> str:
    if text not in EXPONENTS:
        expected = f"one of {', '.join(sorted(EXPONENTS))}"
        raise _Unreadable("currency_must_be_known", expected, "Write its three letters of ISO 4217.")
    return text


def _count(text: str, _: Mapping[str, str]) -> int:
    if not re.fullmatch(delimited.COUNT, text):
        raise _Unreadable("number_must_be_plain", "a whole number of at most 15 digits", "Write shares as 1200.")
    return int(text)


def _name(text: str, _: Mapping[str, str]) -> str:
    if not re.fullmatch(delimited.NAME, text):
        expected = "plain letters and digits, at most 128"
        raise _Unreadable("id_must_be_plain", expected, "Use the id by which the desk will know it from now on.")
    return text


def _ledger_account(text: str, fields: Mapping[str, str]) -> str | None:
    """A third party that is no bank proves no account, and leaves it blank."""
    return None if text == "" and "role" in fields else _name(text, fields)


def _source(text: str, _: Mapping[str, str]) -> str:
    if not re.fullmatch(delimited.SOURCE, text):
        expected = "plain lower-case letters, digits and underscores"
        raise _Unreadable("source_must_be_plain", expected, "Name the system the desk comes from.")
    return text


def _free_text(text: str, _: Mapping[str, str]) -> str:
    return text


_READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "currency": _currency,
        "quantity_shares": _count,
        "source": _source,
        "name": _free_text,
        "ledger_account_id": _ledger_account,
    }
)
"""How a column is read; what is not named here is an id."""


def _shown(name: str, text: str) -> str:
    """What came, in escapes; a name is never repeated."""
    assert name != "name", "a name is judged where nothing of it is repeated"
    shown = ascii(text[:SHOWN_CHARACTERS_MAX])
    return f"{shown} and {len(text) - SHOWN_CHARACTERS_MAX:,} more" if len(text) > SHOWN_CHARACTERS_MAX else shown
