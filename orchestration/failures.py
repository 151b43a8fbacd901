"""What a retry can cure and what it cannot, and how a failure is told to people."""

import json
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

import books.journal  # noqa: F401  Its failure, and the models', must be known before one is told.
import ml.errors  # noqa: F401
from assets.retries import MAY_PASS
from domain import errors

CURED_BY_TRYING_AGAIN = frozenset(kind.__name__ for kind in MAY_PASS)
"""Kinds that name a busy database or a blinking disk. Bad data, a broken rule and a missing file stay as they are."""

DESK_ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)}


@dataclass(frozen=True, slots=True)
class Alert:
    """One failed run, in words."""

    run_id: str
    job: str
    business_day: str
    step: str
    kind: str
    message: str
    next_step: str
    at: str


def desk_kinds() -> set[str]:
    """Names of every failure somebody can act on, those declared beside their subject included."""
    kinds: list[type[errors.DeskError]] = [errors.DeskError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return {kind.__name__ for kind in kinds}


def may_help_to_retry(kind: str) -> bool:
    """Whether trying the same again could end differently."""
    return kind in CURED_BY_TRYING_AGAIN


def describe_failure(context: dg.RunFailureSensorContext) -> Alert:
    """Find the innermost cause of a failed run and the sentence that goes with it."""
    failures = context.get_step_failure_events()
    step = failures[0].step_key or "" if failures else ""
    error = failures[0].event_specific_data.error if failures else context.failure_event.event_specific_data.error  # type: ignore[union-attr]
    chain = []
    while error is not None:
        chain.append(error)
        error = error.cause
    # A library's word for what went wrong says less than the desk's, which ends with what to do.
    told = [one for one in chain if one.cls_name in desk_kinds()] or chain
    error = told[-1] if told else None
    kind = (error.cls_name or "unknown") if error else "unknown"
    message = error.message.strip() if error else (context.failure_event.message or "no message")
    return Alert(
        run_id=context.dagster_run.run_id,
        job=context.dagster_run.job_name,
        business_day=context.dagster_run.tags.get("dagster/partition", "none"),
        step=step or "before the first step",
        kind=kind,
        message=message,
        next_step=_next_step(kind),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def write_alert(folder: Path, alert: Alert) -> Path:
    """Keep an alert as text for people and as JSON for programs, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{alert.at.replace(':', '')}-{alert.job}-{alert.run_id[:8]}.txt"
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in asdict(alert).items()]
    staged = folder / f".{uuid.uuid4().hex}"
    staged.write_text("\n".join([*lines, "", json.dumps(asdict(alert)), ""]), encoding="utf-8")
    staged.replace(target)
    return target


def _next_step(kind: str) -> str:
    if kind in desk_kinds():
        return "Do what the message says, then re-execute the run from failure in the Dagster UI."
    if may_help_to_retry(kind):
        return "Re-execute the run from failure in the Dagster UI; the cause may have passed."
    return (
        "Open the run in the Dagster UI and read the step's log; this is a defect or a broken check, not a busy engine."
    )
