"""A client's risk is a sum anybody can check, and nobody's place on a list is averaged away."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.clients.rating import rate, review_due_on
from domain.clients.rules import RiskRatingTerms
from domain.errors import RatingNotUsable

FACTORS = ("geography", "product", "channel", "customer_type", "behaviour")


@pytest.mark.parametrize("golden", ["AML-009"], indirect=True)
def test_the_weighted_rating_is_the_published_sum(golden: Any, rating_terms: RiskRatingTerms) -> None:
    weights = {factor: float(weight) for factor, weight in rating_terms.weights.items()}
    assert weights == golden.given["weights"]
    found = rate(golden.given["scores"], rating_terms)
    assert float(found.score) == pytest.approx(golden.expected["score"], rel=1e-9)
    assert found.rating == golden.expected["rating"]
    assert rate(golden.given["scores"], rating_terms, is_pep=True).rating == golden.expected["with_pep"]


def test_a_score_on_the_line_belongs_to_the_band_above(rating_terms: RiskRatingTerms) -> None:
    assert rate(dict.fromkeys(FACTORS, 2), rating_terms).rating == "medium"
    assert rate(dict.fromkeys(FACTORS, 3), rating_terms).rating == "high"
    assert rate({**dict.fromkeys(FACTORS, 2), "channel": 1}, rating_terms).rating == "low"


def test_a_review_for_sanctions_blocks_whatever_the_score(rating_terms: RiskRatingTerms) -> None:
    found = rate(dict.fromkeys(FACTORS, 1), rating_terms, is_pep=True, is_sanctions_review=True)
    assert (found.rating, found.override) == ("blocked", "sanctions_review")
    assert "a review blocks" in found.sentence


@given(st.fixed_dictionaries({factor: st.integers(1, 5) for factor in FACTORS}), st.sampled_from(FACTORS))
def test_more_risk_in_one_factor_never_lowers_the_rating(
    rating_terms: RiskRatingTerms, scores: dict[str, int], factor: str
) -> None:
    order = ["low", "medium", "high"]
    raised = {**scores, factor: min(5, scores[factor] + 1)}
    assert order.index(rate(raised, rating_terms).rating) >= order.index(rate(scores, rating_terms).rating)
    assert 1 <= rate(scores, rating_terms).score <= 5


@pytest.mark.parametrize("score", [0, 6, True, 2.5, None, "3"])
def test_a_score_that_is_no_whole_number_from_one_to_five_is_refused(
    score: object, rating_terms: RiskRatingTerms
) -> None:
    with pytest.raises(RatingNotUsable, match="score of channel must be a whole number from 1 to 5"):
        rate({**dict.fromkeys(FACTORS, 2), "channel": score}, rating_terms)  # type: ignore[dict-item]


@pytest.mark.parametrize("factors", [FACTORS[1:], (*FACTORS, "hair"), ()])
def test_every_factor_is_scored_and_no_other(factors: tuple[str, ...], rating_terms: RiskRatingTerms) -> None:
    with pytest.raises(RatingNotUsable, match="one score for each of geography, product"):
        rate(dict.fromkeys(factors, 2), rating_terms)


@pytest.mark.parametrize(
    ("rating", "due"),
    [
        ("high", date(2025, 2, 28)),
        ("medium", date(2026, 2, 28)),
        ("low", date(2027, 2, 28)),
        ("blocked", date(2024, 2, 29)),
    ],
)
def test_the_riskier_the_sooner_a_client_is_looked_at_again(
    rating: str, due: date, rating_terms: RiskRatingTerms
) -> None:
    assert review_due_on(date(2024, 2, 29), rating, rating_terms) == due
