"""The model registry: what was fitted, from which data, with which score, and which version the desk believes.

The only file that speaks MLflow. A model is kept as text and JSON beside a manifest of hashes, and the manifest's own
hash stands on the version's record: a file changed on disk is never parsed. Nothing is ever pickled.
"""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from ml.errors import ModelNotUsable

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
MANIFEST: Final = "manifest.json"
_FOLDER: Final = "model"


@dataclass(frozen=True, slots=True)
class Fit:
    """One method fitted and scored for one business day, ready to be logged."""

    experiment: str
    method: str
    as_of: date
    data_until: date
    known_at: datetime
    features_hash: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    model_name: str = ""
    """Registered under this name; empty for what is only a yardstick."""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logged:
    """Where a fit was logged; ``version`` is empty where no model was registered."""

    run_id: str
    experiment_id: str
    model_name: str
    version: str


@dataclass(frozen=True, slots=True)
class Champion:
    """The version the desk believes, with its files verified against their hashes."""

    model_name: str
    version: str
    method: str
    data_until: date
    run_id: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a challenger takes the champion's place, and the sentence that says why."""

    is_promoted: bool
    reason: str


def judge(challenger: float, baseline: float, rematch: tuple[float, float] | None = None) -> Verdict:
    """Decide by QLIKE on days neither side has seen; lower is better, and a tie changes nothing.

    Parameters
    ----------
    challenger, baseline : float
        Score of the challenger's method and of the better baseline, walking forward.
    rematch : (challenger, champion), optional
        Their scores on the days after the champion's data, where there are enough of them. Without one, a challenger
        that beats the baseline takes over: it is the best method, fitted to newer data.
    """
    if not challenger < baseline:
        return Verdict(False, f"qlike {challenger:.6f} does not beat the best baseline's {baseline:.6f}")
    if rematch is not None and not rematch[0] < rematch[1]:
        return Verdict(
            False, f"qlike {rematch[0]:.6f} does not beat the champion's {rematch[1]:.6f} on days new to the champion"
        )
    return Verdict(True, f"qlike {challenger:.6f} beats the best baseline's {baseline:.6f}")


def approval_subject(model_name: str, version: str | int) -> str:
    """What an approval of a promotion is about: ``forecasting.volatility_5d@3``."""
    return f"{model_name}@{version}"


class Registry:
    """MLflow, reached at ``tracking_uri``; artifacts of new experiments go below ``artifacts``.

    ``address`` is where people read it; only links are made of it. ``is_approved`` is asked about every promotion, by
    the model's version and the hash of its manifest: a promotion two officers have not signed has no effect.
    """

    def __init__(
        self,
        tracking_uri: str,
        artifacts: Path,
        address: str = "http://127.0.0.1:5000",
        is_approved: Callable[[str, str], bool] = lambda subject, manifest_sha256: True,
    ) -> None:
        self.tracking_uri = tracking_uri
        self.artifacts = artifacts
        self.address = address
        self.is_approved = is_approved
        self._opened: Any = None

    def log_fit(self, fit: Fit) -> Logged:
        """Log one run and, where the fit carries a model, register it as the challenger.

        The same result logged twice is one run and one version, so a retried step adds nothing.
        """
        manifest = _manifest(fit)
        fingerprint = _sha256(manifest + _json(dict(fit.metrics)))
        client = self._client()
        experiment_id = self._experiment(fit.experiment)
        logged = self._already_logged(fit, experiment_id, fingerprint)
        if logged is None:
            logged = self._log(fit, experiment_id, manifest, fingerprint)
        if logged.version:
            client.set_registered_model_alias(fit.model_name, CHALLENGER, logged.version)
        return logged

    def promote(self, logged: Logged, verdict: Verdict) -> Verdict:
        """Give a version the alias ``champion`` if the verdict says so; the reason is kept as its tag either way.

        A version for an older day never takes the place of one for a newer day: it is kept for re-runs of its own time.
        """
        client, name = self._client(), logged.model_name
        assert logged.version, "only a registered model can be promoted"
        present = self._aliased(name, CHAMPION)
        mine = client.get_model_version(name, logged.version).tags
        client.set_model_version_tag(name, logged.version, "promotion", verdict.reason)
        client.set_model_version_tag(name, logged.version, "is_promoted", str(verdict.is_promoted).lower())
        if verdict.is_promoted and (present is None or present.tags["data_until"] <= mine["data_until"]):
            client.set_registered_model_alias(name, CHAMPION, logged.version)
        return verdict

    def champion(self, model_name: str, before: date) -> Champion | None:
        """Return the promoted version that knew most, yet nothing of ``before`` or later; None where there is none.

        For today that is the version under the alias ``champion``, or the one before it while that is not approved. For
        a past day it is the one that could have been in force then: a forecast made again must not use a model that
        had seen its answer.
        """
        promoted = [
            version
            for version in self.promoted(model_name)
            if version.tags["data_until"] < before.isoformat()
            and self.is_approved(approval_subject(model_name, version.version), version.tags["manifest_sha256"])
        ]
        if not promoted:
            return None
        version = max(promoted, key=lambda found: (found.tags["data_until"], int(found.version)))
        return Champion(
            model_name=model_name,
            version=str(version.version),
            method=version.tags["method"],
            data_until=date.fromisoformat(version.tags["data_until"]),
            run_id=version.run_id,
            files=self._verified(version),
        )

    def promoted(self, model_name: str) -> list[Any]:
        """Versions that won their place, approved or not: what officers are asked to sign."""
        return [version for version in self._versions(model_name) if version.tags.get("is_promoted") == "true"]

    def link(self, logged: Logged) -> str:
        """Return the run's page."""
        return f"{self.address}/#/experiments/{logged.experiment_id}/runs/{logged.run_id}"

    def _log(self, fit: Fit, experiment_id: str, manifest: bytes, fingerprint: str) -> Logged:
        client = self._client()
        tags = {
            "method": fit.method,
            "as_of_date": fit.as_of.isoformat(),
            "data_until": fit.data_until.isoformat(),
            "known_at": fit.known_at.isoformat(),
            "features_hash": fit.features_hash,
            "fingerprint": fingerprint,
            "git_sha": _git_sha(),
        }
        run = client.create_run(experiment_id, run_name=f"{fit.method}@{fit.as_of}", tags=tags)
        run_id = run.info.run_id
        for name, value in fit.metrics.items():
            client.log_metric(run_id, name, float(value))
        for name, value in fit.parameters.items():
            client.log_param(run_id, name, value)
        version = ""
        if fit.files:
            with tempfile.TemporaryDirectory() as folder:
                for name, content in {**fit.files, MANIFEST: manifest}.items():
                    Path(folder, name).write_bytes(content)
                client.log_artifacts(run_id, folder, _FOLDER)
            version = self._register(fit, run_id, run.info.artifact_uri, {**tags, "manifest_sha256": _sha256(manifest)})
        client.set_terminated(run_id)
        return Logged(run_id, experiment_id, fit.model_name, version)

    def _register(self, fit: Fit, run_id: str, artifact_uri: str, tags: dict[str, str]) -> str:
        from mlflow.exceptions import MlflowException

        client = self._client()
        try:
            client.get_registered_model(fit.model_name)
        except MlflowException:
            client.create_registered_model(fit.model_name)
        version = client.create_model_version(fit.model_name, f"{artifact_uri}/{_FOLDER}", run_id, tags=tags)
        return str(version.version)

    def _already_logged(self, fit: Fit, experiment_id: str, fingerprint: str) -> Logged | None:
        wanted = f"tags.fingerprint = '{fingerprint}' and attributes.status = 'FINISHED'"
        runs = self._client().search_runs([experiment_id], wanted, max_results=1)
        if not runs:
            return None
        run_id = runs[0].info.run_id
        versions = [found.version for found in self._versions(fit.model_name) if found.run_id == run_id]
        return Logged(run_id, experiment_id, fit.model_name, str(versions[0]) if versions else "")

    def _verified(self, version: Any) -> dict[str, bytes]:
        """Read a version's files; refuses before parsing where any hash differs."""
        folder = Path(tempfile.mkdtemp())
        try:
            from mlflow.exceptions import MlflowException

            try:
                root = Path(self._client().download_artifacts(version.run_id, _FOLDER, str(folder)))
                manifest = (root / MANIFEST).read_bytes()
            except (OSError, MlflowException) as missing:
                raise self._refusal(version, f"cannot be read ({missing})") from missing
            if _sha256(manifest) != version.tags["manifest_sha256"]:
                raise self._refusal(version, f"has a {MANIFEST} other than the one registered")
            files = {}
            for name, sha256 in json.loads(manifest)["files"].items():
                content = (root / name).read_bytes() if (root / name).exists() else b""
                if _sha256(content) != sha256:
                    raise self._refusal(version, f"has a {name} other than the one registered")
                files[name] = content
            return files
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _refusal(self, version: Any, fact: str) -> ModelNotUsable:
        return ModelNotUsable(
            f"Version {version.version} of {version.name} {fact}; it was expected as it was logged, under "
            f"{version.source}. It was not loaded and nothing was forecast. Find out who changed it, restore the files "
            f"from backup, or set its tag is_promoted to false in MLflow to fall back on the version before it."
        )

    def _versions(self, model_name: str) -> list[Any]:
        return list(self._client().search_model_versions(f"name = '{model_name}'")) if model_name else []

    def _aliased(self, model_name: str, alias: str) -> Any | None:
        from mlflow.exceptions import MlflowException

        try:
            return self._client().get_model_version_by_alias(model_name, alias)
        except MlflowException:
            return None

    def _experiment(self, name: str) -> str:
        client = self._client()
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_location=(self.artifacts / name).resolve().as_uri()))

    def _client(self) -> Any:
        """Open MLflow on first use: its import takes seconds, and only those who fit or load a model should pay."""
        if self._opened is None:
            # Both must be said before the import. Whoever starts the desk says them too; this holds without them.
            os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
            os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
            from mlflow import MlflowClient

            for chatter in ("mlflow.store.db.utils", "alembic"):
                logging.getLogger(chatter).setLevel(logging.WARNING)
            if self.tracking_uri.startswith("sqlite:///"):
                Path(self.tracking_uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._opened = MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.tracking_uri)
        return self._opened


def _manifest(fit: Fit) -> bytes:
    """Everything that names this result and nothing that differs between two computations of it."""
    return _json(
        {
            "model_name": fit.model_name,
            "method": fit.method,
            "as_of_date": fit.as_of.isoformat(),
            "data_until": fit.data_until.isoformat(),
            "features_hash": fit.features_hash,
            "files": {name: _sha256(content) for name, content in sorted(fit.files.items())},
        }
    )


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_sha() -> str:
    """Return the commit this code stands at, or nothing where it was installed without its history."""
    git = shutil.which("git")
    if git is None:
        return ""
    asked = subprocess.run(
        [git, "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return asked.stdout.strip()
