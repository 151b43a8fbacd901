"""Reads the consolidated list of financial sanctions of the European Union, one XML file of attributes."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from domain.clients.watchlists import Quality, Watchlist
from feeds.watchlists import Listing, ListReading, day_of, version_of
from feeds.xml_records import as_text, below, bytes_or_refusal, records

NAME: Final = "eu.consolidated"

_KINDS: Final = {"person": "individual", "enterprise": "entity"}


def read_eu_xml(
    file: Path, known_at: datetime, previous: Watchlist | None = None, *, accept_shrinkage: bool = False
) -> ListReading:
    """The list of ``export``; an entry is named by its logical id, and an alias that is not strong is weak.

    Raises
    ------
    DeliveryRefused
        The file is cut off, no XML, of another root, undated, declares an entity, or the list would lose more than a
        fifth of what ``previous`` had.
    """
    raw = bytes_or_refusal(file)
    listing = Listing(NAME, file.name, known_at)
    generated = ""
    for record in records(file.name, raw, "export", frozenset({"sanctionEntity"})):
        generated = record.root.get("generationDate", "")
        _add_entry(listing, record.place, record.element)
    day = day_of(file.name, generated) if listing.entries else known_at.date()
    return listing.finish(version_of(raw), day, previous, accept_shrinkage=accept_shrinkage)


def _add_entry(listing: Listing, place: int, element: Any) -> None:
    code = next((one.get("code", "") for one in below(element, "subjectType")), "")
    places = [*below(element, "citizenship"), *below(element, "address")]
    listing.add(
        place,
        partial(as_text, element),
        element.get("logicalId", ""),
        _KINDS.get(code, code or "entity"),
        [
            (_name(one), Quality.weak if one.get("strong", "true") == "false" else Quality.strong)
            for one in below(element, "nameAlias")
        ],
        births=[_birth(one) for one in below(element, "birthdate")],
        # The list writes 00 for a country nobody knows.
        countries=[country for one in places if (country := one.get("countryIso2Code", "")) != "00"],
        documents=[one.get("number", "") for one in below(element, "identification")],
        programs=[one.get("programme", "") for one in below(element, "regulation")],
    )


def _name(alias: Any) -> str:
    parts = (alias.get(part, "").strip() for part in ("firstName", "middleName", "lastName"))
    return alias.get("wholeName", "").strip() or " ".join(part for part in parts if part)


def _birth(element: Any) -> str:
    """A birth in the words all lists share."""
    about = "circa " if element.get("circa") == "true" else ""
    said = element.get("birthdate", "").strip()
    if not said and element.get("yearRangeFrom"):
        said = f"{element.get('yearRangeFrom')} to {element.get('yearRangeTo', element.get('yearRangeFrom'))}"
    if not said:
        said = element.get("year", "").strip()
    return f"{about}{said}" if said else ""
