"""The books as a command opens them: for one block, at the desk's address, and the moment things are then known.

Light to import: a terminal command about the books waits for nothing else.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypedDict

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from books.engine import open_books
from books.journal import open_day
from domain.errors import DeskNotReady


class OpenBooks:
    """The engine of the books for the length of a ``with`` block."""

    def __init__(self, url: str, *, may_be_new: bool = False) -> None:
        self.url, self.may_be_new = url, may_be_new

    def __enter__(self) -> Engine:
        # SQLite would make an empty file where there is none, and call it books.
        file = make_url(self.url).database if self.url.startswith("sqlite") else None
        if file and not self.may_be_new and not Path(file).exists():
            raise DeskNotReady(
                f"The books should lie at {file}, but there is no such file. Nothing was made; run `lombard init` or "
                f"`make demo` first, or correct LOMBARD_BOOKS_URL."
            )
        self._engine = open_books(self.url)
        return self._engine

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()


class When(TypedDict):
    """The day something is booked on, and the moment it is known."""

    booked_on: date
    known_at: datetime


def now() -> datetime:
    """The moment, with its zone."""
    return datetime.now(UTC)


def earliest(engine: Engine) -> When:
    """The earliest open day of the books, and now."""
    booked_on = open_day(engine)
    if booked_on is None:
        raise DeskNotReady("These books are empty. Nothing was written; run `lombard init` first.")
    return {"booked_on": booked_on, "known_at": now()}
