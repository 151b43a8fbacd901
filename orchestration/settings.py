"""Where the desk lives and which engines it uses; the only file that reads the environment."""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from domain.errors import DeskNotReady

PORT_MAX: Final = 65_535
REPOSITORY: Final = Path(__file__).resolve().parent.parent
QUIET: Final = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
}
"""Telemetry is off in every library that has any, and MLflow never opens a pickle."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Folders and addresses of one desk; every default is embedded, so that nothing needs to be set."""

    home: Path
    books_url: str
    market_folder: Path
    dagster_port: int
    mlflow_port: int
    signing_key: Path
    master_key_file: Path
    master_key: str | None = field(default=None, repr=False)

    @property
    def lake(self) -> Path:
        """Parquet that Python writes."""
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        """DuckDB, dbt's private workshop."""
        return self.home / "warehouse.duckdb"

    @property
    def published(self) -> Path:
        """Parquet that others read."""
        return self.home / "published"

    @property
    def landing(self) -> Path:
        """Where vendors, custodian and bank drop their files."""
        return self.home / "landing"

    @property
    def reports(self) -> Path:
        """HTML for people."""
        return self.home / "reports"

    @property
    def alerts(self) -> Path:
        """One readable file per failed run."""
        return self.home / "alerts"

    @property
    def mlflow_store(self) -> str:
        """SQLAlchemy URL of MLflow's registry."""
        return f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """Where fitted models are kept."""
        return self.home / "mlflow" / "artifacts"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own storage."""
        return self.home / "dagster"

    def remember(self) -> None:
        """Keep the market folder with the desk, so that a later command on this home reads the same prices."""
        staged = self.home / ".desk.json"
        staged.write_text(json.dumps({"market_folder": str(self.market_folder)}), encoding="utf-8")
        staged.replace(self.home / "desk.json")

    def apply(self) -> None:
        """Hand dbt, Dagster and the quiet switches their environment; child processes inherit it."""
        os.environ.update(
            QUIET,
            LOMBARD_HOME=str(self.home),
            LOMBARD_LAKE=str(self.lake),
            LOMBARD_WAREHOUSE=str(self.warehouse),
            DAGSTER_HOME=str(self.dagster_home),
            DAGSTER_DISABLE_TELEMETRY="true",
        )


def load_settings(home: Path | None = None, market_folder: Path | None = None, *, is_fresh: bool = False) -> Settings:
    """Read the environment once; arguments, where given, go before it.

    A fresh desk forgets which market folder an earlier one in this home read.
    """
    home = (home or Path(os.environ.get("LOMBARD_HOME") or REPOSITORY / ".desk")).resolve()
    market = market_folder or Path(
        os.environ.get("LOMBARD_MARKET") or (None if is_fresh else _remembered_market(home)) or home / "landing"
    )
    return Settings(
        home=home,
        books_url=os.environ.get("LOMBARD_BOOKS_URL") or f"sqlite:///{home / 'books.db'}",
        market_folder=market.resolve(),
        dagster_port=_port("LOMBARD_DAGSTER_PORT", os.environ.get("LOMBARD_DAGSTER_PORT") or "3000"),
        mlflow_port=_port("LOMBARD_MLFLOW_PORT", os.environ.get("LOMBARD_MLFLOW_PORT") or "5000"),
        signing_key=Path(os.environ.get("LOMBARD_SIGNING_KEY") or home / "keys" / "signing.pem"),
        master_key_file=Path(os.environ.get("LOMBARD_MASTER_KEY_FILE") or home / "keys" / "master.key"),
        master_key=os.environ.get("LOMBARD_MASTER_KEY") or None,
    )


def inherited_environment(more: dict[str, str]) -> dict[str, str]:
    """The environment of this process with ``more`` put over it, for a child process."""
    return {**os.environ, **more}


def _remembered_market(home: Path) -> str | None:
    desk = home / "desk.json"
    if not desk.exists():
        return None
    try:
        remembered = json.loads(desk.read_text(encoding="utf-8"))["market_folder"]
    except (ValueError, KeyError, TypeError):
        remembered = None
    if not isinstance(remembered, str):
        raise DeskNotReady(
            f"{desk} must name the market folder this desk was opened on, but it cannot be read. Nothing was changed; "
            f"set LOMBARD_MARKET to that folder, or remove the file to use {home / 'landing'}."
        )
    return remembered


def _port(setting: str, told: str) -> int:
    # The number is spelled in ASCII digits, as every program that is handed it expects; int() alone takes more.
    if re.fullmatch(r"[0-9]{1,5}", told) and 1 <= int(told) <= PORT_MAX:
        return int(told)
    raise DeskNotReady(
        f"{setting} must be a port from 1 to {PORT_MAX}, but it is {told!r}. Nothing was started; set it to a free "
        f"port, or leave it unset."
    )
