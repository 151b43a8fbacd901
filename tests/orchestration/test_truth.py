"""The desk is scored against what was planted: found, missed, and found though nobody planted it."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from orchestration.truth import Score, score_truth

DAY = date(2026, 6, 17)
SHARES = {
    "kind": "wrong_quantity", "subject": "positions", "key": "A1/US.X", "expected_break": "quantity_break",
}  # fmt: skip
MONEY = {
    "kind": "wrong_amount", "subject": "cash", "bank_account_id": "1010.USD", "reference": "t1",
    "expected_break": "amount_break",
}  # fmt: skip
REFUSED = {
    "kind": "crossed_quote", "file": "intraday/20260617T140000Z.csv", "line": 7,
    "expected_reason": "bid_must_not_exceed_ask",
}  # fmt: skip
LATE = {
    "kind": "late_tick", "instrument_id": "US.X", "file": "intraday/20260617T150000Z.csv", "in_force_price": "12.34",
    "expected_effect": "never_overrides",
}  # fmt: skip
HALTED = {
    "kind": "halt", "instrument_id": "US.H", "price_close_before": "5.00", "expected_effect": "keeps_previous_close",
}  # fmt: skip
CRASHED = {
    "kind": "crashing_concentrated_name", "instrument_id": "US.C", "accounts": ["A1", "A2"],
    "expected_effect": "margin_call",
}  # fmt: skip
SPLIT = {
    "kind": "split", "instrument_id": "US.S", "split_ratio": 1.5,
    "expected_effect": "positions_multiply_and_fractions_are_paid",
}  # fmt: skip
EVERYTHING = [SHARES, MONEY, REFUSED, LATE, HALTED, CRASHED, SPLIT]


class ToldLake:
    """A lake whose tables hold what they were told to."""

    def __init__(self, prices: dict[tuple[str, str], int], **tables: list[dict[str, Any]]) -> None:
        self._prices, self._tables = prices, {name: pd.DataFrame(rows) for name, rows in tables.items()}

    def read(self, table: str, as_of_date: date, part: str | None = None) -> pd.DataFrame:
        assert as_of_date == DAY
        return self._tables[table]

    def read_between(self, table: str, first: date, last: date) -> pd.DataFrame:
        assert first == last == DAY
        return self._tables[table]

    def query(self, sql: str, parameters: list[Any]) -> pd.DataFrame:
        _, slice_name, instrument_id = parameters
        found = self._prices.get((slice_name, instrument_id))
        return pd.DataFrame({"price_e4": [] if found is None else [found]})


def split_of(account_id: str, before: int, after: int) -> dict[str, Any]:
    return {
        "instrument_id": "US.S", "kind": "split", "account_id": account_id, "quantity_before_shares": before,
        "quantity_after_shares": after,
    }  # fmt: skip


def told(**otherwise: Any) -> ToldLake:
    """A lake in which everything planted shows, unless told otherwise."""
    tables: dict[str, Any] = {
        "calc_reconciliation__breaks": [
            {"subject": "positions", "key": "A1/US.X", "break_class": "quantity_break"},
            {"subject": "cash", "key": "1010.USD/t1", "break_class": "amount_break"},
        ],
        "raw_feeds__quarantine": [
            {"file": "20260617T140000Z.csv", "line": 7, "reason": "bid_must_not_exceed_ask"},
        ],
        "calc_margin__calls": [{"account_id": name} for name in ("A1", "A2", "A9")],
        "calc_ledger__entitlements": [
            split_of("A1", 101, 151),
        ],
        "raw_books__positions": [{"instrument_id": "US.S", "account_id": "A1", "quantity_shares": 150}],
    }
    prices = otherwise.pop("prices", {("20260617T150000Z", "US.X"): 123_400, ("close", "US.H"): 50_000})
    return ToldLake(prices, **(tables | otherwise))


def score(folder: Path, lake: ToldLake, *planted: dict[str, Any]) -> Score | None:
    truth = {"source": "synthetic", "seed": 1, "day": DAY.isoformat(), "planted": list(planted)}
    (folder / "truth.json").write_text(json.dumps(truth), encoding="utf-8")
    return score_truth(folder / "truth.json", lake)  # type: ignore[arg-type]


def test_a_desk_that_finds_everything_and_nothing_else_scores_in_full(tmp_path: Path) -> None:
    assert score(tmp_path, told(), *EVERYTHING) == Score(planted=7, found=7, missed=[], unplanted=[])


def test_a_market_that_is_not_invented_has_no_score(tmp_path: Path) -> None:
    assert score_truth(tmp_path / "truth.json", told()) is None  # type: ignore[arg-type]


Otherwise = Callable[[], ToldLake]


@pytest.mark.parametrize(
    ("missing", "lake", "missed"),
    [
        (LATE, lambda: told(prices={("close", "US.H"): 50_000}), "late_tick (US.X)"),
        (HALTED, lambda: told(prices={("20260617T150000Z", "US.X"): 123_400}), "halt (US.H)"),
        (CRASHED, lambda: told(calc_margin__calls=[{"account_id": "A1"}]), "crashing_concentrated_name (US.C)"),
        (
            SPLIT,
            lambda: told(raw_books__positions=[
                {"instrument_id": "US.S", "account_id": name, "quantity_shares": 1} for name in ("A1", "A2")
            ]),
            "split (US.S)",
        ),
        (SPLIT, lambda: told(calc_ledger__entitlements=[split_of("A1", 101, 152)]), "split (US.S)"),
        (
            REFUSED,
            lambda: told(raw_feeds__quarantine=[
                {"file": "20260617T140000Z.csv", "line": 8, "reason": "bid_must_not_exceed_ask"}
            ]),
            "crossed_quote (None)",
        ),
    ],
)  # fmt: skip
def test_a_planted_fact_that_does_not_show_is_missed_and_named(
    tmp_path: Path, missing: dict[str, Any], lake: Otherwise, missed: str
) -> None:
    result = score(tmp_path, lake(), *EVERYTHING)
    assert result is not None
    assert (result.planted, result.found, result.missed) == (7, 6, [missed])
    assert missing["kind"] in missed


def test_what_was_found_though_nobody_planted_it_is_told(tmp_path: Path) -> None:
    result = score(tmp_path, told(), *[fact for fact in EVERYTHING if fact not in (SHARES, REFUSED)])
    assert result is not None
    assert (result.found, result.missed) == (5, [])
    assert [("A1/US.X" in one, "crossed" in one or "bid_must" in one) for one in result.unplanted] == [
        (True, False), (False, True),
    ]  # fmt: skip
