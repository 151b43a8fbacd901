"""The desk's services start together, bind to this machine alone, and none outlives the others."""

import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import DeskNotReady
from orchestration import up
from orchestration.settings import Settings
from orchestration.up import Service, require_free_port, run_until_stopped, services

PARENT_AND_CHILD = """
import os, signal, socket, sys
line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
line.sendall(b"up.")
signal.pause()
"""
"""A service like Dagster's: a parent that ends when asked, and a child that would not."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A desk whose ports are free at the moment."""
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    (tmp_path / "home").mkdir()
    keys = (tmp_path / "signing.pem", tmp_path / "master.key")
    return Settings(tmp_path / "home", "sqlite:///none", tmp_path / "landing", *ports, *keys)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """Give back the signals that running the desk takes."""
    held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in held.items():
        signal.signal(number, handler)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Hears from a service that it is up; the line falls silent when the last of its processes is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        yield listener


def parent_and_child(name: str, listener: socket.socket) -> Service:
    return Service(name, [sys.executable, "-c", PARENT_AND_CHILD, str(listener.getsockname()[1])])


def hear(line: socket.socket, until: Callable[[bytes], bool]) -> bytes:
    line.settimeout(20)
    heard = b""
    while not until(heard):
        if not (more := line.recv(16)):
            break
        heard += more
    return heard


def test_an_occupied_port_names_itself_and_the_setting_to_change(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(DeskNotReady, match=f"Port {port} on 127.0.0.1 must be free.*set LOMBARD_MLFLOW_PORT to a free"):
        require_free_port(port, "LOMBARD_MLFLOW_PORT")


def test_nothing_is_started_while_a_port_is_occupied(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Service] = []
    monkeypatch.setattr(up, "_start", lambda service, _: started.append(service))
    taken = listener.getsockname()[1]
    occupied = replace(settings, mlflow_port=taken)
    with pytest.raises(DeskNotReady, match="Nothing was started"):
        run_until_stopped(occupied, lambda _: None)
    assert started == []


def test_every_server_binds_to_this_machine_alone(settings: Settings) -> None:
    commands = {service.name: " ".join(service.command) for service in services(settings)}
    assert set(commands) == {"Dagster", "Dagster daemon", "MLflow"}
    assert f" -h 127.0.0.1 -p {settings.dagster_port} " in commands["Dagster"]
    assert f" --host 127.0.0.1 --port {settings.mlflow_port} " in commands["MLflow"]
    assert not any("0.0.0.0" in command for command in commands.values())  # noqa: S104  That is what is forbidden.


def test_mlflow_answers_only_to_its_own_names(settings: Settings) -> None:
    (mlflow,) = [service.command for service in services(settings) if service.name == "MLflow"]
    allowed = mlflow[mlflow.index("--allowed-hosts") + 1]
    assert set(allowed.split(",")) == {f"{host}:{settings.mlflow_port}" for host in ("127.0.0.1", "localhost")}
    assert "*" not in allowed


def test_services_are_those_of_the_desks_own_environment(settings: Settings) -> None:
    for service in services(settings):
        assert Path(service.command[0]).parent == Path(sys.executable).parent
        assert os.access(service.command[0], os.X_OK)


def test_stopping_a_service_stops_the_whole_group(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = up._start(parent_and_child("Desk", listener), settings.home)
    line, _ = listener.accept()
    with line:
        assert hear(line, lambda heard: heard.count(b".") == 2) == b"up.up."
        up._stop(process)
        assert hear(line, lambda _: False) == b"", "parent and child are gone"
    assert process.poll() == -signal.SIGTERM


def test_a_child_left_behind_by_a_dead_parent_is_stopped_too(settings: Settings, listener: socket.socket) -> None:
    process = up._start(parent_and_child("Desk", listener), settings.home)
    line, _ = listener.accept()
    with line:
        hear(line, lambda heard: heard.count(b".") == 2)
        process.kill()
        process.wait()
        up._stop(process)
        assert hear(line, lambda _: False) == b""


def test_a_service_that_will_not_end_is_made_to(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "STOP_SECONDS_MAX", 0.2)
    port = str(listener.getsockname()[1])
    stubborn = PARENT_AND_CHILD.replace("if os.fork() == 0:", "if os.fork() >= 0:")
    process = up._start(Service("Desk", [sys.executable, "-c", stubborn, port]), settings.home)
    line, _ = listener.accept()
    with line:
        hear(line, lambda heard: heard.count(b".") == 2)
        up._stop(process)
        assert hear(line, lambda _: False) == b""


def test_when_one_service_ends_all_are_stopped_and_its_log_is_named(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Service("MLflow", [sys.executable, "-c", "raise SystemExit(3)"])
    monkeypatch.setattr(up, "services", lambda _: [parent_and_child("Dagster", listener), short])
    said: list[str] = []
    assert run_until_stopped(settings, said.append) == 1
    assert re.fullmatch(rf"MLflow ended with exit code 3; its log is {settings.home}/logs/mlflow\.log\.", said[-1])
    line, _ = listener.accept()
    with line:
        hear(line, lambda _: False)


def test_a_service_that_ends_before_it_answers_shows_the_end_of_its_log(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Service(
        "MLflow", [sys.executable, "-c", "raise SystemExit('the store is locked')"], "http://127.0.0.1:9/health"
    )
    monkeypatch.setattr(up, "services", lambda _: [broken])
    with pytest.raises(DeskNotReady, match=r"MLflow ended before it answered(.|\n)*the store is locked"):
        run_until_stopped(settings, lambda _: None)


def test_when_a_service_cannot_be_started_those_before_it_are_stopped(
    settings: Settings, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orphan of a failed start would go on asking for runs beside the next one."""
    missing = Service("MLflow", [str(settings.home / "mlflow"), "server"])
    monkeypatch.setattr(up, "services", lambda _: [parent_and_child("Dagster", listener), missing])
    started, start = [], up._start
    monkeypatch.setattr(up, "_start", lambda service, logs: started.append(start(service, logs)) or started[-1])
    try:
        with pytest.raises((DeskNotReady, OSError)):
            run_until_stopped(settings, lambda _: None)
        assert [process.poll() is None for process in started] == [False]
    finally:
        for process in started:
            up._stop(process)
