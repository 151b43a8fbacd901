"""``lombard approvals``: officers enter their keys, ask, and answer; each signs with a key file of their own."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from books import schema
from books.approvals import approvals, decide, enter_officer_key, request_approval, revoke_officer_key, stands
from books.engine import reading
from books.signatures import load_key, new_key, public_text, save_key
from domain.approvals import Action, Verdict
from domain.errors import DeskNotReady
from orchestration.books import OpenBooks, earliest
from orchestration.settings import load_settings

app = typer.Typer(help="Four eyes: what one officer asks for and another allows.", no_args_is_help=True)
console = Console(highlight=False)

KeyFile = Annotated[Path, typer.Option("--key", help="The officer's own Ed25519 key (PEM, mode 600).")]


@app.command()
def officer(
    officer_id: Annotated[str, typer.Argument(help="How the officer is written everywhere, such as lin.mei.")],
    role: Annotated[str, typer.Argument(help="The role the key signs in (rulebooks/house/approvals.yaml).")],
    key: KeyFile,
) -> None:
    """Enter an officer's public key; the key file is made where there is none, and stays with its owner."""
    if not key.exists():
        save_key(new_key(), key)
    with OpenBooks(load_settings().books_url) as engine:
        name = enter_officer_key(
            engine, officer_id, role, public_text(load_key(key)), source="officer", **earliest(engine)
        )
    console.print(f"Key {name} of {officer_id} signs as {role}.")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
) -> None:
    """Revoke a key: what it signed stands, and it signs nothing more."""
    with OpenBooks(load_settings().books_url) as engine:
        revoke_officer_key(engine, key_id, reason, **earliest(engine))
    console.print(f"Key {key_id} is revoked.")


@app.command()
def request(
    action: Annotated[Action, typer.Argument(help="What is asked for.")],
    subject: Annotated[str, typer.Argument(help="What it is about: a transfer's id, a model's version, a client.")],
    summary: Annotated[str, typer.Option(help="The same in words; both officers sign it too.")],
    key: KeyFile,
    content: Annotated[Path | None, typer.Option(help="JSON file that says exactly what is to happen.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Its SHA-256, where a file is what it is about.")] = None,
) -> None:
    """Ask for an approval; prints the id the other officer answers to."""
    if (content is None) == (sha256 is None):
        raise DeskNotReady("A request names what is to happen by --content or by --sha256, and by one of them only.")
    what: dict[str, Any] | str = json.loads(content.read_text(encoding="utf-8")) if content else str(sha256)
    with OpenBooks(load_settings().books_url) as engine:
        approval_id = request_approval(
            engine, action, subject, what, summary, load_key(key), approval_id=f"approval.{uuid.uuid4().hex[:12]}",
            **earliest(engine),
        )  # fmt: skip
    console.print(approval_id)


@app.command(name="decide")
def answer(
    approval_id: Annotated[str, typer.Argument(help="Id of the request.")],
    verdict: Annotated[Verdict, typer.Argument(help="Yes or no.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    key: KeyFile,
) -> None:
    """Answer a request, as another officer than the one who asked."""
    with OpenBooks(load_settings().books_url) as engine:
        decide(engine, approval_id, verdict, reason, load_key(key), **earliest(engine))
    console.print(f"{approval_id} is {verdict}.")


@app.command(name="list")
def list_all() -> None:
    """Every request, who asked, who answered, and whether it stands today, from the signatures up."""
    table = Table("request", "action", "subject", "asked by", "answered by", "answer", "stands", title="Approvals")
    with OpenBooks(load_settings().books_url) as engine, reading(engine) as connection:
        column = schema.approval_request.c
        ids: Sequence[str] = connection.execute(sa.select(column.approval_id).order_by(column.sequence)).scalars().all()
        for one in approvals(connection, ids).values():
            decided = one.decision.verdict if one.decision else "open"
            checker = one.checker.officer_id if one.checker else ""
            asked, is_standing = one.request, "yes" if stands(connection, one) else "no"
            table.add_row(
                asked.approval_id, asked.action, asked.subject, one.maker.officer_id, checker, decided, is_standing
            )
    console.print(table)
