"""What an invented desk is asked to be, and how its files are put down: whole or not at all, each row saying so."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

DEMO_DAY: Final = date(2026, 6, 17)
"""The business day every demonstration is about; both exchanges are open on it."""

SOURCE: Final = "synthetic"
"""The source of every invented row, carried to the last mart and the last screen."""

TRUTH: Final = "truth.json"
"""What was planted, for scoring the desk against. The desk itself never reads it."""

Planted = dict[str, Any]
"""One planted fact: its kind, where it stands (file, 1-based line), and what a sound desk makes of it."""


@dataclass(frozen=True)
class DeskPlan:
    """Everything an invented desk depends on: the same plan gives the same bytes."""

    seed: int = 20260617
    accounts: int = 2000
    day: date = DEMO_DAY
    sessions: int = 600

    def __post_init__(self) -> None:
        """Refuse sizes no exchange or desk can have."""
        assert self.accounts >= 1, "A desk has at least one account."
        assert self.sessions >= 2, "A previous close and a return need at least two sessions before the day."


def stream(plan: DeskPlan, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose; drawing more for one purpose changes nothing for another."""
    return np.random.default_rng([plan.seed, *purpose.encode()])


def put_down(path: Path, header: str, rows: Iterable[str], trailers: Sequence[str] = ()) -> None:
    """Write a delivery under a hidden name and rename it, so that no reader meets half a file."""
    _replace(path, "\n".join([header, *rows, *trailers]) + "\n")


def put_down_truth(landing: Path, plan: DeskPlan, planted: Sequence[Planted]) -> None:
    """Write the whole truth, atomically."""
    truth = {"source": SOURCE, "seed": plan.seed, "day": plan.day.isoformat(), "planted": list(planted)}
    _replace(landing / TRUTH, json.dumps(truth, indent=1, ensure_ascii=False) + "\n")


def planted_so_far(landing: Path) -> list[Planted]:
    """What was planted in this landing folder until now."""
    path = landing / TRUTH
    if not path.exists():
        return []
    return list(json.loads(path.read_text(encoding="utf-8"))["planted"])


def is_synthetic(path: Path) -> bool:
    """Whether the first row of a delivery says that it is invented."""
    with path.open(encoding="utf-8") as lines:
        next(lines, "")
        return next(lines, "").rstrip("\n").endswith(f",{SOURCE}")


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)
