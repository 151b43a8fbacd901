"""The volatility of the next five sessions: four methods tried on days they have not seen, the better model kept.

Two baselines (random walk, EWMA) and two models: GARCH(1,1), fitted per instrument, and boosted trees, fitted on all
instruments at once. The trees are trained on the gamma deviance, which is QLIKE itself, as a correction of the EWMA.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from domain.forecasting.scores import mean_absolute_error, qlike, root_mean_squared_error
from domain.forecasting.splits import Fold, walk_forward
from domain.forecasting.volatility import (
    VOLATILITY_FLOOR_RATIO,
    GarchParameters,
    garch_variances,
    garch_volatility,
)
from ml.errors import ModelNotUsable, TooLittleHistory
from ml.forecasting.features import FEATURES, TARGET, TARGET_KNOWN_ON, build_features, hash_features

HORIZON_DAYS: Final = 5
"""Sessions forecast; the house haircut covers the same five (``rulebooks/house/margin.yaml``)."""

MODEL_NAME: Final = "forecasting.volatility_5d"
EXPERIMENT: Final = "forecasting/volatility_5d"

BASELINES: Final = ("random_walk", "ewma")
MODELS: Final = ("garch", "lightgbm")

FOLDS: Final = 3
TEST_DAYS_MAX: Final = 60
TRAINING_DAYS_MIN: Final = 120
"""Fewer days than this before the first fold and a walk-forward score would be luck."""

GARCH_OBSERVATIONS_MIN: Final = 120
"""Four parameters from fewer returns than half a year are noise; such an instrument keeps its EWMA."""

GARCH_PERSISTENCE_MAX: Final = 0.9999
"""At 1 the long-run variance does not exist and a forecast never comes back."""

BOOSTING_ROUNDS: Final = 120
BOOSTING: Final[Mapping[str, Any]] = {
    "objective": "gamma",
    "learning_rate": 0.03,
    "num_leaves": 8,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "max_bin": 63,
    "seed": 20260617,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
"""Small trees, slowly: five-day volatility is noisy and its shares move together, so there is less data than rows.

One thread: trees this small are done before two have met, and beside other work two were five times slower."""

REMATCH_DAYS_MIN: Final = 20
"""A champion is called beaten on no fewer new days than a month of sessions."""

STALE_AFTER_DAYS: Final = 14
"""Calendar days behind its market after which a share's own past says too little: it may be halted."""

FALLBACK_QUANTILE: Final = 0.9
"""A share we know nothing about is taken to be as wild as the wildest tenth of its market."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model as plain data: GARCH parameters per instrument, or the text of boosted trees."""

    method: str
    horizon_days: int
    data_until: date
    garch: Mapping[str, tuple[GarchParameters, float]] = field(default_factory=dict)
    """Per instrument the parameters and the presample variance they were fitted with."""
    trees: str = ""

    def files(self) -> dict[str, bytes]:
        """Return the model as files: text and JSON, which run nothing when they are read."""
        description: dict[str, Any] = {
            "method": self.method,
            "horizon_days": self.horizon_days,
            "data_until": self.data_until.isoformat(),
        }
        if self.method == "lightgbm":
            description["features"] = list(FEATURES)
            return {"model.json": _json(description), "model.txt": self.trees.encode()}
        rows = {
            instrument: {**asdict(parameters), "presample": presample}
            for instrument, (parameters, presample) in sorted(self.garch.items())
        }
        return {"model.json": _json({**description, "instruments": rows})}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Fitted":
        """Read back what :meth:`files` wrote; the caller has verified the hashes."""
        description = json.loads(files["model.json"])
        garch = {
            instrument: (GarchParameters(row["mean"], row["omega"], row["alpha"], row["beta"]), row["presample"])
            for instrument, row in description.get("instruments", {}).items()
        }
        if description["method"] == "lightgbm" and description["features"] != list(FEATURES):
            raise ModelNotUsable(
                f"The saved model reads {description['features']}, but features are now {list(FEATURES)}. Nothing was "
                f"forecast; materialize model_forecasting__volatility_5d to fit one for today's features."
            )
        return cls(
            method=description["method"],
            horizon_days=description["horizon_days"],
            data_until=date.fromisoformat(description["data_until"]),
            garch=garch,
            trees=files.get("model.txt", b"").decode(),
        )


@dataclass(frozen=True)
class TrainingResult:
    """What a training found: every method's score on unseen days, and the better model fitted on all of them."""

    as_of: date
    horizon_days: int
    scores: pd.DataFrame
    """method, horizon_days, qlike, rmse, mae, observations; best first."""
    winner: Fitted
    features_hash: str
    garch_fallbacks: int
    """Instruments of the last fold whose GARCH could not be fitted, and that kept their EWMA."""
    rematch: tuple[float, float] | None = None
    """QLIKE of the winner's method and of the present champion on days new to the champion, where there are enough."""

    def qlike(self, method: str) -> float:
        """Score of one method on the unseen days."""
        return float(self.scores.set_index("method")["qlike"][method])

    @property
    def baseline(self) -> str:
        """The better of the two rules of thumb."""
        return min(BASELINES, key=self.qlike)


def train(
    returns: pd.DataFrame, as_of: date, horizon_days: int = HORIZON_DAYS, champion: Fitted | None = None
) -> TrainingResult:
    """Try every method walking forward through the past, then fit the better model on all of it.

    Parameters
    ----------
    returns : DataFrame[instrument_id, as_of_date, return_ratio]
        Daily log returns; only those before ``as_of`` are read, as were known when that day opened.
    as_of : date
        Business day the model is for.
    horizon_days : int
        Sessions forecast.
    champion : Fitted, optional
        The present champion, scored again on the tested days it has not been taught with.

    Raises
    ------
    TooLittleHistory
        Fewer days than three test windows and a training window need.
    """
    rows = features_before(returns, as_of, horizon_days)
    labelled = rows.dropna(subset=[TARGET, "volatility_ewma_ratio", "volatility_random_walk_ratio"])
    tested = [_test_fold(rows, labelled, *days, horizon_days) for days in _fold_days(labelled, as_of, horizon_days)]
    unseen = pd.concat([frame for frame, _ in tested])
    scores = _score(unseen, horizon_days)
    winner = next(method for method in scores["method"] if method in MODELS)
    return TrainingResult(
        as_of=as_of,
        horizon_days=horizon_days,
        scores=scores,
        winner=_fit(winner, rows, labelled, horizon_days),
        features_hash=hash_features(labelled),
        garch_fallbacks=tested[-1][1],
        rematch=_rematch(winner, champion, rows, unseen),
    )


def features_before(returns: pd.DataFrame, as_of: date, horizon_days: int = HORIZON_DAYS) -> pd.DataFrame:
    """Features of every day before ``as_of``; see :func:`ml.forecasting.features.build_features`."""
    return build_features(returns[pd.to_datetime(returns["as_of_date"]) < pd.Timestamp(as_of)], horizon_days)


def predict(fitted: Fitted | None, rows: pd.DataFrame) -> pd.DataFrame:
    """Forecast the sessions after every row of :func:`features_before`.

    Returns
    -------
    DataFrame[volatility_ratio, method]
        In the order and index of ``rows``; annualised, at least the floor, NaN where an instrument is too young.
        Without a fitted model, and for instruments a GARCH could not be fitted to, the EWMA.
    """
    volatility = rows["volatility_ewma_ratio"].to_numpy(copy=True)
    method = np.full(len(rows), "ewma", dtype=object)
    if fitted is not None and fitted.method == "lightgbm":
        volatility = _predict_trees(fitted.trees, rows)
        method[:] = "lightgbm"
    elif fitted is not None:
        for instrument, where in rows.groupby("instrument_id", sort=False).indices.items():
            if str(instrument) in fitted.garch:
                parameters, presample = fitted.garch[str(instrument)]
                variances = garch_variances(rows["return_ratio"].to_numpy()[where], parameters, presample)
                volatility[where] = garch_volatility(variances[1:], parameters, fitted.horizon_days)
                method[where] = "garch"
    floored = np.maximum(volatility, VOLATILITY_FLOOR_RATIO)
    return pd.DataFrame({"volatility_ratio": floored, "method": method}, index=rows.index)


def forecast(fitted: Fitted | None, rows: pd.DataFrame, instruments: list[str]) -> pd.DataFrame:
    """Forecast the coming sessions of each of ``instruments`` from its last row of :func:`features_before`.

    A share with too few returns, or silent for two weeks while its market traded, takes a high quantile of its market
    (of all markets where its own has none) under the method ``fallback``.

    Returns
    -------
    DataFrame[instrument_id, volatility_ratio, method, data_until]
        One row per instrument, in the order given.
    """
    last = pd.concat([rows, predict(fitted, rows)], axis=1).groupby("instrument_id", sort=False).tail(1)
    last = last.assign(market=last["instrument_id"].str.split(".").str[0])
    behind = last.groupby("market")["as_of_date"].transform("max") - last["as_of_date"]
    known = last[last["volatility_ratio"].notna() & (behind <= pd.Timedelta(days=STALE_AFTER_DAYS))]
    if known.empty:
        raise TooLittleHistory(
            f"A forecast needs an instrument with at least 20 daily returns, but none of {len(last)} has them. "
            f"Nothing was written; load older daily bars (raw_market__daily_bars), then rerun this step."
        )
    by_market = known.groupby("market")["volatility_ratio"].quantile(FALLBACK_QUANTILE)
    everywhere = known["volatility_ratio"].quantile(FALLBACK_QUANTILE)
    result = pd.DataFrame({"instrument_id": instruments}).merge(
        known[["instrument_id", "volatility_ratio", "method", "as_of_date"]], on="instrument_id", how="left"
    )
    missing = result["volatility_ratio"].isna()
    own_market = result["instrument_id"].str.split(".").str[0].map(by_market).fillna(everywhere)
    return result.assign(
        volatility_ratio=result["volatility_ratio"].fillna(own_market),
        method=result["method"].mask(missing, "fallback"),
        data_until=result["as_of_date"].fillna(known["as_of_date"].max()).dt.date,
    ).drop(columns="as_of_date")


def _fold_days(labelled: pd.DataFrame, as_of: date, horizon_days: int) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """First and last day of each test window, oldest first."""
    days = np.sort(labelled["as_of_date"].unique())
    test = min(TEST_DAYS_MAX, (len(days) - TRAINING_DAYS_MIN) // FOLDS)
    if test < horizon_days:
        raise TooLittleHistory(
            f"A walk-forward score needs {TRAINING_DAYS_MIN + FOLDS * horizon_days} days whose next {horizon_days} "
            f"sessions are known, but before {as_of} there are {len(days)}. No model was fitted; load older daily bars "
            f"(raw_market__daily_bars), or go on with the baseline, which needs 20 days."
        )
    folds: list[Fold] = walk_forward(
        len(days), train=len(days) - FOLDS * test, test=test, expanding=True, purge=horizon_days
    )
    return [(pd.Timestamp(days[fold.test[0]]), pd.Timestamp(days[fold.test[-1]])) for fold in folds]


def _test_fold(
    rows: pd.DataFrame, labelled: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp, horizon_days: int
) -> tuple[pd.DataFrame, int]:
    """Fit on what was known before ``first``; forecast every labelled day up to ``last``."""
    past = rows[rows["as_of_date"] < first]
    # Purged by the day each target became known, which holds across exchanges with different holidays too.
    taught = labelled[labelled[TARGET_KNOWN_ON] < first]
    seen = rows[rows["as_of_date"] <= last]
    unseen = labelled.loc[labelled["as_of_date"].between(first, last)]
    forecasts = {
        "random_walk": unseen["volatility_random_walk_ratio"].clip(lower=VOLATILITY_FLOOR_RATIO),
        "ewma": unseen["volatility_ewma_ratio"].clip(lower=VOLATILITY_FLOOR_RATIO),
    }
    fallbacks = 0
    for method in MODELS:
        fitted = _fit(method, past, taught, horizon_days)
        forecasts[method] = predict(fitted, seen).loc[unseen.index, "volatility_ratio"]
        if method == "garch":
            fallbacks = past["instrument_id"].nunique() - len(fitted.garch)
    realised = unseen[TARGET].clip(lower=VOLATILITY_FLOOR_RATIO)
    return pd.DataFrame({**forecasts, "realised": realised}), fallbacks


def _score(tested: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Score every method on the same unseen days; best QLIKE first."""
    realised = tested["realised"].to_numpy()
    scores = []
    for method in (*BASELINES, *MODELS):
        predicted = tested[method].to_numpy()
        scores.append(
            {
                "method": method,
                "horizon_days": horizon_days,
                "qlike": qlike(realised**2, predicted**2),
                "rmse": root_mean_squared_error(realised, predicted),
                "mae": mean_absolute_error(realised, predicted),
                "observations": len(realised),
            }
        )
    return pd.DataFrame(scores).sort_values("qlike", ignore_index=True, kind="stable")


def _rematch(
    winner: str, champion: Fitted | None, rows: pd.DataFrame, tested: pd.DataFrame
) -> tuple[float, float] | None:
    """Score the winner's method and the champion, as it stands, on the tested days after the champion's data."""
    if champion is None:
        return None
    new = rows.loc[tested.index, "as_of_date"] > pd.Timestamp(champion.data_until)
    if rows.loc[tested.index[new], "as_of_date"].nunique() < REMATCH_DAYS_MIN:
        return None
    against = predict(champion, rows).loc[tested.index[new], "volatility_ratio"].to_numpy()
    realised = tested.loc[new, "realised"].to_numpy()
    return qlike(realised**2, tested.loc[new, winner].to_numpy() ** 2), qlike(realised**2, against**2)


def _fit(method: str, rows: pd.DataFrame, labelled: pd.DataFrame, horizon_days: int) -> Fitted:
    data_until = rows["as_of_date"].max().date()
    if method == "lightgbm":
        return Fitted(method, horizon_days, data_until, trees=_fit_trees(labelled))
    fits = {
        str(instrument): fit
        for instrument, history in rows.groupby("instrument_id", sort=False)["return_ratio"]
        if (fit := _fit_garch(history.to_numpy())) is not None
    }
    return Fitted(method, horizon_days, data_until, garch=fits)


def _fit_garch(returns: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[GarchParameters, float] | None:
    """Fit GARCH(1,1) by maximum likelihood; None where there is too little to fit, or the optimiser did not arrive."""
    from arch import arch_model

    if len(returns) < GARCH_OBSERVATIONS_MIN or np.count_nonzero(returns) < len(returns) // 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Every warning of an optimiser that did not arrive; its flag is read below.
        try:
            # In percent, because the optimiser is at home with numbers near one.
            model = arch_model(returns * 100, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
            fit = model.fit(disp="off", show_warning=False, options={"maxiter": 200})
        except (ValueError, np.linalg.LinAlgError):
            return None
    mean, omega, alpha, beta = (float(value) for value in fit.params)
    parameters = GarchParameters(mean / 100, omega / 10_000, alpha, beta)
    if fit.convergence_flag != 0 or not np.isfinite(fit.params).all():
        return None
    if omega <= 0 or parameters.persistence > GARCH_PERSISTENCE_MAX:
        return None
    return parameters, float(np.mean(np.square(returns - parameters.mean)))


def _fit_trees(labelled: pd.DataFrame) -> str:
    """Boosted trees that correct the EWMA variance, by the gamma deviance; returned as text."""
    import lightgbm

    data = lightgbm.Dataset(
        labelled[list(FEATURES)].to_numpy(),
        label=np.square(labelled[TARGET].clip(lower=VOLATILITY_FLOOR_RATIO)).to_numpy(),
        init_score=_ewma_log_variance(labelled),
        feature_name=list(FEATURES),
        free_raw_data=True,
    )
    return str(lightgbm.train(dict(BOOSTING), data, num_boost_round=BOOSTING_ROUNDS).model_to_string())


def _predict_trees(trees: str, rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    import lightgbm

    booster = lightgbm.Booster(model_str=trees)
    correction = booster.predict(rows[list(FEATURES)].to_numpy(), raw_score=True, num_threads=BOOSTING["num_threads"])
    return np.sqrt(np.exp(np.asarray(correction) + _ewma_log_variance(rows)))


def _ewma_log_variance(rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    return 2 * np.log(rows["volatility_ewma_ratio"].clip(lower=VOLATILITY_FLOOR_RATIO).to_numpy())


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode()
