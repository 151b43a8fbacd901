"""An auditor at a terminal: verifies, is handed an export and proofs, and is told the first entry that was changed."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from books.engine import create_books, open_books, writing
from books.journal import Entry, book, ledger_head
from books.signatures import key_id, new_key, public_text, save_key
from domain.errors import DeskError, DeskNotReady, LedgerTampered, ProofRefused, SigningKeyNotUsable
from orchestration import audit_command
from orchestration.audit_command import app

DAY = date(2026, 6, 16)
KEY = new_key()


def transfer(number: int) -> Entry:
    what = {"template": "client_deposit", "debit_account_id": "1010.USD", "credit_account_id": "2010.A1"}
    amount = {"amount_minor": 100 * number, "currency": "USD", "effective_on": DAY}
    return Entry("transfer", f"t{number}", DAY, {"transfer_id": f"t{number}", **what, **amount})


def add(engine: sa.Engine, number: int, day: date) -> None:
    """Three transfers of a day, and the balances they make."""
    known_at = datetime(2026, 6, 16, 20, tzinfo=UTC) + timedelta(days=(day - DAY).days)
    with writing(engine) as connection:
        entries = [transfer(n) for n in range(number, number + 3)]
        if number == 1:
            entries.insert(0, Entry("currency", "USD", DAY, {"currency": "USD", "source": "synthetic"}))
        book(connection, entries, day, known_at)
        last, total = ledger_head(connection).sequence, sum(100 * n for n in range(1, number + 3))
        connection.exec_driver_sql("DELETE FROM balance")
        connection.exec_driver_sql(f"INSERT INTO balance VALUES ('1010.USD', 'USD', {total}, 0, 0, 0, {last})")
        connection.exec_driver_sql(f"INSERT INTO balance VALUES ('2010.A1', 'USD', 0, {total}, 0, 0, {last})")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A desk with a signing key and two days in its books."""
    monkeypatch.setenv("LOMBARD_HOME", str(tmp_path))
    for name in ("LOMBARD_BOOKS_URL", "LOMBARD_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    save_key(KEY, tmp_path / "keys" / "signing.pem")
    engine = open_books(f"sqlite:///{tmp_path / 'books.db'}")
    create_books(engine)
    add(engine, 1, DAY)
    engine.dispose()
    yield tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return " ".join(result.stdout.split())


def refused(kind: type[DeskError], *arguments: str) -> str:
    """What the refusal says; ``lombard`` itself prints it and ends with exit code 2."""
    result = run(*arguments)
    assert isinstance(result.exception, kind), result.exception or result.stdout
    return str(result.exception)


def meddle(home: Path, statement: str) -> None:
    with sa.create_engine(f"sqlite:///{home / 'books.db'}").connect() as connection:
        connection.exec_driver_sql("DROP TRIGGER event_refuses_update")
        connection.exec_driver_sql(statement)
        connection.commit()


def test_the_story_of_an_audit(home: Path) -> None:
    assert "4, each following from the one before" in done("verify")
    assert "nothing was signed" in done("verify")

    told = done("seal", "--out", "first.json")
    assert told.startswith("2026-06-16 is sealed: 4 entries")
    assert f"signed with {key_id(public_text(KEY))}" in told
    assert done("seal", "--day", "2026-06-16") == told

    engine = open_books(f"sqlite:///{home / 'books.db'}")
    add(engine, 4, DAY + timedelta(days=1))
    head = str(ledger_head(engine))
    engine.dispose()
    told = done("verify", "--witness", "first.json")
    assert "2 checkpoints hold, up to 2026-06-16, entry 4" in told
    assert "not sealed yet" not in told
    assert "The last 3 entries are not sealed yet" in done("verify")
    assert done("seal").startswith("2026-06-17 is sealed: 7 entries")

    told = done("verify", "--witness", head, "--public-key", public_text(KEY))
    assert "2 checkpoints hold, up to 2026-06-17" in told
    assert "2 rows are what the transfers sum to" in told
    assert "of its own word" not in told

    assert "The history is in export" in done("audit-export", "export")
    told = done("verify", "--export", "export", "--public-key", "export/keys.json", "--witness", "first.json")
    assert "7, each following" in told
    assert "Projections" not in told
    done("audit-export", "day", "--until", "2026-06-16")
    assert "4, each following" in done("verify", "--export", "day")

    told = done("prove", "inclusion", "t2", "2026-06-17")
    assert told.endswith("is among the 7 entries sealed for 2026-06-17. The proof is in inclusion.json.")
    told = done("check-proof", "inclusion.json", "--public-key", public_text(KEY))
    assert '"transfer_id": "t2"' in told
    told = done("prove", "consistency", "2026-06-16", "2026-06-17", "--out", "grown.json")
    assert "begin with the 4 sealed for 2026-06-16, unchanged." in told
    assert "a key of its own word" in done("check-proof", "grown.json")


def test_the_first_bad_entry_is_named(home: Path) -> None:
    done("seal")
    meddle(home, "UPDATE event SET body = replace(body, '200', '900') WHERE sequence = 3")
    assert refused(LedgerTampered, "verify").startswith("Entry 3 of the books does not follow")
    assert refused(LedgerTampered, "verify", "--books", f"sqlite:///{home / 'books.db'}").startswith("Entry 3 ")
    done("audit-export", "export")
    assert refused(LedgerTampered, "verify", "--export", "export").startswith("Entry 3 ")


def test_lombard_ends_with_two_where_history_was_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the desk's own command tells it: in words, on standard error, and with an exit code a script can ask for."""
    from orchestration import command

    meddle(home, "UPDATE event SET entry_hash = 'none' WHERE sequence = 2")
    monkeypatch.setattr(command, "app", app)
    monkeypatch.setattr(sys, "argv", ["lombard", "verify"])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert "LedgerTampered: Entry 2 of the books does not follow" in capsys.readouterr().err


def test_what_was_forged_is_refused(home: Path) -> None:
    done("seal")
    done("prove", "inclusion", "t2", "2026-06-16")
    proof: dict[str, Any] = json.loads((home / "inclusion.json").read_text())
    proof["entry"]["body"] = proof["entry"]["body"].replace("200", "900")
    (home / "inclusion.json").write_text(json.dumps(proof))
    assert "does not have the hash" in refused(ProofRefused, "check-proof", "inclusion.json")
    other = public_text(new_key())
    assert "none of those to be trusted" in refused(LedgerTampered, "verify", "--public-key", other)


def test_what_cannot_be_meant_is_refused_before_anything_is_checked(home: Path) -> None:
    assert "Name one" in refused(DeskNotReady, "verify", "--books", "sqlite:///x.db", "--export", "export")
    assert "base64 of 32 bytes" in refused(SigningKeyNotUsable, "verify", "--public-key", "nonsense")
    (home / "keys.json").write_text("{}")
    assert "must be a JSON list" in refused(DeskNotReady, "verify", "--public-key", "keys.json")
    assert "A witness must be a head" in refused(ProofRefused, "verify", "--witness", "yesterday")
    assert "should be an export" in refused(DeskNotReady, "verify", "--export", "nowhere")


def test_a_missing_key_seals_nothing(home: Path) -> None:
    (home / "keys" / "signing.pem").unlink()
    assert "Nothing was signed" in refused(SigningKeyNotUsable, "seal")
    assert "nothing was signed" in done("verify")


def test_empty_books_have_no_day_to_seal(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{home / 'empty.db'}"
    monkeypatch.setenv("LOMBARD_BOOKS_URL", url)
    engine = open_books(url)
    create_books(engine)
    engine.dispose()
    assert "there is no day to seal" in refused(DeskNotReady, "seal")


def test_a_bar_is_shown_where_somebody_looks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_command.console, "_force_terminal", True)
    with audit_command._progress() as told:
        assert told is not None
        told(1, 2)
    assert home.is_dir()
