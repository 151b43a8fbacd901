"""A file is believed byte for byte, a number only when it is plain."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DeliveryRefused
from domain.money import to_e4 as exact_e4
from feeds import delimited
from feeds.deliveries import Fault

HEADER = "name,price"
Put = Callable[[str, str | bytes], Path]

BAD_FILES = [
    pytest.param(b"", "file_must_be_readable", id="an empty file"),
    pytest.param(b"name,price\nA,1", "file_must_be_readable", id="a last line without an end"),
    pytest.param(b"name,price\nA,1\nB,2\n#rows,3\n", "file_must_be_readable", id="a trailer that counts more rows"),
    pytest.param(b"name,price\nA,1\n#rows,1\n#rows,1\n", "file_must_be_readable", id="two trailers"),
    pytest.param(b"name,price\nA,1\n#rows,x\n", "file_must_be_readable", id="a trailer that is no number"),
    pytest.param(b"price,name\n1,A\n", "columns_must_match", id="columns in another order"),
    pytest.param(b"name,price,extra\nA,1,2\n", "columns_must_match", id="a column more"),
    pytest.param(b"name\nA\n", "columns_must_match", id="a column less"),
    pytest.param(b"Name,price\nA,1\n", "columns_must_match", id="a header in capitals"),
    pytest.param(b"name,price\r\nA,1\r\n", "columns_must_match", id="line ends of another system"),
    pytest.param(b"\xef\xbb\xbfname,price\nA,1\n", "file_must_be_readable", id="a byte order mark"),
    pytest.param(b"name,price\nA\0,1\n", "file_must_be_readable", id="a NUL byte"),
    pytest.param("name,price\n中国平安,1\n".encode("gbk"), "file_must_be_readable", id="bytes in GBK"),
    pytest.param(b"name,price\n\xff\xfe,1\n", "file_must_be_readable", id="broken UTF-8"),
    pytest.param(b'name,price\n"A,1\n', "file_must_be_readable", id="a quote never closed"),
    pytest.param(b"name,price\nA," + b"1" * 70_000 + b"\n", "file_must_be_readable", id="a line over 64 kB"),
]


@pytest.mark.parametrize(("content", "reason"), BAD_FILES)
def test_a_file_with_a_fault_is_not_read_at_all(put: Put, content: bytes, reason: str) -> None:
    file = put("f.csv", content)
    fault = delimited.read_sheet(file, file.parent, HEADER)
    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert "Nothing of it was taken" in fault.explanation
    with pytest.raises(DeliveryRefused, match=reason):
        delimited.sheet_or_refusal(file, file.parent, HEADER)


def test_a_missing_file_a_folder_and_a_link_that_leads_out_are_no_files(put: Put, tmp_path: Path) -> None:
    root = put("f.csv", "name,price\n").parent
    outside = tmp_path / "secret.csv"
    outside.write_text("name,price\nA,1\n")
    (root / "link.csv").symlink_to(outside)
    (root / "folder.csv").mkdir()
    for name, why in (("none.csv", "cannot be opened"), ("link.csv", "leads out"), ("folder.csv", "regular file")):
        fault = delimited.read_sheet(root / name, root, HEADER)
        assert isinstance(fault, Fault)
        assert why in fault.explanation


def test_a_file_over_the_cap_is_not_opened(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put("f.csv", "name,price\nA,1\n")
    monkeypatch.setattr(delimited, "FILE_BYTES_MAX", 10)
    fault = delimited.read_sheet(file, file.parent, HEADER)
    assert isinstance(fault, Fault)
    assert "15 bytes, over 10" in fault.explanation


def test_a_required_trailer_may_not_be_missing(put: Put) -> None:
    file = put("f.csv", "name,price\nA,1\n")
    assert isinstance(delimited.read_sheet(file, file.parent, HEADER), delimited.Sheet)
    assert isinstance(delimited.read_sheet(file, file.parent, HEADER, trailer_required=True), Fault)


NOT_PLAIN = [
    "", " ", " 12 ", "1,234.5", "1_000", "1e3", "1e400", "1E+9999", "0x1F", "NaN", "nan", "Infinity", "-inf", "１２",
    "٣", "+1", ".5", "5.", "--1", "1.2.3", "1\n", "true", "9" * 400, "1" * 12, "0.123456789", "½", "1\u00a0", "−1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_a_number_that_is_not_plain_is_no_price(text: str) -> None:
    assert not delimited.matches(pd.Series([text]), delimited.PRICE)[0]


@given(st.from_regex(r"-?[0-9]{1,11}(\.[0-9]{1,8})?", fullmatch=True))
def test_prices_round_as_money_does(text: str) -> None:
    """The quick way over a column and the exact way over one text are the same rounding."""
    assert all(character in "-.0123456789" for character in text)
    texts = pd.Series([text])
    assert delimited.matches(texts, delimited.PRICE)[0]
    assert delimited.to_e4(texts)[0] == exact_e4(text)


@pytest.mark.parametrize(
    "text",
    ["2026-02-30", "20260617", "2026-W25-3", "17/06/2026", "2026-6-17", " 2026-06-17", "２026-06-17", "", "None"],
)
def test_a_day_is_written_one_way_only(text: str) -> None:
    assert delimited.day_or_nothing(text) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-06-17T14:00:00", id="local time without a zone"),
        pytest.param("2026-06-17T14:00:00+08:00", id="another zone"),
        pytest.param("2026-06-17 14:00:00Z", id="a blank for the T"),
        pytest.param("2026-06-17T23:59:60Z", id="a leap second"),
        pytest.param("2026-06-17T24:00:00Z", id="an hour that does not exist"),
        pytest.param("2026-02-30T14:00:00Z", id="a day that does not exist"),
        pytest.param("1750000000", id="a count of seconds"),
    ],
)
def test_an_instant_is_utc_and_exists(text: str) -> None:
    assert delimited.to_instants(pd.Series([text, "2026-06-17T14:00:00Z"])).isna().tolist() == [True, False]
