"""Where reports for people are kept, by subject and business day."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Reports:
    """A folder of HTML pages; each can be opened without a server."""

    root: Path

    def path(self, subject: str, as_of_date: date, suffix: str = ".html") -> Path:
        """Return the file for one subject and day, with its folder made."""
        folder = self.root / subject
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{as_of_date}{suffix}"
