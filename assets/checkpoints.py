"""Checkpoints: the day as it was signed, after the last thing its close wrote into the books."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
from sqlalchemy import Engine

from assets.lake import Lake
from assets.partitions import business_day, business_days
from assets.retries import retried_if_it_may_pass
from books.checkpoints import SignedCheckpoint, seal_day
from books.signatures import SigningKey


@dg.asset(
    group_name="ledger",
    owners=["team:ledger"],
    kinds={"sqlalchemy"},
    partitions_def=business_days,
    deps=["calc_margin__calls", "calc_pricing__accruals"],
)
@retried_if_it_may_pass()
def calc_ledger__checkpoints(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    books: dg.ResourceParam[Engine],
    signing_key: dg.ResourceParam[SigningKey],
) -> dg.MaterializeResult[Any]:
    """The checkpoint that closes the day: root of everything booked up to its end, signed. One row per business day.

    From then on nothing can be booked on the day. Keep the root somewhere else: it is what finds a history rebuilt.
    """
    day = business_day(context)
    sealed = seal_day(books, day, signing_key, datetime.now(UTC))
    lake.write("calc_ledger__checkpoints", pd.DataFrame([row_of(sealed)]), day)
    told = sealed.checkpoint
    return dg.MaterializeResult(
        metadata={"root": told.root_hash, "entries": told.tree_size, "key": sealed.public_key, "dagster/row_count": 1}
    )


def row_of(sealed: SignedCheckpoint) -> dict[str, Any]:
    """A checkpoint as a row of the lake."""
    told = sealed.checkpoint
    return {
        "tree_size": told.tree_size,
        "booked_on": told.booked_on,
        "root_hash": told.root_hash,
        "entry_hash": told.entry_hash,
        "signed_at": pd.Timestamp(told.signed_at),
        "public_key": sealed.public_key,
        "signature": sealed.signature,
        "source": "books",
        "known_at": datetime.now(UTC),
    }
