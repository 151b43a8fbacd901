"""What every reader of a list of sanctions shares: how an entry is believed, and when a whole list is not.

A list counts whole or not at all, as a statement does; a single entry that cannot be read is held back with its
reason, unless there are so many that the file is no list of the layout asked for.
"""

import calendar
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

from domain.clients.names import normalise
from domain.clients.watchlists import BirthSpan, ListedName, ListEntry, Quality, Watchlist, plain_document
from domain.errors import NameNotUsable
from feeds.countries import country_code
from feeds.deliveries import QUARANTINE, frame_of, quarantine
from feeds.xml_records import refusal

FEED: Final = "watchlists"

HELD_BACK_RATIO_MAX: Final = 0.01
"""More entries than one in a hundred that cannot be read: the layout has changed, and nobody knows what is missing."""

SHRINKAGE_RATIO_MAX: Final = 0.20
"""A list that loses more of its entries, or of its names, than this at once was cut off; lists shrink by a handful."""

Raw = Callable[[], str]
"""The text of a row as it came, asked for only where the row, or a part of it, is held back."""

CIRCA_YEARS: Final = 2
"""How far from the year given somebody born "about" then may be born."""

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAY: Final = re.compile(r"(?:(?:(?P<day>\d{1,2}) )?(?P<month>[A-Z][a-z]{2})[a-z]* )?(?P<year>\d{4})", re.ASCII)
_ISO: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?(?:T.*|Z|[+-]\d{2}:\d{2})?", re.ASCII
)


@dataclass(frozen=True)
class ListReading:
    """A list that may come into force, and what of it was held back, in the columns of ``raw_feeds__quarantine``."""

    watchlist: Watchlist
    quarantined: pd.DataFrame


@dataclass
class Listing:
    """A list on its way to being believed, entry by entry."""

    name: str
    file: str
    known_at: datetime
    entries: dict[str, ListEntry] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    lost: int = 0

    def __post_init__(self) -> None:
        """A moment without a zone is no moment."""
        assert self.known_at.tzinfo is not None, "known_at must carry its time zone"

    def add(
        self,
        place: int,
        raw: Raw,
        entry_id: str,
        kind: str,
        names: Iterable[tuple[str, Quality]],
        *,
        births: Iterable[str] = (),
        countries: Iterable[str] = (),
        documents: Iterable[str] = (),
        programs: Iterable[str] = (),
    ) -> None:
        """Take one entry, or hold it back; a name or a birth of it that cannot be read is held back by itself."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", entry_id):
            self._lose(
                place, "entry_must_have_an_id", f"The entry must have a plain id, but has {entry_id[:80]!a}.", raw
            )
            return
        if entry_id in self.entries:
            self._lose(place, "entry_must_be_unique", f"Entry {entry_id} is already listed; the first was kept.", raw)
            return
        usable = dict.fromkeys(self._usable(place, raw, entry_id, names))
        if not usable:
            self._lose(place, "entry_must_have_a_name", f"Entry {entry_id} has no name that can be compared.", raw)
            return
        codes = (country_code(country) for country in countries)
        numbers = (plain_document(document) for document in documents)
        self.entries[entry_id] = ListEntry(
            entry_id,
            kind,
            _with_primary(list(usable)),
            tuple(dict.fromkeys(self._spans(place, raw, entry_id, births))),
            tuple(dict.fromkeys(code for code in codes if code)),
            tuple(dict.fromkeys(number for number in numbers if number)),
            tuple(dict.fromkeys(program.strip() for program in programs if program.strip())),
        )

    def hold_back(self, place: int, reason: str, explanation: str, raw: Raw) -> None:
        """Set something aside with its reason."""
        as_of = self.known_at.date()
        self.refused.append(
            quarantine(FEED, "", self.file, place, reason, explanation, raw(), self.name, as_of, self.known_at)
        )

    def lose_row(self, place: int, reason: str, explanation: str, raw: Raw) -> None:
        """Set a whole row aside; too many of them refuse the list."""
        self._lose(place, reason, explanation, raw)

    def finish(
        self, version: str, published_on: date, previous: Watchlist | None, *, accept_shrinkage: bool = False
    ) -> ListReading:
        """The list as a whole, or :class:`DeliveryRefused`: empty, hardly readable, or cut off against ``previous``."""
        if not self.entries:
            raise refusal(
                self.file, "list_must_not_be_empty", "no entry could be read, and no list of sanctions is empty"
            )
        if self.lost > HELD_BACK_RATIO_MAX * (self.lost + len(self.entries)) and self.lost > 1:
            raise refusal(
                self.file,
                "columns_must_match",
                f"{self.lost} of {self.lost + len(self.entries)} rows cannot be read, the first being: "
                f"{self.refused[0]['explanation']}",
            )
        watchlist = Watchlist(self.name, version, published_on, tuple(self.entries.values()))
        if previous is not None and not accept_shrinkage:
            self._require_no_cut(watchlist, previous)
        return ListReading(watchlist, frame_of(QUARANTINE, self.refused))

    def _require_no_cut(self, new: Watchlist, old: Watchlist) -> None:
        names = [sum(len(entry.names) for entry in one.entries) for one in (new, old)]
        counted: tuple[tuple[str, int, int], ...] = (
            ("entries", len(new.entries), len(old.entries)),
            ("names", names[0], names[1]),
        )
        for what, now, before in counted:
            if now < (1 - SHRINKAGE_RATIO_MAX) * before:
                raise refusal(
                    self.file,
                    "list_must_not_shrink",
                    f"the list had {before:,} {what} and would have {now:,}, as a list cut off would; if it is right, "
                    f"an officer may accept it",
                )
        if new.published_on < old.published_on:
            raise refusal(
                self.file,
                "list_must_not_be_older",
                f"the list was published on {new.published_on}, before the one in force of {old.published_on}",
            )

    def _lose(self, place: int, reason: str, explanation: str, raw: Raw) -> None:
        self.lost += 1
        self.hold_back(place, reason, explanation, raw)

    def _usable(
        self, place: int, raw: Raw, entry_id: str, names: Iterable[tuple[str, Quality]]
    ) -> Iterable[ListedName]:
        for text, quality in names:
            if not text.strip():
                continue
            try:
                normalise(text)
            except NameNotUsable as refused:
                self.hold_back(
                    place, "name_must_be_usable", f"Entry {entry_id} was taken without a name: {refused}", raw
                )
            else:
                yield ListedName(" ".join(text.split()), quality)

    def _spans(self, place: int, raw: Raw, entry_id: str, births: Iterable[str]) -> Iterable[BirthSpan]:
        for text in births:
            span = birth_span(text)
            if span is not None:
                yield span
            elif text.strip():
                explanation = f"Entry {entry_id} was taken without the birth {text[:80]!a}, which is no day or span."
                self.hold_back(place, "date_must_be_readable", explanation, raw)


def _with_primary(names: list[ListedName]) -> tuple[ListedName, ...]:
    """The names with one that is primary: where the list says so of none, the first that is not weak, if any."""
    if any(name.quality is Quality.primary for name in names):
        return tuple(names)
    at = next((at for at, name in enumerate(names) if name.quality is Quality.strong), 0)
    return (ListedName(names[at].text, Quality.primary), *names[:at], *names[at + 1 :])


def birth_span(text: str) -> BirthSpan | None:
    """The days on which somebody may be born: ``10 Dec 1948``, ``Dec 1948``, ``circa 1948``, ``1948 to 1950``.

    ISO days, months and years are read too, with whatever follows a day; None for anything else.
    """
    words = " ".join(text.split())
    is_about = words.lower().startswith(("circa ", "approximately ", "c. "))
    ends = [_one_span(part) for part in (words.partition(" ")[2] if is_about else words).split(" to ")]
    if not 1 <= len(ends) <= 2 or None in ends:
        return None
    first, last = ends[0], ends[-1]
    assert first is not None and last is not None
    begin, end = first[0], last[1]
    if is_about:
        begin = date(max(1, begin.year - CIRCA_YEARS), 1, 1)
        end = date(min(9999, end.year + CIRCA_YEARS), 12, 31)
    return BirthSpan(begin, end) if begin <= end else None


def _one_span(text: str) -> tuple[date, date] | None:
    found = _DAY.fullmatch(text) or _ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day = (found[name] for name in ("year", "month", "day"))
    try:
        if month is None:
            return date(int(year), 1, 1), date(int(year), 12, 31)
        number = int(month) if month.isdigit() else _MONTHS[month[:3].lower()]
        if day is None:
            return date(int(year), number, 1), date(int(year), number, calendar.monthrange(int(year), number)[1])
        return (date(int(year), number, int(day)),) * 2
    except (ValueError, KeyError):
        return None


def version_of(*contents: bytes) -> str:
    """SHA-256 of the bytes of a list; of several files, over the SHA-256 of each in turn."""
    digests = [hashlib.sha256(content).digest() for content in contents]
    return digests[0].hex() if len(digests) == 1 else hashlib.sha256(b"".join(digests)).hexdigest()


def day_of(file: str, text: str) -> date:
    """The day a document says it was published, or :class:`DeliveryRefused`: else nobody knows which list is newer."""
    for pattern, order in (
        (r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*|Z)?", (1, 2, 3)),
        (r"(\d{2})/(\d{2})/(\d{4})", (3, 1, 2)),
    ):
        found = re.fullmatch(pattern, text.strip(), re.ASCII)
        if found:
            try:
                return date(*(int(found[place]) for place in order))
            except ValueError:
                break
    raise refusal(file, "date_must_be_readable", f"the day of publication must be a day, but is {text[:40]!a}")
