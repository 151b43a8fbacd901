"""A table has one name everywhere, and belongs to the subject in that name."""

import json
from pathlib import Path

import pytest

from assets import dbt_catalogue
from assets.dbt_catalogue import DeskTranslator, subject_of, write_catalogue


@pytest.mark.parametrize(
    ("model", "subject"),
    [
        ("fct_margin__calls", "margin"),
        ("int_market__daily_returns", "market"),
        ("stg_books__positions", "ledger"),
        ("stg_feeds__quarantine", "market"),
        ("stg_bank__movements", "reconciliation"),
        ("stg_custodian__positions", "reconciliation"),
        ("dim_clients__accounts", "clients"),
    ],
)
def test_a_model_belongs_to_the_subject_in_its_name(model: str, subject: str) -> None:
    assert subject_of(model) == subject
    assert DeskTranslator().get_group_name({"name": model}) == subject
    assert DeskTranslator().get_owners({"name": model}) == [f"team:{subject}"]


def test_an_asset_is_named_as_its_table_is() -> None:
    assert DeskTranslator().get_asset_key({"name": "fct_margin__calls"}).to_user_string() == "fct_margin__calls"


def test_a_description_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    (tmp_path / "catalogue.json").write_text('"the last one"', encoding="utf-8")
    monkeypatch.setattr(dbt_catalogue, "describe", lambda _: {"passes": {"odd": {1, 2}}})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_catalogue(tmp_path / "manifest.json", tmp_path / "catalogue.json")
    assert json.loads((tmp_path / "catalogue.json").read_text(encoding="utf-8")) == "the last one"
    monkeypatch.setattr(dbt_catalogue, "describe", lambda _: {"passes": {}})
    write_catalogue(tmp_path / "manifest.json", tmp_path / "catalogue.json")
    assert json.loads((tmp_path / "catalogue.json").read_text(encoding="utf-8")) == {"passes": {}}
