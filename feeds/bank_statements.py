"""Reads the bank's statement of movements. A repeated line is kept: reconciliation names it a break."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from domain.errors import AmountNotExact, DeliveryRefused
from domain.money import EXPONENTS, parse_decimal, to_minor
from feeds import delimited
from feeds.deliveries import Delivery, Reading

MOVEMENTS: Final = (
    "bank_account_id", "reference", "amount_minor", "currency", "value_date", "file", "line", "source", "as_of_date",
    "known_at",
)  # fmt: skip
"""Columns of ``raw_bank__movements``."""

HEADER: Final = "bank_account_id,reference,value_date,amount,currency,source"


def read_bank_statement(folder: Path, day: date, known_at: datetime) -> Delivery:
    """Movements the bank states for ``day`` in ``bank/<day>.csv`` below ``folder``; money in is positive.

    Raises
    ------
    DeliveryRefused
        The file is missing, half written, has other columns, or a trailer disagrees: a statement whose sum is wrong
        may lack any line.
    """
    file = folder / "bank" / f"{day}.csv"
    sheet = delimited.sheet_or_refusal(file, folder, HEADER, trailer_required=True)
    _require_sums(file, sheet)
    reading = Reading("bank", delimited.source_of(sheet, "bank"), known_at)
    screening = delimited.screen_sheets([(day, sheet)], HEADER, reading)
    screening.require(
        "columns_must_match",
        lambda rows: delimited.matches(rows["bank_account_id"], delimited.NAME)
        & delimited.matches(rows["reference"], delimited.NAME),
        "Bank account and reference must be plain identifiers, but are {bank_account_id!a} and {reference!a}.",
    )  # fmt: skip
    screening.require(
        "currency_must_match_the_instrument", lambda rows: rows["currency"].isin(list(EXPONENTS)),
        "The currency must be one the desk counts in, but is {currency!a}.",
    )  # fmt: skip
    screening.rows = screening.rows.assign(day=delimited.to_days(screening.rows["value_date"]))
    screening.require(
        "date_must_be_readable", lambda rows: rows["day"].notna(),
        "The value date must be a day that exists, written 2026-06-17, but is {value_date!a}.",
    )  # fmt: skip
    rows = screening.rows
    minor = [_minor(amount, currency) for amount, currency in zip(rows["amount"], rows["currency"], strict=True)]
    # As objects: beside one unreadable amount the others would become floats, and large ones lose their last digits.
    screening.rows = rows.assign(amount_minor=np.array(minor, dtype=object), value_date=rows["day"])
    screening.require(
        "number_must_be_plain", lambda rows: rows["amount_minor"].notna(),
        "The amount must be a plain decimal no finer than a minor unit of {currency}, but is {amount!a}.",
    )  # fmt: skip
    screening.rows = screening.rows.assign(amount_minor=screening.rows["amount_minor"].astype("int64"))
    return screening.delivery(MOVEMENTS)


def _minor(amount: str, currency: str) -> int | None:
    try:
        return to_minor(amount, currency)
    except AmountNotExact:
        return None


def _require_sums(file: Path, sheet: delimited.Sheet) -> None:
    """Compare the trailer's sum of each currency with the lines'; an amount nobody can read counts as nothing."""
    sums: dict[str, Decimal] = {}
    for line in sheet.lines:
        fields = line.split(",")
        if len(fields) == len(HEADER.split(",")):
            sums[fields[4]] = sums.get(fields[4], Decimal(0)) + _decimal(fields[3])
    promised = [line.split(",") for line in sheet.trailer if line.startswith("#sum,")]
    said = {fields[1]: fields[2] for fields in promised if len(fields) == 3}
    wrong = sorted(
        currency
        for currency in sums.keys() | said.keys()
        if currency not in said or sums.get(currency, Decimal(0)) != _decimal(said[currency])
    )
    if wrong or len(said) != len(promised):
        came = ", ".join(f"{currency} {sums.get(currency, 0)}" for currency in wrong)
        raise DeliveryRefused(
            f"{file} must end with one #sum trailer per currency that agrees with its lines, but these lines add up to "
            f"{came!a} and the trailer says {said!a}. Nothing of it was taken; have it delivered again whole."
        )


def _decimal(text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except AmountNotExact:
        return Decimal(0)
