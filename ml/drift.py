"""Drift: whether features and forecasts of the last weeks still look like those the model was taught with."""

import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

METHOD: Final = "psi"
PSI_THRESHOLD: Final = 0.25
"""Population stability index from which a shift is major; 0.10 to 0.25 is moderate. A convention of credit scoring."""


@dataclass(frozen=True)
class Drift:
    """Drift per column, and the page that shows it."""

    rows: pd.DataFrame
    """feature, method, drift_score, drift_threshold, is_drifted, report_path."""
    report: Path

    @property
    def share(self) -> float:
        """Share of columns that drifted; 1 is all of them."""
        return float(self.rows["is_drifted"].mean())


def compare(current: pd.DataFrame, reference: pd.DataFrame, report: Path) -> Drift:
    """Compare every column of ``current`` with the same column of ``reference`` and draw the page at ``report``.

    Both are numeric frames with the same columns; rows with a NaN are left out, for a window not yet full is not drift.
    """
    assert list(current.columns) == list(reference.columns)
    current, reference = current.dropna(), reference.dropna()
    assert len(current) and len(reference), "nothing to compare"
    snapshot = _evidently_report(current, reference)
    report.parent.mkdir(parents=True, exist_ok=True)
    staged = report.with_name(f".{report.name}")
    snapshot.save_html(str(staged))
    staged.replace(report)
    scores = {
        metric["config"]["column"]: float(metric["value"])
        for metric in snapshot.dict()["metrics"]
        if "column" in metric["config"]
    }
    rows = pd.DataFrame({"feature": list(current.columns), "method": METHOD})
    rows["drift_score"] = rows["feature"].map(scores).astype(float)
    rows["drift_threshold"] = PSI_THRESHOLD
    rows["is_drifted"] = rows["drift_score"] >= PSI_THRESHOLD
    rows["report_path"] = str(report)
    return Drift(rows, report)


def _evidently_report(current: pd.DataFrame, reference: pd.DataFrame) -> Any:
    # Evidently asks this before it counts who uses it, at import.
    os.environ.setdefault("ITERATIVE_DO_NOT_TRACK", "1")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # Deprecations inside Evidently, which no one here can act on.
        from evidently import Report
        from evidently.presets import DataDriftPreset

        logging.getLogger("evidently").setLevel(logging.ERROR)
        return Report([DataDriftPreset(method=METHOD, threshold=PSI_THRESHOLD)]).run(current, reference)
