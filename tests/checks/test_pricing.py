"""A rate that its parts do not explain stops the day."""

from collections.abc import Callable
from typing import Any

import pytest

from checks.pricing import the_parts_sum_to_the_rate


@pytest.mark.parametrize(("rate_e8", "passes"), [(600, True), (601, False), (599, False)])
def test_a_rate_is_explained_to_the_last_hundred_millionth(
    keep: Callable[..., None], evaluate: Callable[..., Any], rate_e8: int, passes: bool
) -> None:
    parts = {"risk_free_e8": 100, "funding_premium_e8": 200, "expected_loss_premium_e8": 300}
    keep("calc_pricing__loan_rates", parts | {"rate_e8": rate_e8}, parts | {"rate_e8": 600})
    found = evaluate(the_parts_sum_to_the_rate)
    assert (found.passed, found.blocking) == (passes, True)
