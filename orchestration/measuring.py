"""What every measurement is made of: a row of the table, a place of its own, and a clock for works taken in turn."""

import multiprocessing
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from domain.errors import DeskNotReady
from orchestration.settings import REPOSITORY, inherited_environment

STEP: Final = "step 1"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure, beside its goal, and a peer or limit measured in the same run."""

    name: str
    value: float
    unit: str
    goal: float | None
    peer: str = ""
    peer_value: float | None = None
    limit: str = ""
    better: str = "lower"
    step: str = STEP
    machine: str = f"{platform.machine()}, {multiprocessing.cpu_count()} cores, Python {platform.python_version()}"
    at: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a work took, in seconds: by the clock, and of the processors, all threads of this process together."""

    wall: float
    cpu: float


def in_turn(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Taken]:
    """Do several works one after another, ``rounds`` times over, and take the median of each.

    In turn, because a shared machine is faster at one moment and slower at another, and neither may favour one work.
    """
    taken: dict[str, list[Taken]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started, busy = time.perf_counter(), time.process_time()
            work()
            taken[name].append(Taken(time.perf_counter() - started, time.process_time() - busy))
    return {
        name: Taken(median(one.wall for one in every), median(one.cpu for one in every))
        for name, every in taken.items()
    }


def rounded(value: float) -> float:
    """Three digits, which is more than a shared machine can repeat."""
    return float(f"{value:.3g}")


@contextmanager
def fresh_home() -> Iterator[Path]:
    """A folder that is not there yet, in a place of its own, which goes at the end with all that was put into it."""
    folder = Path(tempfile.mkdtemp(prefix="lombard-bench-"))
    try:
        yield folder / "desk"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wall_seconds(command: list[str], environment: dict[str, str] | None = None, folder: Path = REPOSITORY) -> float:
    """Wall time of a program from its start to its end; raises :class:`DeskNotReady` where it fails."""
    started = time.perf_counter()
    run_program(command, environment or {}, folder)
    return time.perf_counter() - started


def run_program(command: list[str], environment: dict[str, str], folder: Path = REPOSITORY) -> None:
    """Run a program to its end; raises :class:`DeskNotReady` with its last words where it fails."""
    ran = subprocess.run(
        command, env=inherited_environment(environment), cwd=folder, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise DeskNotReady(
            f"{' '.join(command)} failed, so nothing was measured:\n{ran.stdout[-1500:]}{ran.stderr[-1500:]}"
        )


def best_of(work: Callable[[], object], times: int = 5) -> float:
    """The shortest wall time of several."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
