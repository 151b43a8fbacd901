"""A small landing folder of two markets, written by the tests themselves."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

INSTRUMENTS = """\
instrument_id,symbol,market,currency,asset_class,board,lot_size_shares,price_limit_ratio,source
US.AIG,AIG,US,USD,equity,nyse,1,,landing
US.SPY,SPY,US,USD,etf,nyse,1,,landing
CN.600000,600000,CN,CNY,equity,main,100,0.1,landing
"""
ACTIONS = "instrument_id,ex_date,kind,split_ratio,dividend,source\nUS.AIG,2026-06-17,split,0.05,,landing\n"
RATES = "as_of_date,currency,tenor_days,rate,source\n2026-06-15,USD,1,0.0413,landing\n2026-06-16,USD,1,0.0412,landing\n"
MONDAY = """\
instrument_id,open,high,low,close,volume,currency,source
US.AIG,12.00,12.50,11.90,12.16,1000,USD,landing
US.SPY,125.00,126.00,124.00,125.50,2000,USD,landing
CN.600000,10.00,10.10,9.90,10.05,300,CNY,landing
#rows,3
"""


@pytest.fixture
def known_at() -> datetime:
    """The moment at which the tests read."""
    return datetime(2026, 6, 17, 21, tzinfo=UTC)


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Writes one file of the landing folder, byte for byte."""

    def write(name: str, content: str | bytes) -> Path:
        file = tmp_path / "landing" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    return write


@pytest.fixture
def landing(tmp_path: Path, put: Callable[[str, str | bytes], Path]) -> Path:
    """A landing folder with one believable day."""
    put("reference/instruments.csv", INSTRUMENTS)
    put("reference/corporate_actions.csv", ACTIONS)
    put("reference/rates.csv", RATES)
    put("daily/2026-06-15.csv", MONDAY)
    return tmp_path / "landing"
