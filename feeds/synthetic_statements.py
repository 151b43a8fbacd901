"""What an invented custodian and an invented bank say: the truth, with a few faults planted and recorded.

Each fault stands on its own line, so what the desk finds can be compared with ``truth.json`` one to one.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pandas as pd

from domain.money import exponent
from feeds.synthetic_plan import SOURCE, DeskPlan, Planted, planted_so_far, put_down, put_down_truth, stream

_CUSTODIAN: Final = "account_id,instrument_id,quantity_shares,source"
_BANK: Final = "bank_account_id,reference,value_date,amount,currency,source"


@dataclass(frozen=True)
class _Fault:
    """One planted fault: the row it spoils, and what is delivered in that row's place."""

    kind: str
    row: int
    expected_break: str
    delivered: tuple[tuple[Any, ...], ...]
    difference: int = 0


def write_statements(landing: Path, plan: DeskPlan, positions: pd.DataFrame, bank_movements: pd.DataFrame) -> None:
    """Write ``custodian/<day>.csv`` and ``bank/<day>.csv`` from the true positions and movements, with planted breaks.

    Parameters
    ----------
    landing
        The landing folder; its ``truth.json`` is amended, and created where there is none.
    plan
        The day of the statements, and the seed of their faults.
    positions
        ``account_id``, ``instrument_id``, ``quantity_shares``; rows of quantity zero are not held and not written.
    bank_movements
        ``bank_account_id``, ``reference``, ``value_date``, ``amount_minor`` (signed), ``currency``.

    Where there are fewer rows than faults, only those that find a row of their own are planted; without any row none.
    """
    truth = [fact for fact in planted_so_far(landing) if fact.get("file") not in _files(plan)]
    truth += _write_custodian(landing, plan, positions)
    truth += _write_bank(landing, plan, bank_movements)
    put_down_truth(landing, plan, truth)


def _files(plan: DeskPlan) -> tuple[str, str]:
    return f"custodian/{plan.day}.csv", f"bank/{plan.day}.csv"


def _write_custodian(landing: Path, plan: DeskPlan, positions: pd.DataFrame) -> list[Planted]:
    held = positions.loc[positions["quantity_shares"] != 0, ["account_id", "instrument_id", "quantity_shares"]]
    true = sorted((str(a), str(i), int(q)) for a, i, q in held.itertuples(index=False, name=None))
    faults = []
    for kind, row in _choose(plan, "custodian", ("missing", "wrong", "duplicated"), len(true)):
        account, instrument, quantity = true[row]
        more = 100 if quantity > 0 else -100
        faults.append(_fault(kind, row, true[row], (account, instrument, quantity + more), "quantity", more))
    rows, places = _spoil(true, faults)
    file = _files(plan)[0]
    lines = [f"{account},{instrument},{quantity},{SOURCE}" for account, instrument, quantity in rows]
    put_down(landing / file, _CUSTODIAN, lines, [f"#rows,{len(lines)}"])
    return [
        {
            **_told(fault, "positions", f"{true[fault.row][0]}/{true[fault.row][1]}", file, place),
            "account_id": true[fault.row][0],
            "instrument_id": true[fault.row][1],
        }
        for fault, place in zip(faults, places, strict=True)
    ]


def _write_bank(landing: Path, plan: DeskPlan, movements: pd.DataFrame) -> list[Planted]:
    columns = ["bank_account_id", "reference", "value_date", "amount_minor", "currency"]
    true = sorted(
        (str(account), str(reference), pd.Timestamp(day).date().isoformat(), int(amount), str(currency))
        for account, reference, day, amount, currency in movements[columns].itertuples(index=False, name=None)
    )
    faults = []
    for kind, row in _choose(plan, "bank", ("missing", "wrong", "duplicated", "extra"), len(true)):
        account, reference, day, amount, currency = true[row]
        more = max(1, abs(amount) // 10) * (1 if amount >= 0 else -1)
        stranger = (account, f"unknown/{plan.day}/1", day, 123_456, currency)
        spoilt = stranger if kind == "extra" else (account, reference, day, amount + more, currency)
        faults.append(_fault(kind, row, true[row], spoilt, "amount", 123_456 if kind == "extra" else more))
    rows, places = _spoil(true, faults)
    file = _files(plan)[1]
    lines = [
        f"{account},{reference},{day},{_decimal(amount, currency)},{currency},{SOURCE}"
        for account, reference, day, amount, currency in rows
    ]
    trailers = [
        f"#sum,{currency},{_decimal(sum(row[3] for row in rows if row[4] == currency), currency)}"
        for currency in sorted({row[4] for row in rows})
    ]
    put_down(landing / file, _BANK, lines, [f"#rows,{len(lines)}", *trailers])
    told = []
    for fault, place in zip(faults, places, strict=True):
        account, reference, _, _, currency = fault.delivered[-1] if fault.delivered else true[fault.row]
        planted = _told(fault, "cash", f"{account}/{reference}", file, place)
        told.append({**planted, "bank_account_id": account, "reference": reference, "currency": currency})
    return told


def _choose(plan: DeskPlan, purpose: str, kinds: tuple[str, ...], rows: int) -> list[tuple[str, int]]:
    """A row of its own for each kind of fault, as far as the rows go."""
    chosen = stream(plan, f"statement {purpose}").permutation(rows)[: len(kinds)].tolist()
    return list(zip(kinds, chosen, strict=False))


def _fault(
    kind: str, row: int, true: tuple[Any, ...], spoilt: tuple[Any, ...], measure: str, difference: int
) -> _Fault:
    if kind == "missing":
        return _Fault("missing_statement_line", row, "missing_external", ())
    if kind == "duplicated":
        return _Fault("duplicated_statement_line", row, "duplicate_external", (true, true))
    if kind == "extra":
        return _Fault("extra_statement_line", row, "missing_internal", (true, spoilt), difference)
    return _Fault(f"wrong_{measure}", row, f"{measure}_break", (spoilt,), difference)


def _spoil(true: list[tuple[Any, ...]], faults: list[_Fault]) -> tuple[list[tuple[Any, ...]], list[int | None]]:
    """Rows as delivered, and the line of the file at which each fault's last row stands (none where it is missing)."""
    by_row = {fault.row: fault for fault in faults}
    rows: list[tuple[Any, ...]] = []
    line: dict[int, int | None] = {}
    for k, row in enumerate(true):
        fault = by_row.get(k)
        rows.extend(fault.delivered if fault else (row,))
        if fault:
            line[k] = len(rows) + 1 if fault.delivered else None
    return rows, [line[fault.row] for fault in faults]


def _told(fault: _Fault, subject: str, key: str, file: str, line: int | None) -> Planted:
    told: Planted = {"kind": fault.kind, "subject": subject, "key": key, "expected_break": fault.expected_break}
    told |= {"file": file, "line": line}
    return told | ({"difference": fault.difference} if fault.difference else {})


def _decimal(amount_minor: int, currency: str) -> str:
    decimals = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-decimals):.{decimals}f}"
