"""What a reading hands over has the columns of its table, and keeps what it refused."""

from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pytest

from assets.schemas import TABLES
from feeds import bank_statements, bars, custodian_statements, deliveries, rates, reference
from feeds.deliveries import Delivery, Reading, Screening, empty_frame, quarantine, together

DAY = date(2026, 6, 17)


@pytest.mark.parametrize(
    ("columns", "table"),
    [
        (bars.BARS, "raw_market__daily_bars"),
        (bars.PRICES, "raw_market__prices"),
        (reference.INSTRUMENTS, "raw_market__instruments"),
        (reference.ACTIONS, "raw_market__corporate_actions"),
        (rates.RATES, "raw_market__rates"),
        (custodian_statements.POSITIONS, "raw_custodian__positions"),
        (bank_statements.MOVEMENTS, "raw_bank__movements"),
        (deliveries.QUARANTINE, "raw_feeds__quarantine"),
    ],
)
def test_readers_and_tables_name_the_same_columns(columns: tuple[str, ...], table: str) -> None:
    assert set(columns) == set(TABLES[table].names)


def screening(known_at: datetime) -> Screening:
    rows = pd.DataFrame(
        {"price_e4": [10_000, -5, 0], "file": "f.csv", "line": [2, 3, 4], "raw_text": ["1", "-5", "0"],
         "source": "landing", "as_of_date": DAY}
    )  # fmt: skip
    return Screening(rows, Reading("prices", "landing", known_at, "20260617T140000Z"))


def test_a_row_leaves_at_the_first_rule_it_breaks(known_at: datetime) -> None:
    screened = screening(known_at)
    screened.require("price_must_be_positive", lambda rows: rows["price_e4"] > 0, "The price is {price_e4}.")
    screened.require("volume_must_not_be_negative", lambda rows: rows["price_e4"] > 0, "never asked of a refused row")
    delivery = screened.delivery(("price_e4", "known_at"))
    assert delivery.rows["price_e4"].tolist() == [10_000]
    assert delivery.quarantined["reason"].tolist() == ["price_must_be_positive"] * 2
    assert delivery.quarantined["explanation"].tolist() == ["The price is -0.0005.", "The price is 0.0000."]
    assert delivery.quarantined["batch"].unique().tolist() == ["20260617T140000Z"]


def test_raw_bytes_are_kept_as_text_that_can_be_shown(known_at: datetime) -> None:
    kept = quarantine(
        "prices", "", "f", 0, "file_must_be_readable", "", b"\xd6\xd0\0" + b"x" * 9_000, "landing", DAY, known_at
    )
    assert kept["raw_text"].startswith("\\xd6\\xd0\\x00xxx")
    assert len(kept["raw_text"]) <= deliveries.RAW_TEXT_CHARACTERS_MAX + 12


def test_deliveries_add_up_and_fit_the_schema_even_when_empty(known_at: datetime) -> None:
    nothing = Delivery(empty_frame(bars.BARS), empty_frame(deliveries.QUARANTINE))
    screened = screening(known_at)
    screened.require("price_must_be_positive", lambda rows: rows["price_e4"] > 0, "")
    something = Delivery(empty_frame(bars.BARS), screened.delivery(("price_e4",)).quarantined)
    both = together([nothing, something])
    assert len(both.quarantined) == 2
    for frame, table in ((both.rows, "raw_market__daily_bars"), (both.quarantined, "raw_feeds__quarantine")):
        schema = TABLES[table]
        assert pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False).num_rows == len(frame)


def test_a_reading_without_a_time_zone_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="time zone"):
        Reading("prices", "landing", datetime(2026, 6, 17))  # noqa: DTZ001
