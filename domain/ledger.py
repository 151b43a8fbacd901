"""The ledger's rules: accounts, transfers, the verdict on each transfer, balances, and the chain of entry hashes.

Pure judgement on plain values; ``books.posting`` is the only place that writes what was judged here.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum, auto
from typing import Final

from domain.money import AMOUNT_MAX


@dataclass(frozen=True, slots=True)
class AccountClass:
    """One line of the chart of accounts: what it is, and whether each client account has its own."""

    title: str
    kind: str
    is_per_client: bool


CHART: Final = {
    "1010": AccountClass("client bank, segregated", "asset", is_per_client=False),
    "1110": AccountClass("own bank", "asset", is_per_client=False),
    "1210": AccountClass("margin loans", "asset", is_per_client=True),
    "1220": AccountClass("accrued interest", "asset", is_per_client=True),
    "2010": AccountClass("client money payable", "liability", is_per_client=True),
    "3010": AccountClass("capital", "equity", is_per_client=False),
    "4010": AccountClass("interest income", "income", is_per_client=False),
}
"""Chart of accounts by code. Desk-wide classes exist once per currency, the others once per client account."""

TEMPLATES: Final = {
    "capital_paid_in": ("1110", "3010"),
    "client_deposit": ("1010", "2010"),
    "client_withdrawal": ("2010", "1010"),
    "financed_buy_settled": ("1210", "1110"),
    "loan_repaid": ("1110", "1210"),
    "interest_accrued": ("1220", "4010"),
    "dividend_received": ("1010", "2010"),
    "dividend_owed_on_short": ("2010", "1010"),
    "cash_in_lieu": ("1010", "2010"),
    "cash_in_lieu_owed_on_short": ("2010", "1010"),
}
"""The pair of codes (debit, credit) each kind of transfer may touch."""

TEMPLATES_PAID_FROM_CLIENT_MONEY: Final = frozenset({"client_withdrawal"})
"""Transfers a client asks for, and may have only as far as the client's own money reaches."""

BANK_CODES: Final = ("1010", "1110")
"""The classes whose every movement a bank statement must show."""

GENESIS_HASH: Final = "0" * 64
"""What the first entry of a ledger is chained to."""


class Rejection(StrEnum):
    """Why a posting is refused, named for the rule it breaks, in the order the rules are judged."""

    accounts_must_exist = auto()
    accounts_must_differ = auto()
    amount_must_be_positive = auto()
    amount_must_fit_in_64_bits = auto()
    currencies_must_match = auto()
    template_must_fit_accounts = auto()
    exists_with_different_content = auto()
    client_money_must_cover = auto()
    day_must_be_open = auto()


@dataclass(frozen=True, slots=True)
class Account:
    """A ledger account; ``account_id`` names the client account it belongs to, or is None for a desk-wide one."""

    ledger_account_id: str
    code: str
    currency: str
    account_id: str | None = None

    @property
    def kind(self) -> str:
        """Asset, liability, equity, income or expense."""
        return CHART[self.code].kind


@dataclass(frozen=True, slots=True)
class Transfer:
    """One debit and one credit of the same amount; the only thing that moves money."""

    transfer_id: str
    template: str
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    effective_on: date


def ledger_account_id(code: str, owner: str) -> str:
    """Name of the account of class ``code`` whose owner is a currency (desk-wide) or a client account."""
    return f"{code}.{owner}"


def desk_accounts(currency: str) -> tuple[Account, ...]:
    """The desk-wide accounts of one currency."""
    codes = [code for code, account_class in CHART.items() if not account_class.is_per_client]
    return tuple(Account(ledger_account_id(code, currency), code, currency) for code in codes)


def client_accounts(account_id: str, currency: str) -> tuple[Account, ...]:
    """The ledger accounts one client account brings with it."""
    codes = [code for code, account_class in CHART.items() if account_class.is_per_client]
    return tuple(Account(ledger_account_id(code, account_id), code, currency, account_id) for code in codes)


def judge(
    transfer: Transfer,
    debit: Account | None,
    credit: Account | None,
    existing: Transfer | None,
    available_minor: int | None = None,
) -> Rejection | None:
    """Judge one transfer; the first broken rule wins, None means it may stand.

    Parameters
    ----------
    transfer
        What is to be posted.
    debit, credit
        The accounts named in the transfer, None where there is no such account.
    existing
        What was posted earlier under the same ``transfer_id``. The same content again is no offence.
    available_minor
        Client money the payer still has, where the template may not exceed it; None where it does not matter.
    """
    if debit is None or credit is None:
        return Rejection.accounts_must_exist
    assert debit.ledger_account_id == transfer.debit_account_id
    assert credit.ledger_account_id == transfer.credit_account_id
    if transfer.debit_account_id == transfer.credit_account_id:
        return Rejection.accounts_must_differ
    if transfer.amount_minor <= 0:
        return Rejection.amount_must_be_positive
    if transfer.amount_minor > AMOUNT_MAX:
        return Rejection.amount_must_fit_in_64_bits
    if not debit.currency == credit.currency == transfer.currency:
        return Rejection.currencies_must_match
    if TEMPLATES.get(transfer.template) != (debit.code, credit.code):
        return Rejection.template_must_fit_accounts
    if existing is not None:
        return None if existing == transfer else Rejection.exists_with_different_content
    if available_minor is not None and transfer.amount_minor > available_minor:
        return Rejection.client_money_must_cover
    return None


def balances(transfers: Iterable[Transfer]) -> dict[str, int]:
    """Balance of every account touched, in minor units, debits positive; they sum to zero per currency."""
    totals: dict[str, int] = {}
    for transfer in transfers:
        debit, credit = transfer.debit_account_id, transfer.credit_account_id
        totals[debit] = totals.get(debit, 0) + transfer.amount_minor
        totals[credit] = totals.get(credit, 0) - transfer.amount_minor
    return totals


def _plain(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a ledger entry holds text, whole numbers and days, not {type(value).__name__}")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode


def canonical(body: Mapping[str, object]) -> bytes:
    """The one way to write ``body`` as bytes: JSON, keys sorted, no spaces, ASCII only, days as ISO 8601."""
    return _encode(body).encode("ascii")


def entry_hash(previous_hash: str, body: bytes) -> str:
    """SHA-256 (hexadecimal) over the previous entry's hash and this entry's canonical bytes."""
    return hashlib.sha256(bytes.fromhex(previous_hash) + body).hexdigest()


def first_broken_entry(entries: Iterable[tuple[bytes, str]], previous_hash: str = GENESIS_HASH) -> int | None:
    """Position (from 0) of the first ``(body, hash)`` that does not follow from those before it, or None.

    A chain proves that nothing inside it was edited, removed or reordered. It cannot prove that nothing was cut off
    its end, nor that it was not rebuilt as a whole: for that, keep a head elsewhere and compare.
    """
    for position, (body, claimed) in enumerate(entries):
        previous_hash = entry_hash(previous_hash, body)
        if previous_hash != claimed:
            return position
    return None
