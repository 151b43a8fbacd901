"""Publication: what others may read, copied out of the warehouse and committed by one rename.

In the middle of a run the views already show new equity beside an old requirement. Nobody sees that: readers take file
names and hashes from ``_manifest.json``, which is replaced last.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from assets.lake import Lake, replace_durably
from assets.partitions import Slice, business_day, business_days

PUBLISHED_TABLES = {
    # Where ``slice`` is a column and the table is large, only the slice just valued is published.
    "fct_margin__account_status": "where as_of_date = ? and slice = ?",
    "fct_collateral__positions": "where as_of_date = ? and slice = ?",
    "fct_risk__slices": "where as_of_date = ?",
    "fct_margin__calls": "where as_of_date = ?",
    "fct_ledger__trial_balance": "where as_of_date = ?",
    "fct_ledger__journal": "where as_of_date = ?",
    "fct_ledger__securities_journal": "where as_of_date = ?",
    "fct_ledger__balances": "where as_of_date = ?",
    "fct_ledger__holdings": "where as_of_date = ?",
    "fct_ledger__client_statements": "where as_of_date = ?",
    "fct_ledger__income_by_product": "where as_of_date = ?",
    "fct_ledger__roll_forward_daily": "where as_of_date = ?",
    "fct_ledger__control_accounts": "where as_of_date = ?",
    "fct_ledger__ageing_daily": "where as_of_date = ?",
    # Small, and whole: from the sums of days a reader makes the trial balance of any day as known on any other.
    "fct_ledger__turnover_daily": "where as_of_date <= ?",
    "fct_ledger__trial_balance_daily": "where known_on <= ?",
    "fct_clients__alerts": "where as_of_date <= ?",
    "fct_pricing__loan_rates": "where as_of_date = ?",
    "fct_reconciliation__breaks": "where as_of_date = ?",
    "fct_market__quarantine": "where as_of_date <= ?",
    "fct_forecasting__scores": "where as_of_date <= ?",
    "fct_forecasting__drift": "where as_of_date = ?",
    "dim_market__instruments": "",
    "dim_clients__accounts": "where as_of_date <= ?",
}

STILL_DURING_THE_DAY = PUBLISHED_TABLES.keys() - {
    "fct_margin__account_status",
    "fct_collateral__positions",
    "fct_risk__slices",
    "fct_market__quarantine",
}
"""Tables between one opening and its close nobody writes."""


class Published:
    """The folder others read. A publication is whole or it did not happen."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(
        self,
        tables: dict[str, pa.Table],
        circumstances: dict[str, Any],
        carried: dict[str, dict[str, Any]] | None = None,
    ) -> Path:
        """Write every table under a name of its own, then the manifest; sweep what the last but one left.

        ``carried`` are tables of the last publication that stand unchanged.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        entries = (carried or {}) | {name: self._put(name, rows) for name, rows in tables.items()}
        manifest = {**circumstances, "tables": entries}
        staged = self.root / f".{uuid.uuid4().hex}.json"
        staged.write_text(json.dumps(manifest, indent=1, sort_keys=True), encoding="utf-8")
        previous = {entry["file"] for entry in self._held().get("tables", {}).values()}
        replace_durably(staged, self.root / "_manifest.json")
        self._sweep(keep=previous | {entry["file"] for entry in entries.values()})
        return self.root / "_manifest.json"

    def carried(self, as_of_date: date, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Entries of tables already published for the same day; empty where one of them is not."""
        held = self._held()
        if held.get("as_of_date") != str(as_of_date) or not set(names) <= held["tables"].keys():
            return {}
        return {name: held["tables"][name] for name in names}

    def sources(self, entry: dict[str, Any]) -> set[str]:
        """Whose word a table is that was published before."""
        return sources_of(pq.read_table(self.root / entry["file"], columns=["source"]))

    def _put(self, name: str, rows: pa.Table) -> dict[str, Any]:
        staged = self.root / f".{uuid.uuid4().hex}.parquet"
        pq.write_table(rows, staged, write_page_checksum=True)
        digest = hashlib.sha256(staged.read_bytes()).hexdigest()
        target = self.root / f"{name}-{digest[:16]}.parquet"
        replace_durably(staged, target)
        return {"file": target.name, "sha256": digest, "rows": rows.num_rows}

    def _held(self) -> dict[str, Any]:
        """The manifest that stands; one that is missing or damaged holds nothing, and the next one mends it."""
        try:
            held = json.loads((self.root / "_manifest.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return held if isinstance(held, dict) and isinstance(held.get("tables"), dict) else {}

    def _sweep(self, keep: Iterable[str]) -> None:
        """Drop files no reader can still be asking for: those neither this manifest nor the last one names.

        So goes what a publisher that failed had staged: nothing else in this folder begins with a dot.
        """
        kept = set(keep)
        for file in (*self.root.glob("*.parquet"), *self.root.glob(".*.json")):
            if file.name not in kept:
                file.unlink()


def sources_of(rows: pa.Table) -> set[str]:
    """Whose word the rows of a table are."""
    return {str(source) for source in rows.column("source").unique().to_pylist()}


@dg.asset(
    group_name="published",
    owners=["team:desk"],
    kinds={"parquet"},
    partitions_def=business_days,
    deps=["calc_risk__slices", "calc_margin__calls", *PUBLISHED_TABLES],
)
def published(
    context: dg.AssetExecutionContext,
    config: Slice,
    lake: dg.ResourceParam[Lake],
    publication: dg.ResourceParam[Published],
) -> dg.MaterializeResult[Any]:
    """The marts of the day as readers see them, committed by one rename. The last step of every job."""
    day = business_day(context)
    # A tick moves prices; what no tick can move stands as it was published this morning.
    carried = {} if config.slice in ("open", "close") else publication.carried(day, STILL_DURING_THE_DAY)
    tables = _read_marts(lake, day, config.slice, PUBLISHED_TABLES.keys() - carried.keys())
    status = tables["fct_margin__account_status"]
    # A real price of an invented client's share counts as invented, so the market is asked whose its instruments are.
    market = "dim_market__instruments"
    vendors = publication.sources(carried[market]) if market in carried else sources_of(tables[market])
    circumstances = {
        "as_of_date": str(day),
        "slice": config.slice,
        "published_at": datetime.now(UTC).isoformat(),
        "ledger_head": next(iter(status.column("ledger_head").to_pylist()), "0:empty"),
        "source": sorted(sources_of(status) | vendors),
        "run_id": context.run_id,
    }
    manifest = publication.publish(tables, circumstances, carried)
    return dg.MaterializeResult(
        metadata={
            "slice": config.slice,
            "manifest": dg.MetadataValue.path(str(manifest)),
            "rows": {name: rows.num_rows for name, rows in tables.items()},
        }
    )


def _read_marts(lake: Lake, day: date, slice_name: str, names: Iterable[str]) -> dict[str, pa.Table]:
    """Read every published mart through one connection; the table names are ours, the values are parameters."""
    with lake.door() as connection:
        return {
            name: connection.sql(
                f"select * from {name} {where}", params=[day, slice_name][: where.count("?")]
            ).to_arrow_table()
            for name, where in ((name, PUBLISHED_TABLES[name]) for name in sorted(names))
        }
