"""Reads the consolidated list of the United Nations Security Council, one XML file of individuals and entities."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from domain.clients.watchlists import Quality, Watchlist
from feeds.watchlists import Listing, ListReading, day_of, version_of
from feeds.xml_records import as_text, below, bytes_or_refusal, records, text_of, texts_of

NAME: Final = "un.consolidated"

_NAME_PARTS: Final = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
_WEAK: Final = frozenset({"low"})
"""Qualities of an alias that do not identify anybody by themselves; ``Good``, ``a.k.a.`` and ``f.k.a.`` do."""


def read_un_xml(
    file: Path, known_at: datetime, previous: Watchlist | None = None, *, accept_shrinkage: bool = False
) -> ListReading:
    """The list of ``CONSOLIDATED_LIST``; an entry is named by its DATAID.

    Raises
    ------
    DeliveryRefused
        The file is cut off, no XML, of another root, undated, declares an entity, or the list would lose more than a
        fifth of what ``previous`` had.
    """
    raw = bytes_or_refusal(file)
    listing = Listing(NAME, file.name, known_at)
    generated = ""
    for record in records(file.name, raw, "CONSOLIDATED_LIST", frozenset({"INDIVIDUAL", "ENTITY"})):
        generated = record.root.get("dateGenerated", "")
        _add_entry(listing, record.place, record.tag, record.element)
    day = day_of(file.name, generated) if listing.entries else known_at.date()
    return listing.finish(version_of(raw), day, previous, accept_shrinkage=accept_shrinkage)


def _add_entry(listing: Listing, place: int, tag: str, element: Any) -> None:
    whole = " ".join(part for part in (text_of(element, name) for name in _NAME_PARTS) if part)
    names = [(whole, Quality.primary)]
    names += [(text, Quality.strong) for text in texts_of(element, "NAME_ORIGINAL_SCRIPT")]
    for alias in below(element, f"{tag}_ALIAS"):
        quality = Quality.weak if text_of(alias, "QUALITY").lower() in _WEAK else Quality.strong
        # One element may hold several aliases, apart by semicolons.
        names += [(text, quality) for text in text_of(alias, "ALIAS_NAME").split(";")]
    listing.add(
        place,
        partial(as_text, element),
        text_of(element, "DATAID"),
        tag.lower(),
        names,
        births=[_birth(one) for one in below(element, "INDIVIDUAL_DATE_OF_BIRTH")],
        countries=[
            *texts_of(element, "NATIONALITY", "VALUE"),
            *texts_of(element, f"{tag}_ADDRESS", "COUNTRY"),
        ],
        documents=texts_of(element, "INDIVIDUAL_DOCUMENT", "NUMBER"),
        programs=texts_of(element, "UN_LIST_TYPE"),
    )


def _birth(element: Any) -> str:
    """A birth in the words all lists share."""
    if text_of(element, "TYPE_OF_DATE").upper() == "BETWEEN":
        return f"{text_of(element, 'FROM_YEAR')} to {text_of(element, 'TO_YEAR')}"
    about = "circa " if text_of(element, "TYPE_OF_DATE").upper().startswith("APPROX") else ""
    said = text_of(element, "DATE") or text_of(element, "YEAR")
    return f"{about}{said}" if said else ""
