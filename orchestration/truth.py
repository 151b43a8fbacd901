"""Scoring the desk against what was planted in the synthetic market: every claim found, and nothing else."""

import json
import math
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd

from assets.lake import Lake

Planted = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Score:
    """How much of the planted truth the desk found, and what it found that nobody planted."""

    planted: int
    found: int
    missed: list[str]
    unplanted: list[str]


def score_truth(truth_file: Path, lake: Lake) -> Score | None:
    """Compare ``truth.json`` with the desk's tables; None where the market is not synthetic."""
    if not truth_file.exists():
        return None
    truth = json.loads(truth_file.read_text(encoding="utf-8"))
    day, facts = date.fromisoformat(truth["day"]), truth["planted"]
    missed = [
        f"{fact['kind']} ({fact.get('key') or fact.get('instrument_id')})"
        for fact in facts
        if not _found(fact, day, lake)
    ]
    return Score(len(facts), len(facts) - len(missed), missed, _unplanted(facts, day, lake))


def _found(fact: Planted, day: date, lake: Lake) -> bool:
    """Ask the tables of the day what became of one planted fact."""
    if "expected_break" in fact:
        return _break_of(fact) in _breaks(day, lake)
    if "expected_reason" in fact:
        return (Path(fact["file"]).name, fact["line"], fact["expected_reason"]) in _quarantined(day, lake)
    return {
        "never_overrides": _late_tick_was_ignored,
        "keeps_previous_close": _close_is(fact.get("price_close_before")),
        "close_is_the_lower_limit": _close_is(fact.get("price_close")),
        "margin_call": _every_account_was_called,
        "positions_multiply_and_fractions_are_paid": _entitled("split"),
        "holders_are_paid": _entitled("cash_dividend"),
    }[fact["expected_effect"]](fact, day, lake)


def _late_tick_was_ignored(fact: Planted, day: date, lake: Lake) -> bool:
    return _price(fact["instrument_id"], day, Path(fact["file"]).stem, lake) == _e4(fact["in_force_price"])


def _close_is(expected: str | None) -> Any:
    def matches(fact: Planted, day: date, lake: Lake) -> bool:
        return expected is not None and _price(fact["instrument_id"], day, "close", lake) == _e4(expected)

    return matches


def _every_account_was_called(fact: Planted, day: date, lake: Lake) -> bool:
    return set(fact["accounts"]) <= set(lake.read("calc_margin__calls", day, "close")["account_id"])


def _entitled(kind: str) -> Any:
    def matches(fact: Planted, day: date, lake: Lake) -> bool:
        rows = lake.read("calc_ledger__entitlements", day)
        rows = rows[(rows["instrument_id"] == fact["instrument_id"]) & (rows["kind"] == kind)]
        held = lake.read("raw_books__positions", day)
        holders = held[(held["instrument_id"] == fact["instrument_id"]) & (held["quantity_shares"] > 0)]
        everyone = set(holders["account_id"]) <= set(rows["account_id"])
        if kind != "split":
            return everyone
        ratio = Fraction(str(fact["split_ratio"]))
        sizes = rows[["quantity_before_shares", "quantity_after_shares"]].itertuples(index=False)
        return everyone and all(int(after) == math.trunc(int(before) * ratio) for before, after in sizes)

    return matches


def _price(instrument_id: str, day: date, slice_name: str, lake: Lake) -> int:
    found = lake.query(
        "select price_e4 from int_market__prices_by_slice where as_of_date = ? and slice = ? and instrument_id = ?",
        [day, slice_name, instrument_id],
    )
    return int(found["price_e4"].iloc[0]) if len(found) else -1


def _e4(price: str) -> int:
    return round(float(price) * 10_000)


def _break_of(fact: Planted) -> tuple[str, str, str]:
    key = f"{fact['bank_account_id']}/{fact['reference']}" if fact["subject"] == "cash" else fact["key"]
    return fact["subject"], key, fact["expected_break"]


def _breaks(day: date, lake: Lake) -> set[tuple[str, str, str]]:
    rows = lake.read("calc_reconciliation__breaks", day)
    return set(rows[["subject", "key", "break_class"]].itertuples(index=False, name=None))


def _quarantined(day: date, lake: Lake) -> set[tuple[str, int, str]]:
    rows: pd.DataFrame = lake.read_between("raw_feeds__quarantine", day, day)
    return {
        (Path(file).name, int(line), reason)
        for file, line, reason in rows[["file", "line", "reason"]].itertuples(index=False)
    }


def _unplanted(facts: list[Planted], day: date, lake: Lake) -> list[str]:
    """Breaks and quarantined rows of the day that stand in no truth."""
    breaks = {_break_of(fact) for fact in facts if "expected_break" in fact}
    reasons = {
        (Path(fact["file"]).name, fact["line"], fact["expected_reason"]) for fact in facts if "expected_reason" in fact
    }
    return [str(one) for one in sorted(_breaks(day, lake) - breaks)] + [
        str(one) for one in sorted(_quarantined(day, lake) - reasons)
    ]
