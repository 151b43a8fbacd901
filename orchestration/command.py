"""``lombard``: a thin door over the desk for people at a terminal."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from domain.errors import DeskError
from orchestration.approvals_command import app as approvals
from orchestration.audit_command import app as audit
from orchestration.books_command import app as books
from orchestration.clients_command import app as clients
from orchestration.settings import load_settings

app = typer.Typer(
    help="Lombard, an open platform for a stock margin-financing desk.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
app.add_typer(audit)
app.add_typer(books, name="books")
app.add_typer(clients, name="clients")
app.add_typer(approvals, name="approvals")
console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 132)

Day = Annotated[datetime | None, typer.Option(help="Business day, YYYY-MM-DD.", formats=["%Y-%m-%d"])]


@app.command()
def demo(
    accounts: Annotated[int, typer.Option(min=10, max=100_000, help="Synthetic margin accounts to open.")] = 2_000,
    market: Annotated[
        Path | None, typer.Option(help="A Lean or TongDaXin folder; synthetic exchange if absent.")
    ] = None,
    day: Day = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the synthetic exchange and clients.")] = None,
) -> None:
    """Take an empty desk through one trading day and print the page of the day."""
    from orchestration.demo import clear_home, require_possible, run_day, with_day
    from orchestration.desk import Desk, quieten

    quieten()
    from feeds.synthetic import DeskPlan

    settings = load_settings(market_folder=market, is_fresh=True)
    plan = DeskPlan(accounts=accounts) if seed is None else DeskPlan(accounts=accounts, seed=seed)
    plan = with_day(plan, settings, _date(day))
    require_possible(plan, settings)
    clear_home(settings.home)
    console.print(f"[b]Lombard[/b] · one trading day, {plan.day}, on {plan.accounts:,} synthetic accounts")
    started = datetime.now().astimezone()
    desk = Desk(settings)
    stages = run_day(desk, plan, console)
    _print_page(settings, desk, stages.seconds, (datetime.now().astimezone() - started).total_seconds())


@app.command()
def init() -> None:
    """Make the desk's folders, storage, books and views; safe to repeat."""
    from orchestration.desk import Desk, quieten

    quieten()
    desk = Desk(load_settings())
    desk.prepare()
    desk.build_views()
    console.print(f"The desk stands in {desk.settings.home}.")


@app.command(name="day")
def print_day() -> None:
    """Print the page of the last published day."""
    from serving.day_page import day_page
    from serving.published import open_publication

    console.print(day_page(open_publication(load_settings().published)))


@app.command()
def up() -> None:
    """Serve the Dagster UI and the MLflow UI, with sensors and schedules running."""
    from domain.errors import DeskNotReady
    from orchestration.up import run_until_stopped

    settings = load_settings()
    if not settings.warehouse.exists():
        raise DeskNotReady(f"There is no desk in {settings.home} yet. Run `make demo`, or `lombard init`, first.")
    raise typer.Exit(run_until_stopped(settings, console.print))


@app.command()
def bench(only: Annotated[str | None, typer.Option(help="Run one measurement by its name.")] = None) -> None:
    """Measure the desk's speed and memory; print a table and write build/bench.json."""
    from orchestration.bench import run_bench

    run_bench(only, console)


def _print_page(settings, desk, seconds: dict[str, float], total: float) -> None:  # type: ignore[no-untyped-def]
    from orchestration.day_report import report_day

    report_day(settings, desk, seconds, total, console)


def _date(day: datetime | None) -> date | None:
    return day.date() if day else None


def main() -> None:
    """Run the command; a failure somebody can act on is told in words, without a traceback."""
    try:
        app()
    except DeskError as failure:
        kind, message = type(failure).__name__, str(failure)
    except OSError as refused:
        kind = "DeskNotReady"
        message = (
            f"{refused.filename or 'a file'} could not be used ({refused.strerror}). What was being written was left "
            f"unwritten; free or unlock the disk, or set LOMBARD_HOME to another folder."
        )
    else:
        return
    # As text, not as markup: a message names files, and a name may hold brackets.
    Console(stderr=True, soft_wrap=True).print(Text.assemble((kind, "bold red"), f": {message}"))
    sys.exit(2)


if __name__ == "__main__":
    main()
