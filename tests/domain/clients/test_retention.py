"""A record is kept as long as the longest of its laws asks for, and longer while nobody has said."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.retention import earliest_destruction, kept_until, years_after
from domain.clients.rules import RetentionTerms
from domain.errors import RuleNotInForce
from domain.rulebook import retention_terms as read_terms
from rulebooks import load_rulebook

REGIMES = ["BSA", "OFAC", "PRC_AML_2025", "SEC_17A4"]


@pytest.mark.parametrize("golden", ["AML-008"], indirect=True)
def test_each_regime_keeps_a_record_for_its_years(golden: Any, retention_terms: RetentionTerms) -> None:
    found = []
    for case in golden.given["cases"]:
        day = date.fromisoformat(case.get("event") or case["relationship_end"])
        ended = date.fromisoformat(case["relationship_end"]) if "relationship_end" in case else None
        until = kept_until(case["regime"], day, ended, retention_terms)
        assert until is not None
        found.append(until.isoformat())
    assert found == golden.expected["earliest_destroy"]


def test_a_record_waits_for_the_end_of_the_relationship(retention_terms: RetentionTerms) -> None:
    day = date(2026, 3, 2)
    assert earliest_destruction(["BSA"], day, None, retention_terms) == date(2031, 3, 2)
    assert earliest_destruction(["BSA", "PRC_AML_2025"], day, None, retention_terms) is None
    assert earliest_destruction(["BSA", "PRC_AML_2025"], day, date(2030, 1, 1), retention_terms) == date(2040, 1, 1)
    assert earliest_destruction([], day, day, retention_terms) is None


@given(
    st.sets(st.sampled_from(REGIMES), min_size=1),
    st.sampled_from(REGIMES),
    st.dates(date(2000, 1, 1), date(2050, 1, 1)),
    st.dates(date(2000, 1, 1), date(2050, 1, 1)),
)
def test_the_latest_of_all_regimes_wins_and_one_more_never_shortens(
    retention_terms: RetentionTerms, regimes: set[str], more: str, record_on: date, ended_on: date
) -> None:
    until = earliest_destruction(regimes, record_on, ended_on, retention_terms)
    each = [kept_until(regime, record_on, ended_on, retention_terms) for regime in regimes]
    assert until == max(day for day in each if day is not None)
    longer = earliest_destruction({*regimes, more}, record_on, ended_on, retention_terms)
    assert longer is not None
    assert longer >= until


def test_a_leap_day_is_kept_a_day_longer_not_shorter() -> None:
    assert years_after(date(2024, 2, 29), 5) == date(2029, 3, 1)
    assert years_after(date(2024, 2, 29), 4) == date(2028, 2, 29)


def test_an_unknown_regime_destroys_nothing(retention_terms: RetentionTerms) -> None:
    with pytest.raises(RuleNotInForce, match="one of BSA, OFAC, PRC_AML_2025, SEC_17A4, but 'GDPR' was asked for"):
        earliest_destruction(["GDPR"], date(2026, 3, 2), None, retention_terms)


def test_sanctions_records_were_kept_for_five_years_before_2025() -> None:
    book = load_rulebook("house.retention")
    years = [read_terms(book.governing(day)).regimes["OFAC"].years for day in (date(2025, 3, 20), date(2025, 3, 21))]
    assert years == [5, 10]
