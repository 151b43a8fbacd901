"""What the transfers sum to, and whether the two projections beside the journal say the same.

A balance or holding is never the truth, only a sum somebody kept so as not to add up again; so it can be checked.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from books.schema import balance, holding
from domain.audit import Finding
from domain.errors import LedgerTampered

Key = tuple[str, str, str]
"""Projection, ledger account and unit."""


@dataclass(slots=True)
class Moved:
    """What one account saw of one unit, and the last entry that moved any."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0
    last_sequence: int = 0

    def add(self, other: "Moved") -> None:
        """Add what other entries moved."""
        self.debits_posted += other.debits_posted
        self.credits_posted += other.credits_posted
        self.debits_pending += other.debits_pending
        self.credits_pending += other.credits_pending
        self.last_sequence = max(self.last_sequence, other.last_sequence)


def moved_by(connection: sa.Connection, first: int, last: int) -> dict[Key, Moved]:
    """What entries ``first`` to ``last`` moved, by projection, account and unit."""
    found: dict[Key, Moved] = {}
    for projection, statement in _STATEMENTS[connection.dialect.name]:
        # One text, not many rows: each row fetched would let go of Python for whoever else wants it.
        lines: Any = connection.exec_driver_sql(statement, (first, last)).scalar_one()
        for debit, credit, unit, posted, pending, sequence in json.loads(lines or "[]"):
            for account, sums in (
                (debit, Moved(posted, 0, pending, 0, sequence)),
                (credit, Moved(0, posted, 0, pending, sequence)),
            ):
                if before := found.get((projection, account, unit)):
                    before.add(sums)
                else:
                    found[projection, account, unit] = sums
    return found


def add_up(total: dict[Key, Moved], more: Mapping[Key, Moved]) -> None:
    """Add what more entries moved to a running total."""
    for key, sums in more.items():
        if before := total.get(key):
            before.add(sums)
        else:
            total[key] = sums


def compare(connection: sa.Connection, total: Mapping[Key, Moved], head: int) -> int:
    """Compare the projections with what all entries up to ``head`` moved; returns how many rows they have.

    Raises :class:`LedgerTampered` at the first, by name, that differs.
    """
    kept = dict(_kept(connection))
    for key in sorted(total.keys() | kept.keys()):
        row, sums = kept.get(key), total.get(key)
        if row is None or sums is None or _four(row) != _four(sums):
            raise _differs(key, row, sums)
        if not sums.last_sequence <= row.last_sequence <= head:
            raise _differs(key, row, sums)
    return len(kept)


def _kept(connection: sa.Connection) -> Iterator[tuple[Key, Moved]]:
    for table in (balance, holding):
        row: Any
        for row in connection.execute(sa.select(table)):
            yield (table.name, row[0], row[1]), Moved(*map(int, row[2:]))


def _four(sums: Moved) -> tuple[int, int, int, int]:
    return sums.debits_posted, sums.credits_posted, sums.debits_pending, sums.credits_pending


def _differs(key: Key, row: Moved | None, sums: Moved | None) -> LedgerTampered:
    projection, account, unit = key
    return LedgerTampered(
        f"The {projection} of {account} in {unit} must be what the transfers sum to, {_words(sums)}, but the books "
        f"keep {_words(row)} ({Finding.projection_must_be_the_sum_of_transfers}). The entries are as they were "
        f"written; nothing was written now. Stop posting, find out who changed table {projection}, and compute it anew "
        f"from the transfers.",
        Finding.projection_must_be_the_sum_of_transfers,
    )


def _words(sums: Moved | None) -> str:
    if sums is None:
        return "nothing"
    return (
        f"debits {sums.debits_posted} posted and {sums.debits_pending} pending, credits {sums.credits_posted} posted "
        f"and {sums.credits_pending} pending, last moved by entry {sums.last_sequence}"
    )


def _at_once(table: str, amount: str, unit: str, mark: str) -> str:
    return f"""
        SELECT debit_account_id, credit_account_id, {unit} AS unit, sum({amount}) AS posted, 0 AS pending,
               max(sequence) AS last_sequence
        FROM {table}
        WHERE sequence BETWEEN {mark} AND {mark} AND phase IS NULL
        GROUP BY credit_account_id, debit_account_id, {unit}"""


def _in_two_phases(table: str, amount: str, unit: str, mark: str) -> str:
    # What resolves a pending transfer takes all that was pending away; to post is to move all of it, or less.
    return f"""
        SELECT t.debit_account_id, t.credit_account_id, t.{unit} AS unit,
               sum(CASE WHEN t.phase = 'post' THEN t.{amount} ELSE 0 END) AS posted,
               sum(CASE WHEN t.phase = 'pending' THEN t.{amount} ELSE -coalesce(p.{amount}, 0) END) AS pending,
               max(t.sequence) AS last_sequence
        FROM {table} AS t LEFT JOIN {table} AS p ON p.transfer_id = t.pending_id
        WHERE t.sequence BETWEEN {mark} AND {mark} AND t.phase IS NOT NULL
        GROUP BY t.debit_account_id, t.credit_account_id, t.{unit}"""


def _of_movements(mark: str) -> str:
    # The first edition's movements, read as transfers: shares came to a client from a place not named then.
    return f"""
        SELECT CASE WHEN quantity_shares > 0 THEN '9010.unnamed' ELSE '9020.' || account_id END AS debit_account_id,
               CASE WHEN quantity_shares > 0 THEN '9020.' || account_id ELSE '9010.unnamed' END AS credit_account_id,
               instrument_id AS unit, sum(abs(quantity_shares)) AS posted, 0 AS pending, max(sequence) AS last_sequence
        FROM position_movement
        WHERE sequence BETWEEN {mark} AND {mark}
        GROUP BY 1, 2, 3"""


def _as_one_text(lines: str, dialect: str) -> str:
    columns = "debit_account_id, credit_account_id, unit, posted, pending, last_sequence"
    if dialect == "postgresql":
        return f"SELECT CAST(json_agg(json_build_array({columns})) AS TEXT) FROM ({lines}) AS line"
    return f"SELECT json_group_array(json_array({columns})) FROM ({lines}) AS line"


_STATEMENTS: Final = {
    dialect: [
        (projection, _as_one_text(lines, dialect))
        for projection, lines in (
            ("balance", _at_once("transfer", "amount_minor", "currency", mark)),
            ("balance", _in_two_phases("transfer", "amount_minor", "currency", mark)),
            ("holding", _at_once("security_transfer", "quantity_shares", "instrument_id", mark)),
            ("holding", _in_two_phases("security_transfer", "quantity_shares", "instrument_id", mark)),
            ("holding", _of_movements(mark)),
        )
    ]
    for dialect, mark in (("sqlite", "?"), ("postgresql", "%s"))
}
