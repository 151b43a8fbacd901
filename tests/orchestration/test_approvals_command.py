"""Officers at a terminal: keys of their own, a request, an answer, and what stands."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from books.approvals import is_approved
from books.engine import create_books, open_books, reading
from books.rules import adopt
from domain.errors import DeskError, DeskNotReady, SigningKeyNotUsable
from orchestration.approvals_command import app
from rulebooks import editions_of

DIGEST = "ab" * 32


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    address = f"sqlite:///{tmp_path / 'books.db'}"
    monkeypatch.setenv("LOMBARD_BOOKS_URL", address)
    engine = open_books(address)
    create_books(engine)
    adopt(
        engine, editions_of("house.approvals"), booked_on=date(2026, 6, 16), known_at=datetime(2026, 6, 16, tzinfo=UTC)
    )
    engine.dispose()
    yield address


def lombard(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def stands(url: str) -> bool:
    engine = open_books(url)
    with reading(engine) as connection:
        answer = is_approved(connection, "model_promotion", "forecasting.volatility_5d@3", DIGEST)
    engine.dispose()
    return answer


def ask(folder: Path) -> str:
    words = ["model_promotion", "forecasting.volatility_5d@3", "--sha256", DIGEST, "--summary", "it won"]
    return lombard("request", *words, "--key", str(folder / "maker.pem")).stdout.strip()


@pytest.fixture
def keys(url: str, tmp_path: Path) -> Path:
    for officer, role, file in (("lin", "modelling", "maker.pem"), ("wu", "validation", "checker.pem")):
        assert (
            f"of {officer} signs as {role}" in lombard("officer", officer, role, "--key", str(tmp_path / file)).stdout
        )
    return tmp_path


def test_what_one_officer_asks_another_allows_and_then_it_stands(url: str, keys: Path) -> None:
    approval_id = ask(keys)
    assert not stands(url)
    answered = lombard("decide", approval_id, "approved", "--reason", "scores seen", "--key", str(keys / "checker.pem"))
    assert f"{approval_id} is approved" in answered.stdout
    assert stands(url)
    listed = " ".join(lombard("list").stdout.split())
    assert "lin" in listed and "wu" in listed and "yes" in listed


def test_a_key_made_at_the_terminal_is_read_by_its_owner_only(keys: Path) -> None:
    assert (keys / "maker.pem").stat().st_mode & 0o077 == 0


def test_nobody_allows_what_they_asked_for_themselves(url: str, keys: Path) -> None:
    with pytest.raises(DeskError, match=r"role_must_be_allowed|keys_must_differ"):
        lombard("decide", ask(keys), "approved", "--reason", "trust me", "--key", str(keys / "maker.pem"))
    assert not stands(url)


def test_a_revoked_key_signs_nothing_more(url: str, keys: Path) -> None:
    approval_id = ask(keys)
    key_id = lombard("officer", "wu", "validation", "--key", str(keys / "checker.pem")).stdout.split()[1]
    lombard("revoke", key_id, "--reason", "lost")
    with pytest.raises(DeskError, match="key_must_be_in_force"):
        lombard("decide", approval_id, "approved", "--reason", "late", "--key", str(keys / "checker.pem"))


def test_a_missing_key_and_a_request_about_nothing_are_refused_in_words(url: str, tmp_path: Path) -> None:
    with pytest.raises(SigningKeyNotUsable, match="cannot be read"):
        ask(tmp_path)
    with pytest.raises(DeskNotReady, match="--content or by --sha256"):
        lombard("request", "limit", "A1", "--summary", "more", "--key", str(tmp_path / "x.pem"))
