"""``lombard up``: Dagster's UI and daemon and MLflow's UI, started together and stopped together, on 127.0.0.1."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from domain.errors import DeskNotReady
from orchestration.settings import REPOSITORY, Settings

HOST: Final = "127.0.0.1"
START_SECONDS_MAX: Final = 180
STOP_SECONDS_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the desk, and the address at which it answers, if it does."""

    name: str
    command: list[str]
    answers_at: str | None = None


def require_free_port(port: int, setting: str) -> None:
    """Refuse to start where something else already listens."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as occupied:
            raise DeskNotReady(
                f"Port {port} on {HOST} must be free, but it cannot be opened ({occupied.strerror}). Nothing was "
                f"started; stop the other program, or set {setting} to a free port, and try again."
            ) from occupied


def services(settings: Settings) -> list[Service]:
    """What ``up`` runs. Every server binds to this machine alone."""
    here = Path(sys.executable).parent
    workspace = str(REPOSITORY / "workspace.yaml")
    dagster, mlflow = f"{HOST}:{settings.dagster_port}", f"{HOST}:{settings.mlflow_port}"
    return [
        Service(
            "Dagster",
            [str(here / "dagster-webserver"), "-h", HOST, "-p", str(settings.dagster_port), "-w", workspace],
            f"http://{dagster}/server_info",
        ),
        Service("Dagster daemon", [str(here / "dagster-daemon"), "run", "-w", workspace]),
        Service(
            "MLflow",
            [
                str(here / "mlflow"), "server", "--host", HOST, "--port", str(settings.mlflow_port), "--workers", "1",
                "--backend-store-uri", settings.mlflow_store, "--serve-artifacts",
                "--artifacts-destination", str(settings.mlflow_artifacts),
                # Named in full: MLflow's default list matches prefixes, which a foreign name can carry.
                "--allowed-hosts", f"{mlflow},localhost:{settings.mlflow_port}", "--x-frame-options", "DENY",
            ],
            f"http://{mlflow}/health",
        ),
    ]  # fmt: skip


def run_until_stopped(settings: Settings, announce: Callable[[str], None]) -> int:
    """Start every service, say when each answers, and stop all when one ends or a signal comes."""
    require_free_port(settings.dagster_port, "LOMBARD_DAGSTER_PORT")
    require_free_port(settings.mlflow_port, "LOMBARD_MLFLOW_PORT")
    settings.apply()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    logs = settings.home / "logs"
    logs.mkdir(exist_ok=True)
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for service in services(settings):
            running[service.name] = _start(service, logs)
        for service in services(settings):
            _await_answer(service, running[service.name], stop, logs)
            if service.answers_at and not stop.is_set():
                announce(f"{service.name} answers at {service.answers_at.rsplit('/', 1)[0]}")
        if not stop.is_set():
            announce("Sensors and schedules are running; price batches become slices. Stop with Ctrl-C.")
        while not stop.wait(0.5):
            for name, process in running.items():
                if process.poll() is not None:
                    announce(f"{name} ended with exit code {process.returncode}; its log is {logs / _log_name(name)}.")
                    return 1
        return 0
    finally:
        for process in running.values():
            _stop(process)


def _start(service: Service, logs: Path) -> "subprocess.Popen[bytes]":
    with (logs / _log_name(service.name)).open("ab") as log:
        return subprocess.Popen(
            service.command, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY, start_new_session=True,
            # A shell that runs us in the background makes us ignore SIGINT; Dagster would inherit that, and never stop.
            preexec_fn=_default_signals,
        )  # fmt: skip


def _default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _await_answer(service: Service, process: "subprocess.Popen[bytes]", stop: threading.Event, logs: Path) -> None:
    for _ in range(START_SECONDS_MAX * 2):
        if service.answers_at is None or stop.is_set():
            return
        if process.poll() is not None:
            tail = (logs / _log_name(service.name)).read_text(encoding="utf-8", errors="replace")[-1500:]
            raise DeskNotReady(f"{service.name} ended before it answered. The end of its log:\n{tail}")
        try:
            with urllib.request.urlopen(service.answers_at, timeout=2):  # noqa: S310  Our own address.
                return
        except OSError:
            stop.wait(0.5)
    raise DeskNotReady(
        f"{service.name} did not answer within {START_SECONDS_MAX} s; see {logs / _log_name(service.name)}."
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Ask the whole group to end, then insist: a killed parent would leave orphans that double the sensors."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS_MAX)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _log_name(service: str) -> str:
    return f"{service.lower().replace(' ', '-')}.log"
