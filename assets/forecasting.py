"""Forecasting: how much each share may move in five sessions, and whether the model that says so still holds."""

from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pandas as pd

from assets.lake import Lake
from assets.market import instruments_on
from assets.partitions import business_day, business_days
from assets.reports import Reports
from assets.schemas import TABLES
from ml.drift import compare
from ml.errors import TooLittleHistory
from ml.forecasting.features import FEATURES
from ml.forecasting.volatility import (
    BASELINES,
    EXPERIMENT,
    HORIZON_DAYS,
    MODEL_NAME,
    MODELS,
    Fitted,
    TrainingResult,
    features_before,
    forecast,
    predict,
    train,
)
from ml.registry import Champion, Fit, Logged, Registry, judge

HISTORY_DAYS = 750
"""Trading days a model is taught with and a forecast looks back on: three years, so that one crisis may be in it."""

DRIFT_DAYS = 60
"""Trading days compared with those before; volatility comes in clusters, so a month always looks unlike the rest."""

_FORECASTING: dict[str, Any] = {"group_name": "forecasting", "owners": ["team:models"], "partitions_def": business_days}
_READS = ["int_market__daily_returns", "stg_market__instruments"]


calc_forecasting__scores = dg.AssetSpec(
    "calc_forecasting__scores",
    deps=["model_forecasting__volatility_5d"],
    group_name="forecasting",
    owners=["team:models"],
    kinds={"parquet"},
    partitions_def=business_days,
    description="Out-of-sample scores of every method, written with the model. One row per method and training day.",
)


@dg.asset(**_FORECASTING, kinds={"lightgbm", "mlflow"}, deps=_READS)
def model_forecasting__volatility_5d(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], registry: dg.ResourceParam[Registry]
) -> dg.MaterializeResult[Any]:
    """Fit the five-session volatility model on what was known when the day opened; promote it only if it earned it.

    Also writes ``calc_forecasting__scores``: one row per method and business day, its score walking forward through
    days it had not seen. With too little history no model is fitted, that table stays empty for the day, and the desk
    goes on with the EWMA.
    """
    day = business_day(context)
    returns, known_at = _returns_before(lake, day), datetime.now(UTC)
    champion = registry.champion(MODEL_NAME, before=day)
    try:
        training = train(returns, day, champion=_fitted(champion))
    except TooLittleHistory as reason:
        _write_scores(lake, day, pd.DataFrame(), champion, known_at)
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "no_model_because": str(reason)})
    logged = [registry.log_fit(fit) for fit in _fits(training, known_at)]
    challenger = next(log for log in logged if log.version)
    baseline = training.qlike(training.baseline)
    verdict = registry.promote(challenger, judge(training.qlike(training.winner.method), baseline, training.rematch))
    champion = registry.champion(MODEL_NAME, before=day)
    scores = _write_scores(lake, day, training.scores, champion, known_at)
    return dg.MaterializeResult(
        metadata=_training_metadata(registry, training, challenger, scores)
        | {"is_promoted": verdict.is_promoted, "promotion": verdict.reason}
    )


@dg.asset(**_FORECASTING, kinds={"lightgbm"}, deps=[*_READS, "model_forecasting__volatility_5d"])
def calc_forecasting__volatility(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake], registry: dg.ResourceParam[Registry]
) -> dg.MaterializeResult[Any]:
    """Annualised volatility expected of each share over the next five sessions, by the champion.

    One row per instrument and business day, made of returns before that day only and by a model taught before it.
    Without a champion it is the EWMA; a share too young or too long silent takes a high quantile of its market, under
    the method ``fallback``.
    """
    day = business_day(context)
    instruments = instruments_on(lake, day)[["instrument_id", "source"]]
    champion = registry.champion(MODEL_NAME, before=day)
    fitted = _fitted(champion)
    features = features_before(_returns_before(lake, day), day)
    rows = forecast(fitted, features, instruments["instrument_id"].tolist()).merge(instruments, on="instrument_id")
    rows = rows.assign(
        horizon_days=fitted.horizon_days if fitted else HORIZON_DAYS,
        model_name=MODEL_NAME if champion else "ewma",
        model_version=champion.version if champion else "baseline",
        known_at=datetime.now(UTC),
    )
    lake.write("calc_forecasting__volatility", rows, day)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "champion_version": champion.version if champion else "baseline",
            "methods": dg.MetadataValue.json({str(k): int(v) for k, v in rows["method"].value_counts().items()}),
            "volatility_median": float(rows["volatility_ratio"].median()) if len(rows) else 0.0,
            "data_until": str(rows["data_until"].max()) if len(rows) else "none",
        }
    )


@dg.asset(**_FORECASTING, kinds={"evidently"}, deps=[*_READS, "model_forecasting__volatility_5d"])
def calc_forecasting__drift(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    registry: dg.ResourceParam[Registry],
    reports: dg.ResourceParam[Reports],
) -> dg.MaterializeResult[Any]:
    """Whether features and forecasts of the last sixty trading days still look like those before them.

    One row per feature, and one for the champion's forecast. No row while there is nothing yet to compare with.
    """
    day, known_at = business_day(context), datetime.now(UTC)
    features = features_before(_returns_before(lake, day), day)
    predicted = predict(_fitted(registry.champion(MODEL_NAME, before=day)), features)
    columns = features[list(FEATURES)].assign(volatility_forecast_ratio=predicted["volatility_ratio"])
    days = sorted(features["as_of_date"].unique())
    since = days[-DRIFT_DAYS] if len(days) > DRIFT_DAYS else pd.Timestamp.max
    is_current = features["as_of_date"] >= since
    current, reference = columns[is_current].dropna(), columns[~is_current].dropna()
    if current.empty or reference.empty:
        _write_empty(lake, "calc_forecasting__drift", day)
        return dg.MaterializeResult(metadata={"dagster/row_count": 0, "no_comparison_because": "too little history"})
    drift = compare(current, reference, reports.path("drift_volatility_5d", day))
    lake.write(
        "calc_forecasting__drift", drift.rows.assign(source=_source(instruments_on(lake, day)), known_at=known_at), day
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(drift.rows),
            "drifted_share": drift.share,
            "report": dg.MetadataValue.path(drift.report),
            "scores": _markdown(drift.rows.drop(columns="report_path")),
        }
    )


def _returns_before(lake: Lake, day: date) -> pd.DataFrame:
    return lake.query(
        "select instrument_id, as_of_date, return_ratio from int_market__daily_returns "
        "where as_of_date < ? and as_of_date in "
        "(select distinct as_of_date from int_market__daily_returns where as_of_date < ? order by 1 desc limit ?)",
        [day, day, HISTORY_DAYS],
    )


def _fitted(champion: Champion | None) -> Fitted | None:
    return Fitted.from_files(champion.files) if champion else None


def _fits(training: TrainingResult, known_at: datetime) -> list[Fit]:
    """One run per method; only the winner carries a model."""
    winner, scores = training.winner, training.scores.set_index("method")
    fits = []
    for method in (*BASELINES, *MODELS):
        is_winner = method == winner.method
        metrics = {f"{score}_validation": float(scores[score][method]) for score in ("qlike", "rmse", "mae")}
        metrics |= {
            f"qlike_vs_{baseline}": metrics["qlike_validation"] / training.qlike(baseline) - 1 for baseline in BASELINES
        }
        fits.append(
            Fit(
                experiment=EXPERIMENT,
                method=method,
                as_of=training.as_of,
                data_until=winner.data_until,
                known_at=known_at,
                features_hash=training.features_hash,
                metrics=metrics,
                parameters={
                    "horizon_days": training.horizon_days,
                    "observations": int(scores["observations"][method]),
                    "garch_fallbacks": training.garch_fallbacks,
                },
                model_name=MODEL_NAME if is_winner else "",
                files=winner.files() if is_winner else {},
            )
        )
    return fits


def _write_scores(
    lake: Lake, day: date, scores: pd.DataFrame, champion: Champion | None, known_at: datetime
) -> pd.DataFrame:
    """Keep the scores, marking the method the desk believes: the champion's, or the EWMA while there is none."""
    if scores.empty:
        _write_empty(lake, "calc_forecasting__scores", day)
        return scores
    in_force = champion.method if champion else "ewma"
    version = champion.version if champion else "baseline"
    rows = scores.assign(
        is_champion=scores["method"] == in_force,
        model_version=[version if method == in_force else "" for method in scores["method"]],
        source=_source(instruments_on(lake, day)),
        known_at=known_at,
    )
    lake.write("calc_forecasting__scores", rows, day)
    return rows


def _write_empty(lake: Lake, table: str, day: date) -> None:
    lake.write(table, TABLES[table].empty_table(), day)


def _training_metadata(
    registry: Registry, training: TrainingResult, challenger: Logged, scores: pd.DataFrame
) -> dict[str, Any]:
    shown = scores[["method", "qlike", "rmse", "mae", "observations", "is_champion"]]
    return {
        "dagster/row_count": len(scores),
        "run": dg.MetadataValue.url(registry.link(challenger)),
        "challenger": f"{training.winner.method}, version {challenger.version}",
        "scores": _markdown(shown),
        "qlike_vs_baseline": training.qlike(training.winner.method) / training.qlike(training.baseline) - 1,
        "garch_fallbacks": training.garch_fallbacks,
        "data_until": str(training.winner.data_until),
    }


def _source(instruments: pd.DataFrame) -> str:
    """Name everyone whose data went in."""
    return "+".join(sorted(set(instruments["source"]))) or "none"


def _markdown(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw a small table for the Dagster UI; floats to four decimals."""
    lines = [list(rows.columns), ["---"] * len(rows.columns)]
    lines += [
        [f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in rows.itertuples(index=False)
    ]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))
