"""The landing folder: a row is believed only after it kept every rule, and what broke one is kept with its reason."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from time import perf_counter

import pytest

from domain.errors import DeliveryRefused
from feeds.prices import DAILY_HEADER, INTRADAY_HEADER, LandingFolder

Put = Callable[[str, str | bytes], Path]
MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 15), date(2026, 6, 16), date(2026, 6, 17)
BATCH = "20260617T140000Z"
KNOWN = {"US.AIG", "US.SPY", "CN.600000"}
GOOD_BAR = "US.SPY,125.00,126.00,124.00,125.50,2000,USD,landing"
GOOD_QUOTE = "US.SPY,2026-06-17T13:59:58Z,125.00,124.99,125.01,100,USD,landing"


@pytest.fixture
def folder(landing: Path) -> LandingFolder:
    return LandingFolder(landing, "landing")


BAD_BARS = [
    pytest.param("US.AIG,1,1,1,1,1,USD", "columns_must_match", id="a field is missing"),
    pytest.param("US.AIG,1,1,1,1,1,USD,landing,x", "columns_must_match", id="a field too many"),
    pytest.param("US.AIG,1,1,1,1,1,USD,=HYPERLINK(1)", "columns_must_match", id="a formula for a source"),
    pytest.param("US.NOWHERE,1,1,1,1,1,USD,landing", "instrument_must_be_known", id="an unknown instrument"),
    pytest.param("US.ＡＩＧ,1,1,1,1,1,USD,landing", "instrument_must_be_known", id="full-width letters"),
    pytest.param("CN.６０００００,1,1,1,1,1,CNY,landing", "instrument_must_be_known", id="full-width digits in a code"),
    pytest.param("US.\u0410IG,1,1,1,1,1,USD,landing", "instrument_must_be_known", id="a Cyrillic look-alike"),
    pytest.param("US.aig,1,1,1,1,1,USD,landing", "instrument_must_be_known", id="small letters"),
    pytest.param("US.AIG,1,1,1,1,1,CNY,landing", "currency_must_match_the_instrument", id="another currency"),
    pytest.param("US.AIG,NaN,1,1,1,1,USD,landing", "number_must_be_plain", id="NaN"),
    pytest.param("US.AIG,1,Infinity,1,1,1,USD,landing", "number_must_be_plain", id="Infinity"),
    pytest.param("US.AIG,1,1e400,1,1,1,USD,landing", "number_must_be_plain", id="1e400"),
    pytest.param("US.AIG,1,1,0x1F,1,1,USD,landing", "number_must_be_plain", id="hexadecimal"),
    pytest.param("US.AIG,1,1,1,1_000,1,USD,landing", "number_must_be_plain", id="an underscore"),
    pytest.param("US.AIG,１,1,1,1,1,USD,landing", "number_must_be_plain", id="full-width digits"),
    pytest.param("US.AIG,1,1,1,,1,USD,landing", "number_must_be_plain", id="a blank price"),
    pytest.param("US.AIG,1,1,1,1,1.5,USD,landing", "number_must_be_plain", id="a fraction of a share"),
    pytest.param("US.AIG,0,0,0,0,1,USD,landing", "price_must_be_positive", id="a price of zero"),
    pytest.param("US.AIG,-0,1,1,1,1,USD,landing", "price_must_be_positive", id="a negative zero"),
    pytest.param("US.AIG,1,1,-1,1,1,USD,landing", "price_must_be_positive", id="a negative price"),
    pytest.param("US.AIG,0.00001,1,1,1,1,USD,landing", "price_must_be_positive", id="a price that rounds to nothing"),
    pytest.param("US.AIG,1,1,1,1,-5,USD,landing", "volume_must_not_be_negative", id="a negative volume"),
    pytest.param("US.AIG,5,4,6,5,1,USD,landing", "high_must_not_be_below_low", id="a high below the low"),
    pytest.param("US.AIG,5,6,4,7,1,USD,landing", "price_must_lie_between_low_and_high", id="a close above the high"),
    pytest.param("US.AIG,3,6,4,5,1,USD,landing", "price_must_lie_between_low_and_high", id="an open below the low"),
    pytest.param("CN.600000,12,12,12,12,1,CNY,landing", "price_must_respect_the_limit", id="a price over the limit"),
    pytest.param("CN.600000,10,10,9,10,1,CNY,landing", "price_must_respect_the_limit", id="a low under the limit"),
    pytest.param(GOOD_BAR, "bar_must_be_unique", id="the same bar twice"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_BARS)
def test_a_bad_bar_is_held_back_and_the_good_one_kept(
    folder: LandingFolder, put: Put, known_at: datetime, line: str, reason: str
) -> None:
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\n{GOOD_BAR}\n{line}\n#rows,2\n")
    delivery = folder.daily_bars(TUESDAY, TUESDAY, known_at)
    assert delivery.rows["instrument_id"].tolist() == ["US.SPY"]
    [held_back] = delivery.quarantined.to_dict("records")
    assert (held_back["reason"], held_back["raw_text"], held_back["line"]) == (reason, line, 3)
    assert (held_back["feed"], held_back["file"], held_back["as_of_date"]) == ("daily_bars", "2026-06-16.csv", TUESDAY)
    assert held_back["explanation"]


def test_a_believed_bar_is_whole_ten_thousandths(folder: LandingFolder, known_at: datetime) -> None:
    aig = folder.daily_bars(MONDAY, MONDAY, known_at).rows.iloc[0]
    assert aig["instrument_id"] == "US.AIG"
    assert [aig[f"price_{name}_e4"] for name in ("open", "high", "low", "close")] == [
        120_000,
        125_000,
        119_000,
        121_600,
    ]
    assert (aig["volume_shares"], aig["line"], aig["as_of_date"], aig["source"]) == (1000, 2, MONDAY, "landing")
    assert aig["known_at"] == known_at


def test_the_price_limit_itself_is_allowed_and_is_rounded_to_the_fen(
    folder: LandingFolder, put: Put, known_at: datetime
) -> None:
    """10.05 less a tenth is 9.045, and the exchange rounds that half up to 9.05."""
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\nCN.600000,9.05,11.06,9.05,9.05,1,CNY,landing\n")
    assert len(folder.daily_bars(MONDAY, TUESDAY, known_at).rows) == 4
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\nCN.600000,9.04,9.05,9.04,9.05,1,CNY,landing\n")
    assert len(folder.daily_bars(MONDAY, TUESDAY, known_at).rows) == 3


def test_no_limit_binds_on_an_ex_date_or_after_a_suspension(
    folder: LandingFolder, put: Put, known_at: datetime
) -> None:
    halved = f"{DAILY_HEADER}\nCN.600000,5,5,5,5,1,CNY,landing\n"
    put("daily/2026-06-16.csv", halved)
    header = "instrument_id,ex_date,kind,split_ratio,dividend,source\n"
    put("reference/corporate_actions.csv", header + "CN.600000,2026-06-16,split,2,,landing\n")
    assert folder.daily_bars(TUESDAY, TUESDAY, known_at).quarantined.empty
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\n{GOOD_BAR}\n")
    put("daily/2026-06-17.csv", halved)
    assert folder.daily_bars(MONDAY, WEDNESDAY, known_at).quarantined.empty


def test_a_broken_daily_file_is_held_back_and_the_others_are_read(
    folder: LandingFolder, put: Put, known_at: datetime
) -> None:
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\n{GOOD_BAR}\nUS.AIG,12.0")
    put("daily/2026-06-17.csv", b"\xd6\xd0")
    delivery = folder.daily_bars(MONDAY, WEDNESDAY, known_at)
    assert delivery.rows["as_of_date"].unique().tolist() == [MONDAY]
    assert delivery.quarantined["reason"].tolist() == ["file_must_be_readable"] * 2
    assert delivery.quarantined["line"].tolist() == [0, 0]
    assert delivery.quarantined["raw_text"].iloc[1] == "\\xd6\\xd0"


@pytest.mark.parametrize("name", ["2026-02-30.csv", "20260616.csv", "16-06-2026.csv", "today.csv"])
def test_a_daily_file_named_for_no_day_is_held_back(
    folder: LandingFolder, put: Put, known_at: datetime, name: str
) -> None:
    put(f"daily/{name}", f"{DAILY_HEADER}\n{GOOD_BAR}\n")
    delivery = folder.daily_bars(MONDAY, TUESDAY, known_at)
    assert delivery.quarantined["reason"].tolist() == ["date_must_be_readable"]
    assert len(delivery.rows) == 3


def test_a_day_with_no_prices_is_no_session_and_delivers_nothing(
    folder: LandingFolder, put: Put, known_at: datetime
) -> None:
    put("daily/2026-06-16.csv", f"{DAILY_HEADER}\n#rows,0\n")
    assert folder.sessions() == [MONDAY]
    for day in (TUESDAY, WEDNESDAY):
        delivery = folder.daily_bars(day, day, known_at)
        assert delivery.rows.empty
        assert delivery.quarantined.empty


BAD_QUOTES = [
    pytest.param("US.NOWHERE,2026-06-17T13:59:00Z,1,1,1,1,USD,landing", "instrument_must_be_known", id="unknown"),
    pytest.param(
        "US.AIG,2026-06-17T13:59:00Z,1,1,1,1,EUR,landing", "currency_must_match_the_instrument", id="currency"
    ),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,,1,1,1,USD,landing", "number_must_be_plain", id="no price"),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,1,nan,1,1,USD,landing", "number_must_be_plain", id="a bid of NaN"),
    pytest.param("US.AIG,2026-06-17T13:59:00,1,1,1,1,USD,landing", "date_must_be_readable", id="no time zone"),
    pytest.param("US.AIG,yesterday,1,1,1,1,USD,landing", "date_must_be_readable", id="no instant"),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,0,1,1,1,USD,landing", "price_must_be_positive", id="a price of zero"),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,1,0,1,1,USD,landing", "price_must_be_positive", id="a bid of zero"),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,1,1.1,1,1,USD,landing", "bid_must_not_exceed_ask", id="a crossed quote"),
    pytest.param("US.AIG,2026-06-17T13:59:00Z,1,1,1,-1,USD,landing", "volume_must_not_be_negative", id="volume"),
    pytest.param("US.AIG,2026-06-17T14:00:01Z,1,1,1,1,USD,landing", "quote_must_not_come_from_the_future", id="future"),
    pytest.param("US.AIG,2026-06-16T13:59:00Z,1,1,1,1,USD,landing", "quote_must_be_of_the_day", id="yesterday's"),
    pytest.param(GOOD_QUOTE, "quote_must_be_unique", id="the same quote twice"),
    pytest.param("CN.600000,2026-06-17T06:59:00Z,12,,,1,CNY,landing", "price_must_respect_the_limit", id="the limit"),
]


@pytest.mark.parametrize(("line", "reason"), BAD_QUOTES)
def test_a_bad_quote_is_held_back_and_the_good_one_kept(
    folder: LandingFolder, put: Put, known_at: datetime, line: str, reason: str
) -> None:
    put(f"intraday/{BATCH}.csv", f"{INTRADAY_HEADER}\n{GOOD_QUOTE}\n{line}\n")
    delivery = folder.prices(BATCH, KNOWN, known_at)
    assert delivery.rows["instrument_id"].tolist() == ["US.SPY"]
    assert delivery.quarantined[["batch", "reason", "raw_text"]].to_numpy().tolist() == [[BATCH, reason, line]]


def test_a_look_alike_is_named_as_one(folder: LandingFolder, put: Put, known_at: datetime) -> None:
    put(f"intraday/{BATCH}.csv", f"{INTRADAY_HEADER}\n{GOOD_QUOTE.replace('US.SPY', 'US.ＳＰＹ')}\n")
    [explanation] = folder.prices(BATCH, KNOWN, known_at).quarantined["explanation"]
    assert "only looks like US.SPY" in explanation
    assert explanation.isascii()


def test_a_locked_or_one_sided_quote_and_a_late_one_are_believed(
    folder: LandingFolder, put: Put, known_at: datetime
) -> None:
    lines = [
        "US.SPY,2026-06-17T13:59:58Z,125.00,125.00,125.00,100,USD,landing",
        "US.AIG,2026-06-17T13:59:58Z,12.00,,12.01,100,USD,landing",
        "US.AIG,2026-06-17T13:30:00.250Z,12.10,12.00,,100,USD,landing",
    ]
    put(f"intraday/{BATCH}.csv", "\n".join([INTRADAY_HEADER, *lines, "#rows,3", ""]))
    delivery = folder.prices(BATCH, KNOWN, known_at)
    assert delivery.quarantined.empty
    assert delivery.rows["bid_e4"].isna().tolist() == [False, True, False]
    assert delivery.rows["quoted_at"].dt.microsecond.tolist() == [0, 0, 250_000]


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        pytest.param("20260617T150000Z", "is not there", id="a batch never delivered"),
        pytest.param("../daily/2026-06-15", "named by its UTC instant", id="a path for a name"),
        pytest.param("20260230T140000Z", "named by its UTC instant", id="a day that does not exist"),
        pytest.param(BATCH, "half written", id="a half-written batch"),
    ],
)
def test_a_batch_counts_whole_or_not_at_all(
    folder: LandingFolder, put: Put, known_at: datetime, batch: str, why: str
) -> None:
    put(f"intraday/{BATCH}.csv", f"{INTRADAY_HEADER}\n{GOOD_QUOTE}")
    with pytest.raises(DeliveryRefused, match=why):
        folder.prices(batch, KNOWN, known_at)


def test_only_complete_batches_are_offered_in_order_of_time(folder: LandingFolder, put: Put) -> None:
    whole = f"{INTRADAY_HEADER}\n{GOOD_QUOTE}\n"
    for name in ("20260617T170000Z", BATCH, "20260616T140000Z"):
        put(f"intraday/{name}.csv", whole)
    put("intraday/20260617T193000Z.csv", whole[:-1])
    put("intraday/.20260617T200000Z.csv", whole)
    put("intraday/notes.csv", whole)
    assert folder.batches_after("") == ["20260616T140000Z", BATCH, "20260617T170000Z"]
    assert folder.batches_after(BATCH) == ["20260617T170000Z"]
    assert folder.batches_of(WEDNESDAY) == [BATCH, "20260617T170000Z"]


def test_sixty_instruments_over_six_hundred_days_are_read_in_three_seconds(landing: Path, known_at: datetime) -> None:
    names = [f"US.T{number:02}" for number in range(60)]
    header = (landing / "reference" / "instruments.csv").read_text().splitlines()[0]
    rows = [f"{name},{name[3:]},US,USD,equity,nyse,1,,landing" for name in names]
    (landing / "reference" / "instruments.csv").write_text("\n".join([header, *rows, ""]))
    day = "\n".join(
        [DAILY_HEADER, *(f"{name},10.00,10.50,9.90,10.16,1000,USD,landing" for name in names), "#rows,60", ""]
    )
    (landing / "daily" / "2026-06-15.csv").unlink()
    for ordinal in range(738_000, 738_600):
        (landing / "daily" / f"{date.fromordinal(ordinal)}.csv").write_text(day)
    begun = perf_counter()
    delivery = LandingFolder(landing, "landing").daily_bars(date(2000, 1, 1), WEDNESDAY, known_at)
    assert len(delivery.rows) == 36_000
    assert perf_counter() - begun < 3
