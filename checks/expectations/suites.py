"""What a delivery must look like, in Great Expectations' words. Imported only by the check that runs it."""

from collections.abc import Callable
from typing import Any

import pandas as pd

Expectations = list[dict[str, Any]]

_ORIGIN: Expectations = [
    {"type": "expect_column_values_to_not_be_null", "column": "source"},
    {"type": "expect_column_values_to_not_be_null", "column": "known_at"},
    {"type": "expect_column_values_to_be_between", "column": "line", "min_value": 1},
]


def _not_null(*columns: str) -> Expectations:
    return [{"type": "expect_column_values_to_not_be_null", "column": column} for column in columns]


def _positive(*columns: str) -> Expectations:
    return [
        {"type": "expect_column_values_to_be_between", "column": column, "min_value": 0, "strict_min": True}
        for column in columns
    ]


SUITES: dict[str, Expectations] = {
    "raw_market__instruments": [
        *_not_null("instrument_id", "symbol", "source", "known_at"),
        {"type": "expect_column_values_to_be_unique", "column": "instrument_id"},
        {
            "type": "expect_column_values_to_match_regex",
            "column": "instrument_id", "regex": r"^[A-Z]{2}\.[A-Z0-9._-]+$",
        },
        {"type": "expect_column_values_to_be_in_set", "column": "market", "value_set": ["US", "CN"]},
        {"type": "expect_column_values_to_be_in_set", "column": "currency", "value_set": ["USD", "CNY"]},
        *_positive("lot_size_shares"),
    ],
    "raw_market__daily_bars": [
        *_ORIGIN,
        *_positive("price_open_e4", "price_high_e4", "price_low_e4", "price_close_e4"),
        {"type": "expect_column_values_to_be_between", "column": "volume_shares", "min_value": 0},
        {"type": "expect_compound_columns_to_be_unique", "column_list": ["instrument_id", "as_of_date"]},
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b",
            "column_A": "price_high_e4", "column_B": "price_low_e4", "or_equal": True,
        },
    ],
    "raw_market__prices": [
        *_ORIGIN,
        *_positive("price_e4"),
        {"type": "expect_compound_columns_to_be_unique", "column_list": ["batch", "instrument_id", "quoted_at"]},
        {
            "type": "expect_column_pair_values_a_to_be_greater_than_b", "column_A": "ask_e4", "column_B": "bid_e4",
            "or_equal": True, "ignore_row_if": "either_value_is_missing",
        },
    ],
    "raw_custodian__positions": [*_ORIGIN, *_not_null("account_id", "instrument_id", "quantity_shares")],
    "raw_bank__movements": [
        *_ORIGIN,
        *_not_null("bank_account_id", "reference", "amount_minor", "value_date"),
        {"type": "expect_column_values_to_be_in_set", "column": "currency", "value_set": ["USD", "CNY"]},
    ],
}  # fmt: skip


def validate(table: str, rows: pd.DataFrame) -> dict[str, Any]:
    """Run the suite of ``table`` over ``rows``; the result is Great Expectations' own, as JSON."""
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    # The library declares an object of its own here, but asks it questions only a dictionary answers.
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    suite = gx.ExpectationSuite(name=table)
    for expectation in SUITES[table]:
        words = dict(expectation)
        implementation: Callable[..., Any] = get_expectation_impl(words.pop("type"))
        suite.add_expectation(implementation(**words))
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset(table)
    batch = asset.add_batch_definition_whole_dataframe("day")
    definition = gx.ValidationDefinition(name=table, data=batch, suite=context.suites.add(suite))
    result = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": rows}, result_format="SUMMARY"
    )
    return dict(result.to_json_dict())
