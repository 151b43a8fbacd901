"""The custodian's statement counts whole or not at all; a repeated line is a break, and stays."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.errors import DeliveryRefused
from feeds.custodian_statements import HEADER, read_custodian_statement

Put = Callable[[str, str | bytes], Path]
DAY = date(2026, 6, 17)
FILE = "custodian/2026-06-17.csv"
LINE = "A000001,US.AIG,100,landing"


def statement(*lines: str, trailer: str | None = None) -> str:
    return "\n".join([HEADER, *lines, f"#rows,{len(lines)}" if trailer is None else trailer, ""])


def test_positions_are_signed_whole_shares(put: Put, known_at: datetime) -> None:
    root = put(FILE, statement(LINE, "A000002,US.AIG,-50,landing")).parents[1]
    rows = read_custodian_statement(root, DAY, known_at).rows
    assert rows[["account_id", "quantity_shares", "line"]].to_numpy().tolist() == [
        ["A000001", 100, 2],
        ["A000002", -50, 3],
    ]


def test_a_repeated_line_is_kept_for_reconciliation_to_name(put: Put, known_at: datetime) -> None:
    delivery = read_custodian_statement(put(FILE, statement(LINE, LINE)).parents[1], DAY, known_at)
    assert len(delivery.rows) == 2
    assert delivery.quarantined.empty


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(statement(LINE)[:-1], "half written", id="no final newline"),
        pytest.param(f"{HEADER}\n{LINE}\n", "#rows,1", id="no trailer"),
        pytest.param(statement(LINE, trailer="#rows,2"), "#rows,1", id="a trailer that counts more"),
        pytest.param("account,shares\nA,1\n#rows,1\n", "columns_must_match", id="other columns"),
        pytest.param("中文\n".encode("gbk"), "not UTF-8", id="another encoding"),
    ],
)
def test_a_statement_with_a_fault_is_refused_whole(put: Put, known_at: datetime, content: str, why: str) -> None:
    with pytest.raises(DeliveryRefused, match=why):
        read_custodian_statement(put(FILE, content).parents[1], DAY, known_at)


def test_a_statement_that_did_not_come_is_named(tmp_path: Path, known_at: datetime) -> None:
    with pytest.raises(DeliveryRefused, match=r"2026-06-17\.csv.*deliver"):
        read_custodian_statement(tmp_path, DAY, known_at)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("A000001,US.AIG,1e3,landing", "number_must_be_plain", id="an exponent"),
        pytest.param("A000001,US.AIG,0.5,landing", "number_must_be_plain", id="half a share"),
        pytest.param("A000001,US.AIG,true,landing", "number_must_be_plain", id="a truth for a number"),
        pytest.param("=1+1,US.AIG,1,landing", "columns_must_match", id="a formula for an account"),
        pytest.param(",US.AIG,1,landing", "columns_must_match", id="no account"),
        pytest.param("A000001,US.AIG,1", "columns_must_match", id="a field is missing"),
    ],
)
def test_a_line_that_cannot_be_read_is_held_back(put: Put, known_at: datetime, line: str, reason: str) -> None:
    delivery = read_custodian_statement(put(FILE, statement(LINE, line)).parents[1], DAY, known_at)
    assert len(delivery.rows) == 1
    assert delivery.quarantined[["feed", "reason", "raw_text"]].to_numpy().tolist() == [["custodian", reason, line]]


def test_what_is_made_up_says_so_even_where_a_line_cannot_be_read(put: Put, known_at: datetime) -> None:
    content = statement("A000001,US.AIG,1,synthetic", "broken")
    delivery = read_custodian_statement(put(FILE, content).parents[1], DAY, known_at)
    assert delivery.quarantined["source"].tolist() == ["synthetic"]
