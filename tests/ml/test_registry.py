import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ml.errors import ModelNotUsable
from ml.registry import Fit, Registry, judge

NAME = "forecasting.volatility_5d"
FILES = {"model.json": b'{"method": "garch"}', "model.txt": b"tree\n"}


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database, made once: making it takes seconds."""
    home = tmp_path_factory.mktemp("mlflow")
    registry = Registry(f"sqlite:///{home / 'mlflow.db'}", home / "artifacts")
    assert registry.champion(NAME, before=date(2026, 1, 1)) is None
    return home / "mlflow.db"


@pytest.fixture
def registry(empty_store: Path, tmp_path: Path) -> Registry:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")


def fit(day: int, method: str = "garch", files: dict[str, bytes] | None = None, qlike: float = 0.3) -> Fit:
    return Fit(
        experiment="forecasting/volatility_5d",
        method=method,
        as_of=date(2026, 6, day),
        data_until=date(2026, 6, day - 1),
        known_at=datetime(2026, 6, day, 6, tzinfo=UTC),
        features_hash=f"hash{day}",
        metrics={"qlike_validation": qlike},
        parameters={"horizon_days": 5},
        model_name=NAME,
        files={**(files or FILES), "day.json": json.dumps(day).encode()},
    )


def aliased(registry: Registry, alias: str) -> str:
    return str(registry._client().get_model_version_by_alias(NAME, alias).version)


WINS, LOSES = judge(0.3, 0.4), judge(0.5, 0.4)


def test_a_challenger_must_beat_the_best_baseline() -> None:
    assert judge(0.30, 0.31).is_promoted
    assert not judge(0.31, 0.31).is_promoted
    assert "does not beat the best baseline" in judge(0.32, 0.31).reason


def test_a_challenger_must_beat_the_champion_where_they_can_be_compared() -> None:
    assert judge(0.30, 0.31, rematch=(0.2, 0.21)).is_promoted
    assert not judge(0.30, 0.31, rematch=(0.2, 0.2)).is_promoted
    assert "champion's 0.190000" in judge(0.30, 0.31, rematch=(0.2, 0.19)).reason


def test_a_score_that_is_no_number_promotes_nobody() -> None:
    nan = float("nan")
    assert not judge(nan, 0.3).is_promoted
    assert not judge(0.3, nan).is_promoted
    assert not judge(0.2, 0.3, rematch=(nan, 0.3)).is_promoted


def test_a_winner_becomes_champion_and_is_read_back(registry: Registry) -> None:
    logged = registry.log_fit(fit(17))
    registry.promote(logged, WINS)
    champion = registry.champion(NAME, before=date(2026, 6, 17))
    assert champion is not None
    assert (champion.version, champion.method, champion.data_until) == ("1", "garch", date(2026, 6, 16))
    assert champion.files == {**FILES, "day.json": b"17"}
    assert aliased(registry, "champion") == aliased(registry, "challenger") == "1"


def test_a_loser_stays_challenger_and_the_reason_is_kept(registry: Registry) -> None:
    registry.promote(registry.log_fit(fit(16)), WINS)
    registry.promote(registry.log_fit(fit(17, "lightgbm")), LOSES)
    champion = registry.champion(NAME, before=date(2026, 6, 18))
    assert champion is not None and champion.version == "1"
    assert (aliased(registry, "champion"), aliased(registry, "challenger")) == ("1", "2")
    tags = registry._client().get_model_version(NAME, "2").tags
    assert tags["promotion"] == "qlike 0.500000 does not beat the best baseline's 0.400000"


def test_a_run_says_what_it_is(registry: Registry) -> None:
    logged = registry.log_fit(fit(17))
    run = registry._client().get_run(logged.run_id)
    assert run.info.run_name == "garch@2026-06-17"
    assert run.data.metrics == {"qlike_validation": 0.3}
    assert run.data.tags["as_of_date"] == "2026-06-17"
    assert run.data.tags["known_at"] == "2026-06-17T06:00:00+00:00"
    assert run.data.tags["features_hash"] == "hash17"
    assert logged.run_id in registry.link(logged)


def test_logging_the_same_result_twice_is_one_version(registry: Registry) -> None:
    assert registry.log_fit(fit(17)) == registry.log_fit(fit(17))
    assert registry.log_fit(fit(17, qlike=0.29)).version == "2"
    assert registry.log_fit(fit(18)).version == "3"


def test_a_day_made_again_never_uses_a_model_that_had_seen_it(registry: Registry) -> None:
    for day in (17, 10):
        registry.promote(registry.log_fit(fit(day)), WINS)
    assert aliased(registry, "champion") == "1"
    for before, version in ((18, "1"), (17, "1"), (16, "2"), (10, "2")):
        champion = registry.champion(NAME, before=date(2026, 6, before))
        assert champion is not None and champion.version == version
    assert registry.champion(NAME, before=date(2026, 6, 9)) is None


@pytest.mark.parametrize("name", ["model.txt", "model.json", "manifest.json"])
def test_a_file_changed_on_disk_is_never_loaded(registry: Registry, name: str) -> None:
    registry.promote(registry.log_fit(fit(17)), WINS)
    (file,) = registry.artifacts.rglob(name)
    file.write_bytes(file.read_bytes().replace(b"e", b"E", 1))
    with pytest.raises(ModelNotUsable, match=f"(?s)has a {name} other than the one registered.*not loaded.*restore"):
        registry.champion(NAME, before=date(2026, 6, 17))


def test_a_file_and_its_hash_changed_together_are_never_loaded(registry: Registry) -> None:
    """The manifest's own hash stands in the registry's database, not beside the files."""
    registry.promote(registry.log_fit(fit(17)), WINS)
    other = registry.log_fit(fit(18, files={"model.txt": b"other tree\n"}))
    folders = {path.parent.parent.parent.name: path.parent for path in registry.artifacts.rglob("manifest.json")}
    theirs = folders.pop(other.run_id)
    (ours,) = folders.values()
    for file in theirs.iterdir():
        (ours / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelNotUsable, match=r"manifest\.json other than the one registered"):
        registry.champion(NAME, before=date(2026, 6, 17))


def test_a_file_that_is_gone_is_said_to_be_gone(registry: Registry) -> None:
    registry.promote(registry.log_fit(fit(17)), WINS)
    for file in registry.artifacts.rglob("model.txt"):
        file.unlink()
    with pytest.raises(ModelNotUsable, match=r"model\.txt other than"):
        registry.champion(NAME, before=date(2026, 6, 17))
    for file in registry.artifacts.rglob("manifest.json"):
        file.unlink()
    with pytest.raises(ModelNotUsable, match="cannot be read"):
        registry.champion(NAME, before=date(2026, 6, 17))


def test_nothing_is_pickled(registry: Registry) -> None:
    registry.log_fit(fit(17))
    kept = [path for path in registry.artifacts.rglob("*") if path.is_file()]
    assert {path.suffix for path in kept} == {".json", ".txt"}
    for path in kept:
        path.read_bytes().decode("ascii")


def test_a_promotion_nobody_signed_has_no_effect(registry: Registry) -> None:
    """The version before it stands until two officers have signed for the new one."""
    for day in (15, 16):
        registry.promote(registry.log_fit(fit(day)), WINS)
    first, second = sorted(registry.promoted(NAME), key=lambda version: int(version.version))
    signed = {(f"{NAME}@1", first.tags["manifest_sha256"])}
    registry.is_approved = lambda *asked: asked in signed
    champion = registry.champion(NAME, before=date(2026, 6, 17))
    assert champion is not None and champion.version == "1"
    signed.add((f"{NAME}@2", second.tags["manifest_sha256"]))
    champion = registry.champion(NAME, before=date(2026, 6, 17))
    assert champion is not None and champion.version == "2"
    signed.clear()
    assert registry.champion(NAME, before=date(2026, 6, 17)) is None
