"""The circumstances of a number: enough to compute it again and get the same."""

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """As of which day, known when, under which law, on which ledger, by which model, from whom."""

    as_of: date
    known_at: datetime
    source: str
    ledger_head: str = ""
    rulebook_edition: str = ""
    house_edition: str = ""
    model_version: str = ""

    def __post_init__(self) -> None:
        """A moment without a zone is no moment."""
        assert self.known_at.tzinfo is not None, "known_at must carry its time zone"
