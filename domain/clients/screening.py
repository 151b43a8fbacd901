"""How like two names are, and what a likeness to a listed name means: the score of RULEBOOK 10.2, explained.

The score of two names is 100 times the greater of two numbers: Jaro-Winkler over the whole names, and the mean, over
the words of the name asked about, of the best Jaro-Winkler to a word of the listed name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import fmean
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Jaro

from domain.clients.names import script_variants, variants
from domain.clients.rules import ScreeningLines
from domain.clients.watchlists import ListEntry, Quality, Watchlist, plain_document
from domain.errors import NameNotUsable

PREFIX_WEIGHT: Final = 0.1
PREFIX_LENGTH: Final = 4
"""Winkler's: each of the first letters that agree, four at most, takes away a tenth of what is missing to one."""

Disposition = Literal["strong", "review", "none"]

_SOUNDS: Final = {
    letter: digit
    for letters, digit in (("BFPV", "1"), ("CGJKQSXZ", "2"), ("DT", "3"), ("L", "4"), ("MN", "5"), ("R", "6"))
    for letter in letters
}


def jaro(one: str, other: str) -> float:
    """Jaro's likeness of two words, 0 to 1.

    Half of the letters that are out of order counts as it is. Winkler's own program, and most libraries after it, round
    that half down, which raises the likeness of words with an odd number of them; see :func:`_upper_bounds`.
    """
    if one == other:
        return 1.0
    reach = max(0, max(len(one), len(other)) // 2 - 1)
    taken = [False] * len(other)
    found = []
    for place, letter in enumerate(one):
        for at in range(max(0, place - reach), min(len(other), place + reach + 1)):
            if not taken[at] and other[at] == letter:
                taken[at] = True
                found.append(letter)
                break
    if not found:
        return 0.0
    met = (letter for letter, is_taken in zip(other, taken, strict=True) if is_taken)
    out_of_order = sum(left != right for left, right in zip(found, met, strict=True))
    count = len(found)
    return (count / len(one) + count / len(other) + (count - out_of_order / 2) / count) / 3


def jaro_winkler(one: str, other: str) -> float:
    """Jaro's likeness raised by an agreeing beginning, however unlike the rest is; many libraries ask for 0.7 first."""
    likeness = jaro(one, other)
    agreeing = 0
    for left, right in zip(one[:PREFIX_LENGTH], other[:PREFIX_LENGTH], strict=False):
        if left != right:
            break
        agreeing += 1
    return likeness + agreeing * PREFIX_WEIGHT * (1 - likeness)


def soundex(word: str) -> str:
    """How a word sounds, by the rules of the US census: a letter and three digits; nothing without a letter A to Z."""
    letters = [letter for letter in word.upper() if "A" <= letter <= "Z"]
    if not letters:
        return ""
    code, last = letters[0], _SOUNDS.get(letters[0], "")
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter, "")
        if sound and sound != last:
            code += sound
        # H and W do not part two letters of one sound; a vowel does.
        if letter not in "HW":
            last = sound
    return (code + "000")[:4]


@dataclass(frozen=True, slots=True)
class WordMatch:
    """The listed word most like one word asked about. What was asked about is the client's, and never shown."""

    word: str = field(repr=False)
    listed_word: str
    likeness: float
    sounds_alike: bool


@dataclass(frozen=True, slots=True)
class Likeness:
    """The score of two names and what it is made of."""

    score: float
    whole: float
    words: tuple[WordMatch, ...]

    @property
    def mean_of_words(self) -> float:
        """The mean of the best likeness of each word."""
        return fmean(match.likeness for match in self.words)


def likeness(query: str, candidate: str) -> Likeness:
    """Score two names that are already normalised."""
    matches = []
    for word in query.split():
        best, listed = max(
            ((jaro_winkler(word, other), other) for other in candidate.split()), key=lambda pair: pair[0]
        )
        matches.append(WordMatch(word, listed, best, soundex(word) != "" and soundex(word) == soundex(listed)))
    whole = jaro_winkler(query, candidate)
    return Likeness(100 * max(whole, fmean(match.likeness for match in matches)), whole, tuple(matches))


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom we ask about. Everything here is personal data and stays out of ``repr``."""

    name: str = field(repr=False)
    aliases: tuple[str, ...] = field(default=(), repr=False)
    birth_date: date | None = field(default=None, repr=False)
    countries: frozenset[str] = field(default=frozenset(), repr=False)
    documents: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A hit: which entry of which list, how like, what speaks for it, what follows, and one sentence saying so.

    ``corroborated_by`` are ``birth_date``, ``country``, ``document`` and ``weak_alias``. Neither ``sentence`` nor
    ``repr`` repeats anything of the client's.
    """

    list_name: str
    list_version: str
    entry_id: str
    kind: str
    listed_name: str
    quality: Quality
    likeness: Likeness
    corroborated_by: tuple[str, ...]
    disposition: Disposition
    sentence: str

    @property
    def score(self) -> float:
        """The best score of a name that counts by itself."""
        return self.likeness.score


def disposition(score: float, corroborated_by: Sequence[str], lines: ScreeningLines) -> Disposition:
    """What follows from a score: strong blocks until decided, review asks for a decision, none needs nothing.

    The same identity document is worth a look whatever the name.
    """
    if score >= lines.strong:
        return "strong"
    if score >= lines.review or "document" in corroborated_by:
        return "review"
    return "review" if corroborated_by and score >= lines.corroborated else "none"


def corroboration(subject: Subject, entry: ListEntry) -> tuple[str, ...]:
    """What, beside names, speaks for ``subject`` being ``entry``."""
    documents = {plain_document(number) for number in subject.documents} - {""}
    facts = {
        "birth_date": subject.birth_date is not None and any(span.holds(subject.birth_date) for span in entry.births),
        "country": bool(subject.countries & set(entry.countries)),
        "document": bool(documents & set(entry.documents)),
    }
    return tuple(name for name, is_so in facts.items() if is_so)


@dataclass(frozen=True)
class ScreeningIndex:
    """The names of some lists, laid out as arrays so that one name can be held against all of them at once.

    Names are not sorted out beforehand by first letters or sounds, for such a sieve loses names: a bound of the score
    of every name is quick enough to compute (:func:`_upper_bounds`).
    """

    entries: tuple[tuple[Watchlist, ListEntry], ...]
    names: tuple[str, ...]
    texts: tuple[str, ...]
    qualities: tuple[Quality, ...]
    counts: NDArray[np.bool_]
    entry_of_name: NDArray[np.int64]
    first_name_of_entry: NDArray[np.int64]
    name_beginnings: NDArray[np.uint32]
    words: tuple[str, ...]
    word_beginnings: NDArray[np.uint32]
    words_of_names: NDArray[np.int64]
    first_word_of_name: NDArray[np.int64]
    entries_by_document: Mapping[str, tuple[int, ...]]


def screening_index(watchlists: Sequence[Watchlist]) -> ScreeningIndex:
    """Lay out the names of ``watchlists``; each is also written in the other scripts of :func:`script_variants`.

    A listed name that cannot be compared is left out here: whoever read the list has held it back and said so.
    """
    entries: list[tuple[Watchlist, ListEntry]] = []
    names: list[str] = []
    texts: list[str] = []
    qualities: list[Quality] = []
    owners: list[int] = []
    documents: dict[str, tuple[int, ...]] = {}
    for watchlist in watchlists:
        for entry in watchlist.entries:
            at = len(entries)
            entries.append((watchlist, entry))
            for number in entry.documents:
                documents[number] = (*documents.get(number, ()), at)
            for listed in entry.names:
                for name in _or_nothing(listed.text):
                    names.append(name)
                    texts.append(listed.text)
                    qualities.append(listed.quality)
                    owners.append(at)
    split = [name.split() for name in names]
    number_of: dict[str, int] = {}
    flat = [number_of.setdefault(word, len(number_of)) for words in split for word in words]
    starts = np.cumsum([0, *map(len, split)], dtype=np.int64)[:-1]
    counts = np.array([quality is not Quality.weak for quality in qualities], dtype=bool)
    entry_of_name = np.array(owners, dtype=np.int64)
    return ScreeningIndex(
        tuple(entries), tuple(names), tuple(texts), tuple(qualities), counts, entry_of_name,
        np.searchsorted(entry_of_name, np.arange(len(entries) + 1)), _beginnings(names), tuple(number_of),
        _beginnings(list(number_of)), np.array(flat, dtype=np.int64), starts, documents,
    )  # fmt: skip


def screen(subject: Subject, index: ScreeningIndex, lines: ScreeningLines) -> tuple[Explanation, ...]:
    """Every entry that ``subject`` may be, the likest first.

    Raises
    ------
    NameNotUsable
        The subject's name, or an alias, cannot be compared; it was not screened at all.
    """
    asked = tuple(dict.fromkeys(variant for name in (subject.name, *subject.aliases) for variant in variants(name)))
    bounds = _upper_bounds(asked, index)
    bound, weak_bound = (
        _best_per_entry(np.where(which, bounds, -1.0), index) for which in (index.counts, ~index.counts)
    )
    known = {plain_document(number) for number in subject.documents}
    same_document = {at for number in known for at in index.entries_by_document.get(number, ())}
    hits = []
    for at in sorted({int(at) for at in np.flatnonzero(bound >= lines.corroborated)} | same_document):
        speaking = corroboration(subject, index.entries[at][1])
        if weak_bound[at] >= lines.review:
            weak, _ = _best_name(asked, at, bounds, index, is_weak=True)
            if weak is not None and weak.score >= lines.review:
                speaking = (*speaking, "weak_alias")
        if bound[at] < lines.review and not speaking:
            continue
        best, place = _best_name(asked, at, bounds, index, is_weak=False)
        if best is None:
            best, place = _best_name(asked, at, bounds, index, is_weak=True)
        assert best is not None, "an entry has a name"
        verdict = disposition(best.score if index.counts[place] else 0.0, speaking, lines)
        if verdict != "none":
            hits.append(_explain(at, place, best, index, speaking, verdict, lines))
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.list_name, hit.entry_id)))


def _best_name(
    asked: Sequence[str], at: int, bounds: NDArray[np.float64], index: ScreeningIndex, *, is_weak: bool
) -> tuple[Likeness | None, int]:
    """The likest name of one entry, weak or not, and its place in the index; names that cannot win are not scored."""
    places = range(int(index.first_name_of_entry[at]), int(index.first_name_of_entry[at + 1]))
    best, best_place = None, -1
    for place in sorted((place for place in places if index.counts[place] != is_weak), key=lambda one: -bounds[one]):
        if best is not None and bounds[place] <= best.score:
            break
        for name in asked:
            found = likeness(name, index.names[place])
            if best is None or found.score > best.score:
                best, best_place = found, place
    return best, best_place


def _upper_bounds(asked: Sequence[str], index: ScreeningIndex) -> NDArray[np.float64]:
    """A number that no score of any of the names ``asked`` against each name of the index passes, ``(n_names,)``.

    rapidfuzz rounds half of the letters out of order down, so its likeness is never below :func:`jaro`, and above it by
    an eighteenth at most; the score rises with the likeness. A hair is added for the order of additions.
    """
    if not index.names:
        return np.zeros(0)
    best = _jaro_winkler_table(asked, index.names, index.name_beginnings).max(axis=0)
    words = tuple(dict.fromkeys(word for name in asked for word in name.split()))
    table = _jaro_winkler_table(words, index.words, index.word_beginnings)
    # Best likeness of each word asked about to a word of each name, (n_words, n_names).
    best_of_word = np.maximum.reduceat(table[:, index.words_of_names], index.first_word_of_name, axis=1)
    row_of = {word: row for row, word in enumerate(words)}
    for same_words in {tuple(sorted(name.split())) for name in asked}:
        np.maximum(best, best_of_word[[row_of[word] for word in same_words]].mean(axis=0), out=best)
    bounds: NDArray[np.float64] = 100 * best + 1e-9
    return bounds


def _jaro_winkler_table(
    asked: Sequence[str], listed: Sequence[str], beginnings: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Bounds of the Jaro-Winkler of each of ``asked`` to each of ``listed``, ``(n_asked, n_listed)``."""
    table: NDArray[np.float64] = process.cdist(asked, listed, scorer=Jaro.similarity, dtype=np.float64, workers=1)
    for row, own in enumerate(_beginnings(asked).T):
        agreeing = np.zeros(len(listed), dtype=np.uint8)
        is_same = np.ones(len(listed), dtype=bool)
        for place, letter in enumerate(own):
            is_same &= (beginnings[place] == letter) & (letter != 0)
            agreeing += is_same
        table[row] += agreeing * PREFIX_WEIGHT * (1 - table[row])
    return table


def _beginnings(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Code points of the first letters of each text, ``(PREFIX_LENGTH, n_texts)``, zero where it is shorter."""
    found = np.zeros((PREFIX_LENGTH, len(texts)), dtype=np.uint32)
    for column, text in enumerate(texts):
        for place, letter in enumerate(text[:PREFIX_LENGTH]):
            found[place, column] = ord(letter)
    return found


def _best_per_entry(scores: NDArray[np.float64], index: ScreeningIndex) -> NDArray[np.float64]:
    best = np.full(len(index.entries), -1.0)
    np.maximum.at(best, index.entry_of_name, scores)
    return best


def _or_nothing(text: str) -> tuple[str, ...]:
    try:
        return script_variants(text)
    except NameNotUsable:
        return ()


def _explain(
    at: int,
    place: int,
    found: Likeness,
    index: ScreeningIndex,
    speaking: tuple[str, ...],
    verdict: Disposition,
    lines: ScreeningLines,
) -> Explanation:
    watchlist, entry = index.entries[at]
    words = ", ".join(f"{match.listed_word} {match.likeness:.2f}" for match in found.words)
    spoken = f", with the same {' and '.join(speaking).replace('_', ' ')}" if speaking else ""
    if verdict == "strong":
        why = f"strong from {lines.strong:g}"
    elif found.score >= lines.review and index.counts[place]:
        why = f"to review from {lines.review:g}"
    elif found.score >= lines.corroborated and index.counts[place]:
        why = f"to review from {lines.corroborated:g} once corroborated"
    else:
        why = "to review for its document alone"
    sentence = (
        f"Score {found.score:.1f} against {index.texts[place]} ({index.qualities[place]} name of {entry.kind} "
        f"{entry.entry_id} on {watchlist.name}): whole name {found.whole:.2f}, best words {words}{spoken}; {why}."
    )
    return Explanation(
        watchlist.name, watchlist.version, entry.entry_id, entry.kind, index.texts[place], index.qualities[place],
        found, speaking, verdict, sentence,
    )  # fmt: skip
