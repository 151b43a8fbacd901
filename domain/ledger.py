"""The ledger's rules: accounts, transfers, the verdict on each transfer, balances, and the chain of entry hashes.

Money and shares move the same way: one debit, one credit, one unit (a currency, or an instrument), at once or in two
phases. Pure judgement on plain values; ``books.posting`` is the only place that writes what was judged here. Which
accounts there are and what an event may touch is data (``rulebooks/house/ledger.yaml``), handed in as :class:`Chart`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import date
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple

from domain.money import AMOUNT_MAX

Phase = Literal["pending", "post", "void", "expire"]
"""How a transfer moves: None at once; pending reserves; post moves what was reserved; void and expire release it."""

REVERSAL: Final = "reversal"
"""The template of a transfer that undoes an earlier one, in whole or in part: the same accounts, sides exchanged."""

ANY_CODE: Final = "*"
"""In a template: whichever account of the chart."""

BANK_CODES: Final = ("1010", "1110")
"""The classes whose every movement a bank statement must show."""

SEGREGATED_CODES: Final = ("1010", "2010")
"""Clients' money at the bank, and what is owed to them: always the same amount, in every currency."""

GENESIS_HASH: Final = "0" * 64
"""What the first entry of a ledger is chained to."""


class Rejection(StrEnum):
    """Why a posting is refused, named for the rule it breaks, in the order the rules are judged."""

    exists_with_different_content = auto()
    accounts_must_exist = auto()
    accounts_must_differ = auto()
    amount_must_be_whole = auto()
    amount_must_be_positive = auto()
    amount_must_fit_in_64_bits = auto()
    units_must_match = auto()
    template_must_fit_accounts = auto()
    pending_must_exist = auto()
    pending_must_be_open = auto()
    pending_must_fit = auto()
    pending_must_not_be_expired = auto()
    reversed_must_exist = auto()
    reversed_must_fit = auto()
    approval_must_stand = auto()
    client_must_be_active = auto()
    client_money_must_cover = auto()
    shares_must_cover = auto()
    balance_must_fit_in_64_bits = auto()
    client_money_must_stay_segregated = auto()
    day_must_be_open = auto()
    clock_must_not_go_back = auto()


@dataclass(frozen=True, slots=True)
class AccountClass:
    """One line of the chart of accounts: what it is, and who has an account of this class of their own.

    ``owner`` is ``currency`` (one account per currency), ``client`` (one per client account) or ``third_party`` (one
    per custodian or lender).
    """

    title: str
    chinese: str
    kind: str
    owner: str

    @property
    def is_per_client(self) -> bool:
        """Whether each client account has one of its own."""
        return self.owner == "client"

    @property
    def holds_securities(self) -> bool:
        """Whether it counts shares of instruments, not money."""
        return self.kind == "securities"


@dataclass(frozen=True, slots=True)
class Leg:
    """One transfer of a template: the codes it debits and credits, the amount of the event it moves, and how."""

    name: str
    debit: str
    credit: str
    amount: str
    phase: Phase | None = None
    posts: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """An event of the desk as its legs.

    ``approval`` names the action two officers must have signed for it, ``approval_above`` the one they must have signed
    for above an amount; ``needs_active_client`` says that the client must be one who may trade.
    """

    name: str
    legs: tuple[Leg, ...]
    settles: str | None = None
    approval: str | None = None
    approval_above: str | None = None
    needs_active_client: bool = False

    def fits(self, debit_code: str, credit_code: str) -> bool:
        """Whether one of the legs touches these classes."""
        return any(leg.debit in (debit_code, ANY_CODE) and leg.credit in (credit_code, ANY_CODE) for leg in self.legs)


@dataclass(frozen=True)
class Chart:
    """The chart of accounts and the posting templates of one edition."""

    classes: Mapping[str, AccountClass]
    templates: Mapping[str, Template]
    edition: str

    def __post_init__(self) -> None:
        """A template speaks of accounts there are, moves one kind of thing per leg, and settles what it names."""
        for template in self.templates.values():
            assert template.settles is None or template.settles in self.templates, template.name
            for leg in template.legs:
                codes = {leg.debit, leg.credit} - {ANY_CODE}
                assert codes <= self.classes.keys(), f"{template.name}.{leg.name}"
                assert len({self.classes[code].holds_securities for code in codes}) == 1, f"{template.name}.{leg.name}"
                assert leg.posts is None or template.settles is not None, f"{template.name}.{leg.name}"

    @property
    def for_active_clients(self) -> frozenset[str]:
        """Templates of clients who may trade."""
        return frozenset(name for name, template in self.templates.items() if template.needs_active_client)

    @property
    def limited(self) -> frozenset[str]:
        """Templates that need an approval above an amount."""
        return frozenset(name for name, template in self.templates.items() if template.approval_above is not None)


@dataclass(frozen=True, slots=True)
class Account:
    """A ledger account. ``account_id`` names the client account it belongs to, or is None; ``currency`` is None for
    securities.
    """  # noqa: D205

    ledger_account_id: str
    code: str
    kind: str
    currency: str | None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """One debit and one credit of the same amount of money; the only thing that moves it.

    ``phase`` and ``pending_id`` make it one half of two; ``reverses`` names what it undoes; ``counterparty`` is who
    stands behind an outside payment (a blind index, never a name) and ``channel`` the way it came.
    """

    transfer_id: str
    template: str
    debit_account_id: str
    credit_account_id: str
    amount_minor: int
    currency: str
    effective_on: date
    event_id: str | None = None
    phase: Phase | None = None
    pending_id: str | None = None
    expires_on: date | None = None
    reverses: str | None = None
    approval_id: str | None = None
    counterparty: str | None = None
    channel: str | None = None

    @property
    def amount(self) -> int:
        """How much moves."""
        return self.amount_minor

    @property
    def unit(self) -> str:
        """What moves."""
        return self.currency


@dataclass(frozen=True, slots=True)
class SecurityTransfer:
    """One debit and one credit of the same shares: out of one name or place, into another."""

    transfer_id: str
    template: str
    debit_account_id: str
    credit_account_id: str
    quantity_shares: int
    instrument_id: str
    effective_on: date
    event_id: str | None = None
    phase: Phase | None = None
    pending_id: str | None = None
    expires_on: date | None = None
    reverses: str | None = None
    approval_id: str | None = None

    @property
    def amount(self) -> int:
        """How many shares move."""
        return self.quantity_shares

    @property
    def unit(self) -> str:
        """Which instrument moves."""
        return self.instrument_id


AnyTransfer = Transfer | SecurityTransfer


class Sums(NamedTuple):
    """What one ledger account has seen of one unit: debits and credits, posted and pending. None is negative."""

    debits_posted: int = 0
    credits_posted: int = 0
    debits_pending: int = 0
    credits_pending: int = 0

    @property
    def balance(self) -> int:
        """Posted debits less posted credits."""
        return self.debits_posted - self.credits_posted

    @property
    def available_to_debit(self) -> int:
        """What may still be debited before debits, those in flight among them, exceed credits."""
        return self.credits_posted - self.debits_posted - self.debits_pending

    @property
    def available_to_credit(self) -> int:
        """What may still be credited before credits, those in flight among them, exceed debits."""
        return self.debits_posted - self.credits_posted - self.credits_pending


class Circumstances(NamedTuple):
    """What the books know that bears on one transfer.

    ``existing`` was posted under the same id; ``pending`` and ``reversed`` are the transfers it names; ``is_resolved``
    says whether the pending one was posted, voided or expired before; ``reversed_minor`` is how much of the reversed
    one was undone before.
    """

    debit: Account | None
    credit: Account | None
    debit_sums: Sums
    credit_sums: Sums
    existing: AnyTransfer | None = None
    pending: AnyTransfer | None = None
    is_resolved: bool = False
    reversed: AnyTransfer | None = None
    reversed_before: int = 0
    is_approved: bool = False
    needs_approval: bool = False
    may_trade: bool = True


def ledger_account_id(code: str, owner: str) -> str:
    """Name of the account of class ``code`` whose owner is a currency, a client account or a third party."""
    return f"{code}.{owner}"


def desk_accounts(chart: Chart, currency: str) -> tuple[Account, ...]:
    """The desk-wide accounts of one currency."""
    return tuple(
        Account(ledger_account_id(code, currency), code, one.kind, currency)
        for code, one in chart.classes.items()
        if one.owner == "currency"
    )


def client_accounts(chart: Chart, account_id: str, currency: str) -> tuple[Account, ...]:
    """The ledger accounts one client account brings with it, those of securities among them."""
    return tuple(
        Account(
            ledger_account_id(code, account_id), code, one.kind, None if one.holds_securities else currency, account_id
        )
        for code, one in chart.classes.items()
        if one.is_per_client
    )


def third_party_accounts(chart: Chart, third_party_id: str) -> tuple[Account, ...]:
    """The ledger accounts a custodian or lender brings with it."""
    return tuple(
        Account(ledger_account_id(code, third_party_id), code, one.kind, None)
        for code, one in chart.classes.items()
        if one.owner == "third_party"
    )


def expand(
    chart: Chart,
    template: str,
    event_id: str,
    *,
    owners: Mapping[str, str],
    amounts: Mapping[str, int],
    unit: str,
    effective_on: date,
    instrument_id: str | None = None,
    settles: str | None = None,
    expires_on: date | None = None,
    approval_id: str | None = None,
) -> list[AnyTransfer]:
    """One event as its transfers, leg by leg, in the order of the template; legs whose amount is zero are left out.

    ``owners`` says whose accounts: by owner (``client``, ``third_party``; ``currency`` is ``unit``), by code
    (``"9010"``), or by leg and side (``"shares.debit"``) where one leg touches two accounts of a class; for a leg that
    may touch any account, the whole account. ``amounts`` are minor units of ``unit``, or shares, by the name the
    template gives them. ``settles`` is the id of the event whose pending legs this one posts.
    """
    rules = chart.templates[template]
    unknown = amounts.keys() - {leg.amount for leg in rules.legs}
    assert not unknown, f"{template} has no amount {sorted(unknown)}"
    transfers: list[AnyTransfer] = []
    for leg in rules.legs:
        amount = amounts.get(leg.amount, 0)
        if amount == 0:
            continue
        names = [_side(chart, leg, side, owners, unit) for side in ("debit", "credit")]
        phase: Phase | None = "post" if leg.posts else leg.phase
        is_pending = phase == "pending"
        same: dict[str, Any] = {
            "transfer_id": f"{event_id}.{leg.name}",
            "template": template,
            "debit_account_id": names[0],
            "credit_account_id": names[1],
            "effective_on": effective_on,
            "event_id": event_id,
            "phase": phase,
            "pending_id": f"{settles}.{leg.posts}" if leg.posts else None,
            "expires_on": expires_on if is_pending else None,
            "approval_id": approval_id,
        }
        if chart.classes[names[0].partition(".")[0]].holds_securities:
            assert instrument_id is not None, f"{template} moves shares of some instrument"
            transfers.append(SecurityTransfer(quantity_shares=amount, instrument_id=instrument_id, **same))
        else:
            transfers.append(Transfer(amount_minor=amount, currency=unit, **same))
    return transfers


def _side(chart: Chart, leg: Leg, side: str, owners: Mapping[str, str], unit: str) -> str:
    code: str = getattr(leg, side)
    for key in (f"{leg.name}.{side}", code):
        if key in owners:
            return owners[key] if code == ANY_CODE else ledger_account_id(code, owners[key])
    owner = chart.classes[code].owner
    return ledger_account_id(code, unit if owner == "currency" else owners[owner])


def judge(chart: Chart, transfer: AnyTransfer, known: Circumstances) -> Rejection | None:
    """Judge one transfer; the first broken rule wins, None means it may stand.

    The same content under the same id again is no offence: whoever never heard the first answer may safely ask again.
    """
    if known.existing is not None:
        return None if known.existing == transfer else Rejection.exists_with_different_content
    debit, credit = known.debit, known.credit
    if debit is None or credit is None:
        return Rejection.accounts_must_exist
    assert debit.ledger_account_id == transfer.debit_account_id
    assert credit.ledger_account_id == transfer.credit_account_id
    if transfer.debit_account_id == transfer.credit_account_id:
        return Rejection.accounts_must_differ
    amount = transfer.amount
    # A bool is an int to Python, and not a number of cents to anybody else.
    if type(amount) is not int:
        return Rejection.amount_must_be_whole
    if amount <= 0:
        return Rejection.amount_must_be_positive
    if amount > AMOUNT_MAX:
        return Rejection.amount_must_fit_in_64_bits
    currency = transfer.unit if isinstance(transfer, Transfer) else None
    if not debit.currency == credit.currency == currency:
        return Rejection.units_must_match
    return (
        _judge_template(chart, transfer, debit, credit, known)
        or (_judge_pending(chart, transfer, known) if transfer.pending_id or transfer.phase else None)
        or (_judge_reversal(transfer, known) if transfer.reverses or transfer.template == REVERSAL else None)
        or (Rejection.approval_must_stand if known.needs_approval and not known.is_approved else None)
        or (None if known.may_trade else Rejection.client_must_be_active)
        or _judge_cover(transfer, debit, credit, known)
    )


def _judge_template(
    chart: Chart, transfer: AnyTransfer, debit: Account, credit: Account, known: Circumstances
) -> Rejection | None:
    if transfer.template == REVERSAL:
        return None
    template = chart.templates.get(transfer.template)
    if template is None:
        return Rejection.template_must_fit_accounts
    phase = transfer.phase
    for leg in template.legs:
        if leg.debit in (debit.code, ANY_CODE) and leg.credit in (credit.code, ANY_CODE):
            if leg.posts is not None:
                if phase == "post":
                    return None
            elif leg.phase is None or phase is not None:
                return None
    return Rejection.template_must_fit_accounts


def _judge_pending(chart: Chart, transfer: AnyTransfer, known: Circumstances) -> Rejection | None:
    """A pending transfer is resolved once, by one that names it, between the same accounts, for no more than it."""
    if transfer.phase == "pending":
        return Rejection.pending_must_fit if transfer.pending_id is not None else None
    if transfer.phase is None:
        return Rejection.pending_must_fit
    pending = known.pending
    if pending is None or pending.phase != "pending":
        return Rejection.pending_must_exist
    if known.is_resolved:
        return Rejection.pending_must_be_open
    is_own = transfer.template == pending.template
    is_settling = transfer.phase == "post" and chart.templates[transfer.template].settles == pending.template
    same = (transfer.debit_account_id, transfer.credit_account_id, transfer.unit) == (
        pending.debit_account_id,
        pending.credit_account_id,
        pending.unit,
    )
    fits = transfer.amount <= pending.amount if transfer.phase == "post" else transfer.amount == pending.amount
    if not (same and fits and (is_own or is_settling)):
        return Rejection.pending_must_fit
    is_over = pending.expires_on is not None and transfer.effective_on > pending.expires_on
    if transfer.phase == "post" and is_over:
        return Rejection.pending_must_not_be_expired
    return Rejection.pending_must_fit if transfer.phase == "expire" and not is_over else None


def _judge_reversal(transfer: AnyTransfer, known: Circumstances) -> Rejection | None:
    """A reversal exchanges the sides of one posted transfer, and never undoes more of it than there is."""
    if transfer.template != REVERSAL or transfer.phase is not None:
        return Rejection.reversed_must_fit
    undone = known.reversed
    if undone is None or undone.phase in ("pending", "void", "expire") or undone.template == REVERSAL:
        return Rejection.reversed_must_exist
    exchanged = (transfer.debit_account_id, transfer.credit_account_id, transfer.unit) == (
        undone.credit_account_id,
        undone.debit_account_id,
        undone.unit,
    )
    fits = transfer.amount + known.reversed_before <= undone.amount
    return None if exchanged and fits else Rejection.reversed_must_fit


DEBITS_MUST_NOT_EXCEED_CREDITS: Final = MappingProxyType(
    {"2010": Rejection.client_money_must_cover, "9020": Rejection.shares_must_cover}
)
"""What clients are owed, in money and in shares: nobody is owed less than nothing. By code, with the rule's name."""

CREDITS_MUST_NOT_EXCEED_DEBITS: Final = MappingProxyType({"9010": Rejection.shares_must_cover})
"""What lies at a place: nobody delivers shares that are not there."""


def _judge_cover(transfer: AnyTransfer, debit: Account, credit: Account, known: Circumstances) -> Rejection | None:
    if transfer.phase in ("void", "expire"):
        return None
    # What was reserved is no longer in flight once it is posted.
    reserved = known.pending.amount if transfer.phase == "post" and known.pending is not None else 0
    rule = DEBITS_MUST_NOT_EXCEED_CREDITS.get(debit.code)
    if rule is not None and transfer.amount > known.debit_sums.available_to_debit + reserved:
        return rule
    rule = CREDITS_MUST_NOT_EXCEED_DEBITS.get(credit.code)
    if rule is not None and transfer.amount > known.credit_sums.available_to_credit + reserved:
        return rule
    for sums, side in ((known.debit_sums, 0), (known.credit_sums, 1)):
        seen = (sums.debits_posted + sums.debits_pending, sums.credits_posted + sums.credits_pending)[side]
        if seen + transfer.amount > AMOUNT_MAX:
            return Rejection.balance_must_fit_in_64_bits
    return None


def moved(transfer: AnyTransfer, pending: AnyTransfer | None = None) -> tuple[int, int]:
    """What a transfer adds to the posted and to the pending sum: debits of one account, credits of the other.

    ``pending`` is the transfer it resolves, if it does.
    """
    if transfer.phase is None:
        return transfer.amount, 0
    if transfer.phase == "pending":
        return 0, transfer.amount
    assert pending is not None, "what resolves a pending transfer names it"
    return (transfer.amount if transfer.phase == "post" else 0), -pending.amount


def add_debit(sums: Sums, posted: int, pending: int) -> Sums:
    """Sums after a debit."""
    return Sums(sums.debits_posted + posted, sums.credits_posted, sums.debits_pending + pending, sums.credits_pending)


def add_credit(sums: Sums, posted: int, pending: int) -> Sums:
    """Sums after a credit."""
    return Sums(sums.debits_posted, sums.credits_posted + posted, sums.debits_pending, sums.credits_pending + pending)


def sums_of(transfers: Iterable[AnyTransfer]) -> dict[tuple[str, str], Sums]:
    """Sums of every account and unit touched, from the transfers alone: the slow twin of the books' projections."""
    by_id: dict[str, AnyTransfer] = {}
    sums: dict[tuple[str, str], Sums] = {}
    for transfer in transfers:
        by_id[transfer.transfer_id] = transfer
        posted, pending = moved(transfer, by_id.get(transfer.pending_id) if transfer.pending_id else None)
        debit, credit = (transfer.debit_account_id, transfer.unit), (transfer.credit_account_id, transfer.unit)
        sums[debit] = add_debit(sums.get(debit, Sums()), posted, pending)
        sums[credit] = add_credit(sums.get(credit, Sums()), posted, pending)
    return sums


def balances(transfers: Iterable[AnyTransfer]) -> dict[str, int]:
    """Posted balance of every account touched, debits positive; per unit they sum to zero.

    For transfers of one unit per account, as money is; of securities, ask :func:`sums_of`.
    """
    totals: dict[str, int] = {}
    for (account_id, _), sums in sums_of(transfers).items():
        totals[account_id] = totals.get(account_id, 0) + sums.balance
    return totals


def reversal(
    original: AnyTransfer, transfer_id: str, effective_on: date, approval_id: str | None, amount: int | None = None
) -> AnyTransfer:
    """The transfer that undoes ``original``, in whole or by ``amount``; corrections are new transfers."""
    exchanged = replace(
        original,
        transfer_id=transfer_id,
        template=REVERSAL,
        debit_account_id=original.credit_account_id,
        credit_account_id=original.debit_account_id,
        effective_on=effective_on,
        phase=None,
        pending_id=None,
        expires_on=None,
        reverses=original.transfer_id,
        approval_id=approval_id,
    )
    if amount is None:
        return exchanged
    if isinstance(exchanged, Transfer):
        return replace(exchanged, amount_minor=amount)
    return replace(exchanged, quantity_shares=amount)


def content_of(transfer: AnyTransfer) -> dict[str, str | int]:
    """What a transfer says, field by field, days as ISO 8601; what it leaves unsaid is left out."""
    content: dict[str, str | int] = {
        "transfer_id": transfer.transfer_id,
        "template": transfer.template,
        "debit_account_id": transfer.debit_account_id,
        "credit_account_id": transfer.credit_account_id,
        "effective_on": transfer.effective_on.isoformat(),
    }
    if isinstance(transfer, Transfer):
        content["amount_minor"], content["currency"] = transfer.amount_minor, transfer.currency
    else:
        content["quantity_shares"], content["instrument_id"] = transfer.quantity_shares, transfer.instrument_id
    for name in _MAY_BE_UNSAID[type(transfer)]:
        if (value := getattr(transfer, name)) is not None:
            content[name] = value.isoformat() if name == "expires_on" else value
    return content


_MAY_BE_UNSAID: Final = {
    kind: tuple(one.name for one in fields(kind) if one.default is not MISSING) for kind in (Transfer, SecurityTransfer)
}
"""Fields a transfer may leave unsaid."""


def segregation_kept(lines: Sequence[tuple[str, str, int]]) -> str | None:
    """The first currency in which a batch would part client money from what is owed to clients, or None.

    ``lines`` are (code, currency, posted debits less credits) of what the batch moves.
    """
    net: dict[str, int] = {}
    for code, currency, signed in lines:
        if code in SEGREGATED_CODES:
            net[currency] = net.get(currency, 0) + signed
    return next((currency for currency, difference in sorted(net.items()) if difference), None)


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
