"""``lombard verify`` and its kin: prove the history of the books, seal a day, hand all to an auditor, prove a part."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from books.audit import Progress as Told
from books.audit import Verification
from books.audit import verify as verify_history
from books.audit_export import export_audit
from books.audit_proofs import check_proof as check
from books.audit_proofs import consistency_proof, inclusion_proof, read_checkpoint, write_proof
from books.checkpoints import SignedCheckpoint, seal_day
from books.journal import open_day
from books.signatures import key_id, load_key
from domain.errors import DeskNotReady
from orchestration.books import OpenBooks, now
from orchestration.settings import load_settings

app = typer.Typer(help="The audit of the books.", no_args_is_help=True)
prove = typer.Typer(help="Write a proof that somebody without the books can check.", no_args_is_help=True)
app.add_typer(prove, name="prove")
console = Console(highlight=False, markup=False, soft_wrap=True)

Address = Annotated[str | None, typer.Option("--books", help="Address of the books; the desk's own if absent.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--public-key", help="A public key to be trusted (base64), or a file of keys; may be repeated."),
]
Out = Annotated[Path, typer.Option(help="The file to write.")]
_FORMATS = ["%Y-%m-%d"]


@app.command()
def verify(
    books: Address = None,
    export: Annotated[Path | None, typer.Option(help="Folder of an export, instead of the books.")] = None,
    witness: Annotated[
        str | None, typer.Option(help="A head seen earlier (12:0123456789abcdef), or a file with a signed checkpoint.")
    ] = None,
    public_key: Keys = None,
) -> None:
    """Prove that nothing of the history was changed, or name the first entry that was (exit code 2)."""
    if books is not None and export is not None:
        raise DeskNotReady(
            "Either books or an export are verified, but both were named. Name one; nothing was checked."
        )
    seen = read_checkpoint(Path(witness)) if witness and Path(witness).is_file() else witness
    keys = _keys(public_key)
    with _progress() as told:
        if export is not None:
            proven = verify_history(export, seen, keys, told)
        else:
            with OpenBooks(books or load_settings().books_url) as engine:
                proven = verify_history(engine, seen, keys, told)
    _print(proven, has_witness=seen is not None, has_keys=bool(keys))


@app.command()
def seal(
    day: Annotated[
        datetime | None,
        typer.Option(help="Day to seal, YYYY-MM-DD; that of the last entry if absent.", formats=_FORMATS),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A file for the checkpoint, to be kept by somebody else.")] = None,
) -> None:
    """Sign all entries up to the end of a day, which is closed from then on."""
    settings = load_settings()
    key = load_key(settings.signing_key)
    with OpenBooks(settings.books_url) as engine:
        signed = seal_day(engine, day.date() if day else _last_day(engine), key, now())
    if out is not None:
        write_proof(signed.to_json(), out)
    console.print(_words(signed))


@app.command()
def audit_export(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    until: Annotated[
        datetime | None, typer.Option(help="The last day to export, YYYY-MM-DD; all if absent.", formats=_FORMATS)
    ] = None,
    books: Address = None,
) -> None:
    """Write the history into a folder that proves itself without the desk."""
    with OpenBooks(books or load_settings().books_url) as engine, console.status("Exporting …"):
        export_audit(engine, folder, until.date() if until else None)
    console.print(f"The history is in {folder}. Check it with: lombard verify --export {folder}")


@prove.command()
def inclusion(
    transfer_id: Annotated[str, typer.Argument(help="The transfer.")],
    day: Annotated[datetime, typer.Argument(help="The sealed day, YYYY-MM-DD.", formats=_FORMATS)],
    out: Out = Path("inclusion.json"),
    books: Address = None,
) -> None:
    """Prove that a transfer is among the entries of a sealed day."""
    with OpenBooks(books or load_settings().books_url) as engine:
        proof = inclusion_proof(engine, transfer_id, day.date())
    write_proof(proof, out)
    console.print(f"{check(proof).words} The proof is in {out}.")


@prove.command()
def consistency(
    day: Annotated[datetime, typer.Argument(help="A sealed day, YYYY-MM-DD.", formats=_FORMATS)],
    later_day: Annotated[datetime, typer.Argument(help="A later one.", formats=_FORMATS)],
    out: Out = Path("consistency.json"),
    books: Address = None,
) -> None:
    """Prove that the entries of a sealed day begin with those of an earlier one."""
    with OpenBooks(books or load_settings().books_url) as engine:
        proof = consistency_proof(engine, day.date(), later_day.date())
    write_proof(proof, out)
    console.print(f"{check(proof).words} The proof is in {out}.")


@app.command()
def check_proof(
    file: Annotated[Path, typer.Argument(help="The file with the proof.")], public_key: Keys = None
) -> None:
    """Check a proof, without any books (exit code 2 where it does not prove what it says)."""
    keys = _keys(public_key)
    proven = check(file, keys)
    console.print(proven.words)
    console.print(f"Signed with {', '.join(proven.key_ids)}{_trust(bool(keys))}.")
    if proven.body is not None:
        console.print_json(json.dumps(proven.body))


def _keys(given: list[str] | None) -> list[str]:
    """Public keys as they were given: texts, or files that hold a JSON list of them."""
    keys: list[str] = []
    for text in given or []:
        if not Path(text).is_file():
            keys.append(text)
            continue
        try:
            found = json.loads(Path(text).read_text(encoding="ascii"))
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise DeskNotReady(
                f"A file of public keys must be a JSON list of them, as an export's keys.json is, but {text} is none. "
                f"Nothing was checked; name the right file."
            )
        keys += map(str, found)
    for key in keys:
        key_id(key)
    return keys


def _last_day(engine) -> date:  # type: ignore[no-untyped-def]
    day = open_day(engine)
    if day is None:
        raise DeskNotReady("These books are empty: there is no day to seal. Nothing was signed; book something first.")
    return day


def _words(signed: SignedCheckpoint) -> str:
    told = signed.checkpoint
    return (
        f"{told.booked_on} is sealed: {told.tree_size:,} entries, root {told.root_hash[:16]}…, signed with "
        f"{key_id(signed.public_key)}."
    )


@contextmanager
def _progress() -> Iterator[Told | None]:
    """A bar where somebody looks; nothing where the output goes into a file."""
    if not console.is_terminal:
        yield None
        return
    columns = (TextColumn("Checking entries"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _trust(has_keys: bool) -> str:
    return "" if has_keys else " (a key of its own word: name the key you trust with --public-key)"


def _print(proven: Verification, *, has_witness: bool, has_keys: bool) -> None:
    table = Table(title="The history is as it was written", title_justify="left", show_header=False)
    table.add_row("Entries · 分录", f"{proven.entries:,}, each following from the one before")
    table.add_row("Head · 账头", str(proven.head))
    if proven.checkpoints:
        sealed = (
            f"{proven.checkpoints:,} checkpoints hold, up to {proven.sealed_until}, entry {proven.sealed_entries:,}"
        )
        table.add_row("Sealed days · 封账", sealed)
        table.add_row("Signed with · 签名密钥", ", ".join(proven.key_ids) + _trust(has_keys))
    else:
        table.add_row("Sealed days · 封账", "none: nothing was signed")
    if proven.projections:
        table.add_row("Projections · 余额投影", f"{proven.projections:,} rows are what the transfers sum to")
    table.add_row("Time · 用时", f"{proven.seconds:.2f} s, {proven.entries_per_second:,.0f} entries a second")
    console.print(table)
    if proven.sealed_entries < proven.entries and not has_witness:
        open_entries = proven.entries - proven.sealed_entries
        console.print(
            f"The last {open_entries:,} entries are not sealed yet. Whether more stood after them only a head that was "
            f"kept elsewhere can tell: --witness."
        )
