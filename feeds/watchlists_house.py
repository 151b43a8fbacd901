"""Reads the desk's own list: persons and firms it has decided not to deal with, one line per name."""

from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Final

from domain.clients.watchlists import Quality, Watchlist
from feeds import delimited
from feeds.watchlists import Listing, ListReading, version_of
from feeds.xml_records import bytes_or_refusal

NAME: Final = "house.watchlist"

_KINDS: Final = ("individual", "entity")
_QUALITIES: Final = tuple(quality.value for quality in Quality)

HEADER: Final = "entry_id,kind,name,quality,birth,country,document,program,source"
"""Lines of one entry stand together or apart; what its first line leaves blank a later one may add."""


def read_house_list(
    file: Path,
    published_on: date,
    known_at: datetime,
    previous: Watchlist | None = None,
    *,
    accept_shrinkage: bool = False,
) -> ListReading:
    """The desk's list as of ``published_on``: UTF-8, the header byte for byte, and a trailer that counts its rows.

    Raises
    ------
    DeliveryRefused
        The file is missing, half written, of other columns or another encoding, its trailer disagrees, or the list
        would lose more than a fifth of what ``previous`` had.
    """
    sheet = delimited.sheet_or_refusal(file, file.parent, HEADER, trailer_required=True)
    listing = Listing(NAME, file.name, known_at)
    lines_of: dict[str, list[tuple[int, list[str]]]] = {}
    for line, text in enumerate(sheet.lines, 2):
        fields = [field.strip() for field in text.split(",")]
        if len(fields) != len(HEADER.split(",")) or fields[1] not in _KINDS or fields[3] not in _QUALITIES:
            explanation = (
                f"A line must have the fields {HEADER}, with a kind of individual or entity and a quality of "
                f"{', '.join(_QUALITIES)}."
            )
            listing.lose_row(line, "columns_must_match", explanation, partial(str, text))
        else:
            lines_of.setdefault(fields[0], []).append((line, fields))
    for entry_id, lines in lines_of.items():
        columns = list(zip(*(fields for _, fields in lines), strict=True))
        listing.add(
            lines[0][0],
            partial(",".join, lines[0][1]),
            entry_id,
            columns[1][0],
            [(name, Quality(quality)) for name, quality in zip(columns[2], columns[3], strict=True)],
            births=columns[4],
            countries=columns[5],
            documents=columns[6],
            programs=columns[7],
        )
    version = version_of(bytes_or_refusal(file))
    return listing.finish(version, published_on, previous, accept_shrinkage=accept_shrinkage)
