"""Reads the custodian's statement of positions. A repeated line is kept: reconciliation names it a break."""

from datetime import date, datetime
from pathlib import Path
from typing import Final

from feeds import delimited
from feeds.deliveries import Delivery, Reading

POSITIONS: Final = (
    "account_id",
    "instrument_id",
    "quantity_shares",
    "file",
    "line",
    "source",
    "as_of_date",
    "known_at",
)
"""Columns of ``raw_custodian__positions``."""

HEADER: Final = "account_id,instrument_id,quantity_shares,source"


def read_custodian_statement(folder: Path, day: date, known_at: datetime) -> Delivery:
    """Positions the custodian states for ``day`` in ``custodian/<day>.csv`` below ``folder``.

    Raises
    ------
    DeliveryRefused
        The file is missing, half written, has other columns, or its trailer disagrees.
    """
    sheet = delimited.sheet_or_refusal(folder / "custodian" / f"{day}.csv", folder, HEADER, trailer_required=True)
    reading = Reading("custodian", delimited.source_of(sheet, "custodian"), known_at)
    screening = delimited.screen_sheets([(day, sheet)], HEADER, reading)
    screening.require(
        "columns_must_match",
        lambda rows: delimited.matches(rows["account_id"], delimited.NAME)
        & delimited.matches(rows["instrument_id"], delimited.NAME),
        "Account and instrument must be plain identifiers, but are {account_id!a} and {instrument_id!a}.",
    )  # fmt: skip
    screening.require(
        "number_must_be_plain", lambda rows: delimited.matches(rows["quantity_shares"], delimited.COUNT),
        "The quantity must be a plain whole number of shares, but is {quantity_shares!a}.",
    )  # fmt: skip
    rows = screening.rows
    screening.rows = rows.assign(quantity_shares=delimited.to_count(rows["quantity_shares"]))
    return screening.delivery(POSITIONS)
