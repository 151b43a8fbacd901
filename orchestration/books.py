"""The books as a command opens them: for one block, at the desk's address, and the moment things are then known.

Light to import: a terminal command about the books waits for nothing else.
"""

from datetime import UTC, date, datetime
from typing import TypedDict

from sqlalchemy import Engine

from books.engine import open_books
from books.journal import open_day
from domain.errors import DeskNotReady


class OpenBooks:
    """The engine of the books for the length of a ``with`` block."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> Engine:
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
