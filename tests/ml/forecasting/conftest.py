from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

LAST_DAY = pd.Timestamp("2026-06-16")


@pytest.fixture(scope="session")
def settling_market() -> pd.DataFrame:
    """Six shares that grow twice as wild and then suddenly calm: what was learnt is wrong, the last month is right."""
    return _market(lambda random, days: np.repeat([0.012, 0.024, 0.0072], [120, days - 165, 45]))


@pytest.fixture(scope="session")
def steady_market() -> pd.DataFrame:
    """Six shares whose volatility never changes: whoever learns that beats a rule of thumb that follows the noise."""
    return _market(lambda random, days: np.full(days, 0.012))


def _market(volatility: Callable[[np.random.Generator, int], np.ndarray]) -> pd.DataFrame:
    days = pd.bdate_range(end=LAST_DAY, periods=260)
    histories = []
    for number in range(6):
        random = np.random.default_rng(number)
        returns = volatility(random, len(days)) * random.standard_normal(len(days))
        instrument = f"{'CN' if number % 3 == 0 else 'US'}.{number}"
        histories.append(pd.DataFrame({"instrument_id": instrument, "as_of_date": days.date, "return_ratio": returns}))
    return pd.concat(histories, ignore_index=True)
