"""What cannot be done is said in one sentence that names the file or the setting, and costs nobody their last desk."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration import command, demo

REPOSITORY = Path(__file__).parents[2]
INSTRUMENTS = "instrument_id,symbol,market,currency,asset_class,board,lot_size_shares,price_limit_ratio,source\n"
BARS = "instrument_id,open,high,low,close,volume,currency,source\n"
NEXT_STEPS = ("give ", "choose ", "set ", "run ", "put ", "deliver ", "stop ", "correct ")
"""Words with which a message begins to say what to do next."""

Command = Callable[..., str]


@pytest.fixture
def desk(home: Path) -> Path:
    """The home of the last demo, with everything somebody may still want from it."""
    for name in (demo._MARKER, "books.db", "published/_manifest.json"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"the last {name}", encoding="utf-8")
    return home


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Give a command that must be refused; returns what it says. No business day is ever begun."""

    def begun(*_: object) -> None:
        raise AssertionError("the day was begun, although what was asked for cannot be done")

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["lombard", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        said = capsys.readouterr().err
        assert ended.value.code == 2
        assert "Traceback" not in said
        return " ".join(said.split())

    monkeypatch.setattr(demo, "run_day", begun)
    yield run


def held(folder: Path) -> dict[str, bytes]:
    """Every file of ``folder`` with its content."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def says_what_to_do(said: str) -> bool:
    return any(word in said.lower() for word in NEXT_STEPS)


def own_layout(folder: Path, *days: str) -> Path:
    """A market folder in the desk's own layout, with one bar on each day."""
    (folder / "reference").mkdir(parents=True)
    (folder / "daily").mkdir()
    listed = "US.X,X,US,USD,equity,nyse,1,,landing\n"
    (folder / "reference" / "instruments.csv").write_text(INSTRUMENTS + listed, encoding="utf-8")
    for day in days:
        (folder / "daily" / f"{day}.csv").write_text(BARS + "US.X,1,1,1,1,1,USD,landing\n", encoding="utf-8")
    return folder


def half_written_lean(folder: Path) -> Path:
    """A Lean folder whose one archive broke off while it was copied."""
    (folder / "equity" / "usa" / "daily").mkdir(parents=True)
    (folder / "equity" / "usa" / "daily" / "aig.zip").write_bytes(b"PK\x03\x04\x14\x00\x00\x00\x08\x00half")
    return folder


def wrong_layout(folder: Path) -> Path:
    folder.mkdir()
    (folder / "notes.txt").write_text("prices follow", encoding="utf-8")
    return folder


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def plain_file(folder: Path) -> Path:
    folder.write_text("prices", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "make",
    [lambda folder: folder, empty, plain_file, wrong_layout, half_written_lean, own_layout],
    ids=["missing", "empty", "a file", "another layout", "half a zip", "no session"],
)
def test_a_market_folder_that_cannot_be_used_is_named_and_the_last_desk_stays(
    desk: Path, refused: Command, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    before, folder = held(desk), make(tmp_path / "prices")
    said = refused("demo", "--market", str(folder))
    assert str(folder) in said
    assert says_what_to_do(said)
    assert held(desk) == before


@pytest.mark.parametrize("name", ["prices [old]", "prices [/b]", "[link=x]prices"])
def test_a_folder_with_brackets_in_its_name_is_named_in_full(refused: Command, tmp_path: Path, name: str) -> None:
    assert name in refused("demo", "--market", str(tmp_path / name))


def test_a_day_without_prices_says_which_days_there_are(desk: Path, refused: Command, tmp_path: Path) -> None:
    before, folder = held(desk), own_layout(tmp_path / "prices", "2026-06-15", "2026-06-16")
    said = refused("demo", "--market", str(folder), "--day", "2026-06-18")
    assert "must have prices for 2026-06-18, but it holds 2026-06-15 to 2026-06-16" in said
    assert says_what_to_do(said)
    assert held(desk) == before


def test_a_day_without_a_past_is_refused(desk: Path, refused: Command, tmp_path: Path) -> None:
    before, folder = held(desk), own_layout(tmp_path / "prices", "2026-06-15", "2026-06-16")
    said = refused("demo", "--market", str(folder))
    assert "A forecast for 2026-06-16 needs at least 60 sessions before it, but" in said
    assert held(desk) == before


def test_a_market_named_by_the_environment_is_looked_at_before_the_last_desk_is_cleared(
    desk: Path, refused: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = held(desk)
    monkeypatch.setenv("LOMBARD_MARKET", str(tmp_path / "prices"))
    assert str(tmp_path / "prices") in refused("demo", "--day", "2026-06-17")
    assert held(desk) == before


def test_a_day_no_exchange_is_open_costs_nobody_their_last_desk(desk: Path, refused: Command) -> None:
    before = held(desk)
    said = refused("demo", "--day", "2026-06-20")
    assert "2026-06-20" in said
    assert says_what_to_do(said)
    assert held(desk) == before


def test_a_market_folder_inside_the_home_is_not_cleared_away_with_it(
    desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clearing the home for the new day must not take the prices of that day with it."""
    monkeypatch.setattr(demo, "sessions_until", lambda *_: [])
    monkeypatch.setattr(demo, "run_day", lambda *_: sys.exit(2))
    folder = own_layout(desk / "lean", "2026-06-16")
    monkeypatch.setattr(sys, "argv", ["lombard", "demo", "--market", str(folder), "--day", "2026-06-16"])
    with pytest.raises(SystemExit):
        command.main()
    assert (folder / "daily" / "2026-06-16.csv").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--day", "yesterday"], "--day"),
        (["--day", "2026-02-30"], "--day"),
        (["--day", "17.06.2026"], "--day"),
        (["--accounts", "9"], "--accounts"),
        (["--accounts", "many"], "--accounts"),
        (["--seed", "-1"], "--seed"),
        (["--colour", "red"], "--colour"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(desk: Path, refused: Command, words: list[str], named: str) -> None:
    before = held(desk)
    assert named in refused("demo", *words)
    assert held(desk) == before


def test_a_desk_the_demo_did_not_make_is_left_alone(home: Path, refused: Command) -> None:
    home.mkdir()
    (home / "books.db").write_text("real books", encoding="utf-8")
    said = refused("demo")
    assert f"{home} holds a desk that it did not make. Nothing was touched" in said
    assert "set LOMBARD_HOME to another folder" in said
    assert held(home) == {"books.db": b"real books"}


@pytest.fixture
def home_below_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that cannot be made, even by a user who may do everything."""
    (tmp_path / "disk").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("LOMBARD_HOME", str(tmp_path / "disk" / "home"))
    return tmp_path


@pytest.mark.parametrize("word", ["init", "day", "up"])
def test_a_home_that_cannot_be_a_folder_is_told(home_below_a_file: Path, refused: Command, word: str) -> None:
    said = refused(word)
    assert str(home_below_a_file / "disk" / "home") in said
    assert says_what_to_do(said)
    assert held(home_below_a_file) == {"disk": b"a file"}


def test_a_demo_whose_home_cannot_be_written_names_the_setting(
    home_below_a_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lombard", "demo"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert "set LOMBARD_HOME" in said
    assert "Traceback" not in said


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="a home is made read-only as POSIX does it")
def test_a_home_that_may_not_be_written_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Command
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    monkeypatch.setenv("LOMBARD_HOME", str(locked / "home"))
    if _may_write(locked):
        pytest.skip("needs a user whom permissions bind; this one is root")
    assert "set LOMBARD_HOME" in refused("init")


def _may_write(folder: Path) -> bool:
    try:
        (folder / "probe").touch()
    except PermissionError:
        return False
    return True


def test_serving_a_desk_that_is_not_there_says_how_to_make_one(home: Path, refused: Command) -> None:
    said = refused("up")
    assert f"There is no desk in {home} yet. Run `make demo`, or `lombard init`, first." in said
    assert not home.exists()


def test_serving_on_an_occupied_port_names_the_port_and_the_setting(
    desk: Path, refused: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk / "warehouse.duckdb").touch()
    before = held(desk)
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = str(occupied.getsockname()[1])
        monkeypatch.setenv("LOMBARD_DAGSTER_PORT", port)
        said = refused("up")
    assert f"Port {port} on 127.0.0.1 must be free" in said
    assert "set LOMBARD_DAGSTER_PORT to a free port" in said
    assert held(desk) == before


def test_a_port_that_is_no_number_names_the_setting(
    desk: Path, refused: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOMBARD_DAGSTER_PORT", "three thousand")
    assert "LOMBARD_DAGSTER_PORT" in refused("day")


def test_the_page_of_a_desk_that_has_published_nothing_says_what_to_run(home: Path, refused: Command) -> None:
    said = refused("day")
    assert f"Nothing has been published in {home / 'published'} yet. Run `make demo`" in said
    assert not home.exists()


def test_a_measurement_nobody_knows_is_told(home: Path, refused: Command) -> None:
    assert "no such measurement" in refused("bench", "--only", "no such measurement")
    assert not home.exists()


@pytest.mark.parametrize(
    ("words", "named"), [(["day"], "Nothing has been published in"), (["up"], "There is no desk in")]
)
def test_a_process_of_its_own_ends_with_a_sentence_and_without_a_traceback(
    tmp_path: Path, words: list[str], named: str
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "orchestration.command", *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LOMBARD_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert ran.returncode == 2
    assert named in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
