"""What the demo says at the end.

The day's page, how the checks went, what of the planted truth was found, where to look.
"""

from collections import Counter
from pathlib import Path

import dagster as dg
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from orchestration.desk import Desk
from orchestration.settings import Settings
from orchestration.truth import score_truth
from serving.day_page import day_page
from serving.published import open_publication

PAGE_COLUMNS = 132


def report_day(settings: Settings, desk: Desk, seconds: dict[str, float], total: float, console: Console) -> Path:
    """Print the page and keep it as HTML beside the other reports; returns that file."""
    publication = open_publication(settings.published)
    parts = [
        day_page(publication),
        _checks(desk.instance),
        _seal(desk),
        _truth(desk),
        _timings(seconds, total),
        _where_to_look(settings),
    ]
    page = Group(*parts)
    console.print()
    console.print(page)
    keeper = Console(record=True, width=PAGE_COLUMNS, file=Path("/dev/null").open("w"), force_terminal=True)  # noqa: SIM115
    keeper.print(page)
    target = settings.reports / "day" / f"{publication.manifest['as_of_date']}.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    keeper.save_html(str(target))
    return target


def _checks(instance: dg.DagsterInstance) -> Text:
    """Count the check evaluations of the last end_of_day, and name those that did not pass."""
    runs = instance.get_runs(dg.RunsFilter(job_name="end_of_day"), limit=1)
    if not runs:
        return Text("Checks: end_of_day has not run.\n")
    records = instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [record.dagster_event.event_specific_data for record in records if record.dagster_event]
    count = Counter("passed" if one.passed else one.severity.value.lower() for one in evaluations)  # type: ignore[union-attr]
    lines = [f"Checks at the close: {count['passed']} passed, {count['warn']} warned, {count['error']} failed."]
    lines += [
        f"  {one.severity.value.lower()}: {one.check_name} on {one.asset_key.to_user_string()}: {one.description or ''}"  # type: ignore[union-attr]
        for one in evaluations
        if not one.passed  # type: ignore[union-attr]
    ]
    return Text("\n".join([*lines, ""]))


def _seal(desk: Desk) -> Text:
    """Show the root of the day's history: whoever writes it down elsewhere finds a history that was rebuilt."""
    days = desk.lake.days("calc_ledger__checkpoints")
    if not days:
        return Text("")
    sealed = desk.lake.read("calc_ledger__checkpoints", max(days)).iloc[0]
    return Text(
        f"The books are sealed to {sealed['booked_on']}: {sealed['tree_size']:,} entries, root {sealed['root_hash']}.\n"
        f"  Write the root down elsewhere; `lombard verify` proves all of it.\n"
    )


def _truth(desk: Desk) -> RenderableType:
    """Say what of the planted truth was found, and what was found that nobody planted."""
    score = score_truth(desk.settings.landing / "truth.json", desk.lake)
    if score is None:
        return Text("")
    missed = "".join(f"\n  missed: {one}" for one in score.missed)
    unplanted = "".join(f"\n  found, but not planted: {one}" for one in score.unplanted)
    return Text(
        f"Planted truths: {score.found} of {score.planted} found; {len(score.unplanted)} found that nobody planted."
        f"{missed}{unplanted}\n"
    )


def _timings(seconds: dict[str, float], total: float) -> Text:
    slowest = sorted(seconds.items(), key=lambda item: -item[1])[:4]
    return Text(f"Took {total:.0f} s: " + ", ".join(f"{name} {took:.0f} s" for name, took in slowest) + ".\n")


def _where_to_look(settings: Settings) -> Panel:
    lines = [
        f"make up    serves Dagster (lineage, checks, reruns) on http://127.0.0.1:{settings.dagster_port} "
        f"and MLflow on http://127.0.0.1:{settings.mlflow_port}",
        "make day   prints this page again",
        ".venv/bin/lombard books trial-balance, statement, journal, … and lombard verify: the books at a terminal",
        f"{_relative(settings.published)}    published Parquet, named by its _manifest.json",
        f"{_relative(settings.reports)}    this page and the drift report as HTML",
    ]
    return Panel(Text("\n".join(lines)), title="Where to look further", title_align="left", border_style="cyan")


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
