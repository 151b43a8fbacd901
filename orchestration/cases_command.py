"""``lombard clients cases``: alerts looked into. Who asks is known by their key, and told as much as it may know."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from books.approvals import officer_with
from books.cases import cases, move_case, record_due_diligence
from books.engine import reading
from books.signatures import load_key
from domain.clients.cases import CaseState
from orchestration.books import OpenBooks, earliest
from orchestration.settings import load_settings
from orchestration.vaults import vault_of

app = typer.Typer(help="Cases: what was found odd, who looks into it, what was decided.", no_args_is_help=True)
console = Console(highlight=False)

CaseId = Annotated[str, typer.Argument(help="Id of the case.")]
KeyFile = Annotated[Path, typer.Option("--key", help="The officer's own Ed25519 key (PEM, mode 600).")]
Rationale = Annotated[str, typer.Option(help="Why; it is sealed, and kept as long as the client's data.")]


@app.command(name="list")
def list_all(
    key: KeyFile, client: Annotated[str | None, typer.Option(help="Only cases of this client.")] = None
) -> None:
    """List cases as far as your role may know them, the earliest due first."""
    settings = load_settings()
    table = Table("case", "client", "rule", "state", "next step due", "report due", title="Cases")
    with OpenBooks(settings.books_url) as engine:
        day = earliest(engine)["booked_on"]
        with reading(engine) as connection:
            role = officer_with(connection, load_key(key)).role
            for case in cases(connection, vault_of(settings), role, day, client_id=client):
                due = f"{case.due_at:%Y-%m-%d %H:%M}" if case.due_at else ""
                row = (case.case_id, case.client_id, case.rule, case.state, due, str(case.filing_due_on))
                table.add_row(*map(Text, row))
    console.print(table)


@app.command()
def move(
    case_id: CaseId,
    to_state: Annotated[CaseState, typer.Argument(help="Where the case goes.")],
    rationale: Rationale,
    key: KeyFile,
    filing: Annotated[str | None, typer.Option(help="Reference of what was filed.")] = None,
) -> None:
    """Take one step with a case."""
    settings = load_settings()
    with OpenBooks(settings.books_url) as engine:
        with reading(engine) as connection:
            officer = officer_with(connection, load_key(key))
        move_case(
            engine, case_id, to_state, officer.officer_id, officer.role, rationale, vault=vault_of(settings),
            filing_reference=filing, **earliest(engine),
        )  # fmt: skip
    console.print(f"A step was taken with {case_id}.")


@app.command()
def findings(case_id: CaseId, rationale: Rationale, key: KeyFile) -> None:
    """Put what was found out on the file of a case."""
    settings = load_settings()
    with OpenBooks(settings.books_url) as engine:
        with reading(engine) as connection:
            officer = officer_with(connection, load_key(key)).officer_id
        record_due_diligence(engine, case_id, officer, rationale, vault=vault_of(settings), **earliest(engine))
    console.print(f"Findings are on the file of {case_id}.")
