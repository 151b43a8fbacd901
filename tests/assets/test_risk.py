"""A slice of risk adds one currency's accounts and puts its shares through every scenario."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from assets import risk
from assets.lake import Lake
from assets.partitions import Slice
from assets.risk import calc_risk__scenarios, calc_risk__slices
from domain.errors import TooFewScenarios

DAY = date(2026, 6, 17)


def accounts(**told: Any) -> pd.DataFrame:
    ordinary = {
        "accounts_in_call": [True, False], "market_value_minor": [600, 400], "debt_minor": [50, 50],
        "equity_minor": [550, 350], "ledger_head": "3:a", "source": "synthetic",
    }  # fmt: skip
    return pd.DataFrame(ordinary | told)


def held(*rows: tuple[str, str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["currency", "instrument_id", "market_value_minor"])


def scenarios(**returns: list[float]) -> pd.DataFrame:
    days = [DAY - timedelta(days=back + 1) for back in range(len(next(iter(returns.values()))))]
    return pd.DataFrame(returns, index=days)


def test_value_at_risk_is_the_second_worst_of_a_hundred_days() -> None:
    falls = scenarios(**{"US.X": [-(n + 1) / 1_000 for n in range(100)]})
    found = risk._slice("USD", accounts(), held(("USD", "US.X", 1_000_000)), falls)
    assert (found["var_99_minor"], found["scenarios"]) == (99_000, 100)
    assert found["es_975_minor"] == pytest.approx((100_000 + 99_000 + 0.5 * 98_000) / 2.5, abs=1)


def test_the_sums_of_a_slice_are_those_of_its_accounts() -> None:
    found = risk._slice("USD", accounts(), held(("USD", "US.X", 1_000)), scenarios(**{"US.X": [-0.1] * 100}))
    names = ["accounts", "accounts_in_call", "market_value_minor", "debt_minor", "equity_minor"]
    assert [found[name] for name in names] == [2, 1, 1_000, 100, 900]
    assert (found["ledger_head"], found["source"]) == ("3:a", "synthetic")


def test_shares_in_another_currency_do_not_move_this_one() -> None:
    moves = scenarios(**{"US.X": [-0.1] * 100, "CN.Y": [-0.9] * 100})
    found = risk._slice("USD", accounts(), held(("USD", "US.X", 1_000), ("CNY", "CN.Y", 1_000)), moves)
    assert found["var_99_minor"] == 100


def test_a_short_offsets_a_long_in_the_same_scenario() -> None:
    moves = scenarios(**{"US.X": [-0.1] * 100, "US.Y": [-0.1] * 100})
    found = risk._slice("USD", accounts(), held(("USD", "US.X", 1_000), ("USD", "US.Y", -1_000)), moves)
    assert found["var_99_minor"] == 0


def test_a_share_that_did_not_trade_moves_by_nothing_and_a_closed_market_is_no_scenario() -> None:
    moves = scenarios(**{"US.X": [np.nan] * 20 + [-0.1] * 100, "CN.Y": [-0.2] * 120, "US.NEW": [np.nan] * 120})
    book = held(("USD", "US.X", 1_000), ("USD", "US.NEW", 5_000))
    found = risk._slice("USD", accounts(), book, moves)
    assert (found["scenarios"], found["var_99_minor"]) == (100, 100)


def test_a_book_without_history_is_refused_and_says_what_to_load() -> None:
    with pytest.raises(TooFewScenarios, match=r"VaR in USD needs a history.*load_history"):
        risk._slice("USD", accounts(), held(("USD", "US.NEW", 1_000)), scenarios(**{"US.X": [-0.1] * 100}))


def test_scenarios_are_simple_returns_of_sessions_before_the_day(lake: Lake, build_views: Callable[..., None]) -> None:
    days = [DAY - timedelta(days=back) for back in range(4)]
    build_views(
        int_market__daily_returns=pd.DataFrame(
            {"instrument_id": "US.X", "as_of_date": days, "return_ratio": [0.5, np.log(0.9), 0.0, np.log(1.1)]}
        ),
        stg_market__instruments=pd.DataFrame({"source": ["synthetic"]}),
    )
    calc_risk__scenarios(dg.build_asset_context(partition_key=DAY.isoformat()), lake=lake)
    rows = lake.read("calc_risk__scenarios", DAY).sort_values("scenario_date")
    assert rows["scenario_date"].tolist() == sorted(days)[:3]
    assert rows["return_ratio"].tolist() == pytest.approx([0.1, 0.0, -0.1])


def test_a_slice_of_the_day_is_one_row_per_currency(
    lake: Lake, build_views: Callable[..., None], rows_of: Callable[..., pd.DataFrame]
) -> None:
    who = [("A1", "USD", 700), ("A2", "USD", 100), ("A3", "CNY", 500)]
    build_views(
        int_margin__accounts_valued=pd.DataFrame(who, columns=["account_id", "currency", "equity_minor"]).assign(
            as_of_date=DAY, slice="open", market_value_minor=1_000, debt_minor=10, ledger_head="3:a", source="synthetic"
        ),
        int_collateral__positions_priced=held(("USD", "US.X", 2_000), ("CNY", "CN.Y", 1_000)).assign(
            as_of_date=DAY, slice="open"
        ),
    )
    past = [DAY - timedelta(days=back + 1) for back in range(100)]
    moves = [
        {"instrument_id": name, "scenario_date": on, "return_ratio": -0.1} for name in ("US.X", "CN.Y") for on in past
    ]
    lake.write("calc_risk__scenarios", rows_of("calc_risk__scenarios", *moves), DAY)
    required = [{"account_id": name, "requirement_minor": 300, "slice": "open"} for name, _, _ in who]
    lake.write("calc_margin__requirements", rows_of("calc_margin__requirements", *required), DAY, "open")
    with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
        calc_risk__slices(context, Slice(slice="open"), lake=lake)
    rows = lake.read("calc_risk__slices", DAY, "open").set_index("currency")
    assert rows["accounts_in_call"].to_dict() == {"CNY": 0, "USD": 1}
    assert rows["var_99_minor"].to_dict() == {"CNY": 100, "USD": 200}
