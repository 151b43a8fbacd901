"""Ageing: each day falls into one bucket, and no amount is lost on the way."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ageing import AgeBucket, AgeingSchedule, aged_minor, days_past_due
from domain.errors import RulebookNotUsable
from domain.rulebook import Edition, ageing_schedules
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)
SCHEDULES = ageing_schedules(load_rulebook("house.ageing").governing(DAY)).schedules


@pytest.mark.parametrize(
    ("kind", "days", "bucket", "told"),
    [
        ("receivables", 0, "0-1", "operations"),
        ("receivables", 1, "0-1", "operations"),
        ("receivables", 2, "2-5", "supervisor"),
        ("receivables", 5, "2-5", "supervisor"),
        ("receivables", 6, "over 5", "cfo"),
        ("loans", 0, "not due", "operations"),
        ("loans", 1, "1-30", "operations"),
        ("loans", 30, "1-30", "operations"),
        ("loans", 31, "31-60", "supervisor"),
        ("loans", 60, "31-60", "supervisor"),
        ("loans", 61, "61-90", "supervisor"),
        ("loans", 90, "61-90", "supervisor"),
        ("loans", 91, "over 90", "cfo"),
    ],
)
def test_the_last_day_of_a_bucket_belongs_to_it(kind: str, days: int, bucket: str, told: str) -> None:
    found = SCHEDULES[kind].bucket_of(days)
    assert (found.name, found.told) == (bucket, told)


def test_nothing_is_past_due_on_the_day_it_falls_due() -> None:
    assert days_past_due(DAY, DAY) == days_past_due(DAY + timedelta(days=3), DAY) == 0
    assert days_past_due(date(2028, 2, 28), date(2028, 3, 1)) == 2


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(-(10**12), 10**12))), st.sampled_from(sorted(SCHEDULES)))
def test_every_amount_lies_in_exactly_one_bucket(claims: list[tuple[int, int]], kind: str) -> None:
    totals = aged_minor(claims, SCHEDULES[kind])
    assert list(totals) == [bucket.name for bucket in SCHEDULES[kind].buckets]
    assert sum(totals.values()) == sum(amount for _, amount in claims)


@given(st.integers(0, 400), st.integers(0, 400))
def test_what_grows_older_never_moves_to_a_younger_bucket(one: int, other: int) -> None:
    buckets = SCHEDULES["loans"].buckets
    younger, older = sorted((one, other))
    places = [buckets.index(SCHEDULES["loans"].bucket_of(days)) for days in (younger, older)]
    assert places == sorted(places)


def test_a_schedule_with_a_gap_or_an_end_is_refused() -> None:
    for tops in ([], [1], [1, 5], [None, None], [5, 1, None], [1, 1, None]):
        rows = [
            {"name": f"bucket {n}", "told": "cfo"} | ({} if t is None else {"up_to_days": t})
            for n, t in enumerate(tops)
        ]
        rules = {"ageing": {"form": "ageing_schedules", "loans": rows}}
        with pytest.raises(
            RulebookNotUsable, match=r"ageing\.loans must be buckets of rising up_to_days, the last one open"
        ):
            ageing_schedules(Edition("house.sample", DAY, True, "", "", rules))


def test_two_buckets_of_one_name_would_hide_each_other() -> None:
    with pytest.raises(AssertionError):
        AgeingSchedule("loans", (AgeBucket("late", 1, "cfo"), AgeBucket("late", None, "cfo")))
