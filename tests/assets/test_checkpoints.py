"""A close ends with a signature over everything the books say up to its end."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets.checkpoints import calc_ledger__checkpoints
from assets.lake import Lake
from books.clients import open_currencies
from books.engine import create_books, open_books, writing
from books.signatures import is_signed, new_key, public_text
from domain.errors import TransferRefused

DAY = date(2026, 6, 17)
KNOWN_AT = datetime(2026, 6, 17, 21, tzinfo=UTC)


def test_a_close_is_signed_once_and_nothing_more_is_booked_on_its_day(lake: Lake, tmp_path: Path) -> None:
    books, key = open_books(f"sqlite:///{tmp_path / 'books.db'}"), new_key()
    create_books(books)
    with writing(books) as connection:
        open_currencies(connection, {"USD": "synthetic"}, DAY, KNOWN_AT)
    for _ in range(2):
        with dg.build_asset_context(partition_key=DAY.isoformat()) as context:
            calc_ledger__checkpoints(context, lake=lake, books=books, signing_key=key)
    (row,) = lake.read("calc_ledger__checkpoints", DAY).itertuples()
    assert (row.tree_size, row.booked_on, row.public_key) == (1, DAY, public_text(key))
    instant = row.signed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    told = ("lombard books", 1, DAY, instant, row.root_hash, row.entry_hash)
    note = "".join(f"{line}\n" for line in told)
    assert is_signed(row.public_key, note.encode(), row.signature)
    with pytest.raises(TransferRefused, match="2026-06-17 was sealed"), writing(books) as connection:
        open_currencies(connection, {"CNY": "synthetic"}, DAY, KNOWN_AT)
    with writing(books) as connection:
        open_currencies(connection, {"CNY": "synthetic"}, DAY + timedelta(days=1), KNOWN_AT)
    books.dispose()
