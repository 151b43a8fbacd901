"""The books as text that other accounting tools read, so that anybody may recompute a balance without this platform.

Two dialects, beancount and hledger, say the same transactions under the same account names. Names of accounts and
commodities are spelt so that no two of the books' own names become one; what they were stands beside them as metadata.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from domain.money import EXPONENTS, exponent

ROOT_OF_KIND: Final = MappingProxyType(
    {"asset": "Assets", "liability": "Liabilities", "equity": "Equity", "income": "Income", "expense": "Expenses"}
)
"""Where accounts of each kind stand in a tool that knows five kinds."""

SECURITIES_OWED: Final = frozenset({"9020", "9120"})
"""Classes of shares that are owed to somebody; other classes of shares say where they are, or who owes them."""

_SPELT_AS_IT_IS: Final = re.compile(r"[A-Za-z0-9]")
_SPELT_IN_CAPITALS: Final = re.compile(r"[A-Z0-9.-]")
_WORDS_OF_BEANCOUNT: Final = frozenset({"TRUE", "FALSE", "NULL"})


@dataclass(frozen=True, slots=True)
class Movement:
    """One posted transfer: so much of a unit, from the credited to the debited account."""

    transfer_id: str
    template: str
    sequence: int
    debit_account_id: str
    credit_account_id: str
    amount: int
    unit: str
    is_money: bool
    effective_on: date
    booked_on: date
    event_id: str | None = None


def plain_minor(amount_minor: int, currency: str) -> str:
    """The amount in major units, exact, without separators: ``-1234.56``."""
    decimals = exponent(currency)
    return f"{Decimal(amount_minor).scaleb(-decimals):.{decimals}f}"


def account_name(ledger_account_id: str, kind: str) -> str:
    """``Assets:1210:A1`` for the margin loan of A1; other characters than letters and digits are spelt in hexadecimal.

    An owner that does not begin with a capital or a digit is written after ``O-``: beancount would not read it.
    """
    code, _, owner = ledger_account_id.partition(".")
    root = ROOT_OF_KIND.get(kind) or ("Liabilities" if code in SECURITIES_OWED else "Assets")
    spelt = "".join(one if _SPELT_AS_IT_IS.fullmatch(one) else _hexadecimal(one, "-") for one in owner)
    return f"{root}:{code}:{spelt if re.match(r'[A-Z0-9]', spelt) else f'O-{spelt}'}"


def commodity_name(instrument_id: str) -> str:
    """The instrument as a commodity: capitals, digits, points and hyphens stand for themselves, others in hexadecimal.

    What would be read as a currency, as a word of the language, or as no commodity at all, is written after ``X'``.
    """
    spelt = "".join(one if _SPELT_IN_CAPITALS.fullmatch(one) else _hexadecimal(one, "_") for one in instrument_id)
    if spelt[-1] in ".-":
        spelt = spelt[:-1] + _hexadecimal(spelt[-1], "_")
    is_taken = spelt in EXPONENTS or spelt in _WORDS_OF_BEANCOUNT or len(spelt) == 1
    return f"X'{spelt}" if is_taken or not "A" <= spelt[0] <= "Z" else spelt


def amount_text(amount: int, unit: str, *, is_money: bool) -> str:
    """Amount and commodity as both dialects write them, but for hledger's quotes: ``100.00 USD``, ``300 US.AIG``."""
    return f"{plain_minor(amount, unit)} {unit}" if is_money else f"{amount} {commodity_name(unit)}"


def beancount_opening(
    first_day: date, names: Mapping[str, str], instrument_ids: list[str], currencies: list[str], title: str
) -> Iterator[str]:
    """The head of the text: options, commodities, and every account opened; ``names`` by ledger account."""
    yield f'option "title" "{_quoted(title)}"\n'
    for currency in currencies:
        yield f'option "operating_currency" "{currency}"\n'
    for instrument_id in instrument_ids:
        yield f'{first_day} commodity {commodity_name(instrument_id)}\n  instrument_id: "{_quoted(instrument_id)}"\n'
    for ledger_account_id, name in names.items():
        yield f'{first_day} open {name}\n  ledger_account_id: "{_quoted(ledger_account_id)}"\n'


def beancount_transaction(movement: Movement, names: Mapping[str, str]) -> str:
    """One movement as a transaction of two postings, dated the day it counts from."""
    debit, credit = names[movement.debit_account_id], names[movement.credit_account_id]
    event = f'  event_id: "{_quoted(movement.event_id)}"\n' if movement.event_id else ""
    return (
        f'{movement.effective_on} * "{_quoted(movement.template)}"\n'
        f'  transfer_id: "{_quoted(movement.transfer_id)}"\n'
        f"{event}"
        f"  sequence: {movement.sequence}\n"
        f"  booked_on: {movement.booked_on}\n"
        f"  {debit}  {amount_text(movement.amount, movement.unit, is_money=movement.is_money)}\n"
        f"  {credit}  {amount_text(-movement.amount, movement.unit, is_money=movement.is_money)}\n"
    )


def beancount_assertion(day: date, name: str, balance: int, unit: str, *, is_money: bool) -> str:
    """What an account must hold when ``day`` begins, to the last minor unit."""
    number, commodity = amount_text(balance, unit, is_money=is_money).split(" ")
    return f"{day} balance {name}  {number} ~ 0 {commodity}\n"


def hledger_transaction(movement: Movement, names: Mapping[str, str]) -> str:
    """The same transaction for hledger."""
    debit, credit = names[movement.debit_account_id], names[movement.credit_account_id]
    more = f", event_id:{_tagged(movement.event_id)}" if movement.event_id else ""
    return (
        f"{movement.effective_on} * {_tagged(movement.template)}  ; transfer_id:{_tagged(movement.transfer_id)}{more}\n"
        f"    {debit}  {_hledger(movement.amount, movement.unit, movement.is_money)}\n"
        f"    {credit}  {_hledger(-movement.amount, movement.unit, movement.is_money)}\n"
    )


def hledger_assertion(day: date, name: str, balance: int, unit: str, *, is_money: bool) -> str:
    """The same assertion for hledger: nothing moves, and the balance must be this."""
    return (
        f"{day} * balance\n"
        f"    {name}  {_hledger(0, unit, is_money)} = {_hledger(balance, unit, is_money)}\n"
    )  # fmt: skip


def _hledger(amount: int, unit: str, is_money: bool) -> str:
    number, commodity = amount_text(amount, unit, is_money=is_money).split(" ")
    return f'{number} "{commodity}"'


def _hexadecimal(character: str, mark: str) -> str:
    return "".join(f"{mark}{byte:02X}" for byte in character.encode())


def _quoted(text: str) -> str:
    return _plain(text).replace("\\", "\\\\").replace('"', '\\"')


def _tagged(text: str) -> str:
    """In hledger a semicolon begins a comment, a comma ends a tag, and a bar parts payee and note."""
    return re.sub(r"[;,|]", "_", _plain(text))


def _plain(text: str) -> str:
    """One line: what a terminal or a parser would act on becomes a space."""
    return "".join(one if one.isprintable() else " " for one in text)
