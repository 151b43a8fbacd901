"""A report lies under its subject and its day."""

from datetime import date
from pathlib import Path

from assets.reports import Reports


def test_a_report_is_filed_by_subject_and_day(tmp_path: Path) -> None:
    file = Reports(tmp_path).path("drift", date(2026, 6, 17))
    assert file == tmp_path / "drift" / "2026-06-17.html"
    assert file.parent.is_dir()
