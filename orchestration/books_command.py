"""``lombard books``: bring a desk in, hand the books out, read them as they were known, and post by template."""

import csv
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Column, Table

from books import schema
from books.engine import reading
from books.expiry import expire_pending
from books.grants import grant_desk_role
from books.journal import LedgerHead, ledger_head, refused
from books.ledger_accounts import currency_of_clients
from books.posting import post, post_event
from books.reports import AccountStatement, TrialBalance, journal_of, statement, transfers_named, trial_balance
from books.rules import chart_on
from books.vault import Vault
from domain.errors import DeskNotReady, OpeningRefused
from domain.ledger import ANY_CODE, Chart, Rejection, Template, Transfer, reversal
from domain.money import format_minor, to_minor
from domain.rulebook import Rulebook
from orchestration.books import OpenBooks, When, earliest, now
from orchestration.settings import Settings, load_settings

app = typer.Typer(help="The books: in, out, as they were known, and what is posted to them.", no_args_is_help=True)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)

_DAYS = ["%Y-%m-%d"]
Day = Annotated[datetime, typer.Option(help="Business day, YYYY-MM-DD.", formats=_DAYS)]
MaybeDay = Annotated[datetime | None, typer.Option(formats=_DAYS, help="YYYY-MM-DD; the day it is booked, if absent.")]
AsJson = Annotated[bool, typer.Option("--json", help="For machines: JSON, amounts in minor units.")]


@app.command(name="import")
def bring(
    source: Annotated[str, typer.Argument(help="A folder of six CSV files, or the address of a database.")],
    day: Annotated[datetime, typer.Option(formats=_DAYS, help="The evening on which the desk stood like this.")],
    check: Annotated[bool, typer.Option("--check", help="Only look; write nothing into the books.")] = False,
    report: Annotated[Path | None, typer.Option(help="Where all findings go; beside the folder, if absent.")] = None,
) -> None:
    """Bring in a desk from another system: whole and balanced, or not at all."""
    from books.importing import bring_in, findings_of
    from feeds.opening_balances import read_opening_database, read_opening_folder
    from rulebooks import all_rulebooks

    settings, on = load_settings(), day.date()
    _require_past(on)
    is_database = "://" in source
    read: Any = read_opening_database if is_database else read_opening_folder
    opening, findings = read(source if is_database else Path(source), on)
    with OpenBooks(settings.books_url) as engine:
        when = earliest(engine)
        when["booked_on"] = max(when["booked_on"], on)
        same: dict[str, Any] = {
            "vault": _vault(settings, engine, is_writing=not check),
            "rulebooks": _margin_laws(all_rulebooks()),
        }
        findings = findings + findings_of(engine, opening, booked_on=when["booked_on"], **same)
        if findings:
            beside = (
                settings.home / "opening.findings.csv"
                if is_database
                else Path(f"{Path(source).resolve()}.findings.csv")
            )
            raise OpeningRefused(_reported(findings, report or beside))
        counts = ", ".join(f"{table.replace('_', ' ')} {len(getattr(opening, table)):,}" for table in _TABLES)
        if check:
            console.print(f"This desk can be brought in as of {on}: {counts}. Nothing was written.")
            return
        before = ledger_head(engine)
        head = bring_in(engine, opening, **same, **when)
    told = "It stood in the books already; nothing changed" if head == before else f"Booked on {when['booked_on']}"
    console.print(f"Brought in as of {on}: {counts}. {told}. The books end at {head}.")


_TABLES = ("clients", "accounts", "third_parties", "balances", "positions", "contracts")


@app.command()
def export(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Hand the books out: Parquet with a manifest, text for beancount and hledger, and an opening for another desk."""
    from books.exporting import export_books

    with OpenBooks(load_settings().books_url) as engine:
        done = export_books(engine, folder.resolve(), known_at=now())
    console.print(f"The books as of {done.head} lie in {folder}: {len(done.files)} files, and their manifest.")
    if done.without_opening:
        console.print(f"Without an opening: {done.without_opening}")


@app.command(name="trial-balance")
def print_trial_balance(
    day: Day,
    known: Annotated[datetime | None, typer.Option(formats=_DAYS, help="As known on this day; DAY, if absent.")] = None,
    accounts: Annotated[bool, typer.Option("--accounts", help="Account by account, not class by class.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the trial balance of any day, as it was known on any later day.

    Known is what was booked by the end of that day, the interest of its own close included; the dbt ledger's day is
    what that close found, so the interest is in it from the next day on.
    """
    with OpenBooks(load_settings().books_url) as engine:
        found = trial_balance(engine, day.date(), (known or day).date(), by_account=accounts)
    if as_json:
        totals = {currency: {"debit_minor": d, "credit_minor": c} for currency, (d, c) in found.totals().items()}
        _print_json(asdict(found) | {"totals": totals})
    else:
        _print_balance(found)
        _say_whose()


def _print_balance(found: TrialBalance) -> None:
    title = f"Trial balance 试算平衡表 of {found.day}, as known on {found.known_on}"
    table = Table(_left("account"), "title", "科目", _right("debit"), _right("credit"), title=title)
    for line in found.lines:
        sides = [format_minor(n, line.currency) if n else "" for n in (line.debit_minor, line.credit_minor)]
        table.add_row(line.account, line.title, line.chinese, *sides)
    console.print(table)
    for currency, (debits, credits) in sorted(found.totals().items()):
        if debits == credits:
            console.print(f"Both sides agree 借贷平衡: {format_minor(debits, currency)}.")
        else:
            told = [format_minor(one, currency) for one in (debits, credits, abs(debits - credits))]
            console.print(f"The sides do not agree 借贷不平: debits {told[0]}, credits {told[1]}, {told[2]} apart.")
    if not found.lines:
        console.print("Nothing had moved.")
    is_over = "can change it no more" if found.is_final else f"may change it until {found.known_on} is closed"
    console.print(f"What is booked from now on {is_over}.")


@app.command(name="statement")
def print_statement(
    account: Annotated[str, typer.Argument(help="A client's account (A1), or a ledger account (1110.USD).")],
    first: Annotated[
        datetime | None, typer.Option("--from", formats=_DAYS, help="First day; the beginning, if absent.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=_DAYS, help="Last day; the open day, if absent.")
    ] = None,
    known: Annotated[
        datetime | None, typer.Option(formats=_DAYS, help="As known on this day; today's books, if absent.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print what moved on an account, money and shares, with what it then held."""
    with OpenBooks(load_settings().books_url) as engine:
        today = earliest(engine)["booked_on"]
        until = last.date() if last else today
        known_on = known.date() if known else max(today, until)
        found = statement(engine, account, first.date() if first else date.min, until, known_on)
    if as_json:
        _print_json([asdict(one) | {"carried_forward": one.carried_forward} for one in found])
        return
    for one in found:
        console.print(_statement_table(one))
    if not found:
        console.print(f"Account {account} held nothing and moved nothing.")
    _say_whose()


def _say_whose() -> None:
    """Say on the screen that invented clients are invented."""
    account = schema.account.c
    with OpenBooks(load_settings().books_url) as engine, reading(engine) as connection:
        invented = connection.execute(sa.select(account.account_id).where(account.source == "synthetic").limit(1))
        if invented.first() is not None:
            console.print("Synthetic 合成数据: clients of these books are invented; none of it is a real person's.")


def _statement_table(one: AccountStatement) -> Table:
    def held(amount: int) -> str:
        side = " Dr 借" if amount > 0 else " Cr 贷" if amount < 0 else ""
        return _amount(abs(amount), one.unit, one.is_money) + side

    title = f"{one.ledger_account_id} · {one.title} {one.chinese} · {one.unit}"
    table = Table(
        "effective",
        "booked",
        _left("transfer"),
        _left("template"),
        _right("debit"),
        _right("credit"),
        _right("balance"),
        title=title,
    )
    table.add_row("", "", "brought forward 期初", "", "", "", held(one.brought_forward))
    for line in one.lines:
        sides = [_amount(n, one.unit, one.is_money) if n > 0 else "" for n in (line.moved, -line.moved)]
        days = (str(line.effective_on), str(line.booked_on))
        table.add_row(*days, line.transfer_id, line.template, *sides, held(line.balance))
    table.add_row("", "", "carried forward 期末", "", "", "", held(one.carried_forward))
    return table


@app.command()
def journal(day: Day, as_json: AsJson = False) -> None:
    """List everything that was booked on a day."""
    with OpenBooks(load_settings().books_url) as engine:
        found = journal_of(engine, day.date())
    if as_json:
        _print_json([asdict(line) for line in found])
        return
    table = Table(
        _right("#"),
        _left("transfer"),
        _left("template"),
        _left("debit"),
        _left("credit"),
        _right("amount"),
        "effective",
        "phase",
        title=f"Booked on {day.date()}",
    )
    for line in found:
        amount = _amount(line.amount, line.unit, line.is_money)
        ends = (line.debit_account_id, line.credit_account_id)
        table.add_row(
            str(line.sequence), line.transfer_id, line.template, *ends, amount, str(line.effective_on), line.phase or ""
        )
    console.print(table)


@app.command()
def grant(role: Annotated[str, typer.Argument(help="A PostgreSQL role, without rights of its own.")]) -> None:
    """Let a PostgreSQL role keep the books, and change nothing of their history; for the owner of the tables."""
    with OpenBooks(load_settings().books_url) as engine:
        grant_desk_role(engine, role)
    console.print(f"{role} reads and adds, and changes no history.")


@app.command()
def events() -> None:
    """List the events that can be posted, with the amounts and owners each one needs."""
    with OpenBooks(load_settings().books_url) as engine, reading(engine) as connection:
        chart = chart_on(connection, earliest(engine)["booked_on"])
    table = Table(
        _left("event"), _left("leg"), "debit", "credit", "--amount", "phase", title=f"Events of {chart.edition}"
    )
    for name, template in chart.templates.items():
        for number, leg in enumerate(template.legs):
            phase = leg.phase or (f"posts {template.settles}.{leg.posts}" if leg.posts else "")
            table.add_row("" if number else name, leg.name, leg.debit, leg.credit, leg.amount, phase)
    console.print(table)


@app.command(name="post")
def post_one(
    event: Annotated[str, typer.Argument(help="Which event; `lombard books events` lists them.")],
    event_id: Annotated[str, typer.Option("--id", help="Its id: posted again under the same id, nothing changes.")],
    amount: Annotated[list[str], typer.Option(help="NAME=AMOUNT, money in major units, shares whole; may repeat.")],
    client: Annotated[str | None, typer.Option(help="The client's account.")] = None,
    third_party: Annotated[str | None, typer.Option(help="The custodian, lender or borrower.")] = None,
    owner: Annotated[
        list[str] | None, typer.Option(help="CODE=OWNER or LEG.SIDE=OWNER, where one is not enough.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="The client's own, if absent.")] = None,
    instrument: Annotated[str | None, typer.Option(help="Whose shares move.")] = None,
    effective: MaybeDay = None,
    settles: Annotated[str | None, typer.Option(help="Id of the event whose pending legs this one posts.")] = None,
    expires: Annotated[datetime | None, typer.Option(formats=_DAYS, help="Last day of what is reserved.")] = None,
    approval: Annotated[str | None, typer.Option(help="Id of the approval, where two officers must sign.")] = None,
) -> None:
    """Post one event of the desk by its template."""
    with OpenBooks(load_settings().books_url) as engine:
        when = earliest(engine)
        with reading(engine) as connection:
            chart = chart_on(connection, when["booked_on"])
            unit = currency or (currency_of_clients(connection, [client]).get(client, "") if client else "")
        template = chart.templates.get(event)
        if template is None:
            raise refused(
                f"Event {event_id}", Rejection.template_must_fit_accounts,
                f"{chart.edition} has no event {event[:64]!a}; `lombard books events` lists them",
            )  # fmt: skip
        owners = dict(_pair(told, "--owner") for told in owner or [])
        owners |= {name: told for name, told in (("client", client), ("third_party", third_party)) if told}
        amounts = _amounts(chart, template, event_id, amount, unit)
        _require_complete(chart, template, event_id, owners, amounts, unit, instrument, settles)
        head = post_event(
            engine, event, event_id, owners=owners, amounts=amounts, unit=unit, instrument_id=instrument,
            effective_on=effective.date() if effective else when["booked_on"], settles=settles,
            expires_on=expires.date() if expires else None, approval_id=approval, **when,
        )  # fmt: skip
    _print_posted(f"Event {event_id} stands", when, head)


@app.command()
def reverse(
    transfer: Annotated[list[str], typer.Argument(help="Ids of the transfers to undo, together in one batch.")],
    approval: Annotated[str, typer.Option(help="Id of the approval that two officers signed.")],
    amount: Annotated[str | None, typer.Option(help="How much of one transfer to undo; all, if absent.")] = None,
    effective: MaybeDay = None,
) -> None:
    """Undo transfers by their reversals; what was booked stays, and the reversal stands beside it."""
    with OpenBooks(load_settings().books_url) as engine:
        when = earliest(engine)
        wrong = transfers_named(engine, transfer)
        if amount is not None and len(wrong) != 1:
            raise DeskNotReady(
                "--amount says how much of one transfer to undo, but several were named. Nothing was written."
            )
        on = effective.date() if effective else when["booked_on"]
        part = None if amount is None else _read_amount(amount, wrong[0].unit, isinstance(wrong[0], Transfer))
        undone = [reversal(one, f"correction.{one.transfer_id}", on, approval, part) for one in wrong]
        head = post(engine, undone, **when)
    _print_posted(f"{', '.join(one.transfer_id for one in undone)} stand", when, head)


@app.command()
def expire(day: MaybeDay = None) -> None:
    """Release what was reserved until a day that is over."""
    with OpenBooks(load_settings().books_url) as engine:
        when = earliest(engine)
        released = expire_pending(engine, day.date() if day else when["booked_on"], **when)
        head = ledger_head(engine)
    for transfer_id in released:
        console.print(f"{transfer_id} has expired.")
    _print_posted(f"{len(released)} reservations were released", when, head)


def _margin_laws(rulebooks: Mapping[str, Rulebook]) -> frozenset[str]:
    """Rulebooks an account can be held to: those that say what must be maintained."""
    return frozenset(
        name for name, rulebook in rulebooks.items() if any("maintenance" in one.rules for one in rulebook.editions)
    )


def _vault(settings: Settings, engine: sa.Engine, *, is_writing: bool) -> Vault:
    """The vault of the desk; one with its first key where the desk has no client yet."""
    from books.master_keys import load_master_keys, new_master_key
    from orchestration.vaults import made_vault, vault_of

    with reading(engine) as connection:
        has_clients = connection.execute(sa.select(schema.client.c.sequence).limit(1)).first() is not None
    if has_clients or settings.master_key is not None or settings.master_key_file.exists():
        return vault_of(settings)
    return made_vault(settings) if is_writing else Vault.of(load_master_keys(new_master_key()))


def _require_past(day: date) -> None:
    today = now().date()
    if day > today:
        raise OpeningRefused(
            f"A desk is brought in as it stood on an evening that is over, but {day} lies after {today}. Nothing was "
            f"written; name the day of its balances."
        )


def _reported(findings: Sequence[Any], report: Path) -> str:
    """Write all findings beside, and tell the first."""
    from domain.opening import told

    staged = report.with_name(f".{report.name}.staged")
    with staged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "line", "column", "rule", "expected", "got", "what_to_do"])
        writer.writerows([str(value) for value in asdict(finding).values()] for finding in findings)
    staged.replace(report)
    return told(findings, "The desk to import", str(report))


def _pair(told: str, option: str) -> tuple[str, str]:
    name, separator, value = told.partition("=")
    if not (name and separator and value):
        raise DeskNotReady(f"{option} needs NAME=VALUE, but got {told[:64]!a}. Nothing was written; write it so.")
    return name, value


def _amounts(chart: Chart, template: Template, event_id: str, told: Collection[str], unit: str) -> dict[str, int]:
    """Amounts by name, in minor units or shares, whichever the legs of that name move."""
    is_money = {leg.amount: not _moves_shares(chart, leg.debit, leg.credit) for leg in template.legs}
    amounts: dict[str, int] = {}
    for name, text in (_pair(one, "--amount") for one in told):
        if name not in is_money or name in amounts:
            why = "was given twice" if name in amounts else f"is none of {', '.join(is_money)}"
            raise refused(f"Event {event_id}", "amounts_must_be_of_the_event", f"{name[:64]!a} {why}")
        if is_money[name] and not unit:
            raise refused(
                f"Event {event_id}", "units_must_match", "it moves money; say which by --client or --currency"
            )
        amounts[name] = _read_amount(text, unit, is_money[name])
    if not any(amounts.values()):
        raise refused(f"Event {event_id}", Rejection.amount_must_be_positive, "all its amounts are zero")
    return amounts


def _require_complete(
    chart: Chart, template: Template, event_id: str, owners: dict[str, str], amounts: dict[str, int], unit: str,
    instrument: str | None, settles: str | None,
) -> None:  # fmt: skip
    """See that every account of the legs that move can be named."""
    for leg in template.legs:
        if not amounts.get(leg.amount):
            continue
        if _moves_shares(chart, leg.debit, leg.credit) and instrument is None:
            raise refused(f"Event {event_id}", "units_must_match", "it moves shares; say which by --instrument")
        if leg.posts and settles is None:
            raise refused(
                f"Event {event_id}",
                Rejection.pending_must_exist,
                f"it settles a {template.settles}; say which by --settles",
            )
        for side, code in (("debit", leg.debit), ("credit", leg.credit)):
            kind = chart.classes[code].owner if code != ANY_CODE else ""
            if not {f"{leg.name}.{side}", code, kind} & owners.keys() and not (kind == "currency" and unit):
                option = {"client": "--client", "third_party": "--third-party", "currency": "--currency"}
                ways = [f"--owner {code}=OWNER", option[kind]] if kind else [f"--owner {leg.name}.{side}=ACCOUNT"]
                raise refused(
                    f"Event {event_id}", Rejection.accounts_must_exist,
                    f"whose account its leg {leg.name} is to {side} was not said; say it by {' or '.join(ways)}",
                )  # fmt: skip


def _moves_shares(chart: Chart, *codes: str) -> bool:
    return any(code != ANY_CODE and chart.classes[code].holds_securities for code in codes)


def _read_amount(text: str, unit: str, is_money: bool) -> int:
    if is_money:
        return to_minor(text, unit)
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= 18):
        raise refused(
            f"{text[:64]!a} shares of {unit or 'an instrument'}", Rejection.amount_must_be_whole, "write it as 1200"
        )
    return int(text)


def _amount(amount: int, unit: str, is_money: bool) -> str:
    return format_minor(amount, unit) if is_money else f"{amount:,} {unit}"


def _right(name: str) -> Column:
    return Column(name, justify="right", overflow="fold")


def _left(name: str) -> Column:
    """A column whose ids are never cut short: an id that misses its end names something else."""
    return Column(name, overflow="fold")


def _print_json(told: object) -> None:
    console.print_json(json.dumps(told, default=str, ensure_ascii=False))


def _print_posted(what: str, when: When, head: LedgerHead) -> None:
    console.print(f"{what}, booked on {when['booked_on']}. The books end at {head}.")
