"""A Lean folder: bars as they traded, kept by ticker, and tickers are reused."""

import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

import pytest

from domain.errors import DeliveryRefused, NoPrices
from feeds import delimited, lean
from feeds.folders import open_market_folder
from feeds.lean import LeanFolder

SHARED = Path(__file__).parents[2].parent / "shared"
LEAN = SHARED / "data" / "us" / "lean"
needs_market_data = pytest.mark.skipif(
    not LEAN.exists(), reason="needs the market-data folder ../shared, which is not here"
)
FRIDAY, MONDAY, TUESDAY = date(2008, 9, 12), date(2008, 9, 15), date(2008, 9, 16)
EVER = (date(1990, 1, 1), date(2030, 1, 1))
ROWS = [
    "20080912 00:00,151900,154000,115000,121600,308021702",
    "20080915 00:00,71000,76700,35700,50900,698788181",
    "20080916 00:00,17500,51200,12500,39400,1108923691",
]
Build = Callable[..., LeanFolder]


def bars_zip(file: Path, content: str | bytes, members: int = 1) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(members):
            archive.writestr(f"{file.stem}{number or ''}.csv", content)
    return file


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a Lean folder from rows by ticker, map files and factor files."""

    def make(
        rows: dict[str, list[str]], maps: dict[str, str] | None = None, factors: dict[str, str] | None = None
    ) -> LeanFolder:
        usa = tmp_path / "lean" / "equity" / "usa"
        for ticker, lines in rows.items():
            bars_zip(usa / "daily" / f"{ticker}.zip", "\n".join([*lines, ""]))
        for folder, files in (("map_files", maps), ("factor_files", factors)):
            (usa / folder).mkdir(parents=True, exist_ok=True)
            for name, text in (files or {}).items():
                (usa / folder / f"{name}.csv").write_text(text)
        return LeanFolder(tmp_path / "lean")

    return make


BAD_ROWS = [
    pytest.param("20080917 00:00,1,1,1,1", "columns_must_match", id="a field is missing"),
    pytest.param("20080917 00:00,1,1,1,1,1,1", "columns_must_match", id="a field too many"),
    pytest.param("20080931 00:00,1,1,1,1,1", "date_must_be_readable", id="a day that does not exist"),
    pytest.param("2008-09-17,1,1,1,1,1", "date_must_be_readable", id="a day in another form"),
    pytest.param("20080911 00:00,1,1,1,1,1", "time_must_not_go_backwards", id="a row older than the one before"),
    pytest.param("20080916 00:00,1,1,1,1,1", "bar_must_be_unique", id="the same day twice"),
    pytest.param("20080917 00:00,NaN,1,1,1,1", "number_must_be_plain", id="NaN"),
    pytest.param("20080917 00:00,1,1e9,1,1,1", "number_must_be_plain", id="an exponent"),
    pytest.param("20080917 00:00,1,1,1,1,0.5", "number_must_be_plain", id="a fraction of a share"),
    pytest.param("20080917 00:00,0,0,0,0,1", "price_must_be_positive", id="a price of zero"),
    pytest.param("20080917 00:00,1,1,1,1,-1", "volume_must_not_be_negative", id="a negative volume"),
    pytest.param("20080917 00:00,5,4,6,5,1", "high_must_not_be_below_low", id="a high below the low"),
    pytest.param("20080917 00:00,9,8,6,7,1", "price_must_lie_between_low_and_high", id="an open above the high"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_ROWS)
def test_a_bad_row_is_held_back_and_the_good_ones_kept(
    build: Build, known_at: datetime, line: str, reason: str
) -> None:
    delivery = build({"aig": [*ROWS, line]}).daily_bars(*EVER, known_at)
    assert delivery.rows["price_close_e4"].tolist() == [121_600, 50_900, 39_400]
    [held_back] = delivery.quarantined.to_dict("records")
    assert (held_back["reason"], held_back["raw_text"], held_back["line"]) == (reason, line, 4)
    assert (held_back["file"], held_back["source"]) == ("aig.zip", "quantconnect_lean")


def test_only_the_days_asked_for_are_read(build: Build, known_at: datetime) -> None:
    delivery = build({"aig": ROWS}).daily_bars(MONDAY, MONDAY, known_at)
    assert delivery.rows[["as_of_date", "line"]].to_numpy().tolist() == [[MONDAY, 2]]


def damaged_zips(folder: Path) -> dict[str, bytes]:
    whole = bars_zip(folder / "whole.zip", "\n".join(ROWS)).read_bytes()
    flipped = bytearray(whole)
    flipped[50] ^= 0xFF
    encrypted = bytearray(whole)
    encrypted[whole.index(b"PK\x01\x02") + 8] |= 1
    return {
        "half written": whole[: len(whole) // 2],
        "without a single byte": b"",
        "no zip at all": b"20080912 00:00,1,1,1,1,1\n",
        "damaged by one bit": bytes(flipped),
        "encrypted": bytes(encrypted),
        "a bomb": bars_zip(folder / "bomb.zip", b"0" * 5_000_000).read_bytes(),
        "of two members": bars_zip(folder / "two.zip", "\n".join(ROWS), members=2).read_bytes(),
        "of no member": bars_zip(folder / "none.zip", "", members=0).read_bytes(),
        "of an empty member": bars_zip(folder / "empty.zip", "").read_bytes(),
        "of text in GBK": bars_zip(folder / "gbk.zip", "中国平安".encode("gbk")).read_bytes(),
        "of a NUL byte": bars_zip(folder / "nul.zip", b"20080912\0").read_bytes(),
    }


@pytest.mark.parametrize(
    "damage",
    ["half written", "without a single byte", "no zip at all", "damaged by one bit", "encrypted", "a bomb",
     "of two members", "of no member", "of an empty member", "of text in GBK", "of a NUL byte"],
)  # fmt: skip
def test_a_zip_that_cannot_be_read_is_held_back_and_the_others_are_read(
    build: Build, tmp_path: Path, known_at: datetime, damage: str
) -> None:
    folder = build({"aig": ROWS})
    (folder.root / "equity" / "usa" / "daily" / "bac.zip").write_bytes(damaged_zips(tmp_path / "made")[damage])
    delivery = folder.daily_bars(*EVER, known_at)
    assert len(delivery.rows) == 3
    assert delivery.quarantined[["file", "line", "reason"]].to_numpy().tolist() == [
        ["bac.zip", 0, "file_must_be_readable"]
    ]
    assert folder.sessions() == [FRIDAY, MONDAY, TUESDAY]


def test_every_way_of_cutting_a_zip_short_is_noticed(tmp_path: Path) -> None:
    file = bars_zip(tmp_path / "aig.zip", "\n".join(ROWS))
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        assert isinstance(lean.unpack(file, tmp_path), delimited.Fault)


REUSED = ["19980102 00:00,130600,133800,125600,128100,131000", *ROWS]


def test_rows_of_an_older_company_are_not_those_of_todays(build: Build, known_at: datetime) -> None:
    folder = build({"bno": REUSED}, maps={"bno": "20080912,bno,P\n20501231,bno,P"})
    delivery = folder.daily_bars(*EVER, known_at)
    assert delivery.rows["as_of_date"].min() == FRIDAY
    assert delivery.quarantined[["reason", "as_of_date"]].to_numpy().tolist() == [
        ["ticker_must_be_mapped", date(1998, 1, 2)]
    ]
    assert folder.sessions() == [FRIDAY, MONDAY, TUESDAY]


def test_a_company_keeps_its_id_when_its_ticker_changes(build: Build, known_at: datetime) -> None:
    """GOOG's rows up to 2014-04-02 are those of the company called GOOGL since; then another share takes the ticker."""
    folder = build({"old": ROWS[:2], "new": ROWS[2:]}, maps={"new": "20080101,old,Q\n20080915,old,Q\n20501231,new,Q"})
    assert folder.daily_bars(*EVER, known_at).rows["instrument_id"].tolist() == ["US.NEW"] * 3
    [instrument] = folder.instruments(TUESDAY, known_at).rows.to_dict("records")
    assert (instrument["instrument_id"], instrument["symbol"], instrument["board"]) == ("US.NEW", "NEW", "nasdaq")


@pytest.mark.parametrize("text", ["", "20080101", "20080101,aig,N\n2008-09-15,aig,N", "20501231,aig,N\n20080101,aig,N"])
def test_nobody_owns_the_rows_of_a_ticker_whose_map_cannot_be_read(build: Build, known_at: datetime, text: str) -> None:
    folder = build({"aig": ROWS}, maps={"aig": text})
    delivery = folder.daily_bars(*EVER, known_at)
    assert delivery.rows.empty
    assert set(delivery.quarantined["reason"]) == {"ticker_must_be_mapped"}
    assert folder.instruments(TUESDAY, known_at).quarantined["reason"].tolist() == ["file_must_be_readable"]


def test_instruments_are_those_with_a_bar_by_the_day(build: Build, known_at: datetime) -> None:
    folder = build({"aig": ROWS, "spy": ROWS[2:]}, maps={"spy": "19980102,spy,P\n20501231,spy,P"})
    assert folder.instruments(MONDAY, known_at).rows["instrument_id"].tolist() == ["US.AIG"]
    both = folder.instruments(TUESDAY, known_at).rows
    assert both[["instrument_id", "asset_class", "currency"]].to_numpy().tolist() == [
        ["US.SPY", "etf", "USD"], ["US.AIG", "equity", "USD"]
    ]  # fmt: skip


def test_steps_of_the_factors_are_splits_and_dividends_on_the_next_bar(build: Build, known_at: datetime) -> None:
    factors = "20080101,0.9,20,1\n20080912,0.9,20,12.16\n20080915,0.9,1,5.09\n20501231,1,1,0"
    folder = build({"aig": ROWS}, factors={"aig": factors})
    actions = folder.corporate_actions(*EVER, known_at).rows
    assert actions[["as_of_date", "kind", "split_ratio", "dividend_e4", "line"]].to_numpy().tolist() == [
        [MONDAY, "split", 0.05, 0, 2],
        [TUESDAY, "cash_dividend", 1.0, 5_090, 3],
    ]
    assert folder.corporate_actions(TUESDAY, TUESDAY, known_at).rows["kind"].tolist() == ["cash_dividend"]


def test_an_action_in_a_gap_of_the_bars_touches_no_bar(build: Build, known_at: datetime) -> None:
    """QQQ traded under another ticker for six years; its dividends of those years are not due on the day it is back."""
    rows = [ROWS[0].replace("20080912", "20041130"), *ROWS]
    folder = build({"qqq": rows}, factors={"qqq": "20040101,0.8,1,1\n20050616,0.8,1,37.9\n20501231,1,1,0"})
    assert folder.corporate_actions(*EVER, known_at).rows.empty


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("20080912,0.9,nan,12.16", "number_must_be_plain", id="NaN"),
        pytest.param("20080912,0.9,1", "number_must_be_plain", id="a field is missing"),
        pytest.param("20080931,0.9,1,12.16", "date_must_be_readable", id="a day that does not exist"),
        pytest.param("20071231,0.9,1,12.16", "time_must_not_go_backwards", id="an older row"),
    ],
)
def test_a_bad_factor_row_is_held_back(build: Build, known_at: datetime, line: str, reason: str) -> None:
    folder = build({"aig": ROWS}, factors={"aig": f"20080101,1,1,1\n{line}\n20501231,1,1,0"})
    delivery = folder.corporate_actions(*EVER, known_at)
    assert delivery.quarantined[["reason", "line"]].to_numpy().tolist() == [[reason, 2]]
    assert delivery.rows.empty


def test_the_only_batch_of_a_day_is_its_opens_when_the_exchange_opens(build: Build, known_at: datetime) -> None:
    folder = build({"aig": ROWS, "zzz": ROWS})
    [batch] = folder.batches_of(MONDAY)
    assert batch == "20080915T133000Z"
    delivery = folder.prices(batch, {"US.AIG"}, known_at)
    [price] = delivery.rows.to_dict("records")
    assert (price["price_e4"], price["volume_shares"], price["batch"]) == (71_000, 0, batch)
    assert price["quoted_at"] == datetime(2008, 9, 15, 13, 30, tzinfo=UTC)
    assert delivery.quarantined["reason"].tolist() == ["instrument_must_be_known"]
    assert folder.batches_after("") == []


def test_a_day_with_no_prices_has_no_batch_and_says_so(build: Build, known_at: datetime) -> None:
    folder = build({"aig": ROWS})
    assert folder.batches_of(date(2008, 9, 14)) == []
    assert folder.batches_of(date(2008, 9, 17)) == []
    assert folder.daily_bars(date(2008, 9, 14), date(2008, 9, 14), known_at).rows.empty
    with pytest.raises(NoPrices, match=r"2008-09-17.*choose one of the folder's sessions"):
        folder.prices("20080917T133000Z", {"US.AIG"}, known_at)
    with pytest.raises(DeliveryRefused, match="named by its UTC instant"):
        folder.prices("monday", {"US.AIG"}, known_at)


@needs_market_data
def test_aig_fell_as_it_fell_in_september_2008(known_at: datetime) -> None:
    bars = LeanFolder(LEAN).daily_bars(FRIDAY, TUESDAY, known_at).rows
    assert bars[bars["instrument_id"] == "US.AIG"]["price_close_e4"].tolist() == [121_600, 50_900, 39_400]


@needs_market_data
@pytest.mark.parametrize(
    ("instrument", "ex_date", "ratio"),
    [
        pytest.param("US.AIG", date(2009, 7, 1), 0.05, id="AIG one for twenty"),
        pytest.param("US.AAPL", date(2014, 6, 9), 7.0, id="AAPL seven for one"),
        pytest.param("US.AAPL", date(2020, 8, 31), 4.0, id="AAPL four for one"),
        pytest.param("US.IBM", date(1999, 5, 27), 2.0, id="IBM two for one"),
        pytest.param("US.GOOGL", date(2014, 4, 3), 2.0, id="GOOGL and its new class C"),
        pytest.param("US.USO", date(2020, 4, 29), 0.125, id="USO one for eight"),
    ],
)
def test_splits_are_those_that_happened(instrument: str, ex_date: date, ratio: float, known_at: datetime) -> None:
    actions = LeanFolder(LEAN).corporate_actions(ex_date, ex_date, known_at).rows
    split = actions[(actions["instrument_id"] == instrument) & (actions["kind"] == "split")]
    assert split["split_ratio"].tolist() == [ratio]


@needs_market_data
def test_apple_paid_the_dividends_it_announced(known_at: datetime) -> None:
    actions = LeanFolder(LEAN).corporate_actions(date(2012, 8, 1), date(2014, 12, 31), known_at).rows
    paid = actions[(actions["instrument_id"] == "US.AAPL") & (actions["kind"] == "cash_dividend")]
    assert [dividend / 10_000 for dividend in paid["dividend_e4"]] == [2.65] * 3 + [3.05] * 4 + [3.29] + [0.47] * 2


@needs_market_data
def test_all_bars_are_believed_but_those_of_three_older_companies(known_at: datetime) -> None:
    delivery = LeanFolder(LEAN).daily_bars(*EVER, known_at)
    assert len(delivery.rows) == 50_716
    assert delivery.quarantined.groupby(["file", "reason"]).size().to_dict() == {
        ("bac.zip", "ticker_must_be_mapped"): 188,
        ("bno.zip", "ticker_must_be_mapped"): 1_100,
        ("uso.zip", "ticker_must_be_mapped"): 140,
    }
    firsts = delivery.rows.groupby("instrument_id")["as_of_date"].min()
    assert (firsts["US.BNO"], firsts["US.USO"]) == (date(2010, 6, 2), date(2006, 4, 10))
    google = delivery.rows[delivery.rows["instrument_id"] == "US.GOOGL"]
    assert set(google["file"]) == {"goog.zip", "googl.zip"}


@needs_market_data
def test_two_years_of_every_ticker_are_read_in_three_seconds(known_at: datetime) -> None:
    begun = perf_counter()
    folder = open_market_folder(LEAN)
    assert len(folder.daily_bars(date(2007, 1, 1), date(2008, 12, 31), known_at).rows) == 4_032
    assert perf_counter() - begun < 3


@needs_market_data
def test_the_policy_rate_is_the_latest_known_on_the_day(known_at: datetime) -> None:
    [rate] = LeanFolder(LEAN).rates(MONDAY, known_at).rows.to_dict("records")
    assert (rate["currency"], rate["rate_e8"], rate["as_of_date"]) == ("USD", 2_250_000, date(2008, 5, 1))
    assert LeanFolder(LEAN).rates(date(2000, 1, 3), known_at).rows.empty
