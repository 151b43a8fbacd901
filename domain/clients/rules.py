"""The forms of the rules on clients, which ``clients``, ``aml`` and ``retention`` in ``rulebooks/house`` fill.

Ratios that are compared with a line are exact fractions, so that 25 % is a quarter and not a float beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class ScreeningLines:
    """Scores (0 to 100) from which a name on a list is a strong hit, a hit to review, or a hit once corroborated."""

    strong: float
    review: float
    corroborated: float
    edition: str

    def __post_init__(self) -> None:
        """The weaker the likeness, the more must speak for it."""
        assert 0 < self.corroborated <= self.review <= self.strong <= 100


@dataclass(frozen=True)
class OwnershipLines:
    """From which share an owner is a beneficial owner, and from which share blocked owners block what they own."""

    beneficial: Fraction
    blocked: Fraction
    edition: str

    def __post_init__(self) -> None:
        """A line is a share of the whole."""
        assert 0 < self.beneficial <= 1 and 0 < self.blocked <= 1


@dataclass(frozen=True)
class RiskRatingTerms:
    """Weights of the factors of a client's risk, the score from which each band begins, and how often to look again."""

    weights: Mapping[str, Fraction]
    bands: Mapping[str, Fraction]
    review_years: Mapping[str, int]
    edition: str

    def __post_init__(self) -> None:
        """Weights share out one whole; bands rise from nothing; every band has its interval."""
        starts = list(self.bands.values())
        assert sum(self.weights.values()) == 1 and min(self.weights.values()) > 0
        assert starts[0] == 0 and starts == sorted(set(starts))
        assert "high" in self.bands and self.bands.keys() == self.review_years.keys()


@dataclass(frozen=True)
class CreditEntry:
    """What a market asks of a client before it may have a credit account (信用账户)."""

    currency: str
    assets_min_minor: int
    average_days: int
    history_months: int

    def __post_init__(self) -> None:
        """An average is over some days."""
        assert self.assets_min_minor >= 0 and self.average_days > 0 and self.history_months >= 0


@dataclass(frozen=True)
class CreditAccountTerms:
    """The entry test of each market; a market that is not named asks for none."""

    entry: Mapping[str, CreditEntry]
    edition: str


@dataclass(frozen=True)
class SuitabilityTerms:
    """The least suitability level (C1 to C5) for margin trading."""

    credit_level_min: int
    edition: str

    def __post_init__(self) -> None:
        """There are five levels."""
        assert 1 <= self.credit_level_min <= 5


@dataclass(frozen=True)
class StructuringLines:
    """Deposits each from the floor and below the limit that together pass the limit; minor units of one currency."""

    floor_minor: int
    limit_minor: int

    def __post_init__(self) -> None:
        """There is room between the floor and the limit."""
        assert 0 < self.floor_minor < self.limit_minor


@dataclass(frozen=True)
class AlertLines:
    """When a pattern of movements is an alert."""

    structuring: Mapping[str, StructuringLines]
    structuring_hours: int
    structuring_count_min: int
    velocity_hours: int
    velocity_out_ratio: Fraction
    velocity_traded_ratio: Fraction
    burst_multiple: int
    burst_days: int
    burst_active_days_min: int
    dormant_days: int
    device_accounts_min: int
    device_days: int
    edition: str

    def __post_init__(self) -> None:
        """One deposit splits nothing, and one account shares nothing."""
        assert self.structuring and self.structuring_count_min >= 2 and self.device_accounts_min >= 2
        assert 0 < self.velocity_traded_ratio < self.velocity_out_ratio <= 1
        assert min(self.structuring_hours, self.velocity_hours, self.dormant_days, self.device_days) > 0
        assert self.burst_multiple >= 1 and 1 <= self.burst_active_days_min <= self.burst_days


@dataclass(frozen=True)
class FilingTerms:
    """How long the desk has to file each report."""

    suspicious_days: int
    suspicious_days_without_suspect: int
    suspicious_from_minor: int
    cash_days: int
    china_working_days: int
    continuing_review_days: int
    edition: str

    def __post_init__(self) -> None:
        """Looking for a suspect takes longer, never shorter."""
        assert 0 < self.suspicious_days <= self.suspicious_days_without_suspect


@dataclass(frozen=True)
class LargeValueLines:
    """From which amount a movement is reported, in minor units by kind of movement and currency."""

    from_minor: Mapping[str, Mapping[str, int]]
    edition: str


@dataclass(frozen=True)
class CaseTerms:
    """How long each step of a case may take, and which roles may read what was reported."""

    triage_hours: int
    due_diligence_days: int
    report_readers: frozenset[str]
    edition: str

    def __post_init__(self) -> None:
        """Somebody must be able to read a report."""
        assert self.triage_hours > 0 and self.due_diligence_days > 0 and self.report_readers


@dataclass(frozen=True)
class RetentionRegime:
    """How many years a law keeps a record, counted from the record's own day or from the end of the relationship."""

    years: int
    counts_from: str

    def __post_init__(self) -> None:
        """There are two days to count from."""
        assert self.years > 0 and self.counts_from in ("record", "relationship_end")


@dataclass(frozen=True)
class RetentionTerms:
    """Every regime a record may be kept under, by name."""

    regimes: Mapping[str, RetentionRegime]
    edition: str
