"""Expected credit loss: stages, allowances, and what moves between them."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RulebookNotUsable
from domain.impairment import (
    AllowanceMovement,
    LossPeriod,
    Stage,
    ecl_movement,
    interest_base_minor,
    lifetime_loss,
    loan_stage,
    loss_allowance_minor,
    maintained_collateral_loss_minor,
    twelve_month_loss,
)
from domain.interest import accrued_interest_minor
from domain.ledger import Chart
from domain.rulebook import Edition, chart, staging_terms
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)
TERMS = staging_terms(load_rulebook("house.impairment").governing(DAY))
CLOSE_LINE = 1.3

amounts = st.integers(0, 10**15)
ratios = st.floats(0, 1)


def _life(exposures: list[int], pds: list[float], lgd: float) -> list[LossPeriod]:
    return [
        LossPeriod(exposure, pd, lgd, year + 1) for year, (exposure, pd) in enumerate(zip(exposures, pds, strict=True))
    ]


lives = st.lists(st.tuples(amounts, st.floats(0, 0.2), ratios), min_size=1, max_size=5).map(
    lambda years: [LossPeriod(*year, number + 1) for number, year in enumerate(years)]
)


@pytest.mark.parametrize("golden", ["AC-002"], indirect=True)
def test_twelve_months_lose_probability_times_severity_times_exposure(golden: Any) -> None:
    life = _life([100 * golden.given["gross"]], [golden.given["pd"]], golden.given["lgd"])
    # Not discounted, at whatever rate the loan earns.
    assert loss_allowance_minor(1, life, 0.05) == 100 * golden.expected["loss"]


@pytest.mark.parametrize("golden", ["AC-003"], indirect=True)
def test_a_loan_changes_its_stage_by_collateral_and_days_past_due(golden: Any) -> None:
    stages = [
        loan_stage(round(100 * case["ratio"]), 100, case["days_past_due"], golden.given["close_line"], TERMS)
        for case in golden.given["cases"]
    ]
    assert stages == golden.expected["stage"]


@pytest.mark.parametrize("golden", ["AC-004"], indirect=True)
def test_a_lifetime_is_discounted_at_the_rate_of_the_loan(golden: Any) -> None:
    life = _life(
        [100 * amount for amount in golden.given["exposure"]], golden.given["marginal_pd"], golden.given["lgd"]
    )
    rate = golden.given["effective_rate"]
    assert lifetime_loss(life, rate) / 100 == pytest.approx(golden.expected["loss"], rel=1e-9)
    assert loss_allowance_minor(2, life, rate) == golden.expected["posted_minor"]


@pytest.mark.parametrize(
    ("assets", "owed", "days", "stage"),
    [
        (130, 100, 0, 1),
        (129, 100, 0, 2),
        (100, 100, 0, 2),
        (99, 100, 0, 3),
        (200, 100, 30, 1),
        (200, 100, 31, 2),
        (200, 100, 90, 2),
        (200, 100, 91, 3),
        (0, 0, 0, 1),
        (-1, 100, 0, 3),
        (13 * 10**13, 10**14, 0, 1),
        (13 * 10**13 - 1, 10**14, 0, 2),
    ],
)
def test_standing_on_a_line_is_not_below_it(assets: int, owed: int, days: int, stage: Stage) -> None:
    assert loan_stage(assets, owed, days, CLOSE_LINE, TERMS) == stage


def test_a_loan_in_court_is_impaired_however_well_covered() -> None:
    assert loan_stage(500, 100, 0, CLOSE_LINE, TERMS, is_in_litigation=True) == 3


@given(amounts, amounts, st.integers(0, 200), st.integers(0, 10**12), st.integers(0, 50))
def test_less_collateral_or_more_delay_never_improves_a_stage(
    assets: int, owed: int, days: int, less: int, later: int
) -> None:
    before = loan_stage(assets, owed, days, CLOSE_LINE, TERMS)
    assert loan_stage(assets - less, owed, days + later, CLOSE_LINE, TERMS) >= before


@given(lives, st.floats(0, 0.5))
def test_a_worse_stage_never_sets_less_aside(life: list[LossPeriod], rate: float) -> None:
    allowances = [loss_allowance_minor(stage, life, rate) for stage in (1, 2, 3)]
    assert allowances == sorted(allowances)
    assert 0 <= allowances[2] <= sum(period.exposure_minor for period in life)


@given(lives, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_higher_rate_discounts_more(life: list[LossPeriod], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert lifetime_loss(life, high) <= lifetime_loss(life, low) <= lifetime_loss(life, 0) * (1 + 1e-12)


@given(lives)
def test_a_year_of_life_without_discount_is_the_loss_of_twelve_months(life: list[LossPeriod]) -> None:
    assert lifetime_loss(life[:1], 0) == twelve_month_loss(life)


def test_a_loan_of_six_months_that_got_worse_keeps_what_was_set_aside() -> None:
    life = [LossPeriod(1_000_000_00, 0.01, 0.5, 0.5)]
    assert lifetime_loss(life, 0.07) < twelve_month_loss(life)
    assert loss_allowance_minor(1, life, 0.07) == loss_allowance_minor(2, life, 0.07) == 500_000


def test_a_tie_is_not_decided_by_how_a_decimal_is_held() -> None:
    # 1,150 × 0.01 is 11.5; in binary it may be a little less.
    assert [loss_allowance_minor(1, [LossPeriod(100 * n + 50, 0.01, 1.0, 1.0)], 0.0) for n in range(200)] == [
        n + 1 for n in range(200)
    ]


def test_a_life_that_is_none_is_refused() -> None:
    whole = LossPeriod(100, 0.5, 1.0, 1.0)
    for life in (
        [],
        [whole, whole],
        [whole._replace(years=0.5), whole._replace(years=1.5)],
        [whole._replace(marginal_pd_ratio=0.8), whole._replace(years=2.0)],
        [whole._replace(lgd_ratio=1.1)],
        [whole._replace(exposure_minor=-1)],
        [whole._replace(marginal_pd_ratio=float("nan"))],
    ):
        with pytest.raises(AssertionError):
            loss_allowance_minor(2, life, 0.05)


def test_an_impaired_loan_earns_on_what_is_expected_back() -> None:
    assert interest_base_minor(1, 1_000_000, 200_000) == interest_base_minor(2, 1_000_000, 200_000) == 1_000_000
    assert interest_base_minor(3, 1_000_000, 200_000) == 800_000
    assert accrued_interest_minor(interest_base_minor(3, 1_000_000, 200_000), 9_000_000, 1, 360) == 200
    assert interest_base_minor(3, 1_000_000, 1_000_000) == 0


@given(amounts, amounts, ratios)
def test_collateral_that_covers_the_loan_leaves_nothing_to_lose(cost: int, collateral: int, loss_ratio: float) -> None:
    loss = maintained_collateral_loss_minor(cost, collateral, loss_ratio)
    assert 0 <= loss <= max(0, cost - collateral)
    if collateral >= cost:
        assert loss == 0


def test_only_the_uncovered_part_is_lost() -> None:
    assert maintained_collateral_loss_minor(100_000, 100_000, 1.0) == 0
    assert maintained_collateral_loss_minor(100_000, 99_999, 1.0) == 1
    assert maintained_collateral_loss_minor(100_000, 80_000, 0.25) == 5_000
    # A short account that is under water covers nothing, and owes no more than the loan.
    assert maintained_collateral_loss_minor(100_000, -5, 1.0) == 100_000


@given(amounts, amounts)
def test_a_movement_brings_the_allowance_to_where_it_belongs(before: int, after: int) -> None:
    movement = ecl_movement(before, after)
    if movement is None:
        assert before == after
    else:
        assert movement.amount_minor > 0
        sign = 1 if movement.template == "ecl_charged" else -1
        assert before + sign * movement.amount_minor == after


def test_a_charge_and_a_release_are_events_of_the_ledger() -> None:
    templates: Chart = chart(load_rulebook("house.ledger").governing(DAY))
    assert ecl_movement(1, 5) == AllowanceMovement("ecl_charged", 4)
    assert ecl_movement(5, 1) == AllowanceMovement("ecl_released", 4)
    assert ecl_movement(5, 5) is None
    assert {"ecl_charged", "ecl_released"} <= templates.templates.keys()


def test_the_second_stage_must_come_before_the_third() -> None:
    rule = {"form": "staging_terms", "significant_past_due_days": 90, "impaired_past_due_days": 90, "impaired_ratio": 1}
    with pytest.raises(RulebookNotUsable, match="impaired_past_due_days must be a whole number from 91"):
        staging_terms(Edition("house.sample", DAY, True, "", "", {"impairment": rule}))
