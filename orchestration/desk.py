"""One desk on one machine: its folders made ready, and its jobs run in this process.

``make demo``, the journeys and the bench use it. Under ``lombard up`` the same jobs are run by Dagster's daemon.
"""

import contextlib
import io
import json
import logging
from datetime import date
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from assets.dbt import PROJECT_FOLDER, parsed_for_the_day, run_dbt
from assets.lake import Lake
from assets.partitions import FIRST_DAY
from books.engine import create_books
from books.journal import open_day
from books.rules import adopt
from books.signatures import new_key, save_key
from domain.errors import CheckFailed, DeskNotReady
from orchestration.books import OpenBooks, now
from orchestration.definitions import build_definitions
from orchestration.jobs import DEFAULT_CONFIG, sliced
from orchestration.settings import Settings
from orchestration.vaults import made_vault
from rulebooks import editions_of

INSTANCE: Final = """\
telemetry: {enabled: false}
nux: {enabled: false}
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 4
    dequeue_interval_seconds: 1
    tag_concurrency_limits: [{key: lombard/warehouse, value: writer, limit: 1}]
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60
  max_resume_run_attempts: 0
  max_runtime_seconds: 3600
run_retries: {enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false}
"""
"""Dagster's own settings. A crashed worker is tried once more; a failed step is not, because its cause stays."""

_SILENT: Final = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Dagster keeps its event log in its storage; the terminal is for people."""


class Desk:
    """A desk whose folders stand; jobs run one after another in this process and are kept in Dagster's history."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lake = Lake(settings.lake, settings.warehouse)
        self.definitions = build_definitions(settings)
        self._instance: dg.DagsterInstance | None = None

    @property
    def instance(self) -> dg.DagsterInstance:
        """Dagster's storage for this desk."""
        if self._instance is None:
            self._instance = dg.DagsterInstance.from_config(str(self.settings.dagster_home))
        return self._instance

    def prepare(self, day: date = FIRST_DAY) -> None:
        """Make everything a job needs; safe to repeat."""
        self.make_storage()
        if not self.settings.warehouse.exists():
            self.build_views(day)

    def make_storage(self) -> None:
        """Make folders, Dagster's storage and the books' tables; adopt what rules were added."""
        settings = self.settings
        settings.apply()
        try:
            for folder in (settings.home, settings.dagster_home, settings.mlflow_artifacts, settings.reports,
                           settings.alerts, settings.published, settings.landing):  # fmt: skip
                folder.mkdir(parents=True, exist_ok=True)
            self.lake.prepare()
            settings.remember()
            _write_if_changed(settings.dagster_home / "dagster.yaml", INSTANCE)
        except OSError as refused:
            raise DeskNotReady(
                f"The desk's home must be a folder that can be written, but {settings.home} is not "
                f"({refused.strerror}). Nothing was started; set LOMBARD_HOME to a folder on a disk that can be "
                f"written, and try again."
            ) from refused
        assert self.instance  # Created once, before anything else opens it: eight at once would break it for good.
        with self.books() as engine:
            create_books(engine)
            adopt(engine, editions_of(), booked_on=open_day(engine) or FIRST_DAY, known_at=now())
        if not settings.signing_key.exists():
            save_key(new_key(), settings.signing_key)
        made_vault(settings)

    def books(self) -> OpenBooks:
        """Open the books for one block."""
        return OpenBooks(self.settings.books_url, may_be_new=True)

    def build_views(self, day: date = FIRST_DAY) -> None:
        """Create every dbt model over the lake as it stands; ``day`` is the one a close will next be about."""
        variables = json.dumps({"as_of_date": str(day)})
        ran = run_dbt("run", PROJECT_FOLDER, parsed_for_the_day(self.settings.warehouse), "--vars", variables)
        if ran.returncode != 0:
            raise DeskNotReady(
                f"dbt could not build the views over {self.settings.lake}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}\n"
                f"The lake and the books are untouched; mend the model named above and run `lombard init` again."
            )

    def run(
        self, job: str, day: date, config: dict[str, Any] | None = None, until: date | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run one job for one business day, or for a range up to ``until``; raises the failing step's own error."""
        self.settings.apply()
        tags = {}
        if until is not None:
            tags = {ASSET_PARTITION_RANGE_START_TAG: day.isoformat(), ASSET_PARTITION_RANGE_END_TAG: until.isoformat()}
        with contextlib.redirect_stdout(io.StringIO()):  # dbt's own log is in Dagster's event log already.
            return self._execute(job, day, config, tags)

    def _execute(
        self, job: str, day: date, config: dict[str, Any] | None, tags: dict[str, str]
    ) -> dg.ExecuteInProcessResult:
        try:
            return self.definitions.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                partition_key=None if tags else day.isoformat(),
                run_config={**(config or DEFAULT_CONFIG.get(job, {})), **_SILENT},
                tags=tags,
                raise_on_error=True,
            )
        except (DagsterAssetCheckFailedError, dg.Failure) as stopped:
            said = stopped.description if isinstance(stopped, dg.Failure) else str(stopped)
            raise CheckFailed(
                f"{job} for {day} stopped at a check: {said} What was published before still stands; mend what the "
                f"check names and run {job} again."
            ) from stopped

    def revalue(self, batch: str, day: date) -> dg.ExecuteInProcessResult:
        """Make one price batch one published slice, as the sensor would."""
        return self.run("intraday_revaluation", day, sliced(batch, raw_market__prices={"batch": batch}))


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        staged = path.with_suffix(".staged")
        staged.write_text(text, encoding="utf-8")
        staged.replace(path)


def quieten() -> None:
    """Keep Dagster's event log in its storage and off the terminal."""
    for name in ("dagster", "dagster.builtin", "dagster.code_server", "alembic", "mlflow", "great_expectations"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
