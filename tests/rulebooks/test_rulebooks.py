"""The law in force cannot change silently, and the house only tightens it."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import RulebookNotUsable
from domain.margin import effective_requirement, house_requirement, maintenance_requirement, market_values_minor
from domain.money import EXPONENTS
from domain.rulebook import (
    READERS,
    STATUSES,
    ChargePerPosition,
    collateral_value_caps,
    haircut_schedule,
    initial_rule,
    maintenance_rule,
)
from rulebooks import (
    FOLDER,
    LOCK_FILE,
    all_rulebooks,
    edition_hash,
    edition_hashes,
    load_rulebook,
    lock_lines,
    read_rulebook_file,
)

DAY = date(2026, 6, 17)
NAMES = [
    "cn.eligible_securities",
    "cn.sse_margin_trading",
    "cn.sse_short_selling",
    "house.ageing",
    "house.aml",
    "house.approvals",
    "house.calls",
    "house.clients",
    "house.freshness",
    "house.impairment",
    "house.ledger",
    "house.margin",
    "house.pricing",
    "house.reconciliation",
    "house.retention",
    "us.finra_4210",
    "us.regulation_t",
    "us.rule_15c3_3",
]


def test_every_file_is_a_rulebook_under_its_own_name() -> None:
    assert list(all_rulebooks()) == NAMES
    assert len(list(FOLDER.rglob("*.yaml"))) == len(NAMES)


def test_no_edition_changed_since_it_was_locked() -> None:
    """If this fails on an edition you did not just add, you have edited a law: add an edition instead.

    For a new edition append its line, as ``rulebooks.lock_lines()`` gives it, to editions.lock.
    """
    assert LOCK_FILE.read_text(encoding="utf-8").splitlines() == lock_lines()


def test_every_edition_has_its_own_hash() -> None:
    hashes = edition_hashes()
    assert len(set(hashes.values())) == len(hashes) == sum(len(book.editions) for book in all_rulebooks().values())
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in hashes.values())


def test_a_hash_follows_what_can_change_a_number_and_nothing_else() -> None:
    edition = load_rulebook("us.finra_4210").governing(DAY)
    assert edition_hash(replace(edition, source="a better one", title="another", status={})) == edition_hash(edition)
    rules = {"maintenance": {**edition.rules["maintenance"], "long_ratio": 0.26}}
    for changed in (
        replace(edition, rules=rules),
        replace(edition, effective_on=date(2026, 6, 5)),
        replace(edition, reaches_open_contracts=False),
        replace(edition, reaches_extensions=True),
        replace(edition, currency="CNY"),
    ):
        assert edition_hash(changed) != edition_hash(edition)


@pytest.mark.parametrize("name", NAMES)
def test_every_edition_says_where_it_comes_from_and_how_sure_we_are(name: str) -> None:
    for edition in load_rulebook(name).editions:
        assert edition.source.strip()
        assert edition.title.strip()
        assert edition.currency in EXPONENTS
        assert set(edition.status.values()) <= set(STATUSES)
        assert {"effective_on", *edition.rules} <= set(edition.status)
        for rule in edition.rules:
            READERS[rule](edition)


@pytest.mark.parametrize("day", [date(2008, 9, 15), date(2014, 6, 9), date(2020, 3, 16), DAY])
def test_the_law_is_known_for_every_day_we_hold_prices_of(day: date) -> None:
    for name in NAMES:
        if name != "cn.sse_short_selling":  # Short selling began in 2010.
            assert load_rulebook(name).governing(day).effective_on <= day


def test_a_long_position_was_charged_a_quarter_in_2008_and_is_today() -> None:
    for day, edition in (
        (date(2008, 9, 15), "us.finra_4210@1998-01-01"),
        (date(2026, 6, 3), "us.finra_4210@2010-12-02"),
        (date(2026, 6, 4), "us.finra_4210@2026-06-04"),
    ):
        rule = maintenance_rule(load_rulebook("us.finra_4210").governing(day))
        assert isinstance(rule, ChargePerPosition)
        assert rule.long_ratio == 0.25
        assert rule.edition == edition


def test_a_short_sale_keeps_its_proceeds_and_half_as_much_again() -> None:
    rule = initial_rule(load_rulebook("us.regulation_t").governing(DAY))
    assert (rule.financing, rule.short) == (0.50, 1.50)


def test_no_base_haircut_is_below_what_the_exchanges_leave() -> None:
    schedule = haircut_schedule(load_rulebook("house.margin").governing(DAY))
    caps = collateral_value_caps(load_rulebook("cn.eligible_securities").governing(DAY))
    for board in ("main", "chinext", "star"):
        assert schedule.base_ratio("equity", board) >= 1 - caps.cap_of("other_stock")
    assert schedule.base_ratio("etf", "main") >= 1 - caps.cap_of("etf")
    finra = maintenance_rule(load_rulebook("us.finra_4210").governing(DAY))
    assert isinstance(finra, ChargePerPosition)
    for kind, board in (("equity", "nyse"), ("equity", "nasdaq"), ("etf", "nyse"), ("etf", "nasdaq")):
        assert schedule.base_ratio(kind, board) >= finra.long_ratio


@given(
    st.lists(
        st.tuples(
            st.integers(-(10**6), 10**6), st.integers(1, 10**7), st.sampled_from(["nyse", "nasdaq"]), st.floats(0, 1)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_the_house_only_tightens(positions: list[tuple[int, int, str, float]]) -> None:
    """Whatever a forecast makes of the haircut, nobody keeps less than the exchange asks."""
    finra = maintenance_rule(load_rulebook("us.finra_4210").governing(DAY))
    assert isinstance(finra, ChargePerPosition)
    schedule = haircut_schedule(load_rulebook("house.margin").governing(DAY))
    quantity, price = (np.array([position[place] for position in positions], dtype=np.int64) for place in (0, 1))
    haircut = np.array([max(schedule.base_ratio("equity", board), raised) for _, _, board, raised in positions])
    exchange = maintenance_requirement(quantity, price, finra)
    house = house_requirement(market_values_minor(quantity, price, "USD"), haircut)
    effective = effective_requirement(exchange, house)
    assert (effective >= exchange).all()
    assert (effective >= house).all()
    # On long positions the house's haircut is the stricter one by itself, but for the cent the value was rounded by.
    assert (house >= exchange - 1)[quantity > 0].all()


@pytest.mark.parametrize("name", ["us.finra_9999", "finra_4210", "us/finra_4210", "../secrets", "us.FINRA_4210", ""])
def test_an_unknown_rulebook_is_answered_with_the_known_ones(name: str) -> None:
    with pytest.raises(RulebookNotUsable, match=r"one of cn\.eligible_securities, .*us\.regulation_t.*, but got"):
        load_rulebook(name)


SAMPLE = """
rulebook: us.sample
title: A sample
source: nowhere
currency: USD
editions:
  - effective_on: 2010-12-02
    reaches_open_contracts: true
    status: {effective_on: known, initial: known}
    initial: {form: margin_ratio, financing: 0.50}
"""


def read(folder: Path, text: str) -> None:
    (folder / "sample.yaml").write_text(text, encoding="utf-8")
    read_rulebook_file(folder / "sample.yaml", "us.sample")


def test_a_key_that_stands_twice_is_two_laws_for_one_rule(tmp_path: Path) -> None:
    read(tmp_path, SAMPLE)
    with pytest.raises(RulebookNotUsable, match="line 10: every key must stand once, but financing stands again"):
        read(tmp_path, SAMPLE.replace("financing: 0.50", "financing: 0.50, financing: 0.40"))


def test_a_file_that_is_no_yaml_says_where(tmp_path: Path) -> None:
    with pytest.raises(RulebookNotUsable, match=r"us/sample.yaml must be YAML, but it cannot be read: (?s:.*)line 10"):
        read(tmp_path, SAMPLE.replace("0.50}", "0.50"))


def test_a_file_cannot_make_us_run_anything(tmp_path: Path) -> None:
    with pytest.raises(RulebookNotUsable, match="must be YAML"):
        read(tmp_path, SAMPLE.replace("nowhere", "!!python/object/apply:os.getcwd []"))
