"""What is published is verified before it is believed."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from domain.errors import DeskError, DeskNotReady
from serving.published import open_publication


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A publication of one table."""
    file = tmp_path / "fct_margin__calls-0123.parquet"
    pd.DataFrame({"call_minor": [1, 2]}).to_parquet(file)
    entry = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "rows": 2}
    manifest: dict[str, Any] = {"as_of_date": "2026-06-17", "tables": {"fct_margin__calls": entry}}
    (tmp_path / "_manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return tmp_path


def test_a_table_reads_as_it_was_published(published: Path) -> None:
    assert open_publication(published).table("fct_margin__calls")["call_minor"].tolist() == [1, 2]


def test_nothing_published_yet_says_what_to_run(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DeskNotReady, match=f"Nothing has been published in {root} yet. Run `make demo`"):
            open_publication(root)


def test_a_tampered_file_is_refused(published: Path) -> None:
    (file,) = published.glob("*.parquet")
    pd.DataFrame({"call_minor": [1, 3]}).to_parquet(file)
    with pytest.raises(
        DeskNotReady, match=r"is not the file that was published .* Materialize `published` for 2026-06-17"
    ):
        open_publication(published).table("fct_margin__calls")


def test_a_file_that_is_gone_is_refused(published: Path) -> None:
    publication = open_publication(published)
    for file in published.glob("*.parquet"):
        file.unlink()
    with pytest.raises(DeskNotReady, match="it is gone"):
        publication.table("fct_margin__calls")


@pytest.mark.parametrize("cut", ["", "{", '{"as_of_date": "2026-06-17"'])
def test_a_damaged_manifest_is_told_in_words(published: Path, cut: str) -> None:
    (published / "_manifest.json").write_text(cut, encoding="utf-8")
    with pytest.raises(DeskError, match=r"_manifest\.json"):
        open_publication(published)


def test_a_table_nobody_published_is_told_in_words(published: Path) -> None:
    """A manifest of an older edition of the desk may lack a table that a newer page asks for."""
    with pytest.raises(DeskError, match="fct_risk__slices"):
        open_publication(published).table("fct_risk__slices")
