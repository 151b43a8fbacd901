"""Worked examples with a source, each addressable by its id: ``pytest -k MG-002``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from domain.forecasting.scores import mean_squared_error, qlike
from domain.forecasting.splits import walk_forward
from domain.forecasting.volatility import GarchParameters, garch_log_likelihood, garch_variances

GOLDEN = Path(__file__).parents[2] / "golden"


def case(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = GOLDEN / name
    return json.loads((folder / "given.json").read_text()), json.loads((folder / "expected.json").read_text())


def near(expected: dict[str, Any], name: str) -> Any:
    return pytest.approx(expected[name], rel=expected["tolerance"]["rel"], abs=expected["tolerance"].get("abs"))


@pytest.mark.skipif(
    not (GOLDEN / "MG-001" / "dem2gbp.csv").exists(),
    reason="the mark/pound returns are not kept here; tests/golden/MG-001/SOURCE.md says where to get them",
)
@pytest.mark.parametrize("name", ["MG-001"])
def test_garch_finds_the_published_coefficients_of_the_mark_and_the_pound(name: str) -> None:
    from scipy.optimize import minimize

    given, expected = case(name)
    returns = np.genfromtxt(GOLDEN / name / given["data"], skip_header=1)
    assert len(returns) == given["observations"]
    assert returns.mean() == pytest.approx(given["mean"])

    def loss(values: np.ndarray) -> float:
        return -garch_log_likelihood(returns, GarchParameters(*values)) / len(returns)

    bounds = [(-1, 1), (1e-6, 1), (1e-6, 1), (1e-6, 0.9999)]
    found = minimize(
        loss, [0.0, 0.02, 0.1, 0.8], method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    found = minimize(loss, found.x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14, "maxiter": 4000})
    assert list(found.x) == pytest.approx(list(expected["coefficients"].values()), rel=expected["tolerance"]["rel"])
    assert -found.fun * len(returns) == near(expected, "log_likelihood")


@pytest.mark.parametrize("name", ["MG-002"])
def test_garch_filters_returns_at_fixed_parameters(name: str) -> None:
    given, expected = case(name)
    returns = np.array(given["x"])
    parameters = GarchParameters(given["mu"], given["omega"], given["alpha"], given["beta"])
    variances = garch_variances(returns, parameters)
    assert list(variances[:-1]) == near(expected, "h")
    assert variances[-1] == near(expected, "forecast")
    assert garch_log_likelihood(returns, parameters) == near(expected, "loglik")


@pytest.mark.parametrize("name", ["MG-003"])
def test_forecasts_are_scored_as_defined(name: str) -> None:
    given, expected = case(name)
    realised, forecast = np.array(given["proxy"]), np.array(given["forecast"])
    assert qlike(realised, forecast) == near(expected, "qlike_patton")
    assert mean_squared_error(realised, forecast) == near(expected, "mse")


@pytest.mark.parametrize("name", ["MG-007"])
@pytest.mark.parametrize("window", ["rolling", "expanding"])
def test_folds_walk_forward(name: str, window: str) -> None:
    given, expected = case(name)
    folds = walk_forward(
        given["n"], train=given["train"], test=given["test"], step=given["step"], expanding=window == "expanding"
    )
    assert [[[days[0], days[-1]] for days in (fold.train, fold.test)] for fold in folds] == expected[window]
