"""Readers see one publication or the next, never a mixture, and a publication that fails leaves the last one whole."""

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from assets import published as published_module
from assets.lake import Lake
from assets.partitions import Slice
from assets.published import PUBLISHED_TABLES, Published, published
from serving.published import open_publication

DAY = date(2026, 6, 17)
ROUNDS, READERS = 12, 3


def tables(turn: int) -> dict[str, pa.Table]:
    """Two tables that say the same number; a reader of a mixture would see two."""
    return {name: pa.table({"turn": [turn] * 50}) for name in ("equity", "requirement")}


def parquet_files(folder: Path) -> set[str]:
    return {file.name for file in folder.glob("*.parquet")}


def test_a_publication_names_every_file_with_its_hash_and_its_rows(tmp_path: Path) -> None:
    manifest = json.loads(Published(tmp_path).publish(tables(1), {"as_of_date": "2026-06-17"}).read_text())
    assert manifest["as_of_date"] == "2026-06-17"
    assert {entry["file"] for entry in manifest["tables"].values()} == parquet_files(tmp_path)
    for entry in manifest["tables"].values():
        assert hashlib.sha256((tmp_path / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["rows"] == 50


def test_readers_never_see_half_of_one_publication_and_half_of_the_next(tmp_path: Path) -> None:
    """The publisher waits for each reader once a publication: a reading may outlast one rename, not two."""
    publisher, changed = Published(tmp_path), threading.Condition()
    publisher.publish(tables(0), {})
    readings, mixtures, over = [0] * READERS, [], threading.Event()

    def read(me: int) -> None:
        while not over.is_set():
            publication = open_publication(tmp_path)
            seen = {int(publication.table(name)["turn"].iloc[0]) for name in ("equity", "requirement")}
            with changed:
                mixtures.extend([seen] if len(seen) > 1 else [])
                readings[me] += 1
                changed.notify_all()

    readers = [threading.Thread(target=read, args=(me,), daemon=True) for me in range(READERS)]
    for reader in readers:
        reader.start()
    try:
        for turn in range(1, ROUNDS):
            publisher.publish(tables(turn), {})
            with changed:
                before = list(readings)
                caught_up = changed.wait_for(lambda: all(map(int.__gt__, readings, before)), timeout=20)  # noqa: B023
            assert caught_up, "a reader stopped: it could not read what was published"
    finally:
        over.set()
        for reader in readers:
            reader.join(20)
    assert mixtures == []


def test_a_reader_that_began_before_a_publication_can_finish_after_it(tmp_path: Path) -> None:
    publisher = Published(tmp_path)
    publisher.publish(tables(1), {})
    begun = open_publication(tmp_path)
    publisher.publish(tables(2), {})
    assert begun.table("equity")["turn"].unique().tolist() == [1]
    assert open_publication(tmp_path).table("equity")["turn"].unique().tolist() == [2]


def test_the_last_publication_is_kept_and_older_ones_are_swept(tmp_path: Path) -> None:
    publisher = Published(tmp_path)
    for turn in range(4):
        publisher.publish(tables(turn), {})
        named = {entry["file"] for entry in json.loads((tmp_path / "_manifest.json").read_text())["tables"].values()}
        assert named < parquet_files(tmp_path) or turn == 0
    assert len(parquet_files(tmp_path)) == 4


def test_the_same_answer_published_again_is_still_there(tmp_path: Path) -> None:
    publisher = Published(tmp_path)
    for turn in (1, 2, 1, 1):
        publisher.publish(tables(turn), {})
        assert open_publication(tmp_path).table("equity")["turn"].unique().tolist() == [turn]


@pytest.mark.parametrize("renames_that_succeed", [0, 1, 2])
def test_a_publisher_that_fails_leaves_the_last_publication_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames_that_succeed: int
) -> None:
    publisher, rename, left = Published(tmp_path), published_module.replace_durably, [renames_that_succeed]
    publisher.publish(tables(1), {})

    def power_cut(staged: Path, target: Path) -> None:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        rename(staged, target)

    with monkeypatch.context() as while_cut:
        while_cut.setattr(published_module, "replace_durably", power_cut)
        with pytest.raises(OSError, match="No space left"):
            publisher.publish(tables(2), {})
    assert open_publication(tmp_path).table("equity")["turn"].unique().tolist() == [1]


def test_what_a_failed_publisher_left_is_swept_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher, rename = Published(tmp_path), published_module.replace_durably

    def killed_before_the_manifest(staged: Path, target: Path) -> None:
        if target.name == "_manifest.json":
            raise OSError(28, "No space left on device")
        rename(staged, target)

    with monkeypatch.context() as while_killed:
        while_killed.setattr(published_module, "replace_durably", killed_before_the_manifest)
        with pytest.raises(OSError, match="No space left"):
            publisher.publish(tables(1), {})
    publisher.publish(tables(2), {})
    named = {entry["file"] for entry in json.loads((tmp_path / "_manifest.json").read_text())["tables"].values()}
    assert {file.name for file in tmp_path.iterdir()} == named | {"_manifest.json"}


def mart(name: str) -> pd.DataFrame:
    """Two days of a mart, and on the later one two slices."""
    moments = [(date(2026, 6, 16), "close"), (DAY, "open"), (DAY, "close")]
    rows = pd.DataFrame(moments, columns=["as_of_date", "slice"])
    return rows.assign(ledger_head="7:abcd", source="synthetic", mart=name, known_on=rows["as_of_date"])


def publish_slice(lake: Lake, folder: Path, name: str) -> dict[str, Any]:
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        published(context, Slice(slice=name), lake=lake, publication=Published(folder))
    return json.loads((folder / "_manifest.json").read_text())


def test_only_the_day_and_slice_just_valued_are_published(
    lake: Lake, build_views: Callable[..., None], tmp_path: Path
) -> None:
    build_views(**{name: mart(name) for name in PUBLISHED_TABLES})
    manifest = publish_slice(lake, tmp_path / "published", "open")
    rows = {name: entry["rows"] for name, entry in manifest["tables"].items()}
    assert rows["fct_margin__account_status"] == rows["fct_collateral__positions"] == 1
    assert rows["fct_risk__slices"] == rows["fct_margin__calls"] == 2
    assert rows["fct_market__quarantine"] == rows["dim_clients__accounts"] == 3
    assert set(rows) == set(PUBLISHED_TABLES)


def test_a_publication_names_its_circumstances(lake: Lake, build_views: Callable[..., None], tmp_path: Path) -> None:
    build_views(**{name: mart(name) for name in PUBLISHED_TABLES})
    manifest = publish_slice(lake, tmp_path / "published", "close")
    told = {name: manifest[name] for name in ("as_of_date", "slice", "ledger_head", "source")}
    assert told == {"as_of_date": "2026-06-17", "slice": "close", "ledger_head": "7:abcd", "source": ["synthetic"]}
    assert manifest["published_at"].endswith("+00:00")
    assert manifest["run_id"]
