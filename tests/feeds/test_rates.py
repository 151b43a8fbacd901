"""A rate is a fraction, and the one in force is the latest known on the day."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from feeds.deliveries import Reading
from feeds.rates import HEADER, read_lean_rates, read_rates

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 17)
LEAN_FILE = "alternative/interest-rate/usa/interest-rate.csv"


@pytest.fixture
def reading(known_at: datetime) -> Reading:
    return Reading("rates", "landing", known_at)


def test_the_latest_rate_on_or_before_the_day_is_in_force(landing: Path, reading: Reading) -> None:
    assert read_rates(landing, reading, DAY).rows["rate_e8"].tolist() == [4_120_000]
    assert read_rates(landing, reading, date(2026, 6, 15)).rows["rate_e8"].tolist() == [4_130_000]
    assert read_rates(landing, reading, date(2026, 6, 14)).rows.empty


def test_a_folder_without_rates_has_none(tmp_path: Path, reading: Reading) -> None:
    assert read_rates(tmp_path, reading, DAY).rows.empty
    assert read_lean_rates(tmp_path, reading, DAY).rows.empty


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("2026-02-30,USD,1,0.04,landing", "date_must_be_readable", id="a day that does not exist"),
        pytest.param("2026-06-17,USD,1,4%,landing", "number_must_be_plain", id="a percentage"),
        pytest.param("2026-06-17,USD,1,4.12,landing", "number_must_be_plain", id="percent where a fraction is due"),
        pytest.param("2026-06-17,USD,1,NaN,landing", "number_must_be_plain", id="NaN"),
        pytest.param("2026-06-17,USD,0,0.04,landing", "number_must_be_plain", id="a tenor of no days"),
        pytest.param("2026-06-17,XXX,1,0.04,landing", "currency_must_match_the_instrument", id="no currency"),
    ],
)
def test_a_bad_rate_is_held_back(put: Put, reading: Reading, line: str, reason: str) -> None:
    root = put("reference/rates.csv", f"{HEADER}\n2026-06-16,USD,1,0.0412,landing\n{line}\n").parents[1]
    delivery = read_rates(root, reading, DAY)
    assert delivery.rows["rate_e8"].tolist() == [4_120_000]
    assert delivery.quarantined["reason"].tolist() == [reason]


def test_the_policy_rate_of_a_lean_folder_is_in_percent(put: Put, reading: Reading) -> None:
    file = put(LEAN_FILE, "DATE,PCREDIT8\n2023-05-04,5.25\n2023-13-01,5.3\n2023-07-27,5.5")
    delivery = read_lean_rates(file.parents[3], reading, DAY)
    assert delivery.rows[["currency", "tenor_days", "rate_e8"]].to_numpy().tolist() == [["USD", 1, 5_500_000]]
    assert delivery.quarantined["reason"].tolist() == ["date_must_be_readable"]


@pytest.mark.parametrize("content", [b"DAY,RATE\n", b"\xff\xfe", b""])
def test_a_policy_file_of_another_kind_is_held_back(put: Put, reading: Reading, content: bytes) -> None:
    delivery = read_lean_rates(put(LEAN_FILE, content).parents[3], reading, DAY)
    assert delivery.rows.empty
    assert len(delivery.quarantined) == 1
