"""How risky a client is: a weighted sum of scored factors, its band, and what overrides it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from domain.clients.identity import months_after
from domain.clients.rules import RiskRatingTerms
from domain.errors import RatingNotUsable

SCORE_MIN: Final = 1
SCORE_MAX: Final = 5
BLOCKED: Final = "blocked"
"""The rating of a client whose place on a sanctions list is under review: no business until it is decided."""


@dataclass(frozen=True, slots=True)
class RiskRating:
    """A client's risk: the exact score, its rating, what overrode the band (if anything), and a sentence saying so."""

    score: Fraction
    rating: str
    override: str | None
    sentence: str
    edition: str


def rate(
    scores: Mapping[str, int], terms: RiskRatingTerms, *, is_pep: bool = False, is_sanctions_review: bool = False
) -> RiskRating:
    """Rate a client from one whole score (1 low to 5 high) per factor.

    A review for sanctions blocks, an exposed person is high risk, and neither is talked away by good scores.

    Raises
    ------
    RatingNotUsable
        A factor is missing or unknown, or a score is no whole number from 1 to 5.
    """
    if scores.keys() != terms.weights.keys():
        raise RatingNotUsable(
            f"A risk rating needs one score for each of {', '.join(terms.weights)}, but got "
            f"{', '.join(scores) or 'none'}. Nothing was rated; score every factor and rate again."
        )
    for factor, score in scores.items():
        # A bool is an int to Python, but no score to an officer.
        if isinstance(score, bool) or not isinstance(score, int) or not SCORE_MIN <= score <= SCORE_MAX:
            raise RatingNotUsable(
                f"The score of {factor} must be a whole number from {SCORE_MIN} to {SCORE_MAX}, but is {score!r}. "
                f"Nothing was rated; correct the score and rate again."
            )
    total = sum((terms.weights[factor] * score for factor, score in scores.items()), Fraction(0))
    _, band = max((start, name) for name, start in terms.bands.items() if total >= start)
    rating, override = band, None
    if is_sanctions_review:
        rating, override = BLOCKED, "sanctions_review"
    elif is_pep and band != "high":
        rating, override = "high", "pep"
    parts = ", ".join(f"{factor} {score} × {float(terms.weights[factor]):g}" for factor, score in scores.items())
    sentence = f"Score {float(total):.2f} ({parts}) lies in band {band}"
    because = {None: "", "pep": "; a politically exposed person is high", "sanctions_review": "; a review blocks"}
    return RiskRating(total, rating, override, f"{sentence}{because[override]}.", terms.edition)


def review_due_on(rated_on: date, rating: str, terms: RiskRatingTerms) -> date:
    """By which day a client rated ``rated_on`` must be looked at again; a blocked one at once."""
    return rated_on if rating == BLOCKED else months_after(rated_on, 12 * terms.review_years[rating])
