"""The bank's statement must add up before a line of it is looked at."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.errors import DeliveryRefused
from feeds.bank_statements import HEADER, read_bank_statement

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 17)
FILE = "bank/2026-06-17.csv"
IN = "1010.USD,t-1,2026-06-17,1000.50,USD,landing"
OUT = "1010.CNY,t-2,2026-06-16,-20.00,CNY,landing"


def statement(*lines: str, sums: tuple[str, ...]) -> str:
    return "\n".join([HEADER, *lines, f"#rows,{len(lines)}", *sums, ""])


def test_movements_are_exact_minor_units(put: Put, known_at: datetime) -> None:
    big = "1010.USD,t-3,2026-06-17,999999999999999.99,USD,landing"
    total = "#sum,USD,1000000000001000.49"
    root = put(FILE, statement(OUT, sums=("#sum,CNY,-20.00",))).parents[1]
    assert read_bank_statement(root, DAY, known_at).rows["amount_minor"].tolist() == [-2_000]
    put(FILE, statement(IN, big, sums=(total,)))
    with pytest.raises(DeliveryRefused, match="add up"):
        read_bank_statement(root, DAY, known_at)
    put(FILE, statement(big, sums=("#sum,USD,999999999999999.99",)))
    [movement] = read_bank_statement(root, DAY, known_at).rows.to_dict("records")
    assert movement["amount_minor"] == 99_999_999_999_999_999
    assert movement["value_date"] == DAY


def test_a_repeated_line_is_kept_for_reconciliation_to_name(put: Put, known_at: datetime) -> None:
    root = put(FILE, statement(IN, IN, sums=("#sum,USD,2001.00",))).parents[1]
    assert len(read_bank_statement(root, DAY, known_at).rows) == 2


def test_a_day_without_movements_is_a_statement_too(put: Put, known_at: datetime) -> None:
    assert read_bank_statement(put(FILE, statement(sums=())).parents[1], DAY, known_at).rows.empty


@pytest.mark.parametrize(
    "sums",
    [
        pytest.param((), id="no sum"),
        pytest.param(("#sum,USD,1000.51",), id="a sum off by a cent"),
        pytest.param(("#sum,CNY,1000.50",), id="a sum in another currency"),
        pytest.param(("#sum,USD,1000.50", "#sum,CNY,1.00"), id="a sum of lines that did not come"),
        pytest.param(("#sum,USD,1000.50", "#sum,USD,1000.50"), id="two sums of one currency"),
        pytest.param(("#sum,USD",), id="a sum without an amount"),
    ],
)
def test_a_statement_that_does_not_add_up_is_refused_whole(put: Put, known_at: datetime, sums: tuple[str, ...]) -> None:
    with pytest.raises(DeliveryRefused, match=r"#sum trailer per currency.*Nothing of it was taken"):
        read_bank_statement(put(FILE, statement(IN, sums=sums)).parents[1], DAY, known_at)


@pytest.mark.parametrize(
    ("line", "sums", "reason"),
    [
        pytest.param("1010.USD,t-2,2026-06-17,1e3,USD,landing", ("#sum,USD,1000.50",), "number_must_be_plain", id="e"),
        pytest.param(
            "1010.USD,t-2,2026-06-17,0.005,USD,landing", ("#sum,USD,1000.505",), "number_must_be_plain",
            id="half a cent",
        ),
        pytest.param(
            "1010.USD,t-2,2026-02-30,1.00,USD,landing", ("#sum,USD,1001.50",), "date_must_be_readable",
            id="the thirtieth of February",
        ),
        pytest.param(
            "1010.USD,t-2,2026-06-17,1.00,XXX,landing", ("#sum,USD,1000.50", "#sum,XXX,1.00"),
            "currency_must_match_the_instrument", id="no currency",
        ),
        pytest.param(
            "1010.USD,@SUM(A1),2026-06-17,1.00,USD,landing", ("#sum,USD,1001.50",), "columns_must_match",
            id="a formula for a reference",
        ),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_held_back(
    put: Put, known_at: datetime, line: str, sums: tuple[str, ...], reason: str
) -> None:
    delivery = read_bank_statement(put(FILE, statement(IN, line, sums=sums)).parents[1], DAY, known_at)
    assert delivery.rows["amount_minor"].tolist() == [100_050]
    assert delivery.quarantined["reason"].tolist() == [reason]


def test_a_statement_that_did_not_come_is_named(tmp_path: Path, known_at: datetime) -> None:
    with pytest.raises(DeliveryRefused, match=r"2026-06-17\.csv.*deliver"):
        read_bank_statement(tmp_path, DAY, known_at)
