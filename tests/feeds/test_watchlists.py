"""What every list shares: births in words, versions, what is held back, what refuses the whole. Names are invented."""

from datetime import UTC, date, datetime

import pytest

from domain.clients.watchlists import BirthSpan, ListedName, Quality
from domain.errors import DeliveryRefused
from feeds.watchlists import Listing, birth_span, day_of, version_of

NOW = datetime(2026, 6, 17, 21, tzinfo=UTC)
DAY = date(2026, 6, 17)


def listing(count: int = 10, names: int = 1) -> Listing:
    made = Listing("sample", "sample.xml", NOW)
    for at in range(count):
        texts = [(f"NAME {at} {alias}", Quality.primary if alias == 0 else Quality.strong) for alias in range(names)]
        made.add(at, str, str(at), "individual", texts)
    return made


def span(*days: tuple[int, int, int]) -> BirthSpan:
    return BirthSpan(date(*days[0]), date(*days[-1]))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10 Dec 1948", span((1948, 12, 10))),
        ("1 January 1970", span((1970, 1, 1))),
        ("Feb 1964", span((1964, 2, 1), (1964, 2, 29))),
        ("1948", span((1948, 1, 1), (1948, 12, 31))),
        ("circa 1948", span((1946, 1, 1), (1950, 12, 31))),
        ("circa 10 Dec 1948", span((1946, 1, 1), (1950, 12, 31))),
        ("1948 to 1950", span((1948, 1, 1), (1950, 12, 31))),
        ("Jan 1948 to 3 Mar 1950", span((1948, 1, 1), (1950, 3, 3))),
        ("1965-03-12", span((1965, 3, 12))),
        ("1965-03-12T00:00:00", span((1965, 3, 12))),
        ("1965-03-12Z", span((1965, 3, 12))),
        ("1965-03", span((1965, 3, 1), (1965, 3, 31))),
        ("30 Feb 1948", None),
        ("1950 to 1948", None),
        ("unknown", None),
        ("0000", None),
        ("", None),
        ("1948 to 1949 to 1950", None),
        ("10 Xyz 1948", None),
        ("١٩٤٨-01-01", None),
    ],
)
def test_a_birth_is_a_day_or_a_span_of_days(text: str, found: BirthSpan | None) -> None:
    assert birth_span(text) == found


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("06/15/2026", date(2026, 6, 15)),
        ("2026-06-15T17:00:34.049+01:00", date(2026, 6, 15)),
        ("2026-06-15", date(2026, 6, 15)),
    ],
)
def test_the_day_of_publication_is_read_in_both_ways_lists_write_it(text: str, day: date) -> None:
    assert day_of("sample.xml", text) == day


@pytest.mark.parametrize("text", ["", "15.06.2026", "13/31/2026", "2026-02-30", "yesterday"])
def test_a_list_without_a_day_is_refused(text: str) -> None:
    with pytest.raises(DeliveryRefused, match="the day of publication must be a day"):
        day_of("sample.xml", text)


def test_the_version_follows_every_byte_and_the_order_of_files() -> None:
    assert version_of(b"a") == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    assert len({version_of(b"a", b"b"), version_of(b"b", b"a"), version_of(b"ab"), version_of(b"a", b"B")}) == 4


def test_what_cannot_be_read_of_an_entry_is_held_back_and_the_entry_stays() -> None:
    made = listing()
    made.add(
        11, lambda: "raw", "A", "entity", [("GOOD", Quality.primary), ("x" * 600, Quality.strong)], births=["soon"]
    )
    found = made.finish("v", DAY, None)
    assert found.quarantined[["reason", "raw_text", "source", "line"]].to_numpy().tolist() == [
        ["name_must_be_usable", "raw", "sample", 11],
        ["date_must_be_readable", "raw", "sample", 11],
    ]
    assert found.watchlist.entries[-1].names == (ListedName("GOOD"),)


@pytest.mark.parametrize(
    ("entry_id", "name", "reason"),
    [
        ("", "GOOD", "entry_must_have_an_id"),
        ("=1+1", "GOOD", "entry_must_have_an_id"),
        ("3", "GOOD", "entry_must_be_unique"),
        ("A", "---", "entry_must_have_a_name"),
        ("A", " ", "entry_must_have_a_name"),
    ],
)
def test_an_entry_that_cannot_be_read_is_held_back_whole(entry_id: str, name: str, reason: str) -> None:
    made = listing()
    made.add(11, lambda: "raw", entry_id, "entity", [(name, Quality.primary)])
    found = made.finish("v", DAY, None)
    assert len(found.watchlist.entries) == 10
    assert reason in found.quarantined["reason"].tolist()


def test_a_list_without_a_primary_name_says_which_one_counts() -> None:
    made = listing(1)
    made.add(1, str, "A", "entity", [("SHADOW", Quality.weak), ("GOOD", Quality.strong)])
    made.add(2, str, "B", "entity", [("SHADOW", Quality.weak)])
    entries = made.finish("v", DAY, None).watchlist.entries
    assert entries[1].names == (ListedName("GOOD"), ListedName("SHADOW", Quality.weak))
    assert entries[2].names == (ListedName("SHADOW"),)


def test_a_list_of_nothing_or_of_mostly_unreadable_rows_is_refused() -> None:
    with pytest.raises(DeliveryRefused, match="list_must_not_be_empty"):
        listing(0).finish("v", DAY, None)
    made = listing(100)
    made.lose_row(1, "columns_must_match", "The first that broke.", str)
    made.finish("v", DAY, None)
    made.lose_row(2, "columns_must_match", "The second.", str)
    with pytest.raises(DeliveryRefused, match="2 of 102 rows cannot be read, the first being: The first that broke"):
        made.finish("v", DAY, None)


def test_a_list_that_lost_a_fifth_of_itself_needs_an_officer() -> None:
    old = listing(100, 2).finish("v1", DAY, None).watchlist
    assert len(listing(80, 2).finish("v2", DAY, old).watchlist.entries) == 80
    with pytest.raises(DeliveryRefused, match="the list had 100 entries and would have 79"):
        listing(79, 2).finish("v2", DAY, old)
    with pytest.raises(DeliveryRefused, match="the list had 200 names and would have 100"):
        listing(100, 1).finish("v2", DAY, old)
    assert len(listing(5).finish("v2", DAY, old, accept_shrinkage=True).watchlist.entries) == 5


def test_an_older_list_never_replaces_a_newer_one() -> None:
    old = listing().finish("v1", DAY, None).watchlist
    with pytest.raises(DeliveryRefused, match="published on 2026-06-16, before the one in force of 2026-06-17"):
        listing().finish("v2", date(2026, 6, 16), old)
