"""The desk as one code location: quick to import, nothing without an owner, every job ending in a publication."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

SLOW_TO_IMPORT = ("mlflow", "great_expectations", "evidently", "statsmodels", "arch", "lightgbm")

BLOCKING_CHECKS = {
    "calc_clients__monitoring_thresholds:every_account_is_watched",
    "calc_forecasting__volatility:every_instrument_has_a_forecast",
    "calc_margin__calls:every_call_names_its_circumstances",
    "calc_margin__requirements:the_house_never_asks_less_than_the_exchange",
    "calc_pricing__loan_rates:the_parts_sum_to_the_rate",
    "fct_ledger__control_accounts:sub_ledgers_equal_their_control_accounts",
    "fct_ledger__roll_forward_daily:the_books_agree_with_the_ledger",
    "fct_ledger__trial_balance_daily:closed_days_are_never_restated",
    "int_collateral__positions_priced:every_position_is_priced",
    "raw_books__balances:client_money_is_segregated",
    "raw_books__balances:debits_equal_credits",
    "raw_books__balances:no_client_owes_us_their_own_money",
    "raw_books__holdings:every_share_is_in_a_name_and_a_place",
    "raw_books__transfers:the_ledger_chain_is_intact",
}
"""What stops the day when it fails. Adding or removing one is a decision, so it is written down twice."""

SUBJECTS = {
    "clients", "collateral", "forecasting", "ledger", "margin", "market", "pricing", "published", "reconciliation",
    "risk",
}  # fmt: skip


def test_a_run_does_not_wait_for_libraries_it_may_not_need(tmp_path: Path) -> None:
    """Every run starts with this import, in a process of its own."""
    asked = (
        "import sys, orchestration.definitions as d; "
        f"print(*sorted(set({SLOW_TO_IMPORT!r}) & set(sys.modules)), 'done'); "
        "d.defs.resolve_all_job_defs()"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", "LOMBARD_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.split() == ["done"]
    assert list(tmp_path.iterdir()) == [], "looking at the desk makes no desk"


@pytest.mark.parametrize("job", ["start_of_day", "intraday_revaluation", "end_of_day"])
def test_every_job_of_the_day_ends_with_a_publication(definitions: dg.Definitions, job: str) -> None:
    """Nothing runs after it, and nothing that the job makes is left out of it."""
    steps = definitions.resolve_job_def(job).graph
    upstream: set[str] = set()
    waiting = ["published"]
    while waiting:
        for found in steps.dependency_structure.input_to_upstream_outputs_for_node(waiting.pop()).values():
            names = {output.node_name for output in found} - upstream
            upstream |= names
            waiting += names
    after = [
        name
        for name in steps.node_dict
        for found in steps.dependency_structure.input_to_upstream_outputs_for_node(name).values()
        if any(output.node_name == "published" for output in found)
    ]
    assert after == []
    assert upstream >= {"calc_margin__requirements", "calc_risk__slices"}


def test_a_tick_never_waits_for_dbt(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("intraday_revaluation")
    kinds = {name: definitions.resolve_asset_graph().get(key).kinds for key in job.asset_layer.selected_asset_keys
             if (name := key.to_user_string())}  # fmt: skip
    assert set(kinds) == {"raw_market__prices", "calc_margin__requirements", "calc_risk__slices", "published"}
    assert [name for name, kind in kinds.items() if "dbt" in kind] == []
    assert [name for name in job.graph.node_dict if "dbt" in name] == []


def test_jobs_that_write_the_warehouse_take_turns(definitions: dg.Definitions) -> None:
    for job in ("load_history", "train_models", "start_of_day", "intraday_revaluation", "end_of_day"):
        assert definitions.resolve_job_def(job).tags["lombard/warehouse"] == "writer"


def test_every_asset_has_an_owner_a_subject_and_a_description(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert [name for name, node in nodes.items() if not node.owners] == []
    assert {node.group_name for node in nodes.values()} == SUBJECTS
    assert [name for name, node in nodes.items() if len((node.description or "").split()) < 4] == []


def test_every_asset_is_made_by_somebody_or_said_to_come_from_outside(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    made_by_nobody = {
        key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable
    }
    # Both are written beside the table they belong to, by the asset they follow from.
    assert made_by_nobody == {"raw_feeds__quarantine", "calc_forecasting__scores"}


def test_the_checks_that_stop_the_day_are_these(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    blocking = {f"{key.asset_key.to_user_string()}:{key.name}" for key in _desk_checks() if graph.get(key).blocking}
    assert blocking == BLOCKING_CHECKS


def test_every_check_says_why_it_stops_the_day_or_only_warns(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for key in _desk_checks():
        node = graph.get(key)
        assert ("Blocking:" if node.blocking else "warning") in (node.description or ""), key.to_user_string()


def test_every_check_of_the_desk_watches_an_asset_the_desk_keeps(definitions: dg.Definitions) -> None:
    kept = definitions.resolve_asset_graph().get_all_asset_keys()
    assert {key.asset_key for key in _desk_checks()} <= kept


def _desk_checks() -> set[dg.AssetCheckKey]:
    """The checks written in Python; dbt's tests are dbt's."""
    from orchestration.definitions import CHECK_MODULES

    return {key for check in dg.load_asset_checks_from_modules(CHECK_MODULES) for key in check.check_keys}
