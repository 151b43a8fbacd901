"""``lombard clients``: from an application to an account, and why one stopped. Officers act with their own keys.

Nothing personal is taken from the command line, where a shell would keep it, nor printed unless it is asked for.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from books import schema
from books.approvals import officer_with
from books.client_files import evidence_on, open_hits, rate_client, record_evidence
from books.client_states import State, client_state, freeze_content, move_client, standing
from books.client_stories import why_stopped
from books.clients import client_details, open_client, set_client_detail
from books.engine import reading, writing
from books.master_keys import add_master_key
from books.retention import destruction_day, erase
from books.screening import decide_hit, enter_watchlist, lists_in_force, screen_changed
from books.signatures import load_key
from books.vault import rotate_master_key
from domain.clients.details import Field
from domain.errors import DeskNotReady
from orchestration.books import OpenBooks, earliest
from orchestration.cases_command import app as cases
from orchestration.settings import load_settings
from orchestration.vaults import vault_of
from orchestration.watchlists import LAYOUTS, keep_list, kept_list, kept_lists, read_list

app = typer.Typer(help="Clients: applications, evidence, screening, states, cases.", no_args_is_help=True)
app.add_typer(cases, name="cases")
console = Console(highlight=False)

Client = Annotated[str, typer.Argument(help="The client's id, which says nothing about who it is.")]
KeyFile = Annotated[Path, typer.Option("--key", help="The officer's own Ed25519 key (PEM, mode 600).")]
Evidence = Annotated[Path, typer.Option("--evidence", help="The file that shows it; the books keep its SHA-256.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept.")]
Approval = Annotated[str | None, typer.Option(help="Id of two officers' approval, for a freeze or its end.")]
Day = Annotated[datetime | None, typer.Option(help="Day, YYYY-MM-DD.", formats=["%Y-%m-%d"])]


@app.command()
def apply(
    client_id: Client,
    details: Annotated[
        Path, typer.Option(help="JSON of what is known (full_name, birth_date, …); - reads it typed in.")
    ],
    form: Annotated[Path, typer.Option(help="The application as it was signed; the books keep its SHA-256.")],
    key: KeyFile,
    source: Annotated[str, typer.Option(help="Where the application came in.")] = "branch",
) -> None:
    """Enter an application: who applies is sealed at once."""
    told = _details(details)
    settings = load_settings()
    vault = vault_of(settings)
    with OpenBooks(settings.books_url) as engine:
        when = earliest(engine)
        with writing(engine) as connection:
            officer = officer_with(connection, load_key(key)).officer_id
            open_client(connection, client_id, told.pop(Field.full_name), vault=vault, source=source, **when)
            for field, value in told.items():
                set_client_detail(connection, client_id, field, value, vault=vault, **when)
            reason = f"applied through {source}"
            move_client(connection, client_id, State.submitted, officer, reason, _sha256(form), **when)
    console.print(f"{client_id} is submitted.")


@app.command()
def detail(
    client_id: Client,
    details: Annotated[Path, typer.Option(help="JSON of what changed (address, phone, …); - reads it typed in.")],
) -> None:
    """Enter what changed about a client; who it is screened as may ask for a new screening."""
    settings = load_settings()
    told, vault = _details(details, is_whole=False), vault_of(settings)
    with OpenBooks(settings.books_url) as engine:
        when = earliest(engine)
        with writing(engine) as connection:
            for field, value in told.items():
                set_client_detail(connection, client_id, field, value, vault=vault, **when)
    console.print(f"{len(told)} details of {client_id} are sealed.")


@app.command()
def evidence(
    client_id: Client,
    kind: Annotated[str, typer.Argument(help="document, liveness, police_registry, entity, pep, suitability, …")],
    file: Evidence,
    key: KeyFile,
    level: Annotated[str | None, typer.Option(help="Level of suitability, exposure, or first day of trading.")] = None,
    valid_until: Day = None,
) -> None:
    """Put evidence on a client's file."""
    until = valid_until.date() if valid_until else None
    with OpenBooks(load_settings().books_url) as engine:
        officer = _officer(engine, key)
        digest = _sha256(file)
        record_evidence(engine, client_id, kind, digest, officer, level=level, valid_until=until, **earliest(engine))
    console.print(f"{kind} of {client_id} is on file as {digest[:16]}.")


@app.command()
def watchlist(
    layout: Annotated[str, typer.Argument(help=f"How it is laid out: {', '.join(LAYOUTS)}.")],
    source: Annotated[Path, typer.Argument(help="The file, or the folder of OFAC's three.")],
    published_on: Day = None,
    accept_shrinkage: Annotated[
        bool, typer.Option(help="An officer knows that the list lost a fifth or more.")
    ] = False,
) -> None:
    """Bring a new version of a list into force, with every client held against what it changed."""
    if layout not in LAYOUTS:
        raise DeskNotReady(f"A layout must be one of {', '.join(LAYOUTS)}, but is {layout!r}. Nothing was read.")
    settings = load_settings()
    vault, day = vault_of(settings), published_on.date() if published_on else None
    with OpenBooks(settings.books_url) as engine:
        when = earliest(engine)
        with reading(engine) as connection:
            in_force = lists_in_force(connection)
        read = read_list(layout, source, day, when["known_at"])
        before = in_force.get(read.watchlist.name)
        previous = kept_list(settings, read.watchlist.name, before) if before else None
        # Read again beside the one in force, so that a list cut off is refused.
        read = read_list(layout, source, day, when["known_at"], previous, accept_shrinkage=accept_shrinkage)
        keep_list(settings, layout, source, read.watchlist)
        with console.status(f"Holding every client against {read.watchlist.name} …"):
            run = enter_watchlist(engine, read.watchlist, previous, vault=vault, **when)
    held_back = f", {len(read.quarantined)} held back" if len(read.quarantined) else ""
    console.print(
        f"{read.watchlist.name} of {read.watchlist.published_on} is in force: {len(read.watchlist.entries):,} entries"
        f"{held_back}; {run.clients:,} clients held against {run.entries:,} of them, {run.hits} hits, "
        f"{len(run.stopped)} stopped."
    )


@app.command()
def screen() -> None:
    """Screen every client who came or changed since the last screening."""
    settings = load_settings()
    vault = vault_of(settings)
    with OpenBooks(settings.books_url) as engine:
        with reading(engine) as connection:
            lists = kept_lists(settings, lists_in_force(connection))
        with console.status("Screening whoever came or changed …"):
            run = screen_changed(engine, lists, vault=vault, **earliest(engine))
    console.print(f"{run.clients:,} clients screened, {run.hits} hits, {len(run.stopped)} stopped.")


@app.command()
def decide(
    screening_id: Annotated[str, typer.Argument(help="Id of the hit, as `why` shows it.")],
    decision: Annotated[str, typer.Argument(help="cleared (it means another) or confirmed.")],
    reason: Reason,
    file: Evidence,
    key: KeyFile,
) -> None:
    """Decide whether a hit means the client."""
    with OpenBooks(load_settings().books_url) as engine:
        officer = _officer(engine, key)
        decide_hit(engine, screening_id, decision, officer, reason, _sha256(file), **earliest(engine))
    console.print(f"{screening_id} is {decision}.")


@app.command()
def rate(
    client_id: Client,
    score: Annotated[list[str], typer.Option(help="factor=1…5, once for each factor of the rulebook.")],
) -> None:
    """Rate a client's risk."""
    told = dict(one.partition("=")[::2] for one in score)
    scores = {factor: int(text) if text in ("1", "2", "3", "4", "5") else 0 for factor, text in told.items()}
    with OpenBooks(load_settings().books_url) as engine:
        found = rate_client(engine, client_id, scores, **earliest(engine))
    console.print(f"{client_id} is rated {found.rating}. {found.sentence}")


@app.command()
def move(
    client_id: Client,
    to_state: Annotated[State, typer.Argument(help="The state it goes to.")],
    reason: Reason,
    file: Evidence,
    key: KeyFile,
    approval: Approval = None,
) -> None:
    """Take one step with a client."""
    with OpenBooks(load_settings().books_url) as engine:
        officer = _officer(engine, key)
        move_client(engine, client_id, to_state, officer, reason, _sha256(file), approval, **earliest(engine))
    console.print(f"{client_id} is {to_state}.")


@app.command()
def approve(client_id: Client, reason: Reason, file: Evidence, key: KeyFile) -> None:
    """Approve an application that is complete."""
    move(client_id, State.approved, reason, file, key)


@app.command()
def activate(client_id: Client, reason: Reason, file: Evidence, key: KeyFile) -> None:
    """Make an approved client active, as another officer than the one who approved it."""
    move(client_id, State.active, reason, file, key)


@app.command()
def freeze(client_id: Client, reason: Reason, file: Evidence, key: KeyFile, approval: Approval = None) -> None:
    """Freeze a client for whom two officers have signed; see `freeze-terms` for what they sign."""
    move(client_id, State.frozen, reason, file, key, approval)


@app.command()
def freeze_terms(
    client_id: Client,
    to_state: Annotated[State, typer.Argument(help="frozen, or where it returns to.")],
    file: Evidence,
) -> None:
    """Print, as JSON, what two officers sign for a freeze or its end; hand it to `lombard approvals request`."""
    with OpenBooks(load_settings().books_url) as engine, reading(engine) as connection:
        typer.echo(json.dumps(freeze_content(connection, client_id, to_state, _sha256(file))))


@app.command()
def show(
    client_id: Client,
    reveal: Annotated[bool, typer.Option(help="Also show who the client is.")] = False,
) -> None:
    """Show where a client stands and what is on file; who it is only when asked for."""
    settings = load_settings()
    table = Table("what", "value", title=f"Client {client_id}")
    with OpenBooks(settings.books_url) as engine:
        day = earliest(engine)["booked_on"]
        with reading(engine) as connection:
            table.add_row("state", client_state(connection, client_id))
            known = standing(connection, client_id, day)
            table.add_row("rating", known.rating or "none")
            table.add_row("evidence", ", ".join(sorted(evidence_on(connection, client_id, day))) or "none")
            table.add_row("hits to decide", str(len(open_hits(connection, client_id))))
            account = schema.account.c
            owned: Any = connection.execute(
                sa.select(account.account_id).where(account.client_id == client_id)
            ).scalars()
            table.add_row("accounts", ", ".join(owned) or "none")
            table.add_row("may be erased on", str(destruction_day(connection, client_id, day) or "not yet known"))
            if reveal:
                for field, value in client_details(connection, vault_of(settings), client_id).items():
                    table.add_row(field, Text(printable(value)))
    console.print(table)


@app.command()
def why(client_id: Client) -> None:
    """Say why an application stopped: what is missing, and who did what when."""
    with OpenBooks(load_settings().books_url) as engine:
        day = earliest(engine)["booked_on"]
        with reading(engine) as connection:
            console.print(Text(why_stopped(connection, client_id, day)))


@app.command(name="erase")
def destroy(client_id: Client, reason: Reason, key: KeyFile) -> None:
    """Destroy a former client's personal data for ever, once every law allows it."""
    settings = load_settings()
    with OpenBooks(settings.books_url) as engine:
        officer = _officer(engine, key)
        since = erase(engine, client_id, officer, reason, vault=vault_of(settings), **earliest(engine))
    console.print(f"What was personal of {client_id} is destroyed, as was allowed since {since}.")


@app.command()
def rotate_key() -> None:
    """Add a new master key to the key file and wrap every client's data key under it; history is not touched."""
    settings = load_settings()
    if settings.master_key is not None:
        raise DeskNotReady(
            "The master key comes from LOMBARD_MASTER_KEY, which no command can change. Nothing was written; add a key "
            "to it after the old ones, separated by a comma, or keep the keys in a file."
        )
    vault_of(settings)
    add_master_key(settings.master_key_file)
    with OpenBooks(settings.books_url) as engine:
        count = rotate_master_key(engine, vault_of(settings))
    console.print(f"{count:,} data keys are wrapped under the new master key in {settings.master_key_file}.")


def printable(text: str) -> str:
    """A value as a terminal may show it: what would move the cursor or change colours is shown as a box."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _details(path: Path, *, is_whole: bool = True) -> dict[str, str]:
    """Read what is known of a client; no refusal says what was read."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        told = json.loads(text)
    except (OSError, ValueError):
        told = None
    is_usable = isinstance(told, dict) and all(isinstance(value, str) for value in told.values())
    if not is_usable or not told or (is_whole and Field.full_name not in told):
        raise DeskNotReady(
            f"The details of a client must be a JSON object of texts with a full_name, but {path.name} holds something "
            f"else or cannot be read. Nothing was written; its fields may be {', '.join(Field)}."
        )
    return dict(told)


def _officer(engine: sa.Engine, key: Path) -> str:
    with reading(engine) as connection:
        return officer_with(connection, load_key(key)).officer_id


def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as problem:
        raise DeskNotReady(
            f"The evidence should lie at {file}, but cannot be read: {problem.strerror}. Nothing was written; name the "
            f"file that shows it."
        ) from None
