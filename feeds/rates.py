"""Reads money-market rates: the desk's own file, and the policy rate that comes with a Lean folder."""

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from domain.money import EXPONENTS
from feeds import delimited
from feeds.deliveries import Delivery, Fault, Reading, Screening, empty_frame

RATES: Final = ("currency", "tenor_days", "rate_e8", "file", "line", "source", "as_of_date", "known_at")
"""Columns of ``raw_market__rates``."""

HEADER: Final = "as_of_date,currency,tenor_days,rate,source"
LEAN_HEADER: Final = "DATE,PCREDIT8"
RATE: Final = r"^-?[0-9]{1,2}(\.[0-9]{1,8})?$"
"""A plain rate. In the desk's file it is a fraction (0.0525), in Lean's percent (5.25)."""


def read_rates(root: Path, reading: Reading, day: date) -> Delivery:
    """The latest rate of each currency and tenor on or before ``day`` from ``reference/rates.csv``."""
    file = root / "reference" / "rates.csv"
    if not file.exists():
        return Screening(empty_frame([*RATES, "raw_text"]), reading).delivery(RATES)
    sheet = delimited.sheet_or_refusal(file, root, HEADER)
    # The field's name is also the name of the day a row is kept under, which readable rows take from it below.
    screening = delimited.screen_sheets([(day, sheet)], HEADER.replace("as_of_date", "rate_day"), reading)
    _require_days(screening, "rate_day", day)
    screening.require(
        "number_must_be_plain",
        lambda rows: delimited.matches(rows["rate"], RATE)
        & delimited.matches(rows["tenor_days"], r"^[1-9][0-9]{0,4}$"),
        "The rate must be a plain fraction and the tenor whole days, but they are {rate!a} and {tenor_days!a}.",
    )  # fmt: skip
    screening.require(
        "number_must_be_plain", lambda rows: np.abs(delimited.to_e8(rows["rate"])) <= 100_000_000,
        "A rate is a fraction of 1 a year (0.0525), but the line says {rate}, which would be over 100 %.",
    )  # fmt: skip
    screening.require(
        "currency_must_match_the_instrument", lambda rows: rows["currency"].isin(list(EXPONENTS)),
        "The currency must be one the desk counts in, but is {currency!a}.",
    )  # fmt: skip
    return _latest(screening, percent=False)


def read_lean_rates(root: Path, reading: Reading, day: date) -> Delivery:
    """The primary credit rate of the Federal Reserve on or before ``day``, which stands in for overnight dollars."""
    file = root / "alternative" / "interest-rate" / "usa" / "interest-rate.csv"
    screening = Screening(empty_frame([*RATES, "raw_text"]), reading)
    if not file.exists():
        return screening.delivery(RATES)
    raw = delimited.read_bytes(file, root)
    if isinstance(raw, bytes):
        raw = raw if raw.isascii() else Fault("file_must_be_readable", f"{file.name} is not plain ASCII.", raw)
    if isinstance(raw, Fault):
        screening.refuse_file(file.name, raw, day)
        return screening.delivery(RATES)
    header, *lines = raw.decode("ascii").removesuffix("\n").split("\n")
    if header != LEAN_HEADER:
        came = f"The first line must be {LEAN_HEADER!r}, but is {header[:200]!a}."
        screening.refuse_file(file.name, Fault("columns_must_match", came, raw), day)
        return screening.delivery(RATES)
    places = {"file": file.name, "line": range(2, len(lines) + 2), "as_of_date": day}
    screening = delimited.screen_lines(lines, ["rate_day", "rate"], places, reading)
    screening.rows = screening.rows.assign(currency="USD", tenor_days="1")
    _require_days(screening, "rate_day", day)
    screening.require(
        "number_must_be_plain", lambda rows: delimited.matches(rows["rate"], RATE),
        "The rate must be a plain percentage, but is {rate!a}.",
    )  # fmt: skip
    return _latest(screening, percent=True)


def _require_days(screening: Screening, column: str, day: date) -> None:
    rows = screening.rows
    screening.rows = rows.assign(as_of_date=delimited.to_days(rows[column]))
    unreadable = screening.rows["as_of_date"].isna()
    screening.rows.loc[unreadable, "as_of_date"] = day
    screening.require(
        "date_must_be_readable", lambda rows: ~unreadable,
        f"The rate's day must exist and be written 2026-06-17, but is {{{column}!a}}.",
    )  # fmt: skip
    screening.keep_days(date.min, day)


def _latest(screening: Screening, percent: bool) -> Delivery:
    rows = screening.rows
    if len(rows):
        rate_e8 = delimited.to_e8(rows["rate"])
        # A percentage of at most eight decimals loses none that matter: rates are published to a hundredth of it.
        rows = rows.assign(
            rate_e8=(rate_e8 + 50) // 100 if percent else rate_e8, tenor_days=delimited.to_count(rows["tenor_days"])
        )
        rows = rows.sort_values(["as_of_date", "line"], kind="stable")
        screening.rows = rows.drop_duplicates(["currency", "tenor_days"], keep="last")
    return screening.delivery(RATES)
