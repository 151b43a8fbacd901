"""Reads OFAC's list of specially designated nationals: three CSV files linked by a number, or one XML file."""

import csv
import re
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any, Final

from domain.clients.watchlists import Quality, Watchlist
from feeds.watchlists import Listing, ListReading, day_of, version_of
from feeds.xml_records import as_text, below, bytes_or_refusal, records, refusal, text_of, texts_of

NAME: Final = "us.ofac_sdn"

_COLUMNS: Final = {"SDN.CSV": 12, "ADD.CSV": 6, "ALT.CSV": 5}
_NULL: Final = "-0-"
_END_OF_FILE: Final = b"\x1a"
_BIRTH: Final = re.compile(r"\bDOB ([^;]+?)\.?(?:;|$)")
_COUNTRY: Final = re.compile(r"\b(?:nationality|citizen) ([^;]+?)\.?(?:;|$)")
_WEAK_ALIAS: Final = re.compile(r"\b[afn]\.k\.a\. '([^']+)'")
_DOCUMENT: Final = re.compile(
    r"\b(?:Passport|National ID No\.|Identification Number|Tax ID No\.|Registration Number|Cedula No\.|Personal ID Card"
    r"|National Foreign ID Number|SSN|D-U-N-S Number|Driver's License No\.|Vessel Registration Identification IMO) "
    r"([0-9A-Za-z][0-9A-Za-z/. -]*?)(?= \(| issued| expires|;|\.$|$)"
)


def read_ofac_csv(
    folder: Path,
    published_on: date,
    known_at: datetime,
    previous: Watchlist | None = None,
    *,
    accept_shrinkage: bool = False,
) -> ListReading:
    """The list as ``SDN.CSV``, ``ADD.CSV`` and ``ALT.CSV`` of one ``folder``; they carry no day, so it is told.

    Weak aliases and births stand in the remarks of an entry, as OFAC writes them; remarks longer than the column, which
    go on in a fourth file, are read as far as the column holds them.

    Raises
    ------
    DeliveryRefused
        A file is missing, cut off, empty, of other columns or another encoding, names entries the first one lacks, or
        the list would lose more than a fifth of what ``previous`` had.
    """
    contents = {name: bytes_or_refusal(_file(folder, name)) for name in _COLUMNS}
    listing = Listing(NAME, "SDN.CSV", known_at)
    rows = {name: list(_rows(listing, name, raw)) for name, raw in contents.items()}
    known = {row[0] for _, row in rows["SDN.CSV"]}
    countries: dict[str, list[str]] = {}
    for _, row in _linked("ADD.CSV", rows["ADD.CSV"], known):
        countries.setdefault(row[0], []).append(row[4])
    aliases: dict[str, list[tuple[str, Quality]]] = {}
    for _, row in _linked("ALT.CSV", rows["ALT.CSV"], known):
        aliases.setdefault(row[0], []).append((row[3], Quality.strong))
    for line, row in rows["SDN.CSV"]:
        remarks = row[11]
        weak = [(text, Quality.weak) for text in _WEAK_ALIAS.findall(remarks)]
        listing.add(
            line,
            partial(",".join, row),
            row[0],
            row[2] or "entity",
            [(row[1], Quality.primary), *aliases.get(row[0], ()), *weak],
            births=_BIRTH.findall(remarks),
            countries=[*countries.get(row[0], ()), *_COUNTRY.findall(remarks), row[9]],
            documents=_DOCUMENT.findall(remarks),
            programs=re.split(r"\] \[|;", row[3].strip("[]")),
        )
    return listing.finish(version_of(*contents.values()), published_on, previous, accept_shrinkage=accept_shrinkage)


def read_ofac_xml(
    file: Path, known_at: datetime, previous: Watchlist | None = None, *, accept_shrinkage: bool = False
) -> ListReading:
    """The list as one XML file, ``sdnList``, which says when it was published and how many records it has.

    Raises
    ------
    DeliveryRefused
        The file is cut off, no XML, of another root, holds another number of records than it says, declares an entity,
        or the list would lose more than a fifth of what ``previous`` had.
    """
    raw = bytes_or_refusal(file)
    listing = Listing(NAME, file.name, known_at)
    published, promised, found = "", "", 0
    for record in records(file.name, raw, "sdnList", frozenset({"publshInformation", "sdnEntry"})):
        if record.tag == "publshInformation":
            published, promised = text_of(record.element, "Publish_Date"), text_of(record.element, "Record_Count")
        else:
            found += 1
            _add_entry(listing, record.place, record.element)
    if promised != str(found):
        explanation = f"the file says it holds {promised[:20] or 'no number of'} records, but holds {found}"
        raise refusal(file.name, "file_must_be_readable", explanation)
    day = day_of(file.name, published)
    return listing.finish(version_of(raw), day, previous, accept_shrinkage=accept_shrinkage)


def _add_entry(listing: Listing, place: int, element: Any) -> None:
    names = [(_full_name(element), Quality.primary)]
    for alias in below(element, "akaList", "aka"):
        quality = Quality.weak if text_of(alias, "category") == "weak" else Quality.strong
        names.append((_full_name(alias), quality))
    listing.add(
        place,
        partial(as_text, element),
        text_of(element, "uid"),
        (text_of(element, "sdnType") or "entity").lower(),
        names,
        births=texts_of(element, "dateOfBirthList", "dateOfBirthItem", "dateOfBirth"),
        countries=[
            *texts_of(element, "nationalityList", "nationality", "country"),
            *texts_of(element, "citizenshipList", "citizenship", "country"),
            *texts_of(element, "addressList", "address", "country"),
            *texts_of(element, "vesselInfo", "vesselFlag"),
        ],
        documents=texts_of(element, "idList", "id", "idNumber"),
        programs=texts_of(element, "programList", "program"),
    )


def _full_name(element: Any) -> str:
    """As the CSV files have it: the last name, a comma, the first."""
    return ", ".join(name for name in (text_of(element, "lastName"), text_of(element, "firstName")) if name)


def _file(folder: Path, name: str) -> Path:
    """The file of that name in whatever case it was saved."""
    found = (path for path in sorted(folder.glob("*")) if path.name.upper() == name)
    return next(found, folder / name)


def _rows(listing: Listing, name: str, raw: bytes) -> Iterator[tuple[int, list[str]]]:
    """Line and fields of each row; nulls are blank. The file ends with a line end, or with OFAC's end mark."""
    is_marked = raw.rstrip(b"\r\n").endswith(_END_OF_FILE)
    if not is_marked and not raw.endswith(b"\n"):
        raise refusal(name, "file_must_be_readable", "the file is half written: its last line has no end")
    text = raw.decode("utf-8").rstrip("\r\n").removesuffix("\x1a")
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if not row:
                continue
            fields = ["" if (value := field.strip()) == _NULL else value for field in row]
            if len(fields) == _COLUMNS[name] and re.fullmatch(r"[0-9]{1,10}", fields[0]):
                yield reader.line_num, fields
                continue
            explanation = (
                f"A line of {name} must have {_COLUMNS[name]} fields, the first a number, but has {len(fields)}, the "
                f"first being {fields[0][:40]!a}."
            )
            if reader.line_num == 1:
                raise refusal(name, "columns_must_match", explanation)
            listing.lose_row(reader.line_num, "columns_must_match", explanation, partial(",".join, row))
    except csv.Error as failure:
        raise refusal(name, "file_must_be_readable", f"line {reader.line_num} cannot be split ({failure})") from None


def _linked(name: str, rows: list[tuple[int, list[str]]], known: set[str]) -> list[tuple[int, list[str]]]:
    """Rows of a second file; one that speaks of an entry the first lacks shows that the first, or it, is cut off."""
    stray = next(((line, row) for line, row in rows if row[0] not in known), None)
    if stray is not None:
        explanation = f"line {stray[0]} speaks of entry {stray[1][0]}, which SDN.CSV lacks"
        raise refusal(name, "files_must_belong_together", explanation)
    return rows
