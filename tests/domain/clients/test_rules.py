"""A rule on clients that makes no sense is refused where it is read, with the place it stands at."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from domain.clients.rules import CaseTerms, OwnershipLines, RetentionRegime, RiskRatingTerms, ScreeningLines
from domain.errors import RulebookNotUsable
from domain.rulebook import READERS, Edition
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)


def changed(edition: Edition, rule: str, **values: Any) -> Edition:
    return replace(edition, rules={**edition.rules, rule: {**edition.rules[rule], **values}})


@pytest.mark.parametrize(
    ("book", "rule", "values", "why"),
    [
        ("clients", "screening", {"review": 96}, "lines falling from strong to corroborated"),
        ("clients", "screening", {"strong": 101}, "a number from 1 to 100"),
        ("clients", "ownership", {"beneficial_ratio": 1.5}, "a number from 0 to 1"),
        ("clients", "risk_rating", {"bands": {"low": 0, "medium": 2}}, "weights that sum to 1"),
        ("clients", "risk_rating", {"weights": {"geography": 0.9}}, "weights that sum to 1"),
        ("clients", "credit_account", {"entry": {}}, "at least one entry"),
        ("clients", "suitability", {"credit_level_min": 6}, "a whole number from 1 to 5"),
        ("aml", "alerts", {"structuring": {"USD": {"floor": 10000, "limit": 10000}}}, "a floor above nothing"),
        ("aml", "alerts", {"device_accounts_min": 1}, "a whole number from 2"),
        ("aml", "filings", {"suspicious_days_without_suspect": 29}, "a whole number from 30"),
        ("aml", "large_value", {"us_cash": {"USD": 0.001}}, "a multiple of 1/100"),
        ("aml", "cases", {"report_readers": {"mlro": "yes"}}, "true or false"),
        ("retention", "retention", {"BSA": {"years": 5, "counts_from": "moon"}}, "record or relationship_end"),
    ],
)
def test_a_rule_of_no_form_is_refused_with_its_place(book: str, rule: str, values: dict[str, Any], why: str) -> None:
    edition = load_rulebook(f"house.{book}").governing(DAY)
    READERS[rule](edition)
    with pytest.raises(RulebookNotUsable, match=why):
        READERS[rule](changed(edition, rule, **values))


def test_a_ratio_of_a_quarter_is_exactly_a_quarter(ownership_lines: OwnershipLines) -> None:
    assert (ownership_lines.beneficial, ownership_lines.blocked) == (Fraction(1, 4), Fraction(1, 2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScreeningLines(85, 95, 75, "x"),
        lambda: OwnershipLines(Fraction(0), Fraction(1, 2), "x"),
        lambda: RiskRatingTerms({"a": Fraction(1)}, {"low": Fraction(0)}, {"low": 1}, "x"),
        lambda: CaseTerms(24, 5, frozenset(), "x"),
        lambda: RetentionRegime(0, "record"),
    ],
)
def test_a_form_never_holds_what_makes_no_sense(make: Any) -> None:
    with pytest.raises(AssertionError):
        make()
