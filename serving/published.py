"""The published tables, verified before they are believed. Opens Parquet; never the warehouse."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from domain.errors import DeskNotReady


@dataclass(frozen=True, slots=True)
class Publication:
    """One consistent answer of the desk: its circumstances, and its tables by name."""

    root: Path
    manifest: dict[str, Any]

    def table(self, name: str) -> pd.DataFrame:
        """Read one table; raises :class:`DeskNotReady` where the file is not the one that was published."""
        if name not in self.manifest["tables"]:
            raise DeskNotReady(
                f"{name} must be published, but {self.root / '_manifest.json'} does not name it. Materialize "
                f"`published` for {self._day()} again."
            )
        entry = self.manifest["tables"][name]
        file = self.root / entry["file"]
        if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != entry["sha256"]:
            raise DeskNotReady(
                f"{file} is not the file that was published (SHA-256 differs or it is gone). Materialize `published` "
                f"for {self._day()} again."
            )
        return pq.read_table(file).to_pandas()

    def _day(self) -> str:
        return str(self.manifest.get("as_of_date", "the last business day"))


def open_publication(root: Path) -> Publication:
    """Open the current publication below ``root``."""
    manifest = root / "_manifest.json"
    if not manifest.exists():
        raise DeskNotReady(
            f"Nothing has been published in {root} yet. Run `make demo`, or the job start_of_day, first."
        )
    try:
        told = json.loads(manifest.read_text(encoding="utf-8"))
        entries = [{"file", "sha256"} <= entry.keys() for entry in told["tables"].values()]
        is_whole = all(entries)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise DeskNotReady(
            f"{manifest} must be a JSON document that names the published tables, but it is damaged. Nothing was "
            f"changed; materialize `published` for the last business day again, which writes it anew."
        )
    return Publication(root, told)
