"""How long something has been due, and into which bucket of age that falls."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class AgeBucket:
    """Ages up to ``up_to_days``, itself included, and who is told of what is in it; the last bucket is open (None)."""

    name: str
    up_to_days: int | None
    told: str


@dataclass(frozen=True)
class AgeingSchedule:
    """The buckets of one kind of claim, youngest first."""

    name: str
    buckets: tuple[AgeBucket, ...]

    def __post_init__(self) -> None:
        """Every age falls into exactly one bucket, and every bucket has a name of its own."""
        tops = [bucket.up_to_days for bucket in self.buckets]
        closed = [top for top in tops[:-1] if top is not None]
        assert tops and tops[-1] is None and len(closed) == len(tops) - 1, "only the last bucket is open"
        assert closed == sorted(set(closed)) and all(top >= 0 for top in closed)
        assert len({bucket.name for bucket in self.buckets}) == len(self.buckets)

    def bucket_of(self, days: int) -> AgeBucket:
        """Bucket of a claim that has been due for ``days``."""
        assert days >= 0
        return next(bucket for bucket in self.buckets if bucket.up_to_days is None or days <= bucket.up_to_days)


@dataclass(frozen=True)
class AgeingSchedules:
    """Every kind of claim that is aged, and the edition that says how."""

    schedules: Mapping[str, AgeingSchedule]
    edition: str


def days_past_due(due_on: date, as_of: date) -> int:
    """Calendar days since the day something fell due; on that day itself, and before it, none."""
    return max(0, (as_of - due_on).days)


def aged_minor(claims: Iterable[tuple[int, int]], schedule: AgeingSchedule) -> dict[str, int]:
    """Sum of ``claims`` (days past due, amount in minor units of one currency) by bucket; empty buckets are zero."""
    totals = {bucket.name: 0 for bucket in schedule.buckets}
    for days, amount_minor in claims:
        totals[schedule.bucket_of(days).name] += amount_minor
    return totals
