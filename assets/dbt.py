"""Every dbt model and test under its own name: the joins between what we are told and what we conclude."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets

from assets.partitions import business_days
from domain.errors import DeskNotReady

PROJECT_FOLDER = Path(__file__).resolve().parent.parent / "dbt_project"
PARSED_FOR_THE_DAY = PROJECT_FOLDER / "target" / "day"
"""dbt parses anew when its variables change, and the business day is one."""


class DeskTranslator(DagsterDbtTranslator):
    """A dbt model is known by its own name, in the group of its subject."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """One name per table: asset key = dbt model = table."""
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The subject of ``int_<subject>__…``; staging keeps the name of who told us."""
        return subject_of(dbt_resource_props["name"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The team of the subject."""
        return [f"team:{subject_of(dbt_resource_props['name'])}"]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
        """Which of the two passes through dbt makes the model."""
        passes = [tag for tag in dbt_resource_props["tags"] if tag in ("before_calc", "after_calc")]
        return {"lombard/dbt": passes[-1]} if passes else {}


def subject_of(model: str) -> str:
    """The desk's subject a table belongs to; a source's own tables belong to the subject that uses them."""
    told = model.split("__")[0].split("_", 1)[1]
    return {"books": "ledger", "feeds": "market", "custodian": "reconciliation", "bank": "reconciliation"}.get(
        told, told
    )


def manifest_of(folder: Path) -> Path:
    """The parsed project; parsed anew when a model is younger than it."""
    manifest = folder / "target" / "manifest.json"
    sources = [path for pattern in ("models/**/*", "macros/*", "tests/**/*", "*.yml") for path in folder.glob(pattern)]
    youngest = max(path.stat().st_mtime for path in sources)
    if not manifest.exists() or manifest.stat().st_mtime < youngest:
        command = [str(Path(sys.executable).parent / "dbt"), "parse", "--quiet"]
        where = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--target-path", str(manifest.parent)]
        parsed = subprocess.run([*command, *where], capture_output=True, text=True, check=False)
        if parsed.returncode != 0:
            raise DeskNotReady(f"dbt could not parse {folder}; mend the model it names:\n{parsed.stdout[-2000:]}")
    return manifest


_MANIFEST = manifest_of(PROJECT_FOLDER)


def _build(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Build and test. Unit tests are about the query, not about the day: they run with the other tests of the code."""
    variables = json.dumps({"as_of_date": context.partition_key})
    command = ["build", "--exclude-resource-type", "unit_test", "--vars", variables]
    # Both passes of a close share what was parsed for its day; one run at a time holds the warehouse.
    yield from dbt.cli(command, context=context, target_path=PARSED_FOR_THE_DAY).stream()


@dbt_assets(
    manifest=_MANIFEST,
    select="tag:before_calc",
    name="dbt_before_calc",
    partitions_def=business_days,
    dagster_dbt_translator=DeskTranslator(),
)
def dbt_before_calc(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Staging and intermediate views: what the rules and models read."""
    yield from _build(context, dbt)


@dbt_assets(
    manifest=_MANIFEST,
    select="tag:after_calc",
    name="dbt_after_calc",
    partitions_def=business_days,
    dagster_dbt_translator=DeskTranslator(),
)
def dbt_after_calc(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """Marts: what we publish, contracts enforced, and the day as it closed."""
    yield from _build(context, dbt)
