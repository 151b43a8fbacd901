"""Which law binds, and what a malformed one is told."""

import copy
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RulebookNotUsable, RuleNotInForce
from domain.rulebook import (
    AccountRatio,
    ChargePerPosition,
    Edition,
    Rulebook,
    call_terms,
    collateral_value_caps,
    freshness_limits,
    haircut_schedule,
    initial_rule,
    maintenance_rule,
    pricing_terms,
    read_rulebook,
    tolerance,
)
from rulebooks import load_rulebook

DAY = date(2026, 6, 17)


def edition(effective_on: date, reaches_open_contracts: bool = False, reaches_extensions: bool = False) -> Edition:
    rules = {"initial": {"form": "margin_ratio", "financing": 1.0}}
    return Edition(
        "cn.sample", effective_on, reaches_open_contracts, "", "", rules, "CNY", reaches_extensions=reaches_extensions
    )


def book(*editions: Edition) -> Rulebook:
    return Rulebook("cn.sample", "", "", "CNY", editions)


OLD, NEW = date(2020, 1, 1), date(2026, 1, 19)


def test_an_edition_binds_from_its_first_day() -> None:
    law = book(edition(OLD), edition(NEW))
    assert law.governing(NEW - timedelta(days=1)).effective_on == OLD
    assert law.governing(NEW).effective_on == NEW


def test_a_contract_keeps_the_law_it_was_opened_under() -> None:
    law = book(edition(OLD), edition(NEW))
    assert law.governing(DAY, opened_on=date(2026, 1, 16)).effective_on == OLD
    assert law.governing(DAY, opened_on=NEW).effective_on == NEW


def test_an_edition_may_reach_open_contracts() -> None:
    law = book(edition(OLD), edition(NEW, reaches_open_contracts=True))
    assert law.governing(DAY, opened_on=date(2026, 1, 16)).effective_on == NEW
    assert law.governing(date(2026, 1, 18), opened_on=date(2026, 1, 16)).effective_on == OLD


def test_an_edition_may_reach_what_is_extended_under_it() -> None:
    law = book(edition(OLD), edition(NEW, reaches_extensions=True))
    opened = date(2026, 1, 5)
    assert law.governing(DAY, opened, extended_on=date(2026, 2, 1)).effective_on == NEW
    assert law.governing(DAY, opened, extended_on=date(2026, 1, 18)).effective_on == OLD
    assert law.governing(DAY, opened).effective_on == OLD
    # An extension that has not happened yet changes nothing today.
    assert law.governing(date(2026, 1, 20), opened, extended_on=date(2026, 2, 1)).effective_on == OLD


def test_before_the_first_edition_there_is_no_rule_to_guess() -> None:
    law = book(edition(date(2010, 12, 2)))
    expected = (
        "cn.sample binds no contract opened on 2010-12-01 and valued on 2010-12-01: its first edition is effective "
        "2010-12-02. Use the rulebook that came before it, or add the missing edition to rulebooks/."
    )
    with pytest.raises(RuleNotInForce) as refusal:
        law.governing(date(2010, 12, 1))
    assert str(refusal.value) == expected


@given(
    st.lists(
        st.tuples(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.booleans()),
        min_size=1,
        max_size=6,
        unique_by=lambda e: e[0],
    ),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.dates(date(2000, 1, 1), date(2030, 1, 1)),
    st.dates(date(2030, 1, 2), date(2040, 1, 1)),
)
def test_law_made_later_never_changes_what_bound_before(
    laws: list[tuple[date, bool]], opened_on: date, on: date, later: date
) -> None:
    """Append-only: adding an edition dated D leaves every answer about days before D as it was."""
    law = book(*(edition(day, reach) for day, reach in sorted(laws)))
    amended = book(*law.editions, edition(later, reaches_open_contracts=True))
    try:
        before = law.governing(on, opened_on)
    except RuleNotInForce:
        with pytest.raises(RuleNotInForce):
            amended.governing(on, opened_on)
    else:
        assert amended.governing(on, opened_on) == before
        assert before.effective_on <= on


@pytest.mark.parametrize("golden", ["CN-016"], indirect=True)
def test_the_minimum_margin_follows_the_day_a_contract_was_opened(golden: Any) -> None:
    ratios = []
    for contract in golden.given["contracts"]:
        opened = date.fromisoformat(contract["opened"])
        extended = date.fromisoformat(contract["extended"]) if "extended" in contract else None
        name = "cn.sse_margin_trading" if contract["kind"] == "financing" else "cn.sse_short_selling"
        rule = initial_rule(load_rulebook(name).governing(extended or opened, opened, extended))
        ratios.append(getattr(rule, contract["kind"]))
    assert ratios == golden.expected["ratios"]


def test_the_cut_of_2023_reached_contracts_opened_before_it() -> None:
    law = load_rulebook("cn.sse_margin_trading")
    opened = date(2023, 9, 8)
    assert initial_rule(law.governing(date(2023, 9, 8), opened)).financing == 1.0
    assert initial_rule(law.governing(date(2023, 9, 11), opened)).financing == 0.8
    assert initial_rule(law.governing(DAY, opened)).financing == 0.8


@pytest.mark.parametrize("golden", ["CN-011"], indirect=True)
def test_a_class_of_collateral_counts_up_to_its_cap(golden: Any) -> None:
    caps = collateral_value_caps(load_rulebook("cn.eligible_securities").governing(DAY))
    assert [caps.cap_of(asset, ratio) for asset, ratio in golden.given["assets"]] == golden.expected["caps"]
    with pytest.raises(RulebookNotUsable, match=r"collateral\.value_max\.tulip"):
        caps.cap_of("tulip")


def test_the_house_haircut_is_that_of_the_board_or_else_of_the_class() -> None:
    schedule = haircut_schedule(load_rulebook("house.margin").governing(DAY))
    assert schedule.base_ratio("equity", "nyse") == 0.30
    assert schedule.base_ratio("etf", "nyse") == schedule.base_ratio("etf", "main")
    assert schedule.base_ratio("equity", "unheard_of") >= schedule.base_ratio("equity", "star")
    with pytest.raises(RulebookNotUsable, match="a haircut for warrant on nyse"):
        schedule.base_ratio("warrant", "nyse")


def test_every_rule_of_the_desk_can_be_read() -> None:
    assert isinstance(maintenance_rule(load_rulebook("us.finra_4210").governing(DAY)), ChargePerPosition)
    assert isinstance(maintenance_rule(load_rulebook("cn.sse_margin_trading").governing(DAY)), AccountRatio)
    terms = call_terms(load_rulebook("house.calls").governing(DAY))
    assert terms.cure_days("US") == terms.cure_days("CN") == 2
    with pytest.raises(RulebookNotUsable, match="sessions for market HK"):
        terms.cure_days("HK")
    pricing = pricing_terms(load_rulebook("house.pricing").governing(DAY))
    assert pricing.risk_free_e8 == {"USD": 4_000_000, "CNY": 1_800_000}
    assert tolerance(load_rulebook("house.reconciliation").governing(DAY)).amount_minor == 0
    assert freshness_limits(load_rulebook("house.freshness").governing(DAY)).prices_minutes == 60


def document() -> dict[str, Any]:
    return {
        "rulebook": "us.sample",
        "title": "A sample",
        "source": "nowhere",
        "currency": "USD",
        "editions": [
            {
                "effective_on": date(2010, 12, 2),
                "reaches_open_contracts": True,
                "status": {"effective_on": "known", "maintenance": "known"},
                "maintenance": {
                    "form": "charge_per_position",
                    "long_ratio": 0.25,
                    "short_tiers": [
                        {"price_from": 0, "ratio": 1.0, "floor": 2.5},
                        {"price_from": 5, "ratio": 0.3, "floor": 5},
                    ],
                    "equity_min": 2000,
                },
            }
        ],
    }


def test_a_well_formed_file_is_read() -> None:
    rule = maintenance_rule(read_rulebook(document(), "us.sample").editions[0])
    assert isinstance(rule, ChargePerPosition)
    assert [tier.price_from_e4 for tier in rule.short_tiers] == [0, 50_000]
    assert rule.short_tiers[0].floor_e4 == 25_000
    assert rule.equity_min_minor == 200_000
    assert rule.edition == "us.sample@2010-12-02"


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(top: dict[str, Any]) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            top = top[step]
        if value is ...:
            del top[last]
        else:
            top[last] = value

    return change


RULE = "editions/0/maintenance"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_set("rulebook", "us.other"), r"us/sample.yaml: rulebook must be 'us.sample'"),
        (_set("title", ""), "title must be a text"),
        (_set("editions", []), "editions must be at least one edition"),
        (_set("editions", None), "editions must be a list, but got None"),
        (_set("editions/0", "1998"), r"editions\[0\] must be a mapping"),
        (_set("editions/0/effective_on", "2010-12-02"), "effective_on must be a date such as 2026-01-19, unquoted"),
        (_set("editions/0/reaches_open_contracts", "no"), "reaches_open_contracts must be true or false"),
        (_set("editions/0/reaches_open_contracts", ...), "reaches_open_contracts must be true or false, but got None"),
        (_set("editions/0/reach_open_contracts", True), "must be only the keys .* but got 'reach_open_contracts'"),
        (_set("editions/0/status/maintenance", "sure"), "status.maintenance must be one of sourced, known, platform"),
        (_set("editions/0/status/maintenance", ...), "status.maintenance must be one of"),
        (_set(RULE, ...), "must be at least one of maintenance, initial"),
        (
            _set(f"{RULE}/form", "by_feel"),
            "edition 2010-12-02: maintenance.form must be charge_per_position or account_r",
        ),
        (_set(f"{RULE}/long_ratio", "25 %"), "maintenance.long_ratio must be a number from 0 to 1, but got '25 %'"),
        (_set(f"{RULE}/long_ratio", 25), "maintenance.long_ratio must be a number from 0 to 1, but got 25"),
        (_set(f"{RULE}/long_ratio", True), "maintenance.long_ratio must be a number"),
        (_set(f"{RULE}/long_ratio", float("nan")), "maintenance.long_ratio must be a number"),
        (_set(f"{RULE}/long_ratio", ...), "maintenance.long_ratio must be a number from 0 to 1, but got None"),
        (_set(f"{RULE}/short_tiers", []), "maintenance.short_tiers must be tiers with price_from rising from 0"),
        (_set(f"{RULE}/short_tiers/0/price_from", 1), "tiers with price_from rising from 0"),
        (_set(f"{RULE}/short_tiers/1/price_from", 0), "tiers with price_from rising from 0"),
        (_set(f"{RULE}/short_tiers/1/ratio", ...), r"maintenance.short_tiers\[1\].ratio must be a number"),
        (_set(f"{RULE}/short_tiers/1/floor", 0.00001), r"short_tiers\[1\].floor must be a multiple of 1/10000"),
        (_set(f"{RULE}/equity_min", -1), "maintenance.equity_min must be a number from 0"),
    ],
)
def test_a_malformed_file_names_the_key_and_what_was_expected(
    change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    changed = copy.deepcopy(document())
    change(changed)
    with pytest.raises(RulebookNotUsable, match=complaint) as refusal:
        read_rulebook(changed, "us.sample")
    assert "rulebooks/us/sample.yaml" in str(refusal.value)
    assert "Nothing was computed" in str(refusal.value)


def test_a_file_that_is_no_mapping_is_refused() -> None:
    for nothing in (None, [], "text", 3):
        with pytest.raises(RulebookNotUsable, match="must be a mapping"):
            read_rulebook(nothing, "us.sample")


@pytest.mark.parametrize("line", ["early_ratio", "restore_ratio", "call_ratio", "immediate_ratio"])
def test_the_lines_of_an_account_fall_in_order(line: str) -> None:
    lines = {"withdraw_ratio": 3.0, "early_ratio": 1.5, "restore_ratio": 1.4, "call_ratio": 1.3, "immediate_ratio": 1.1}
    rules = {"maintenance": {"form": "account_ratio", **lines, line: 4.0}}
    with pytest.raises(RulebookNotUsable, match="lines falling from withdraw_ratio to immediate_ratio"):
        maintenance_rule(Edition("cn.sample", OLD, True, "", "", rules, "CNY"))


def test_a_rule_the_edition_does_not_have_is_refused() -> None:
    with pytest.raises(
        RulebookNotUsable, match=r"house/calls\.yaml, edition 2000-01-01: maintenance must be a mapping"
    ):
        maintenance_rule(load_rulebook("house.calls").governing(DAY))
