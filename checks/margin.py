"""Invariants of margin."""

import dagster as dg

from assets.lake import Lake
from assets.partitions import business_day, business_days


@dg.asset_check(asset="calc_margin__requirements", blocking=True, partitions_def=business_days)
def the_house_never_asks_less_than_the_exchange(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """House policy may only tighten.

    Blocking: lending past the exchange's rule is a breach of it, whatever the house thinks.
    """
    rows = lake.read("calc_margin__requirements", business_day(context))
    below = rows[rows["requirement_minor"] < rows["requirement_exchange_minor"]]
    return dg.AssetCheckResult(
        passed=below.empty, description=f"{len(below)} of {len(rows)} requirements lie below the exchange's."
    )


@dg.asset_check(asset="calc_margin__calls", blocking=True, partitions_def=business_days)
def every_call_names_its_circumstances(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Lake]
) -> dg.AssetCheckResult:
    """Each call carries its prices, its rule edition, its house edition and its ledger head.

    Blocking: a call that cannot be proved must not be made.
    """
    day = business_day(context)
    calls = lake.read("calc_margin__calls", day)
    # Who sold all and still owes stands on no price.
    holders = set(lake.read_between("raw_books__positions", day, day)["account_id"])
    unpriced = calls["price_basis"].eq("[]") & calls["account_id"].isin(holders)
    named = ["price_basis", "rulebook_edition", "house_edition", "ledger_head", "explanation"]
    is_blank = calls[named].isna() | (calls[named] == "")
    silent = calls[is_blank.any(axis=1) | unpriced]
    return dg.AssetCheckResult(
        passed=silent.empty,
        description=f"{len(silent)} of {len(calls)} calls leave out what they stood on.",
        metadata={"calls": dg.MetadataValue.json(silent["call_id"].tolist()[:20])},
    )
