"""Every dbt model and test under its own name: the joins between what we are told and what we conclude."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_days
from domain.errors import DeskNotReady

PROJECT_FOLDER: Final = Path(__file__).resolve().parent.parent / "dbt_project"
DBT_COMMAND: Final = Path(sys.executable).parent / "dbt"
"""The dbt of our own environment, whether or not it is activated."""


def catalogue_of(folder: Path) -> dict[str, Any]:
    """Models and tests of the project; parsed and described anew when a model is younger than the description."""
    catalogue = folder / "target" / "catalogue.json"
    sources = [path for pattern in ("models/**/*", "macros/*", "tests/**/*", "*.yml") for path in folder.glob(pattern)]
    youngest = max(path.stat().st_mtime for path in [*sources, Path(__file__).with_name("dbt_catalogue.py")])
    if not catalogue.exists() or catalogue.stat().st_mtime < youngest:
        parsed = run_dbt("parse", folder, catalogue.parent)
        if parsed.returncode != 0:
            raise DeskNotReady(f"dbt could not parse {folder}; mend the model it names:\n{parsed.stdout[-2000:]}")
        from assets.dbt_catalogue import write_catalogue

        write_catalogue(catalogue.parent / "manifest.json", catalogue)
    return dict(json.loads(catalogue.read_text(encoding="utf-8")))


def parsed_for_the_day(warehouse: Path) -> Path:
    """Where dbt keeps what it parsed for one warehouse.

    It parses anew when its variables change, and the business day is one; both passes of a close share the parse.
    """
    return warehouse.with_name("dbt")


def run_dbt(command: str, folder: Path, target: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run dbt in a process of its own: in ours it would keep the warehouse open."""
    where = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--target-path", str(target)]
    return subprocess.run(
        [str(DBT_COMMAND), "--quiet", command, *where, *arguments], capture_output=True, text=True, check=False
    )


_CATALOGUE: Final = catalogue_of(PROJECT_FOLDER)


def _specs(name: str) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            model["key"],
            deps=model["deps"],
            description=model["description"],
            group_name=model["group"],
            owners=model["owners"],
            tags={"lombard/dbt": name},
            kinds={"dbt", "duckdb"},
            partitions_def=business_days,
            metadata={"dagster/column_schema": _table_schema(model["columns"])},
        )
        for model in _CATALOGUE["passes"][name]["models"]
    ]


def _table_schema(columns: list[list[str | None]]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(str(name), kind or "?", description) for name, kind, description in columns])


def _check_specs(name: str) -> list[dg.AssetCheckSpec]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)  # Partitions of checks are a preview; the version is pinned.
        return [
            dg.AssetCheckSpec(
                check["name"], asset=check["asset"], description=check["description"], partitions_def=business_days
            )
            for check in _CATALOGUE["passes"][name]["checks"]
        ]


def _pass_through_dbt(name: str, description: str) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"dbt_{name}",
        specs=_specs(name),
        check_specs=_check_specs(name),
        allow_arbitrary_check_specs=True,
        can_subset=True,
        op_tags={"kind": "dbt"},
        description=description,
    )
    def build(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        yield from _build(context, parsed_for_the_day(lake.warehouse))

    return build


def _build(
    context: dg.AssetExecutionContext, target: Path
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Build and test the models asked for, and report each by its own name.

    dbt's unit tests are about the query, not about the day: they run with the other tests of the code.
    """
    models = sorted(key.to_user_string() for key in context.selected_asset_keys)
    variables = json.dumps({"as_of_date": context.partition_key})
    ran = run_dbt(
        "build", PROJECT_FOLDER, target, "--exclude-resource-type", "unit_test", "--vars", variables,
        "--select", *models,
    )  # fmt: skip
    report = target / "run_results.json"
    results = json.loads(report.read_text(encoding="utf-8"))["results"] if ran.returncode in (0, 1) else []
    yield from _told(results, models, {(key.asset_key, key.name) for key in context.selected_asset_check_keys})
    failed = [f"{one['unique_id']}: {one['message']}" for one in results if one["status"] in ("error", "fail")]
    if ran.returncode != 0:
        raise dg.Failure(
            "dbt did not accept the day, so nothing after it ran and nothing was published. Mend what it names, then "
            "re-execute from failure.\n" + ("\n".join(failed) or ran.stdout[-2000:])
        )


def _told(
    results: list[dict[str, Any]], models: list[str], checks: set[tuple[dg.AssetKey, str]]
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
    """Translate dbt's own report; a model that failed is not materialized."""
    for one in results:
        kind, _, rest = one["unique_id"].partition(".")
        name = rest.split(".")[1]
        seconds = {"seconds": float(one["execution_time"])}
        if kind == "model" and one["status"] == "success" and name in models:
            yield dg.MaterializeResult(asset_key=name, metadata=seconds)
        elif kind == "test" and one["unique_id"] in _CATALOGUE["check_of"]:
            asset, check = _CATALOGUE["check_of"][one["unique_id"]]
            if (dg.AssetKey(asset), check) in checks:
                yield dg.AssetCheckResult(
                    passed=one["status"] in ("pass", "warn"),
                    asset_key=asset,
                    check_name=check,
                    metadata={"failing_rows": int(one["failures"] or 0), **seconds},
                    description=one["message"],
                )


dbt_before_calc = _pass_through_dbt("before_calc", "Staging and intermediate views: what rules and models read.")
dbt_after_calc = _pass_through_dbt(
    "after_calc", "Marts: what we publish, contracts enforced, and the day as it closed."
)
