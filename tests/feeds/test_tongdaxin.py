"""A TongDaXin folder: records of 32 bytes, prices in hundredths, suspended days simply absent."""

import struct
from datetime import date, datetime
from pathlib import Path

import pytest

from domain.errors import NoPrices
from feeds.tongdaxin import TongDaXinFolder, kind_of

SHARED = Path(__file__).parents[2].parent / "shared"
VIPDOC = SHARED / "data" / "cn" / "tdx" / "vipdoc"
needs_market_data = pytest.mark.skipif(
    not VIPDOC.exists(), reason="needs the market-data folder ../shared, which is not here"
)
EVER = (date(1990, 1, 1), date(2030, 1, 1))
FRIDAY, MONDAY = date(2020, 1, 3), date(2020, 1, 6)


def record(day: int, opened: int, high: int, low: int, close: int, volume: int = 1_000) -> bytes:
    return struct.pack("<IIIIIfII", day, opened, high, low, close, 1.0, volume, 65_536)


GOOD = record(20200103, 1257, 1271, 1247, 1260) + record(20200106, 1250, 1265, 1242, 1245)


def folder_of(root: Path, files: dict[str, bytes]) -> TongDaXinFolder:
    for name, content in files.items():
        file = root / name[:2] / "lday" / f"{name}.day"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return TongDaXinFolder(root)


@pytest.mark.parametrize(
    ("code", "asset_class", "board"),
    [
        pytest.param("sh600000", "equity", "main", id="a Shanghai share"),
        pytest.param("sh688981", "equity", "star", id="a STAR share"),
        pytest.param("sz300750", "equity", "chinext", id="a ChiNext share"),
        pytest.param("sh510300", "etf", "main", id="a fund"),
        pytest.param("sh000001", "index", "main", id="the Shanghai index has the code of a Shenzhen share"),
        pytest.param("sz000001", "equity", "main", id="the Shenzhen share with that code"),
        pytest.param("sz399001", "index", "main", id="the Shenzhen index"),
    ],
)
def test_the_code_says_what_it_stands_for(code: str, asset_class: str, board: str) -> None:
    kind = kind_of(code)
    assert kind is not None
    assert (kind.asset_class, kind.board) == (asset_class, board)


def test_bonds_b_shares_and_full_width_codes_stand_for_nothing() -> None:
    assert [kind_of(code) for code in ("sh019547", "sh900901", "sz200002", "sh６０００００", "sh60000")] == [None] * 5


def test_prices_are_read_as_ten_thousandths(tmp_path: Path, known_at: datetime) -> None:
    folder = folder_of(tmp_path, {"sh600000": GOOD, "sh510300": record(20200103, 4_150, 4_200, 4_100, 4_155)})
    bars = folder.daily_bars(FRIDAY, FRIDAY, known_at).rows.set_index("instrument_id")
    assert bars.loc["CN.600000", "price_close_e4"] == 126_000
    assert bars.loc["CN.510300", "price_close_e4"] == 41_550
    assert (bars.loc["CN.600000", "volume_shares"], bars.loc["CN.600000", "line"]) == (1_000, 1)


BAD_RECORDS = [
    pytest.param(record(20200230, 1, 1, 1, 1), "date_must_be_readable", id="a day that does not exist"),
    pytest.param(record(0, 0, 0, 0, 0), "date_must_be_readable", id="a record of zeros"),
    pytest.param(record(20200102, 1, 1, 1, 1), "time_must_not_go_backwards", id="an older day"),
    pytest.param(record(20200106, 1, 1, 1, 1), "bar_must_be_unique", id="the same day twice"),
    pytest.param(record(20200107, 0, 1, 1, 1), "price_must_be_positive", id="a price of zero"),
    pytest.param(record(20200107, 5, 4, 6, 5), "high_must_not_be_below_low", id="a high below the low"),
    pytest.param(record(20200107, 5, 6, 4, 7), "price_must_lie_between_low_and_high", id="a close above the high"),
    pytest.param(record(20200107, 1, 1, 1, 1)[:13], "file_must_be_readable", id="a half-written record"),
]


@pytest.mark.parametrize(("content", "reason"), BAD_RECORDS)
def test_a_bad_record_is_held_back_and_the_good_ones_kept(
    tmp_path: Path, known_at: datetime, content: bytes, reason: str
) -> None:
    delivery = folder_of(tmp_path, {"sh600000": GOOD + content}).daily_bars(*EVER, known_at)
    assert delivery.rows["as_of_date"].tolist() == [FRIDAY, MONDAY]
    assert delivery.quarantined[["reason", "line", "file"]].to_numpy().tolist() == [[reason, 3, "sh600000.day"]]


def test_an_empty_file_is_held_back(tmp_path: Path, known_at: datetime) -> None:
    folder = folder_of(tmp_path, {"sh600000": b"", "sz000001": GOOD})
    delivery = folder.daily_bars(*EVER, known_at)
    assert delivery.rows["instrument_id"].unique().tolist() == ["CN.000001"]
    assert delivery.quarantined["reason"].tolist() == ["file_must_be_readable"]


def test_nobody_lends_on_an_index(tmp_path: Path, known_at: datetime) -> None:
    folder = folder_of(tmp_path, {"sh000001": GOOD, "sh600000": GOOD})
    assert folder.instruments(MONDAY, known_at).rows["instrument_id"].tolist() == ["CN.600000"]
    assert folder.instruments(date(2019, 12, 31), known_at).rows.empty
    assert set(folder.daily_bars(*EVER, known_at).rows["instrument_id"]) == {"CN.600000"}


def test_a_suspended_day_is_absent_and_no_error(tmp_path: Path, known_at: datetime) -> None:
    suspended = record(20200103, 1, 1, 1, 1) + record(20200203, 1, 1, 1, 1)
    folder = folder_of(tmp_path, {"sh600000": suspended, "sh600004": GOOD})
    assert folder.daily_bars(*EVER, known_at).quarantined.empty
    assert folder.sessions() == [FRIDAY, MONDAY, date(2020, 2, 3)]


def test_the_only_batch_of_a_day_is_its_opens(tmp_path: Path, known_at: datetime) -> None:
    folder = folder_of(tmp_path, {"sh600000": GOOD})
    assert folder.batches_of(FRIDAY) == ["20200103T013000Z"]
    assert folder.prices("20200103T013000Z", {"CN.600000"}, known_at).rows["price_e4"].tolist() == [125_700]
    assert folder.batches_of(date(2020, 1, 4)) == []
    with pytest.raises(NoPrices, match="choose one of the folder's sessions"):
        folder.prices("20200107T013000Z", {"CN.600000"}, known_at)


def test_the_folder_knows_no_rights_and_no_rates(tmp_path: Path, known_at: datetime) -> None:
    folder = folder_of(tmp_path, {"sh600000": GOOD})
    assert folder.corporate_actions(*EVER, known_at).rows.empty
    assert folder.rates(MONDAY, known_at).rows.empty
    assert folder.batches_after("") == []


@needs_market_data
def test_pudong_bank_is_read_from_its_first_day_to_its_last(known_at: datetime) -> None:
    delivery = TongDaXinFolder(VIPDOC).daily_bars(*EVER, known_at)
    assert (len(delivery.rows), len(delivery.quarantined)) == (6_119, 0)
    names = ["as_of_date", "price_open_e4", "price_high_e4", "price_low_e4", "price_close_e4", "volume_shares"]
    first, last = delivery.rows[names].iloc[0].tolist(), delivery.rows[names].iloc[-1].tolist()
    assert first == [date(1999, 11, 10), 295_000, 298_000, 270_000, 277_500, 174_085_000]
    assert last == [date(2025, 8, 5), 131_500, 137_800, 131_400, 137_500, 133_646_594]
