"""A list of persons nobody may do business with: one version of it, its entries, and what changed between two."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum, auto


class Quality(StrEnum):
    """How much a name on a list says by itself; a weak alias only speaks for a hit that another name made."""

    primary = auto()
    strong = auto()
    weak = auto()


@dataclass(frozen=True, slots=True)
class ListedName:
    """One name of an entry, as the list writes it."""

    text: str
    quality: Quality = Quality.primary


@dataclass(frozen=True, slots=True)
class BirthSpan:
    """A day of birth as well as a list knows it: on one day, or within a span of days."""

    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Whether somebody born on ``day`` may be meant."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One person, firm or vessel on a list, under every name the list gives it.

    ``countries`` are ISO 3166 codes where the list's word for a country is known, else that word; ``documents`` are
    numbers without anything but letters and digits.
    """

    entry_id: str
    kind: str
    names: tuple[ListedName, ...]
    births: tuple[BirthSpan, ...] = ()
    countries: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Watchlist:
    """One version of a list. ``version`` is the SHA-256 of the bytes it was read from."""

    name: str
    version: str
    published_on: date
    entries: tuple[ListEntry, ...]


@dataclass(frozen=True, slots=True)
class ListDelta:
    """Ids of the entries that came, changed and went between two versions of one list."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nobody needs to be looked at again."""
        return not (self.added or self.changed or self.removed)


def list_delta(old: Watchlist | None, new: Watchlist) -> ListDelta:
    """What changed from ``old`` (None where there was no list yet) to ``new``."""
    assert old is None or old.name == new.name, "two versions of one list are compared"
    before = {entry.entry_id: entry for entry in old.entries} if old is not None else {}
    after = {entry.entry_id: entry for entry in new.entries}
    return ListDelta(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(name for name in after.keys() & before.keys() if after[name] != before[name])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def only(watchlist: Watchlist, entry_ids: Iterable[str]) -> Watchlist:
    """The list cut down to some entries, such as those of a delta: screening many clients against it is quick."""
    wanted = frozenset(entry_ids)
    return replace(watchlist, entries=tuple(entry for entry in watchlist.entries if entry.entry_id in wanted))


def plain_document(number: str) -> str:
    """A document number as documents are compared: letters and digits, in capitals."""
    return "".join(character for character in number.upper() if character.isalnum())
