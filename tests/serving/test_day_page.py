"""The page of the day says what was published, whose word it is, and what was not there to say."""

import io
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rich.console import Console

from assets.published import Published
from serving.day_page import day_page
from serving.published import open_publication

DAY, BEFORE = date(2026, 6, 17), date(2026, 6, 16)


SLICE = {
    "currency": "USD", "slice": "close", "accounts": 1_400, "accounts_in_call": 12, "debt_minor": 50_000_000_00,
    "market_value_minor": 123_456_789_01, "equity_minor": 73_456_789_01, "var_99_minor": 2_345_678_90,
    "es_975_minor": 2_500_000_00,
}  # fmt: skip
CALL = {
    "account_id": "A000042", "currency": "USD", "equity_minor": 1_000_00, "requirement_minor": 3_500_50,
    "call_minor": 2_500_50, "shortfall_minor": 0, "due_on": date(2026, 6, 22),
    "rulebook_edition": "us.finra_4210@2026-06-04",
}  # fmt: skip
RATE = {
    "currency": "USD", "principal_minor": 1_000_000_00, "risk_free_e8": 4_000_000, "funding_premium_e8": 750_000,
    "expected_loss_premium_e8": 250_000, "rate_e8": 5_000_000,
}  # fmt: skip
SCORE = {
    "as_of_date": DAY, "method": "ridge", "qlike": 0.1234, "rmse": 0.2, "mae": 0.1, "observations": 12_345,
    "is_champion": True, "model_version": "3",
}  # fmt: skip
BREAK = {
    "subject": "positions", "break_class": "quantity_break", "key": "A000042/US.AIG", "internal_value": 1_000,
    "external_value": 900, "explanation": "expected 1,000 shares, found 900: 100 too little",
}  # fmt: skip
REFUSED = {"reason": "price_must_be_positive", "file": "20260617T140000Z.csv", "line": 7}
ROWS: dict[str, list[dict[str, Any]]] = {
    "fct_risk__slices": [
        SLICE,
        SLICE | {"slice": "open", "equity_minor": 80_000_000_00},
        SLICE | {"slice": "20260617T140000Z", "equity_minor": 60_000_000_00},
        SLICE | {"currency": "CNY", "equity_minor": 9_00},
    ],
    "fct_margin__calls": [CALL, CALL | {"account_id": "A000043", "call_minor": 1, "shortfall_minor": 7_77}],
    "fct_pricing__loan_rates": [RATE, RATE | {"principal_minor": 3_000_000_00, "rate_e8": 7_000_000}],
    "fct_forecasting__scores": [SCORE, SCORE | {"method": "ewma", "qlike": 0.2, "is_champion": False},
                                SCORE | {"method": "yesterdays", "as_of_date": BEFORE}],
    "fct_forecasting__drift": [{"feature": "return_1d", "is_drifted": True}, {"feature": "range", "is_drifted": False}],
    "fct_reconciliation__breaks": [BREAK, BREAK | {"break_class": "missing_internal", "internal_value": None}],
    "fct_market__quarantine": [REFUSED, REFUSED | {"line": 9}],
}  # fmt: skip
Print = Callable[..., str]


@pytest.fixture
def page(tmp_path: Path) -> Print:
    """Publish the ordinary day, with some tables told otherwise, and print its page."""

    def show(
        *, sources: tuple[str, ...] = ("synthetic",), slice_name: str = "close", **told: list[dict[str, Any]]
    ) -> str:
        tables = {name: pd.DataFrame(rows) for name, rows in ROWS.items()}
        tables |= {name: pd.DataFrame(rows) if rows else tables[name].iloc[:0] for name, rows in told.items()}
        circumstances = {
            "as_of_date": "2026-06-17", "slice": slice_name, "source": list(sources), "run_id": "0123456789abcdef",
            "ledger_head": "9:0123456789abcdef", "published_at": "2026-06-17T21:31:00.123456+00:00",
        }  # fmt: skip
        arrow = {name: pa.Table.from_pandas(rows, preserve_index=False) for name, rows in tables.items()}
        Published(tmp_path).publish(arrow, circumstances)
        paper = io.StringIO()
        Console(file=paper, width=160).print(day_page(open_publication(tmp_path)))
        return paper.getvalue()

    return show


def test_the_page_says_which_day_slice_and_ledger_it_is_about(page: Print) -> None:
    text = page()
    for told in ("business day 2026-06-17", "slice close", "ledger head 9:0123456789abcdef", "2026-06-17T21:31:00Z"):
        assert told in text


def test_an_invented_day_says_that_it_is_invented(page: Print) -> None:
    assert "source synthetic" in page()
    assert "nothing on this page is a client's or a market's" in page()


def test_a_day_of_real_prices_and_invented_clients_does_not_deny_the_market(page: Print) -> None:
    """Prices from a vendor are a market's, whoever holds the shares."""
    text = page(sources=("quantconnect_lean", "synthetic"))
    assert "quantconnect_lean, synthetic" in text
    assert "or a market's" not in text


def test_a_day_without_invented_rows_does_not_say_so(page: Print) -> None:
    assert "nothing on this page" not in page(sources=("landing",))


def test_amounts_are_written_for_people(page: Print) -> None:
    text = page()
    for amount in ("123,456,789.01", "73,456,789.01", "2,345,678.90", "1,400", "2,500.50 USD", "3,500.50 USD"):
        assert amount in text
    assert not re.search(r"\d\.\d+e[+-]\d", text)


def test_slices_stand_in_the_order_of_the_day(page: Print) -> None:
    through_the_day = page().split("Through the day")[1].split("Margin calls")[0]
    assert re.findall(r"^ *USD +(\w+)", through_the_day, re.MULTILINE) == ["open", "20260617T140000Z", "close"]
    assert [through_the_day.count(bar) for bar in "▁█"] == [2, 1]


def test_calls_are_counted_added_up_and_the_largest_comes_first(page: Print) -> None:
    text = page()
    assert "Margin calls: 2, together 2,500.51 USD; under water 7.77 USD" in text
    assert text.index("A000042") < text.index("A000043")
    assert "2026-06-22" in text
    assert "us.finra_4210@2026-06-04" in text


def test_a_day_without_calls_says_so(page: Print) -> None:
    assert "Margin calls: none." in page(fct_margin__calls=[])


def test_a_rate_is_shown_with_its_parts_weighted_by_principal(page: Print) -> None:
    """One million at 5 % and three at 7 % are four at 6.5 %."""
    text = page()
    for part in ("4.000 %", "0.750 %", "0.250 %", "6.500 %", "5.000 %", "7.000 %", "4,000,000.00 USD"):
        assert part in text


def test_only_the_latest_scores_are_shown_and_the_champion_is_named(page: Print) -> None:
    text = page()
    assert "champion, version 3" in text
    assert "yesterdays" not in text
    assert text.index("ridge") < text.index("ewma")
    assert "Drift: 1 of 2" in text


def test_what_was_not_measured_yet_is_said(page: Print) -> None:
    text = page(fct_forecasting__drift=[], fct_forecasting__scores=[], fct_pricing__loan_rates=[])
    assert "Drift: not measured yet today." in text


def test_a_break_shows_both_sides_and_a_missing_one_as_nothing(page: Print) -> None:
    text = page()
    assert "Reconciliation: 2 breaks" in text
    for told in ("A000042/US.AIG", "quantity_break", "1,000", "900", "missing_internal", "nothing"):
        assert told in text


def test_a_day_without_breaks_says_that_the_books_agree(page: Print) -> None:
    assert "the books agree with custodian and bank, line by line" in page(fct_reconciliation__breaks=[])


def test_breaks_that_do_not_fit_on_the_page_are_counted(page: Print) -> None:
    text = page(fct_reconciliation__breaks=[BREAK | {"key": f"A{n:06}/US.AIG"} for n in range(40)])
    assert "40 breaks" in text
    assert "A000039" not in text


def test_quarantined_rows_are_counted_by_reason_with_a_place_to_look(page: Print) -> None:
    text = page()
    assert "Quarantine: 2 rows not believed" in text
    assert re.search(r"price_must_be_positive\s+2\s+20260617T140000Z\.csv:7", text)
    assert "Quarantine: empty" in page(fct_market__quarantine=[])


@pytest.mark.parametrize("name", ["prices[red].csv", "prices[/b].csv", "[link=file:///etc]x[/link].csv"])
def test_a_name_from_outside_is_shown_and_not_obeyed(page: Print, name: str) -> None:
    assert name in page(fct_market__quarantine=[REFUSED | {"file": name}])


def test_a_key_from_outside_is_shown_and_not_obeyed(page: Print) -> None:
    told = {"key": "A1/[/b]", "explanation": "the statement shows [bold]9 shares"}
    text = page(fct_reconciliation__breaks=[BREAK | told])
    assert "A1/[/b]" in text
    assert "[bold]9 shares" in text


def test_a_slice_within_the_day_is_not_called_the_close(page: Print) -> None:
    slices = [SLICE | {"slice": "open"}, SLICE | {"slice": "20260617T140000Z", "accounts": 777}]
    text = page(slice_name="20260617T140000Z", fct_risk__slices=slices)
    assert "777" in text
    assert "at the close" not in text
