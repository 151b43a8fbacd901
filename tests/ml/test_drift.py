from pathlib import Path

import numpy as np
import pandas as pd

from ml.drift import compare


def test_a_shifted_feature_is_found_and_drawn(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    reference = pd.DataFrame({"calm": random.normal(size=1200), "wild": random.normal(size=1200)})
    current = pd.DataFrame({"calm": random.normal(size=400), "wild": random.normal(2, 1, size=400)})
    current.loc[0, "calm"] = np.nan
    drift = compare(current, reference, tmp_path / "drift" / "2026-06-17.html")
    rows = drift.rows.set_index("feature")
    assert list(rows["is_drifted"]) == [False, True]
    assert rows["drift_score"]["wild"] > 0.25 > rows["drift_score"]["calm"] >= 0
    assert drift.share == 0.5
    assert "<html" in drift.report.read_text(encoding="utf-8")[:200].lower()
    assert [path.name for path in drift.report.parent.iterdir()] == ["2026-06-17.html"]
