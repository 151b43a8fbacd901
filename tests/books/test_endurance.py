"""What the books endure: posters killed in the middle of posting, and eight processes after the same last yuan."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa

HERE = Path(__file__).parent


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, address: str, times: int) -> str:
    ran = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), address, str(times)], cwd=HERE.parents[1], capture_output=True,
        text=True, check=False, env={**os.environ, "PYTHONPATH": str(HERE.parents[1])}, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


def test_posters_killed_while_posting_lose_nothing_and_leave_nothing_half_done(desk: sa.Engine, address: str) -> None:
    desk.dispose()
    assert "none lost, none half, chain intact" in run("endure_kills", address, 8)


def test_of_eight_processes_after_the_last_yuan_exactly_one_gets_it(desk: sa.Engine, address: str) -> None:
    desk.dispose()
    assert "one winner each, nothing overdrawn" in run("race_for_the_last_yuan", address, 3)


def test_the_kill_test_would_notice_a_batch_that_was_lost(
    desk: sa.Engine, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that cannot fail proves nothing: a batch acknowledged and not there is found."""
    desk.dispose()
    endure_kills = script("endure_kills")
    monkeypatch.setattr(endure_kills, "kill_one", lambda *_: ["k0.0"])
    with pytest.raises(AssertionError, match=r"lost: \['k0\.0'\]"):
        endure_kills.endure(address, 1)
