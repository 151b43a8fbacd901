"""A desk that comes from another system: what it brings, and whether all of it can be believed before any is written.

Rows arrive typed from ``feeds.opening_balances``, are judged here against each other, the chart and what the books
know, and are written by ``books.importing``: everything, or nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from domain.clients.names import normalise
from domain.errors import NameNotUsable
from domain.ledger import SEGREGATED_CODES, Chart
from domain.money import AMOUNT_MAX, EXPONENTS, format_minor
from domain.plain_text import plain_minor

COLUMNS: Final = MappingProxyType(
    {
        "clients": ("client_id", "source", "name"),
        "accounts": ("account_id", "client_id", "market", "currency", "rulebook", "opened_on", "source"),
        "third_parties": ("third_party_id", "role", "ledger_account_id", "source", "name"),
        "balances": ("ledger_account_id", "currency", "debit", "credit"),
        "positions": ("account_id", "instrument_id", "quantity_shares", "place"),
        "contracts": ("contract_id", "account_id", "currency", "principal", "opened_on", "matures_on"),
    }
)
"""The tables a desk brings, each with its columns in order; a name comes last, because it may hold commas."""

FINDINGS_SHOWN_MAX: Final = 50
"""How many findings are told at once; all of them are counted, and stand in the report."""

BROUGHT_FORWARD: Final = "3900"
"""Against what balances are brought in; it ends at zero, so nothing can be brought into it."""

ANY_ROLE: Final = ""
"""The role of a third party that holds, lends, and was never asked which."""


@dataclass(frozen=True, slots=True)
class BroughtClient:
    """A client, on a line of its file."""

    line: int
    client_id: str
    source: str
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BroughtAccount:
    """A margin account of a client."""

    line: int
    account_id: str
    client_id: str
    market: str
    currency: str
    rulebook: str
    opened_on: date
    source: str


@dataclass(frozen=True, slots=True)
class BroughtThirdParty:
    """A bank, custodian or lender; ``ledger_account_id`` is the account its statements prove, if it is a bank."""

    line: int
    third_party_id: str
    role: str
    ledger_account_id: str | None
    source: str
    name: str


@dataclass(frozen=True, slots=True)
class BroughtBalance:
    """What a ledger account holds; debits positive."""

    line: int
    ledger_account_id: str
    currency: str
    balance_minor: int

    @property
    def code(self) -> str:
        """Its class in the chart."""
        return self.ledger_account_id.partition(".")[0]

    @property
    def owner(self) -> str:
        """The currency or the client account it belongs to."""
        return self.ledger_account_id.partition(".")[2]


@dataclass(frozen=True, slots=True)
class BroughtPosition:
    """Shares in an account's name at a place, or, negative, owed by it to a lender.

    ``account_id`` may instead name a lender: shares the desk has borrowed and not passed on, at their place.
    """

    line: int
    account_id: str
    instrument_id: str
    quantity_shares: int
    place: str


@dataclass(frozen=True, slots=True)
class BroughtContract:
    """A loan, with what is still owed on it."""

    line: int
    contract_id: str
    account_id: str
    currency: str
    principal_minor: int
    opened_on: date
    matures_on: date


@dataclass(frozen=True)
class Opening:
    """All a desk brings, as it stood at the end of ``day``.

    ``unread`` names the tables of which a line could not be read: what depends on all their lines is not judged.
    """

    day: date
    clients: Sequence[BroughtClient] = ()
    accounts: Sequence[BroughtAccount] = ()
    third_parties: Sequence[BroughtThirdParty] = ()
    balances: Sequence[BroughtBalance] = ()
    positions: Sequence[BroughtPosition] = ()
    contracts: Sequence[BroughtContract] = ()
    unread: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Surroundings:
    """What stands already: the chart in force, rulebooks and roles there are, and whom the books know.

    ``currency_of`` is by account, ``role_of`` by third party.
    """

    chart: Chart
    rulebooks: Collection[str]
    roles: Collection[str]
    clients: Collection[str] = ()
    currency_of: Mapping[str, str] = field(default_factory=dict)
    role_of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that cannot be believed: where it stands, the rule it breaks, and what to do. Line 0 is the whole."""

    file: str
    line: int
    column: str
    rule: str
    expected: str
    got: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" if self.line else self.file
        where = f"{where}, {self.column}" if self.column else where
        return f"{where}: expected {self.expected}, but got {self.got} ({self.rule}). {self.remedy}"


def judge_opening(opening: Opening, around: Surroundings) -> list[Finding]:
    """Everything that cannot be believed about a desk, table by table; empty means it may be brought in."""
    known = _Known.of(opening, around)
    return list(
        chain(
            _repeated(opening),
            _judge_clients(opening),
            _judge_accounts(opening, around, known),
            _judge_third_parties(opening, around),
            _judge_balances(opening, around, known),
            _judge_sums(opening),
            _judge_contracts(opening, known),
            _judge_loans(opening),
            _judge_positions(opening, known),
        )
    )


def told(findings: Sequence[Finding], source: str, report: str = "") -> str:
    """What an import that is refused says: the first findings, how many there are, and where all of them stand."""
    shown = "".join(f"\n  {finding}" for finding in findings[:FINDINGS_SHOWN_MAX])
    rest = len(findings) - FINDINGS_SHOWN_MAX
    more = f"\n  … and {rest:,} more." if rest > 0 else ""
    where = f" All of them stand in {report}." if report else ""
    return (
        f"{source} must be right as a whole, but there {_are(len(findings))}. Nothing was written.{where} "
        f"Correct what is named and import again.{shown}{more}"
    )


def lines_of(opening: Opening) -> dict[str, list[tuple[str, ...]]]:
    """The tables as text, the way they are read back: amounts in major units, days as ISO 8601, blanks for nothing."""
    return {
        "clients": [(row.client_id, row.source, row.name) for row in opening.clients],
        "accounts": [
            (r.account_id, r.client_id, r.market, r.currency, r.rulebook, r.opened_on.isoformat(), r.source)
            for r in opening.accounts
        ],
        "third_parties": [
            (r.third_party_id, r.role, r.ledger_account_id or "", r.source, r.name) for r in opening.third_parties
        ],
        "balances": [(r.ledger_account_id, r.currency, *_sides(r.balance_minor, r.currency)) for r in opening.balances],
        "positions": [(r.account_id, r.instrument_id, str(r.quantity_shares), r.place) for r in opening.positions],
        "contracts": [
            (
                r.contract_id,
                r.account_id,
                r.currency,
                plain_minor(r.principal_minor, r.currency),
                r.opened_on.isoformat(),
                r.matures_on.isoformat(),
            )
            for r in opening.contracts
        ],
    }


@dataclass(frozen=True)
class _Known:
    """Whom the books know, and whom the desk brings."""

    clients: Collection[str]
    currency_of: Mapping[str, str]
    role_of: Mapping[str, str]

    @classmethod
    def of(cls, opening: Opening, around: Surroundings) -> "_Known":
        return cls(
            {*around.clients, *(row.client_id for row in opening.clients)},
            {**around.currency_of, **{row.account_id: row.currency for row in opening.accounts}},
            {**around.role_of, **{row.third_party_id: row.role for row in opening.third_parties}},
        )


_KEYS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "clients": ("client_id",),
        "accounts": ("account_id",),
        "third_parties": ("third_party_id",),
        "balances": ("ledger_account_id",),
        "positions": ("account_id", "instrument_id", "place"),
        "contracts": ("contract_id",),
    }
)
"""What one line of each table is about; a second line about the same would count it twice."""


def _repeated(opening: Opening) -> Iterator[Finding]:
    for table, names in _KEYS.items():
        first: dict[tuple[Any, ...], int] = {}
        for row in getattr(opening, table):
            key = tuple(getattr(row, name) for name in names)
            if key in first:
                yield _finding(
                    table, row, names[0], "key_must_be_unique", "one line for each",
                    f"{_shown(*key)} as in line {first[key]}",
                    "Leave one of them, or give the second an id of its own.",
                )  # fmt: skip
            first.setdefault(key, row.line)


def _judge_clients(opening: Opening) -> Iterator[Finding]:
    for row in opening.clients:
        if fault := fault_of_name(row.name):
            yield _finding(
                "clients", row, "name", "name_must_be_plain", "a name on one line", fault,
                "Write the name as it stands in the identity document.",
            )  # fmt: skip


def fault_of_name(name: str) -> str | None:
    """Why a name cannot be kept, or None; what is said never repeats the name."""
    if not name.strip():
        return "nothing"
    if name != name.strip():
        return "blanks around it"
    for position, character in enumerate(name, 1):
        # A space in a name is plain; other separators, controls and what turns the direction of writing are not.
        if not character.isprintable() and character not in _JOINERS:
            return f"the character U+{ord(character):04X} at position {position}"
    try:
        normalise(name)
    except NameNotUsable:
        return f"{len(name):,} characters that cannot be compared with the lists of those nobody may deal with"
    return None


_JOINERS: Final = "\u200c\u200d\u3000"
"""Characters without a shape that names of some scripts are written with."""


def _judge_accounts(opening: Opening, around: Surroundings, known: _Known) -> Iterator[Finding]:
    for row in opening.accounts:
        if row.client_id not in known.clients and "clients" not in opening.unread:
            yield _unknown("accounts", row, "client_id", "client", row.client_id, "clients")
        if row.rulebook not in around.rulebooks:
            yield _finding(
                "accounts", row, "rulebook", "rulebook_must_exist", f"one of {', '.join(sorted(around.rulebooks))}",
                _shown(row.rulebook), "Name the rulebook the account is held to.",
            )  # fmt: skip
        if row.opened_on > opening.day:
            yield _in_the_future("accounts", row, "opened_on", row.opened_on, opening.day)


def _judge_third_parties(opening: Opening, around: Surroundings) -> Iterator[Finding]:
    banks = {"segregated_bank": "1010", "own_bank": "1110"}
    for row in opening.third_parties:
        if row.role not in around.roles:
            yield _finding(
                "third_parties", row, "role", "role_must_be_known", f"one of {', '.join(around.roles)}",
                _shown(row.role), "Say what it is to the desk.",
            )  # fmt: skip
        if fault := fault_of_name(row.name):
            yield _finding(
                "third_parties", row, "name", "name_must_be_plain", "a name on one line", fault, "Write its name.",
            )  # fmt: skip
        proves = {f"{code}.{currency}" for role, code in banks.items() if role == row.role for currency in EXPONENTS}
        if row.ledger_account_id is not None and row.ledger_account_id not in proves:
            wanted = f"{banks[row.role]} and a currency" if row.role in banks else "nothing"
            yield _finding(
                "third_parties", row, "ledger_account_id", "bank_must_prove_a_bank_account", wanted,
                _shown(row.ledger_account_id), f"A {row.role.replace('_', ' ')} proves no other account.",
            )  # fmt: skip


def _judge_balances(opening: Opening, around: Surroundings, known: _Known) -> Iterator[Finding]:
    for row in opening.balances:
        one = around.chart.classes.get(row.code)
        if one is None or one.holds_securities or row.code == BROUGHT_FORWARD:
            why = "the chart has no such class" if one is None else f"{row.code} is {one.title}"
            yield _finding(
                "balances", row, "ledger_account_id", "account_must_take_balances", "an account of money in the chart",
                f"{_shown(row.ledger_account_id)}: {why}", "Shares belong into positions; 3900 fills itself.",
            )  # fmt: skip
            continue
        if one.owner == "client":
            if row.owner in known.currency_of:
                wanted = known.currency_of[row.owner]
            elif "accounts" in opening.unread:
                continue
            else:
                yield _unknown("balances", row, "ledger_account_id", "account", row.owner, "accounts")
                continue
        else:
            wanted = row.owner
        if row.currency != wanted:
            yield _currency("balances", row, wanted)
        elif row.code == "2010" and row.balance_minor > 0:
            yield _finding(
                "balances", row, "debit", "client_money_must_cover", "no client below zero",
                f"{_shown(row.owner)} {format_minor(row.balance_minor, row.currency)} in debit",
                "Bring in what the client owes as a receivable (1320).",
            )  # fmt: skip


def _judge_sums(opening: Opening) -> Iterator[Finding]:
    """Debits equal credits, and clients' money at the bank equals what is owed to clients, in every currency."""
    if "balances" in opening.unread:
        return
    debits, credits, segregated = Counter[str](), Counter[str](), {code: Counter[str]() for code in SEGREGATED_CODES}
    for row in opening.balances:
        (debits if row.balance_minor > 0 else credits)[row.currency] += abs(row.balance_minor)
        if row.code in segregated:
            segregated[row.code][row.currency] += row.balance_minor
    for currency in sorted(debits.keys() | credits.keys()):
        if max(debits[currency], credits[currency]) > AMOUNT_MAX:
            yield Finding(
                "balances", 0, "", "balance_must_fit_in_64_bits", f"sums of at most {AMOUNT_MAX} minor units",
                f"more in {currency}", "Look for an amount given in the wrong unit.",
            )  # fmt: skip
        if debits[currency] != credits[currency]:
            yield Finding(
                "balances", 0, "", "debits_must_equal_credits",
                f"credits of {format_minor(debits[currency], currency)}",
                f"{format_minor(credits[currency], currency)}, {_difference(debits, credits, currency)}",
                "Find the account that is missing, or whose side is wrong.",
            )  # fmt: skip
        bank, owed = segregated["1010"][currency], -segregated["2010"][currency]
        if bank != owed:
            yield Finding(
                "balances", 0, "", "client_money_must_stay_segregated",
                f"{format_minor(owed, currency)} at the clients' bank (1010), as is owed to clients (2010)",
                format_minor(bank, currency), "Pay in what is missing, or take out what is the desk's.",
            )  # fmt: skip


def _judge_contracts(opening: Opening, known: _Known) -> Iterator[Finding]:
    for row in opening.contracts:
        if row.account_id not in known.currency_of:
            if "accounts" not in opening.unread:
                yield _unknown("contracts", row, "account_id", "account", row.account_id, "accounts")
        elif known.currency_of[row.account_id] != row.currency:
            yield _currency("contracts", row, known.currency_of[row.account_id])
        if row.principal_minor <= 0:
            yield _finding(
                "contracts", row, "principal", "principal_must_be_positive", "more than nothing still owed",
                format_minor(row.principal_minor, row.currency), "Leave out a contract that is repaid.",
            )  # fmt: skip
        if row.opened_on > opening.day:
            yield _in_the_future("contracts", row, "opened_on", row.opened_on, opening.day)
        if row.matures_on <= row.opened_on:
            yield _finding(
                "contracts", row, "matures_on", "maturity_must_follow_opening", f"a day after {row.opened_on}",
                str(row.matures_on), "Look whether the two days were exchanged.",
            )  # fmt: skip


def _judge_loans(opening: Opening) -> Iterator[Finding]:
    """What contracts say is owed is what the ledger says was lent (1210), account by account."""
    if opening.unread & {"balances", "contracts"}:
        return
    owed: dict[tuple[str, str], int] = defaultdict(int)
    lines: dict[tuple[str, str], BroughtBalance] = {}
    for contract in opening.contracts:
        owed[contract.account_id, contract.currency] += contract.principal_minor
    for row in opening.balances:
        if row.code == "1210":
            lines[row.owner, row.currency] = row
    for key in sorted(owed.keys() | lines.keys()):
        (account_id, currency), lent = key, lines[key].balance_minor if key in lines else 0
        if owed[key] != lent:
            yield Finding(
                "balances", lines[key].line if key in lines else 0, f"1210.{account_id}",
                "contracts_must_equal_the_loan", f"{format_minor(owed[key], currency)}, as its contracts say",
                format_minor(lent, currency), "Bring in every contract with what is still owed on it.",
            )  # fmt: skip


def _judge_positions(opening: Opening, known: _Known) -> Iterator[Finding]:
    for row in opening.positions:
        is_account = row.account_id in known.currency_of
        is_lender = known.role_of.get(row.account_id) in ("lender", ANY_ROLE)
        if not is_account and not is_lender and not opening.unread & {"accounts", "third_parties"}:
            yield _unknown("positions", row, "account_id", "account or lender", row.account_id, "accounts")
        if row.quantity_shares == 0:
            yield _finding(
                "positions", row, "quantity_shares", "quantity_must_not_be_zero", "a number of shares", "0",
                "Leave the line out.",
            )  # fmt: skip
        role = known.role_of.get(row.place)
        if role is None:
            if "third_parties" not in opening.unread:
                yield _unknown("positions", row, "place", "third party", row.place, "third_parties")
        elif row.quantity_shares < 0 and ((is_lender and not is_account) or role not in ("lender", ANY_ROLE)):
            yield _finding(
                "positions", row, "quantity_shares", "shares_must_cover",
                "shares at a place, or shares an account owes a lender",
                f"{row.quantity_shares} at {_shown(row.place)}",
                "Name the lender to whom they are owed, or correct the sign.",
            )  # fmt: skip
        elif row.quantity_shares > 0 and role in ("lender", "segregated_bank", "own_bank"):
            yield _finding(
                "positions", row, "place", "place_must_hold_shares", "a custodian, clearing house or borrower",
                f"{_shown(row.place)}, a {role.replace('_', ' ')}", "Name where the shares are.",
            )  # fmt: skip


def _finding(table: str, row: Any, column: str, rule: str, expected: str, got: str, remedy: str) -> Finding:
    return Finding(table, row.line, column, rule, expected, got, remedy)


def _unknown(table: str, row: Any, column: str, what: str, got: str, listed_in: str) -> Finding:
    rule = f"{what.partition(' or ')[0].replace(' ', '_')}_must_be_known"
    return Finding(
        table, row.line, column, rule, f"a known {what}", _shown(got),
        f"Add it to {listed_in}, or correct the id.",
    )  # fmt: skip


def _currency(table: str, row: Any, wanted: str) -> Finding:
    return Finding(
        table, row.line, "currency", "currency_must_match_the_account", wanted, _shown(row.currency),
        "Money is brought in in the currency its account is kept in.",
    )  # fmt: skip


def _in_the_future(table: str, row: Any, column: str, got: date, day: date) -> Finding:
    return Finding(
        table, row.line, column, "date_must_not_be_in_the_future", f"a day up to {day}", str(got),
        "Correct the day, or open the desk on a later one.",
    )  # fmt: skip


def _shown(*texts: str) -> str:
    """Ids as they came, with what a terminal would act on in escapes."""
    return ", ".join(ascii(text) for text in texts)


def _difference(debits: Mapping[str, int], credits: Mapping[str, int], currency: str) -> str:
    return f"{format_minor(abs(debits[currency] - credits[currency]), currency)} apart"


def _sides(balance_minor: int, currency: str) -> tuple[str, str]:
    amount = plain_minor(abs(balance_minor), currency)
    return (amount, "") if balance_minor >= 0 else ("", amount)


def _are(count: int) -> str:
    return "is 1 finding" if count == 1 else f"are {count:,} findings"
