"""Every table of the lake is written whole or not at all, and damage is found before it is believed."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from assets import lake as lake_module
from assets.lake import Lake
from assets.schemas import TABLES
from domain.errors import TableNotInLake

DAY = date(2026, 6, 17)
RATES = "raw_market__rates"
Rows = Callable[..., pd.DataFrame]

ENDLESS_WRITER = """
import sys
from datetime import UTC, date, datetime
from pathlib import Path
import pandas as pd
from assets.lake import Lake

lake, day = Lake(Path(sys.argv[1]), Path("none")), date(2026, 6, 17)
lake.prepare()
row = {"currency": "USD", "tenor_days": 1, "file": "f", "line": 1, "source": "synthetic", "as_of_date": day,
       "known_at": datetime(2026, 6, 17, tzinfo=UTC)}
turn = 0
while True:
    turn += 1
    lake.write("raw_market__rates", pd.DataFrame([row | {"rate_e8": turn}] * 20_000), day)
    print(turn, flush=True)
"""


def test_a_day_and_part_written_twice_is_kept_once(lake: Lake, rows_of: Rows) -> None:
    lake.write(RATES, rows_of(RATES, {"rate_e8": 1}, {"rate_e8": 2}), DAY)
    assert lake.write(RATES, rows_of(RATES, {"rate_e8": 3}), DAY) == 1
    assert lake.read(RATES, DAY)["rate_e8"].tolist() == [3]
    assert len(lake.parts(RATES, DAY)) == 1


def test_parts_of_a_day_stand_side_by_side_and_are_read_together_or_alone(lake: Lake, rows_of: Rows) -> None:
    lake.write(RATES, rows_of(RATES, {"rate_e8": 1}), DAY, "20260617T140000Z")
    lake.write(RATES, rows_of(RATES, {"rate_e8": 2}), DAY, "20260617T150000Z")
    assert lake.read(RATES, DAY)["rate_e8"].tolist() == [1, 2]
    assert lake.read(RATES, DAY, "20260617T150000Z")["rate_e8"].tolist() == [2]


def test_columns_may_come_in_any_order_and_the_day_is_filled_in(lake: Lake, rows_of: Rows) -> None:
    rows = rows_of(RATES, {"rate_e8": 5}).drop(columns="as_of_date")
    lake.write(RATES, rows[sorted(rows.columns, reverse=True)], DAY)
    read = lake.read(RATES, DAY)
    assert read.columns.tolist() == TABLES[RATES].names
    assert read["as_of_date"].tolist() == [DAY]


@pytest.mark.parametrize("wrong", ["a column too few", "a column too many"])
def test_columns_that_differ_from_the_declared_ones_are_refused(lake: Lake, rows_of: Rows, wrong: str) -> None:
    rows = rows_of(RATES, {})
    rows = rows.drop(columns="rate_e8") if wrong == "a column too few" else rows.assign(mood="good")
    with pytest.raises(AssertionError, match=r"columns differ from assets/schemas\.py by \['(rate_e8|mood)'\]"):
        lake.write(RATES, rows, DAY)
    assert lake.days(RATES) == []


def test_rows_of_another_day_are_refused(lake: Lake, rows_of: Rows) -> None:
    with pytest.raises(AssertionError, match="may not be kept under 2026-06-17"):
        lake.write(RATES, rows_of(RATES, {"as_of_date": DAY - timedelta(days=1)}), DAY)
    assert lake.days(RATES) == []


@pytest.mark.parametrize("part", ["../escape", "", ".hidden", "a/b", "a b", "全"])
def test_a_part_can_only_be_named_by_plain_letters(lake: Lake, rows_of: Rows, part: str) -> None:
    with pytest.raises(AssertionError, match="cannot name a part"):
        lake.write(RATES, rows_of(RATES, {}), DAY, part)


def test_a_table_nobody_declared_is_refused(lake: Lake) -> None:
    with pytest.raises(AssertionError, match=r"calc_mood__today is not declared in assets/schemas\.py"):
        lake.read("calc_mood__today", DAY)


def test_reading_what_was_never_written_says_what_to_do(lake: Lake, rows_of: Rows) -> None:
    with pytest.raises(TableNotInLake, match=f"{RATES} for 2026-06-17 was never written. Materialize {RATES} for that"):
        lake.read(RATES, DAY)
    lake.write(RATES, rows_of(RATES, {}), DAY, "open")
    with pytest.raises(TableNotInLake, match="part close was never written"):
        lake.read(RATES, DAY, "close")


def test_an_empty_day_is_a_day_that_was_written(lake: Lake) -> None:
    lake.write(RATES, TABLES[RATES].empty_table(), DAY)
    assert lake.read(RATES, DAY).empty
    assert lake.days(RATES) == [DAY]


def test_days_between_two_are_read_both_included(lake: Lake, rows_of: Rows) -> None:
    days = [DAY - timedelta(days=back) for back in (9, 5, 2, 0)]
    for number, day in enumerate(days):
        lake.write(RATES, rows_of(RATES, {"rate_e8": number, "as_of_date": day}), day)
    assert lake.days(RATES) == days
    assert sorted(lake.read_between(RATES, days[1], days[2])["rate_e8"]) == [1, 2]
    assert sorted(lake.read_between(RATES, date(1998, 1, 1), DAY)["rate_e8"]) == [0, 1, 2, 3]


def test_a_range_in_which_nothing_was_written_has_the_columns_and_no_rows(lake: Lake) -> None:
    read = lake.read_between(RATES, date(1900, 1, 1), DAY)
    assert read.empty
    assert read.columns.tolist() == TABLES[RATES].names


def test_the_empty_file_a_view_begins_with_never_shows_as_a_day(lake: Lake) -> None:
    assert all(len(list((lake.root / table).glob("*/*.parquet"))) == 1 for table in TABLES)
    assert [table for table in TABLES if lake.days(table)] == []


def test_a_folder_in_which_nothing_was_written_is_no_day(lake: Lake) -> None:
    """A writer killed between making the folder and putting its file there leaves such a folder."""
    (lake.root / RATES / f"as_of_date={DAY}").mkdir()
    assert lake.days(RATES) == []


def test_making_the_lake_again_changes_no_file_of_it(lake: Lake, rows_of: Rows) -> None:
    lake.write(RATES, rows_of(RATES, {"rate_e8": 7}), DAY)
    before = {file: file.stat().st_mtime_ns for file in lake.root.rglob("*.parquet")}
    lake.prepare()
    assert {file: file.stat().st_mtime_ns for file in lake.root.rglob("*.parquet")} == before


@pytest.mark.parametrize("reading", ["one day", "a range of days"])
def test_a_flipped_byte_of_a_page_is_found_or_changed_nothing(lake: Lake, rows_of: Rows, reading: str) -> None:
    lake.write(RATES, rows_of(RATES, *({"rate_e8": n * 104_729, "file": f"f{n % 7}"} for n in range(500))), DAY)
    (file,) = lake.parts(RATES, DAY)
    whole, told, pages = file.read_bytes(), lake.read(RATES, DAY), _where_pages_end(file)
    found, believed = 0, []
    for place in sorted(random.Random(20260617).sample(range(4, pages), 120)):
        file.write_bytes(_with_a_flipped_bit(whole, place))
        try:
            rows = lake.read(RATES, DAY) if reading == "one day" else lake.read_between(RATES, DAY, DAY)
        except TableNotInLake as damage:
            assert str(file) in str(damage)
            found += 1
        else:
            believed += [place] if not rows.equals(told) else []
    assert believed == [], "places in the file whose change was believed"
    assert found > 60


def test_a_file_whose_columns_are_not_the_declared_ones_is_found_and_not_read_as_blanks(
    lake: Lake, rows_of: Rows
) -> None:
    """No checksum covers a Parquet footer: one flipped bit there renames a column, and an old file lacks a new one."""
    lake.write(RATES, rows_of(RATES, {"rate_e8": 1}), DAY)
    (file,) = lake.parts(RATES, DAY)
    whole = file.read_bytes()
    file.write_bytes(_with_a_flipped_bit(whole, whole.index(b"rate_e8", _where_pages_end(file))))
    with pytest.raises(TableNotInLake, match="cannot be read back"):
        lake.read(RATES, DAY)


def test_a_file_cut_short_is_found(lake: Lake, rows_of: Rows) -> None:
    lake.write(RATES, rows_of(RATES, {"rate_e8": 1}), DAY)
    (file,) = lake.parts(RATES, DAY)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(TableNotInLake, match=r"cannot be read back as raw_market__rates .* materialize that day again"):
        lake.read(RATES, DAY)


def test_a_writer_that_fails_before_the_rename_leaves_the_former_rows(
    lake: Lake, rows_of: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write(RATES, rows_of(RATES, {"rate_e8": 1}), DAY)

    def power_cut(staged: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as while_cut:
        while_cut.setattr(lake_module, "replace_durably", power_cut)
        with pytest.raises(OSError, match="No space left"):
            lake.write(RATES, rows_of(RATES, {"rate_e8": 2}), DAY)
    assert lake.read(RATES, DAY)["rate_e8"].tolist() == [1]
    lake.prepare()
    assert list((lake.root / ".staging").iterdir()) == []


def test_a_killed_writer_leaves_nothing_half_written(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, str(tmp_path / "lake")],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as writer:  # fmt: skip
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(5)][-1]
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    lake = Lake(tmp_path / "lake", tmp_path / "warehouse.duckdb")
    lake.prepare()
    assert list((lake.root / ".staging").iterdir()) == []
    rows = lake.read(RATES, DAY)
    assert len(rows) == 20_000
    assert len(set(rows["rate_e8"])) == 1
    assert rows["rate_e8"].iloc[0] >= acknowledged, "what was acknowledged is kept"


def test_asking_a_warehouse_that_is_not_there_says_what_to_do(lake: Lake) -> None:
    with pytest.raises(TableNotInLake, match=r"does not exist. Run `lombard init`"):
        lake.query("select 1")


def test_the_door_to_the_warehouse_is_for_reading_only(lake: Lake, build_views: Callable[..., None]) -> None:
    build_views(prices=pd.DataFrame({"price_e4": [1]}))
    with lake.door() as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("delete from prices")


def test_integers_from_the_warehouse_stay_integers_beside_a_missing_one(
    lake: Lake, build_views: Callable[..., None]
) -> None:
    build_views(prices=pd.DataFrame({"price_e4": [9_007_199_254_740_993, 1]}))
    asked = lake.query("select * from (select price_e4 from prices union all select null) order by 1 desc nulls last")
    assert asked["price_e4"].tolist() == [9_007_199_254_740_993, 1, None]


def test_values_are_handed_to_the_warehouse_beside_the_question(lake: Lake, build_views: Callable[..., None]) -> None:
    build_views(prices=pd.DataFrame({"name": ["AIG", "x' or 1=1 --"]}))
    assert lake.query("select name from prices where name = ?", ["x' or 1=1 --"])["name"].tolist() == ["x' or 1=1 --"]


def _where_pages_end(file: Path) -> int:
    metadata = pq.ParquetFile(file).metadata
    columns = [metadata.row_group(0).column(number) for number in range(metadata.num_columns)]
    return max(
        (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size for column in columns
    )


def _with_a_flipped_bit(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 0x04]) + whole[place + 1 :]
