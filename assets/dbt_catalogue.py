"""What dbt's project looks like to Dagster, as dagster-dbt reads it; written down once per parse.

Importing dagster-dbt takes longer than a tick may spend on imports, so runs read what is written down here instead.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings
from dagster_dbt.asset_utils import build_dbt_specs, get_asset_check_key_for_test


class DeskTranslator(DagsterDbtTranslator):
    """A dbt model is known by its own name, in the group of its subject."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_source_tests_as_checks=True))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """One name per table: asset key = dbt model = table."""
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The subject of ``int_<subject>__…``."""
        return subject_of(dbt_resource_props["name"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """The team of the subject."""
        return [f"team:{subject_of(dbt_resource_props['name'])}"]


def subject_of(model: str) -> str:
    """The desk's subject a table belongs to; a source's own tables belong to the subject that uses them."""
    told = model.split("__")[0].split("_", 1)[1]
    subjects = {"books": "ledger", "feeds": "market", "custodian": "reconciliation", "bank": "reconciliation"}
    return subjects.get(told, told)


def describe(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Models of each pass and the tests on them, as plain JSON."""
    translator = DeskTranslator()
    passes = {}
    for name in ("before_calc", "after_calc"):
        specs, checks = build_dbt_specs(
            translator=translator, manifest=manifest, select=f"tag:{name}", exclude="", selector="",
            io_manager_key=None, project=None,
        )  # fmt: skip
        passes[name] = {"models": [_model(spec) for spec in specs], "checks": [_check(check) for check in checks]}
    check_of = {}
    for unique_id in manifest["nodes"]:
        key = get_asset_check_key_for_test(manifest, translator, unique_id, None)
        if key is not None:
            check_of[unique_id] = [key.asset_key.to_user_string(), key.name]
    return {"passes": passes, "check_of": check_of}


def write_catalogue(manifest: Path, catalogue: Path) -> None:
    """Describe the parsed project beside its manifest, whole or not at all."""
    described = describe(json.loads(manifest.read_text(encoding="utf-8")))
    staged = catalogue.with_name(f".{uuid.uuid4().hex}.json")
    staged.write_text(json.dumps(described, indent=1), encoding="utf-8")
    staged.replace(catalogue)


def _model(spec: dg.AssetSpec) -> dict[str, Any]:
    schema = spec.metadata.get("dagster/column_schema")
    columns = schema.columns if isinstance(schema, dg.TableSchema) else []
    return {
        "key": spec.key.to_user_string(),
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "description": spec.description,
        "group": spec.group_name,
        "owners": list(spec.owners),
        "columns": [[column.name, column.type, column.description] for column in columns],
    }


def _check(check: dg.AssetCheckSpec) -> dict[str, Any]:
    return {"asset": check.asset_key.to_user_string(), "name": check.name, "description": check.description}
