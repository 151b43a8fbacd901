"""One trading day on the synthetic exchange, from the first file to the last break; read this first."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from playwright.sync_api import sync_playwright

from books.positions import shares_delivered
from books.posting import post
from domain.errors import CheckFailed, NoPrices
from orchestration.desk import now
from orchestration.truth import score_truth

if TYPE_CHECKING:
    from conftest import Day

NEXT_DAY = date(2026, 6, 18)


def steps_of(day: "Day", job: str) -> list[str]:
    run = day.desk.instance.get_runs(dg.RunsFilter(job_name=job), limit=1)[0]
    starts = day.desk.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
    return [str(event.dagster_event.step_key) for event in starts if event.dagster_event]


def test_every_planted_truth_is_found_and_nothing_else(synthetic_day: "Day") -> None:
    score = score_truth(synthetic_day.desk.settings.landing / "truth.json", synthetic_day.desk.lake)
    assert score is not None
    assert (score.missed, score.unplanted) == ([], [])
    assert score.planted == score.found > 10


def test_everything_published_says_that_it_is_synthetic(synthetic_day: "Day") -> None:
    publication = synthetic_day.publication
    for name in publication.manifest["tables"]:
        assert set(publication.table(name)["source"]) <= {"synthetic"}, name


def test_a_tick_never_waits_for_dbt(synthetic_day: "Day") -> None:
    """Price, check, compute, publish: the views in between follow by themselves."""
    steps = steps_of(synthetic_day, "intraday_revaluation")
    assert steps[0] == "raw_market__prices"
    assert steps[1].endswith("every_position_is_priced")
    assert steps[2] == "calc_margin__requirements"
    assert steps[-1] == "published"
    assert not [step for step in steps if "dbt" in step]


def test_the_slices_of_the_day_are_kept_as_a_time_series(synthetic_day: "Day") -> None:
    slices = synthetic_day.publication.table("fct_risk__slices")
    batches = sorted((synthetic_day.desk.settings.landing / "intraday").glob("*.csv"))
    assert set(slices["slice"]) == {"open", "close"} | {batch.stem for batch in batches}
    assert (slices["es_975_minor"] > 0).all() and (slices["var_99_minor"] > 0).all()


def test_the_crash_shows_in_equity_before_the_close_does(synthetic_day: "Day") -> None:
    day, lake = synthetic_day.plan.day, synthetic_day.desk.lake
    truth = json.loads((synthetic_day.desk.settings.landing / "truth.json").read_text())
    (crash,) = [fact for fact in truth["planted"] if fact["kind"] == "crashing_concentrated_name"]
    equities = lake.query(
        "select slice, equity_minor from int_margin__accounts_valued "
        "where as_of_date = ? and account_id = ? order by slice_rank",
        [day, crash["accounts"][0]],
    )["equity_minor"]
    assert equities.iloc[-2] < equities.iloc[0]


def test_money_flows_through_the_ledger_in_balance(synthetic_day: "Day") -> None:
    trial = synthetic_day.publication.table("fct_ledger__trial_balance")
    assert trial.groupby("currency")["balance_minor"].sum().eq(0).all()


def test_a_rate_is_the_sum_of_its_parts(synthetic_day: "Day") -> None:
    rates = synthetic_day.publication.table("fct_pricing__loan_rates")
    parts = rates["risk_free_e8"] + rates["funding_premium_e8"] + rates["expected_loss_premium_e8"]
    assert len(rates) > 0 and (parts == rates["rate_e8"]).all()


def test_the_forecast_of_the_morning_feeds_the_haircut_of_the_day(synthetic_day: "Day") -> None:
    day, lake = synthetic_day.plan.day, synthetic_day.desk.lake
    haircuts = lake.read("calc_collateral__haircuts", day).set_index("instrument_id")
    forecast = lake.read("calc_forecasting__volatility", day).set_index("instrument_id")
    assert (forecast["data_until"] < day).all()
    assert (haircuts["volatility_ratio"] == forecast["volatility_ratio"].reindex(haircuts.index)).all()


def test_every_check_of_the_close_was_evaluated_in_dagster(synthetic_day: "Day") -> None:
    instance = synthetic_day.desk.instance
    run = instance.get_runs(dg.RunsFilter(job_name="end_of_day"), limit=1)[0]
    records = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    seen: dict[str, Any] = {
        one.dagster_event.event_specific_data.check_name: one.dagster_event.event_specific_data.passed  # type: ignore[union-attr]
        for one in records
        if one.dagster_event
    }
    assert seen["debits_equal_credits"] and seen["every_position_is_priced"]
    assert seen["the_delivery_meets_expectations"] and seen["every_call_names_its_circumstances"]
    assert not seen["the_books_agree_with_the_world"]  # Breaks were planted, and a warning is all they are.
    assert any(name.startswith("not_null") for name in seen)


def test_the_drift_report_is_kept_and_can_be_opened(synthetic_day: "Day") -> None:
    drift = synthetic_day.publication.table("fct_forecasting__drift")
    (report,) = set(drift["report_path"])
    assert (
        "<html" in (synthetic_day.desk.settings.reports / report).read_text(encoding="utf-8", errors="replace")[:2000]
    )


def test_a_batch_read_twice_is_valued_once(synthetic_day: "Day") -> None:
    desk, day = synthetic_day.desk, synthetic_day.plan.day
    batch = sorted((desk.settings.landing / "intraday").glob("*.csv"))[-1].stem
    desk.revalue(batch, day)
    before = desk.lake.read("calc_margin__requirements", day, batch).drop(columns="known_at")
    desk.revalue(batch, day)
    after = desk.lake.read("calc_margin__requirements", day, batch).drop(columns="known_at")
    assert before.equals(after)
    assert len(desk.lake.parts("raw_market__prices", day)) == 6


def test_a_close_run_twice_finds_what_it_found(synthetic_day: "Day") -> None:
    """Replayable: the same calls, the same rates, not one more entry in the books."""
    desk, day = synthetic_day.desk, synthetic_day.plan.day
    tables = ["calc_margin__calls", "calc_pricing__loan_rates", "calc_pricing__accruals", "calc_reconciliation__breaks"]
    before = {table: desk.lake.read(table, day).drop(columns="known_at") for table in tables}
    desk.run("end_of_day", day)
    for table, rows in before.items():
        assert rows.equals(desk.lake.read(table, day).drop(columns="known_at")), table


def test_a_missing_price_stops_the_morning_before_margin(synthetic_day: "Day") -> None:
    """A blocked check leaves yesterday's consistent answer standing."""
    desk = synthetic_day.desk
    published = (desk.settings.published / "_manifest.json").read_text()
    account = desk.lake.read("raw_books__accounts", synthetic_day.plan.day)["account_id"].iloc[0]
    shares = shares_delivered("gift", account, "custodian.USD", "US.NOBODY", 100, NEXT_DAY)
    with desk.books() as engine:
        post(engine, [shares], booked_on=NEXT_DAY, known_at=now())
    with pytest.raises(CheckFailed, match="every_position_is_priced"):
        desk.run("start_of_day", NEXT_DAY)
    assert (desk.settings.published / "_manifest.json").read_text() == published
    assert desk.lake.parts("calc_margin__requirements", NEXT_DAY) == []


def test_a_day_without_prices_says_which_days_there_are(synthetic_day: "Day") -> None:
    day = synthetic_day.plan.day
    with pytest.raises(NoPrices, match=f"It holds .* to {day}"):
        synthetic_day.desk.run("load_history", day + timedelta(days=5), until=day + timedelta(days=6))


@pytest.fixture
def up(synthetic_day: "Day") -> Iterator[tuple[str, str]]:
    """Addresses of Dagster and MLflow while ``lombard up`` serves the synthetic day."""
    ports = [str(free_port()) for _ in range(2)]
    environment = {
        **os.environ,
        "LOMBARD_HOME": str(synthetic_day.desk.settings.home),
        "LOMBARD_DAGSTER_PORT": ports[0],
        "LOMBARD_MLFLOW_PORT": ports[1],
    }
    command = [sys.executable, "-m", "orchestration.command", "up"]
    served = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    try:
        assert served.stdout is not None
        for line in served.stdout:
            said.append(line)
            if "Sensors and schedules are running" in line:
                break
        else:
            pytest.fail("lombard up ended before it was ready: " + "".join(said))
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
    finally:
        served.terminate()
        assert served.wait(60) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_batch_dropped_while_the_desk_is_up_becomes_a_slice_in_the_browser(
    synthetic_day: "Day", up: tuple[str, str]
) -> None:
    """The sensor sees the file, a run of its own values it, and Dagster's lineage and MLflow's registry show it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None and not os.environ.get("LOMBARD_REQUIRE_SERVICES"):
        pytest.skip("needs Chromium, which is not installed here")
    dagster, mlflow = up
    landing, batch = synthetic_day.desk.settings.landing / "intraday", "20260617T195500Z"
    last = sorted(landing.glob("2*.csv"))[-1]
    shutil.copyfile(last, landing / f".{batch}.csv")
    (landing / f".{batch}.csv").replace(landing / f"{batch}.csv")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1680, "height": 1000})
        page.goto(f"{dagster}/locations/desk/asset-groups/margin/lineage")
        page.get_by_text("calc_margin__requirements").first.wait_for(timeout=60_000)
        page.goto(f"{dagster}/runs")
        page.get_by_text("intraday_revaluation").first.wait_for(timeout=60_000)
        page.goto(f"{mlflow}/#/models")
        page.get_by_text("forecasting.volatility_5d").first.wait_for(timeout=60_000)
        browser.close()

    waiting = threading.Event()
    for _ in range(1200):
        if synthetic_day.publication.manifest["slice"] == batch:
            break
        waiting.wait(0.1)
    assert synthetic_day.publication.manifest["slice"] == batch
    assert list(synthetic_day.desk.settings.alerts.iterdir()) == []
