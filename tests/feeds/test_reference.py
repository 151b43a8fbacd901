"""Reference data: who an instrument is, and what its holders are due."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from domain.errors import DeliveryRefused
from feeds.deliveries import Reading
from feeds.reference import ACTIONS_HEADER, INSTRUMENTS_HEADER, read_corporate_actions, read_instruments

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 17)
AIG = "US.AIG,AIG,US,USD,equity,nyse,1,,landing"
KNOWN = {"US.AIG", "CN.600000"}


@pytest.fixture
def reading(known_at: datetime) -> Reading:
    return Reading("instruments", "landing", known_at)


def test_instruments_are_read_with_their_limits(landing: Path, reading: Reading) -> None:
    rows = read_instruments(landing, reading, DAY).rows.set_index("instrument_id")
    assert rows.loc["CN.600000", ["currency", "lot_size_shares", "price_limit_ratio"]].tolist() == ["CNY", 100, 0.1]
    assert np.isnan(rows.loc["US.AIG", "price_limit_ratio"])
    assert set(rows["as_of_date"]) == {DAY}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("US.BAC,AIG,US,USD,equity,nyse,1,,landing", "instrument_must_be_known", id="id and symbol differ"),
        pytest.param("US.bac,bac,US,USD,equity,nyse,1,,landing", "instrument_must_be_known", id="small letters"),
        pytest.param("UK.BP,BP,UK,GBP,equity,nyse,1,,landing", "instrument_must_be_known", id="a market not ours"),
        pytest.param("CN.６００,６００,CN,CNY,equity,main,100,,landing", "instrument_must_be_known", id="full-width"),
        pytest.param("US.BAC,BAC,US,CNY,equity,nyse,1,,landing", "currency_must_match_the_instrument", id="currency"),
        pytest.param("US.BAC,BAC,US,USD,bond,nyse,1,,landing", "columns_must_match", id="an asset class not lent on"),
        pytest.param("US.BAC,BAC,US,USD,equity,nyse,0,,landing", "number_must_be_plain", id="a lot of nothing"),
        pytest.param("US.BAC,BAC,US,USD,equity,nyse,1,10%,landing", "number_must_be_plain", id="a percentage"),
        pytest.param("US.BAC,BAC,US,USD,equity,nyse,1,1.5,landing", "number_must_be_plain", id="a limit over 1"),
        pytest.param(AIG, "line_must_be_unique", id="the same instrument twice"),
    ],
)
def test_a_bad_instrument_is_held_back(put: Put, reading: Reading, line: str, reason: str) -> None:
    root = put("reference/instruments.csv", f"{INSTRUMENTS_HEADER}\n{AIG}\n{line}\n").parents[1]
    delivery = read_instruments(root, reading, DAY)
    assert delivery.rows["instrument_id"].tolist() == ["US.AIG"]
    assert delivery.quarantined[["reason", "raw_text"]].to_numpy().tolist() == [[reason, line]]


def test_half_a_list_of_instruments_is_no_list(put: Put, reading: Reading) -> None:
    root = put("reference/instruments.csv", f"{INSTRUMENTS_HEADER}\n{AIG}").parents[1]
    with pytest.raises(DeliveryRefused, match="half written"):
        read_instruments(root, reading, DAY)


def test_a_split_pays_nothing_and_a_dividend_splits_nothing(put: Put, reading: Reading) -> None:
    lines = ["US.AIG,2026-06-17,split,0.05,,landing", "CN.600000,2026-06-16,cash_dividend,,0.512,landing"]
    root = put("reference/corporate_actions.csv", "\n".join([ACTIONS_HEADER, *lines, ""])).parents[1]
    rows = read_corporate_actions(root, reading, KNOWN, date(2026, 6, 1), DAY).rows
    assert rows[["as_of_date", "kind", "split_ratio", "dividend_e4"]].to_numpy().tolist() == [
        [date(2026, 6, 17), "split", 0.05, 0],
        [date(2026, 6, 16), "cash_dividend", 1.0, 5_120],
    ]
    assert read_corporate_actions(root, reading, KNOWN, DAY, DAY).rows["kind"].tolist() == ["split"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("US.AIG,2026-02-30,split,2,,landing", "date_must_be_readable", id="a day that does not exist"),
        pytest.param("US.NOWHERE,2026-06-17,split,2,,landing", "instrument_must_be_known", id="an unknown instrument"),
        pytest.param("US.AIG,2026-06-17,merger,2,,landing", "columns_must_match", id="another kind"),
        pytest.param("US.AIG,2026-06-17,split,,2,landing", "number_must_be_plain", id="a split without a ratio"),
        pytest.param("US.AIG,2026-06-17,cash_dividend,2,,landing", "number_must_be_plain", id="a dividend of nothing"),
        pytest.param("US.AIG,2026-06-17,split,0,,landing", "price_must_be_positive", id="a split into nothing"),
        pytest.param("US.AIG,2026-06-17,cash_dividend,,-1,landing", "price_must_be_positive", id="a negative dividend"),
    ],
)
def test_a_bad_corporate_action_is_held_back(put: Put, reading: Reading, line: str, reason: str) -> None:
    root = put("reference/corporate_actions.csv", f"{ACTIONS_HEADER}\n{line}\n").parents[1]
    delivery = read_corporate_actions(root, reading, KNOWN, DAY, DAY)
    assert delivery.rows.empty
    assert delivery.quarantined["reason"].tolist() == [reason]


def test_an_action_told_twice_happens_once(put: Put, reading: Reading) -> None:
    line = "US.AIG,2026-06-17,split,0.05,,landing\n"
    root = put("reference/corporate_actions.csv", f"{ACTIONS_HEADER}\n{line}{line}").parents[1]
    delivery = read_corporate_actions(root, reading, KNOWN, DAY, DAY)
    assert len(delivery.rows) == 1
    assert delivery.quarantined["reason"].tolist() == ["line_must_be_unique"]
