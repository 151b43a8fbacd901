"""A compliance officer at a terminal: an application taken in, stopped, cleared, opened, frozen; and nobody named."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from books.approvals import enter_officer_key
from books.audit import verify
from books.cases import take_up
from books.engine import create_books, open_books
from books.master_keys import make_master_key
from books.rules import adopt
from books.signatures import new_key, public_text, save_key
from domain.clients.cases import Report
from domain.errors import ApprovalRefused, DeskError, DeskNotReady, MasterKeyNotUsable, StepRefused
from orchestration.approvals_command import app as approvals_app
from orchestration.books import earliest
from orchestration.clients_command import app, printable
from rulebooks import editions_of

DAY = date(2026, 6, 16)
WHEN: dict[str, Any] = {"booked_on": DAY, "known_at": datetime(2026, 6, 16, tzinfo=UTC)}
DETAILS = {"full_name": "Ivan Drago Molotow", "birth_date": "1984-02-03", "document": "C01X00T47"}
OFFICERS = {"li": "operations", "ma": "compliance", "qian": "mlro", "wu": "head"}
LIST = (
    "entry_id,kind,name,quality,birth,country,document,program,source\n"
    "7,individual,Ivan Drago Molotov,primary,1961,RU,,INVENTED,this test\n"
    "#rows,1\n"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A desk with officers' keys, a master key, and the files an application brings."""
    monkeypatch.setenv("LOMBARD_HOME", str(tmp_path / "desk"))
    for name in ("LOMBARD_BOOKS_URL", "LOMBARD_MASTER_KEY", "LOMBARD_MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "desk").mkdir()
    engine = open_books(f"sqlite:///{tmp_path / 'desk' / 'books.db'}")
    create_books(engine)
    adopt(engine, editions_of(), **WHEN)
    for officer, role in OFFICERS.items():
        key = new_key()
        save_key(key, tmp_path / f"{officer}.pem")
        enter_officer_key(engine, officer, role, public_text(key), source="test", **WHEN)
    engine.dispose()
    make_master_key(tmp_path / "desk" / "keys" / "master.key")
    for name in ("form", "passport", "video", "note", "order"):
        (tmp_path / f"{name}.pdf").write_text(name)
    (tmp_path / "details.json").write_text(json.dumps(DETAILS))
    (tmp_path / "list.csv").write_text(LIST)
    yield tmp_path


@pytest.fixture
def engine(home: Path) -> Iterator[sa.Engine]:
    opened = open_books(f"sqlite:///{home / 'desk' / 'books.db'}")
    yield opened
    opened.dispose()


def run(home: Path, *words: str, typed: str | None = None, command: Any = app) -> str:
    """Run a command; ``@name`` is a file of the home, ``by=name`` an officer's key, ``file=name`` the evidence."""
    spelt: list[str] = []
    for word in words:
        if word.startswith("@"):
            spelt.append(str(home / word[1:]))
        elif word.startswith("by="):
            spelt += ["--key", str(home / f"{word[3:]}.pem")]
        elif word.startswith("file="):
            spelt += ["--evidence", str(home / f"{word[5:]}.pdf")]
        else:
            spelt.append(word)
    result: Result = CliRunner().invoke(command, spelt, input=typed, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


@pytest.fixture
def applied(home: Path) -> Path:
    run(home, "apply", "P1", "--details", "@details.json", "--form", "@form.pdf", "by=li")
    run(home, "evidence", "P1", "document", "file=passport", "by=li", "--valid-until", "2030-01-01")
    run(home, "evidence", "P1", "liveness", "file=video", "by=li")
    run(home, "move", "P1", "id_verified", "--reason", "face and passport agree", "file=video", "by=li")
    return home


def test_an_application_goes_from_the_counter_to_the_account_and_into_the_freeze(
    applied: Path, engine: sa.Engine
) -> None:
    home = applied
    told = run(home, "watchlist", "house", "@list.csv", "--published-on", "2026-06-16")
    assert "house.watchlist of 2026-06-16 is in force: 1 entries" in told
    assert "1 clients held against 1 of them, 1 hits, 1 stopped." in told

    why = run(home, "why", "P1")
    assert "Client P1 is pending_info since 2026-06-16; the screening itself moved it from id_verified" in why
    hit = why.partition("To decide since 2026-06-16: ")[2].partition(". Score")[0]
    run(home, "decide", hit, "cleared", "--reason", "born 1984, not 1961", "file=note", "by=ma")
    run(home, "move", "P1", "id_verified", "--reason", "hit cleared", "file=note", "by=ma")
    run(home, "move", "P1", "screened", "--reason", "nothing open", "file=note", "by=ma")
    scores = [
        word
        for factor in ("geography", "product", "channel", "customer_type", "behaviour")
        for word in ("--score", f"{factor}=2")
    ]
    assert "P1 is rated medium." in run(home, "rate", "P1", *scores)
    run(home, "move", "P1", "risk_rated", "--reason", "rated", "file=note", "by=ma")
    run(home, "approve", "P1", "--reason", "complete", "file=note", "by=ma")
    with pytest.raises(StepRefused, match="officers_must_differ"):
        run(home, "activate", "P1", "--reason", "complete", "file=note", "by=ma")
    assert run(home, "activate", "P1", "--reason", "complete", "file=note", "by=qian") == "P1 is active."

    (home / "terms.json").write_text(run(home, "freeze-terms", "P1", "frozen", "file=order"))
    with pytest.raises(StepRefused, match="two_officers_must_sign"):
        run(home, "freeze", "P1", "--reason", "court order 17", "file=order", "by=ma")
    asked = ["request", "freeze", "P1", "--content", "@terms.json", "--summary", "court order 17", "by=ma"]
    approval_id = run(home, *asked, command=approvals_app)
    run(home, "decide", approval_id, "approved", "--reason", "seen", "by=qian", command=approvals_app)
    words = ["--reason", "court order 17", "file=order", "by=ma", "--approval", approval_id]
    assert run(home, "freeze", "P1", *words) == "P1 is frozen."
    assert "two officers" in run(home, "why", "P1")
    assert verify(engine).entries > 0


def test_who_a_client_is_stands_on_no_screen_and_in_no_file_unless_asked_for(applied: Path) -> None:
    home = applied
    shown = run(home, "show", "P1") + run(home, "why", "P1")
    stored = (home / "desk" / "books.db").read_bytes()
    for value in DETAILS.values():
        assert value not in shown
        assert value.encode() not in stored
    revealed = run(home, "show", "P1", "--reveal")
    assert all(value in revealed for value in DETAILS.values())


def test_what_a_terminal_must_not_do_a_name_cannot_make_it_do(home: Path) -> None:
    name = "Ann \x1b[31m[bold]Red\r\n"
    typed = json.dumps({"full_name": name})
    run(home, "apply", "P2", "--details", "-", "--form", "@form.pdf", "by=li", typed=typed)
    revealed = run(home, "show", "P2", "--reveal")
    assert "\x1b" not in revealed
    assert "[bold]Red" in revealed
    assert printable("a\x1b\n\u202eb") == "a" + 3 * "\N{REPLACEMENT CHARACTER}" + "b"


def test_a_new_version_needs_the_one_in_force_and_finds_only_what_it_added(applied: Path) -> None:
    home = applied
    run(home, "watchlist", "house", "@list.csv", "--published-on", "2026-06-16")
    newer = LIST.replace("#rows,1", "8,individual,Ludmila Pavlova,primary,,,,INVENTED,this test\n#rows,2")
    (home / "newer.csv").write_text(newer)
    told = run(home, "watchlist", "house", "@newer.csv", "--published-on", "2026-06-17")
    assert "2 entries; 1 clients held against 1 of them, 0 hits, 0 stopped." in told
    (home / "more.json").write_text(json.dumps({"aliases": "Ludmilla Pavlova"}))
    run(home, "detail", "P1", "--details", "@more.json")
    assert run(home, "screen") == "1 clients screened, 2 hits, 0 stopped."
    kept = next((home / "desk" / "watchlists" / "house.watchlist").glob("*/list/newer.csv"))
    kept.write_text(newer.replace("Ludmila", "Ludmilla"))
    with pytest.raises(DeskNotReady, match="was changed since it came into force"):
        run(home, "screen")


def test_a_list_cut_in_half_leaves_the_old_one_in_force(applied: Path) -> None:
    home = applied
    run(home, "watchlist", "house", "@list.csv", "--published-on", "2026-06-16")
    (home / "half.csv").write_text(LIST[: len(LIST) // 2])
    with pytest.raises(DeskError):
        run(home, "watchlist", "house", "@half.csv", "--published-on", "2026-06-17")
    assert run(home, "screen").startswith("0 clients screened")
    with pytest.raises(DeskNotReady, match="does not say when it was published"):
        run(home, "watchlist", "house", "@list.csv")
    with pytest.raises(DeskNotReady, match="A layout must be one of house"):
        run(home, "watchlist", "interpol", "@list.csv")


def test_a_master_key_is_rotated_without_losing_anybody(applied: Path) -> None:
    home = applied
    assert "1 data keys are wrapped under the new master key" in run(home, "rotate-key")
    assert DETAILS["full_name"] in run(home, "show", "P1", "--reveal")
    file = home / "desk" / "keys" / "master.key"
    old, new = file.read_text().split()
    file.write_text(f"{new}\n")
    assert DETAILS["full_name"] in run(home, "show", "P1", "--reveal")
    file.write_text(f"{old}\n")
    with pytest.raises(MasterKeyNotUsable, match="add that key"):
        run(home, "show", "P1", "--reveal")
    file.unlink()
    with pytest.raises(MasterKeyNotUsable, match="cannot be read"):
        run(home, "show", "P1", "--reveal")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"full_name": 7}', '{"birth_date": "1984-02-03"}', "{half"])
def test_details_that_are_none_are_refused_without_repeating_them(home: Path, text: str) -> None:
    (home / "details.json").write_text(text)
    with pytest.raises(DeskNotReady, match=r"must be a JSON object of texts with a full_name, but details\.json"):
        run(home, "apply", "P1", "--details", "@details.json", "--form", "@form.pdf", "by=li")


def test_whoever_has_no_key_of_an_officer_moves_nobody(applied: Path) -> None:
    save_key(new_key(), applied / "stranger.pem")
    with pytest.raises(ApprovalRefused, match="key_must_be_known"):
        run(applied, "move", "P1", "closed", "--reason", "why not", "file=note", "by=stranger")


def test_a_case_is_told_as_far_as_the_key_may_know(applied: Path, engine: sa.Engine) -> None:
    home = applied
    alert = {"alert_id": "S1", "client_id": "P1", "rule": "structuring", "as_of_date": DAY}
    take_up(engine, [alert], report=Report.suspicious_us, **earliest(engine))
    run(home, "cases", "move", "case/S1", "opened", "--rationale", "odd", "by=ma")
    run(home, "cases", "findings", "case/S1", "--rationale", "nothing explains it", "by=ma")
    run(home, "cases", "move", "case/S1", "escalated", "--rationale", "stays odd", "by=ma")
    run(home, "cases", "move", "case/S1", "filed", "--rationale", "reported", "--filing", "SAR-1", "by=qian")
    assert "filed" in run(home, "cases", "list", "by=qian")
    told = run(home, "cases", "list", "by=li", "--client", "P1")
    assert "restricted" in told
    assert "filed" not in told


def test_nothing_is_erased_while_a_law_still_asks_for_it(applied: Path) -> None:
    with pytest.raises(DeskError, match="the relationship goes on"):
        run(applied, "erase", "P1", "--reason", "asked for it", "by=ma")
