"""The law as data: which edition binds on a day, and one reader for each form a rule can take.

Numbers live in ``rulebooks/``; a new number is a new edition there, a new *kind* of rule is one dataclass and one
reader here. No jurisdiction's name appears in this file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, NoReturn

from domain.ageing import AgeBucket, AgeingSchedule, AgeingSchedules
from domain.approvals import Action, ApprovalTerms, Duty
from domain.clients.rules import (
    AlertLines,
    CaseTerms,
    CreditAccountTerms,
    CreditEntry,
    FilingTerms,
    LargeValueLines,
    OwnershipLines,
    RetentionRegime,
    RetentionTerms,
    RiskRatingTerms,
    ScreeningLines,
    StructuringLines,
    SuitabilityTerms,
)
from domain.errors import RulebookNotUsable, RuleNotInForce
from domain.impairment import StagingTerms
from domain.ledger import AccountClass, Chart, Leg, Template
from domain.money import PRICE_UNITS, RATE_UNITS, exponent
from domain.segregation import ControlTerms, ReserveItem, ReserveTerms

STATUSES: Final = ("sourced", "known", "platform")
"""How far a number may be trusted: stated by a named source, known but not looked up, or chosen by this desk."""

_RATIO_MAX: Final = 1.5
"""The largest ratio of a value anybody is charged; the whole-number arithmetic of requirements relies on it."""


@dataclass(frozen=True)
class Edition:
    """One dated text of a rulebook. It is never edited: a change of law is one more edition."""

    rulebook: str
    effective_on: date
    reaches_open_contracts: bool
    title: str
    source: str
    rules: Mapping[str, Any]
    currency: str = "USD"
    status: Mapping[str, str] = field(default_factory=dict)
    reaches_extensions: bool = False

    @property
    def name(self) -> str:
        """How rows name the edition they were computed under: ``us.finra_4210@2010-12-02``."""
        return f"{self.rulebook}@{self.effective_on}"

    def binds(self, on: date, opened_on: date, extended_on: date | None) -> bool:
        """Whether a contract opened and last extended on these days lives under this edition on the day ``on``."""
        if self.effective_on > on:
            return False
        is_extended_under_it = (
            self.reaches_extensions and extended_on is not None and self.effective_on <= extended_on <= on
        )
        return self.effective_on <= opened_on or self.reaches_open_contracts or is_extended_under_it


@dataclass(frozen=True)
class Rulebook:
    """Every edition of one body of rules, oldest first."""

    name: str
    title: str
    source: str
    currency: str
    editions: tuple[Edition, ...]

    def __post_init__(self) -> None:
        """Law is append-only: editions follow each other in time."""
        days = [edition.effective_on for edition in self.editions]
        assert days, "a rulebook has at least one edition"
        assert days == sorted(set(days)), "editions follow each other in time, one a day"

    def governing(self, on: date, opened_on: date | None = None, extended_on: date | None = None) -> Edition:
        """Return the latest edition that binds a contract valued ``on`` a day; the only way to ask.

        Without ``opened_on`` the question is about the day itself: an account, or a contract opened on it.
        """
        opened_on = on if opened_on is None else opened_on
        for edition in reversed(self.editions):
            if edition.binds(on, opened_on, extended_on):
                return edition
        raise RuleNotInForce(
            f"{self.name} binds no contract opened on {opened_on} and valued on {on}: its first edition is effective "
            f"{self.editions[0].effective_on}. Use the rulebook that came before it, or add the missing edition to "
            f"rulebooks/."
        )


# The forms a rule can take.


@dataclass(frozen=True)
class ShortTier:
    """What a short position is charged from one price upwards: the greater of a ratio and a floor per share."""

    price_from_e4: int
    ratio: float
    floor_e4: int

    def __post_init__(self) -> None:
        """A tier charges something, and never a negative amount."""
        assert self.price_from_e4 >= 0
        assert 0 < self.ratio <= _RATIO_MAX
        assert self.floor_e4 >= 0


@dataclass(frozen=True)
class ChargePerPosition:
    """Equity required is a sum of charges, one per position."""

    long_ratio: float
    short_tiers: tuple[ShortTier, ...]
    equity_min_minor: int
    currency: str
    edition: str

    def __post_init__(self) -> None:
        """Every price falls into exactly one tier."""
        starts = [tier.price_from_e4 for tier in self.short_tiers]
        assert 0 < self.long_ratio <= 1
        assert starts and starts[0] == 0 and starts == sorted(set(starts))
        assert self.equity_min_minor >= 0


@dataclass(frozen=True)
class AccountRatio:
    """Assets over debt must keep above lines; the account is judged as a whole."""

    withdraw_ratio: float
    early_ratio: float
    restore_ratio: float
    call_ratio: float
    immediate_ratio: float
    currency: str
    edition: str

    def __post_init__(self) -> None:
        """The lines stand in the order an account falls through them, all of them above the debt itself."""
        lines = (self.withdraw_ratio, self.early_ratio, self.restore_ratio, self.call_ratio, self.immediate_ratio)
        assert list(lines) == sorted(lines, reverse=True) and self.immediate_ratio > 1


@dataclass(frozen=True)
class MarginRatio:
    """Least margin over the value financed, or sold short, when a contract is opened."""

    financing: float | None
    short: float | None
    short_private_fund: float | None
    currency: str
    edition: str

    def __post_init__(self) -> None:
        """An edition says at least one of the ratios."""
        ratios = [ratio for ratio in (self.financing, self.short, self.short_private_fund) if ratio is not None]
        assert ratios and all(0 < ratio <= _RATIO_MAX for ratio in ratios)


@dataclass(frozen=True)
class CollateralValueCaps:
    """Most that one unit of market value may count as margin, per class of asset."""

    caps: Mapping[str, float]
    zero_from_price_earnings: float
    edition: str

    def __post_init__(self) -> None:
        """Nothing counts for more than its value."""
        assert self.caps and all(0 <= cap <= 1 for cap in self.caps.values())
        assert self.zero_from_price_earnings > 0

    def cap_of(self, asset: str, static_price_earnings: float | None = None) -> float:
        """Cap of a class; a share whose static price-earnings ratio is negative, or too high, counts for nothing."""
        if asset not in self.caps:
            _refuse(self.edition, f"collateral.value_max.{asset}", "one of the classes given", "nothing")
        if static_price_earnings is not None and not 0 <= static_price_earnings < self.zero_from_price_earnings:
            return 0.0
        return self.caps[asset]


@dataclass(frozen=True)
class HaircutSchedule:
    """The house's haircut by class of asset and board, and how a forecast of volatility may raise it."""

    base: Mapping[str, float]
    volatility_multiplier: float
    horizon_days: int
    edition: str

    def __post_init__(self) -> None:
        """A haircut takes between nothing and all."""
        assert self.base and all(0 <= ratio <= 1 for ratio in self.base.values())
        assert self.volatility_multiplier >= 0 and self.horizon_days > 0

    def base_ratio(self, asset_class: str, board: str) -> float:
        """Haircut before any forecast; ``class.board`` where it is listed, else the class."""
        key = next((key for key in (f"{asset_class}.{board}", asset_class) if key in self.base), None)
        if key is None:
            _refuse(self.edition, f"haircuts.base.{asset_class}", f"a haircut for {asset_class} on {board}", "nothing")
        return self.base[key]


@dataclass(frozen=True)
class CallTerms:
    """How long a client has to meet a margin call."""

    cure_days_by_market: Mapping[str, int]
    edition: str

    def __post_init__(self) -> None:
        """A call gives at least the day it was made on."""
        assert self.cure_days_by_market and all(days >= 0 for days in self.cure_days_by_market.values())

    def cure_days(self, market: str) -> int:
        """Sessions of the market after the day of the call, on the last of which it falls due."""
        if market not in self.cure_days_by_market:
            _refuse(self.edition, f"calls.cure_days.{market}", f"a number of sessions for market {market}", "nothing")
        return self.cure_days_by_market[market]


@dataclass(frozen=True)
class PricingTerms:
    """What the price of a loan is built from where no vendor or model says otherwise."""

    risk_free_e8: dict[str, int]
    risk_free_source: dict[str, str]
    funding_premium_e8: dict[str, int]
    basis_days: dict[str, int]
    volatility_floor_ratio: float
    drift_ratio: float
    call_line_ratio: float
    horizon_years: float
    gap_days: int
    days_per_year: int
    liquidation_cost_ratio: float
    cure_probability: float
    jumps_per_year: float
    jump_mean_ratio: float
    jump_deviation_ratio: float
    edition: str

    def __post_init__(self) -> None:
        """Every currency has all of its numbers."""
        assert self.risk_free_e8.keys() == self.funding_premium_e8.keys() == self.basis_days.keys()
        assert self.risk_free_source.keys() == self.risk_free_e8.keys()
        assert self.call_line_ratio > 1 and self.gap_days > 0 and self.horizon_years > 0
        assert 0 <= self.liquidation_cost_ratio < 1 and 0 <= self.cure_probability <= 1


@dataclass(frozen=True)
class FreshnessLimits:
    """How old a number may be before the desk is told."""

    prices_minutes: int
    daily_bars_days: int
    rates_days: int
    statements_days: int
    published_minutes: int
    edition: str

    def __post_init__(self) -> None:
        """A limit of nothing would always be passed."""
        assert min(self.prices_minutes, self.daily_bars_days, self.rates_days, self.published_minutes) > 0


@dataclass(frozen=True)
class Tolerance:
    """Largest difference, itself included, that reconciliation lets pass."""

    amount_minor: int
    quantity_shares: int
    edition: str

    def __post_init__(self) -> None:
        """A tolerance is a distance."""
        assert self.amount_minor >= 0 and self.quantity_shares >= 0


# One reader per rule; each refuses what is not of its form.


def maintenance_rule(edition: Edition) -> ChargePerPosition | AccountRatio:
    """What accounts must keep while the loan runs."""
    rule = _rule(edition, "maintenance", "charge_per_position", "account_ratio")
    if rule.form == "account_ratio":
        lines = {
            key: rule.number(f"{key}_ratio", 1, 10) for key in ("withdraw", "early", "restore", "call", "immediate")
        }
        if list(lines.values()) != sorted(lines.values(), reverse=True) or lines["immediate"] <= 1:
            _refuse(edition.name, "maintenance", "lines falling from withdraw_ratio to immediate_ratio, above 1", lines)
        return AccountRatio(
            lines["withdraw"],
            lines["early"],
            lines["restore"],
            lines["call"],
            lines["immediate"],
            edition.currency,
            edition.name,
        )
    tiers = tuple(
        ShortTier(
            tier.scaled("price_from", PRICE_UNITS),
            tier.number("ratio", 0, _RATIO_MAX),
            tier.scaled("floor", PRICE_UNITS),
        )
        for tier in rule.rows("short_tiers")
    )
    starts = [tier.price_from_e4 for tier in tiers]
    if not starts or starts[0] != 0 or starts != sorted(set(starts)):
        _refuse(edition.name, "maintenance.short_tiers", "tiers with price_from rising from 0", starts)
    equity_min_minor = rule.scaled("equity_min", 10 ** exponent(edition.currency))
    return ChargePerPosition(rule.number("long_ratio", 0, 1), tiers, equity_min_minor, edition.currency, edition.name)


def initial_rule(edition: Edition) -> MarginRatio:
    """Margin asked when a contract is opened."""
    rule = _rule(edition, "initial", "margin_ratio")
    ratios = [
        rule.number(key, 0, _RATIO_MAX) if key in rule.values else None
        for key in ("financing", "short", "short_private_fund")
    ]
    if ratios == [None, None, None]:
        _refuse(edition.name, "initial", "financing, short or short_private_fund", dict(rule.values))
    return MarginRatio(ratios[0], ratios[1], ratios[2], edition.currency, edition.name)


def collateral_value_caps(edition: Edition) -> CollateralValueCaps:
    """Most that each class of asset may count as margin."""
    rule = _rule(edition, "collateral", "collateral_value_caps")
    return CollateralValueCaps(
        rule.numbers("value_max", 0, 1), rule.number("zero_from_price_earnings", 1, 10_000), edition.name
    )


def haircut_schedule(edition: Edition) -> HaircutSchedule:
    """Haircuts by class and board, and how a forecast may raise them."""
    rule = _rule(edition, "haircuts", "haircut_schedule")
    return HaircutSchedule(
        rule.numbers("base", 0, 1),
        rule.number("volatility_multiplier", 0, 10),
        rule.whole("horizon_days", 1, 252),
        edition.name,
    )


def call_terms(edition: Edition) -> CallTerms:
    """How long a client has to meet a call."""
    rule = _rule(edition, "calls", "call_terms")
    days = rule.part("cure_days")
    return CallTerms(MappingProxyType({market: days.whole(market, 0, 60) for market in days.values}), edition.name)


def pricing_terms(edition: Edition) -> PricingTerms:
    """What the price of a loan is built from."""
    rule = _rule(edition, "pricing", "pricing_terms")
    currencies = rule.part("currencies")
    of = {currency: currencies.part(currency) for currency in currencies.values}
    return PricingTerms(
        risk_free_e8={currency: part.scaled("risk_free", RATE_UNITS) for currency, part in of.items()},
        risk_free_source={currency: part.text("risk_free_source") for currency, part in of.items()},
        funding_premium_e8={currency: part.scaled("funding_premium", RATE_UNITS) for currency, part in of.items()},
        basis_days={currency: part.whole("basis_days", 360, 366) for currency, part in of.items()},
        volatility_floor_ratio=rule.number("volatility_floor_ratio", 0, 5),
        drift_ratio=rule.number("drift_ratio", -1, 1),
        call_line_ratio=rule.number("call_line_ratio", 1.000001, 10),
        horizon_years=rule.number("horizon_years", 0.01, 10),
        gap_days=rule.whole("gap_days", 1, 252),
        days_per_year=rule.whole("days_per_year", 240, 366),
        liquidation_cost_ratio=rule.number("liquidation_cost_ratio", 0, 0.99),
        cure_probability=rule.number("cure_probability", 0, 1),
        jumps_per_year=rule.number("jumps_per_year", 0, 50),
        jump_mean_ratio=rule.number("jump_mean_ratio", -1, 1),
        jump_deviation_ratio=rule.number("jump_deviation_ratio", 0, 1),
        edition=edition.name,
    )


def freshness_limits(edition: Edition) -> FreshnessLimits:
    """How old a number may be before the desk is told."""
    rule = _rule(edition, "freshness", "freshness_limits")
    return FreshnessLimits(
        prices_minutes=rule.whole("prices_minutes", 1, 100_000),
        daily_bars_days=rule.whole("daily_bars_days", 1, 366),
        rates_days=rule.whole("rates_days", 1, 366),
        statements_days=rule.whole("statements_days", 1, 366),
        published_minutes=rule.whole("published_minutes", 1, 100_000),
        edition=edition.name,
    )


def tolerance(edition: Edition) -> Tolerance:
    """Largest difference reconciliation lets pass."""
    rule = _rule(edition, "tolerance", "tolerance")
    return Tolerance(rule.whole("amount_minor", 0, 10**9), rule.whole("quantity_shares", 0, 10**9), edition.name)


def chart(edition: Edition) -> Chart:
    """The chart of accounts and the posting templates; they are read together, for each speaks of the other."""
    accounts = _rule(edition, "chart", "chart_of_accounts")
    classes = {code: _account_class(accounts.part(code)) for code in accounts.values if code != "form"}
    events = _rule(edition, "templates", "posting_templates")
    templates = {name: _template(name, events.part(name)) for name in events.values if name != "form"}
    try:
        return Chart(MappingProxyType(classes), MappingProxyType(templates), edition.name)
    except AssertionError as broken:
        _refuse(
            edition.name, "templates", "legs between accounts of the chart that hold the same kind of thing", broken
        )


def _account_class(part: "_Part") -> AccountClass:
    kind, owner = part.text("kind"), part.text("owner")
    if kind not in ("asset", "liability", "equity", "income", "expense", "securities"):
        _refuse(part.edition, f"{part.path}.kind", "a kind of account", kind)
    if owner not in ("currency", "client", "third_party"):
        _refuse(part.edition, f"{part.path}.owner", "currency, client or third_party", owner)
    return AccountClass(part.text("title"), part.text("chinese"), kind, owner)


def _template(name: str, part: "_Part") -> Template:
    legs = part.part("legs")
    said = {key: part.text(key) for key in ("settles", "approval", "approval_above") if key in part.values}
    active = part.flag("active_client") if "active_client" in part.values else False
    return Template(name, tuple(_leg(leg, legs.part(leg)) for leg in legs.values), needs_active_client=active, **said)


def _leg(name: str, part: "_Part") -> Leg:
    phase = part.text("phase") if "phase" in part.values else None
    if phase not in (None, "pending"):
        _refuse(part.edition, f"{part.path}.phase", "pending, or left out", phase)
    posts = part.text("posts") if "posts" in part.values else None
    return Leg(
        name,
        part.text("debit"),
        part.text("credit"),
        part.text("amount"),
        "pending" if phase else None,
        posts,
    )


def staging_terms(edition: Edition) -> StagingTerms:
    """When a loan leaves a stage of credit loss."""
    rule = _rule(edition, "impairment", "staging_terms")
    significant = rule.whole("significant_past_due_days", 0, 365)
    return StagingTerms(
        significant_past_due_days=significant,
        impaired_past_due_days=rule.whole("impaired_past_due_days", significant + 1, 3650),
        impaired_ratio=rule.number("impaired_ratio", 0.01, 10),
        edition=edition.name,
    )


def ageing_schedules(edition: Edition) -> AgeingSchedules:
    """Buckets of age of every kind of claim."""
    rule = _rule(edition, "ageing", "ageing_schedules")
    schedules = {}
    for kind in (key for key in rule.values if key != "form"):
        buckets = tuple(
            AgeBucket(
                row.text("name"),
                row.whole("up_to_days", 0, 10**6) if "up_to_days" in row.values else None,
                row.text("told"),
            )
            for row in rule.rows(kind)
        )
        try:
            schedules[kind] = AgeingSchedule(kind, buckets)
        except AssertionError:
            _refuse(
                edition.name, f"ageing.{kind}", "buckets of rising up_to_days, the last one open", rule.values[kind]
            )
    return AgeingSchedules(MappingProxyType(schedules), edition.name)


def control_terms(edition: Edition) -> ControlTerms:
    """How much of a client's securities may be used."""
    rule = _rule(edition, "control", "possession_or_control")
    return ControlTerms(rule.number("pledge_ratio", 1, 10), edition.name)


def reserve_terms(edition: Edition) -> ReserveTerms:
    """The lines of the reserve formula, and what it takes off the debits."""
    rule = _rule(edition, "reserve", "reserve_formula")
    items = tuple(
        ReserveItem(row.whole("item", 1, 99), row.text("side"), row.text("title")) for row in rule.rows("items")
    )
    daily_from = rule.scaled("daily_from", 10 ** exponent(edition.currency)) if "daily_from" in rule.values else None
    try:
        return ReserveTerms(
            items=items,
            alternative_reduction=rule.numbers("alternative_reduction", 0, 0.5),
            basic_reduction=rule.number("basic_reduction", 0, 0.5),
            basic_item=rule.whole("basic_item", 1, 99),
            monthly_ratio=rule.number("monthly_ratio", 1, 2),
            daily_from_minor=daily_from,
            currency=edition.currency,
            edition=edition.name,
        )
    except AssertionError:
        expected = "items of rising number on both sides, and a reduction daily, weekly and monthly"
        _refuse(edition.name, "reserve", expected, dict(rule.values))


def screening_lines(edition: Edition) -> ScreeningLines:
    """Scores from which a likeness to a listed name is a hit."""
    rule = _rule(edition, "screening", "screening_lines")
    lines = {key: rule.number(key, 1, 100) for key in ("strong", "review", "corroborated")}
    if list(lines.values()) != sorted(lines.values(), reverse=True):
        _refuse(edition.name, "screening", "lines falling from strong to corroborated", lines)
    return ScreeningLines(lines["strong"], lines["review"], lines["corroborated"], edition.name)


def ownership_lines(edition: Edition) -> OwnershipLines:
    """Shares from which an owner is a beneficial owner, and blocked owners block."""
    rule = _rule(edition, "ownership", "ownership_lines")
    return OwnershipLines(rule.fraction("beneficial_ratio"), rule.fraction("blocked_ratio"), edition.name)


def risk_rating_terms(edition: Edition) -> RiskRatingTerms:
    """How the factors of a client's risk weigh, and where its bands begin."""
    rule = _rule(edition, "risk_rating", "risk_rating_terms")
    weights, bands, years = rule.part("weights"), rule.part("bands"), rule.part("review_years")
    try:
        return RiskRatingTerms(
            MappingProxyType({factor: weights.fraction(factor) for factor in weights.values}),
            MappingProxyType({band: bands.fraction(band, 5) for band in bands.values}),
            MappingProxyType({band: years.whole(band, 1, 10) for band in years.values}),
            edition.name,
        )
    except AssertionError:
        expected = "weights that sum to 1, bands rising from 0 with high among them, and an interval for each"
        _refuse(edition.name, "risk_rating", expected, dict(rule.values))


def credit_account_terms(edition: Edition) -> CreditAccountTerms:
    """What each market asks of a client before it may have a credit account."""
    rule = _rule(edition, "credit_account", "credit_account_terms")
    entry = rule.part("entry")
    return CreditAccountTerms(
        MappingProxyType({market: _credit_entry(entry.part(market)) for market in entry.values}), edition.name
    )


def _credit_entry(part: "_Part") -> CreditEntry:
    currency = part.text("currency")
    return CreditEntry(
        currency,
        part.scaled("assets_min", 10 ** exponent(currency)),
        part.whole("average_days", 1, 366),
        part.whole("history_months", 0, 120),
    )


def suitability_terms(edition: Edition) -> SuitabilityTerms:
    """The least suitability level for margin trading."""
    rule = _rule(edition, "suitability", "suitability_terms")
    return SuitabilityTerms(rule.whole("credit_level_min", 1, 5), edition.name)


def alert_lines(edition: Edition) -> AlertLines:
    """When a pattern of movements is an alert."""
    rule = _rule(edition, "alerts", "alert_lines")
    currencies = rule.part("structuring")
    return AlertLines(
        structuring=MappingProxyType(
            {currency: _structuring_lines(currency, currencies.part(currency)) for currency in currencies.values}
        ),
        structuring_hours=rule.whole("structuring_hours", 1, 720),
        structuring_count_min=rule.whole("structuring_count_min", 2, 100),
        velocity_hours=rule.whole("velocity_hours", 1, 720),
        velocity_out_ratio=rule.fraction("velocity_out_ratio"),
        velocity_traded_ratio=rule.fraction("velocity_traded_ratio"),
        burst_multiple=rule.whole("burst_multiple", 1, 100),
        burst_days=rule.whole("burst_days", 1, 366),
        burst_active_days_min=rule.whole("burst_active_days_min", 1, rule.whole("burst_days", 1, 366)),
        dormant_days=rule.whole("dormant_days", 1, 3660),
        device_accounts_min=rule.whole("device_accounts_min", 2, 100),
        device_days=rule.whole("device_days", 1, 366),
        edition=edition.name,
    )


def _structuring_lines(currency: str, part: "_Part") -> StructuringLines:
    units = 10 ** exponent(currency)
    floor, limit = part.scaled("floor", units), part.scaled("limit", units)
    if not 0 < floor < limit:
        _refuse(part.edition, part.path, "a floor above nothing and below the limit", dict(part.values))
    return StructuringLines(floor, limit)


def filing_terms(edition: Edition) -> FilingTerms:
    """How long the desk has to file each report."""
    rule = _rule(edition, "filings", "filing_terms")
    suspicious = rule.whole("suspicious_days", 1, 366)
    return FilingTerms(
        suspicious,
        rule.whole("suspicious_days_without_suspect", suspicious, 366),
        rule.scaled("suspicious_from", 10 ** exponent(edition.currency)),
        rule.whole("cash_days", 1, 366),
        rule.whole("china_working_days", 1, 60),
        rule.whole("continuing_review_days", 1, 366),
        edition.name,
    )


def large_value_lines(edition: Edition) -> LargeValueLines:
    """From which amount each kind of movement is reported."""
    rule = _rule(edition, "large_value", "large_value_lines")
    kinds = {kind: rule.part(kind) for kind in rule.values if kind != "form"}
    lines = {
        kind: MappingProxyType({currency: part.scaled(currency, 10 ** exponent(currency)) for currency in part.values})
        for kind, part in kinds.items()
    }
    return LargeValueLines(MappingProxyType(lines), edition.name)


def case_terms(edition: Edition) -> CaseTerms:
    """How long each step of a case may take, and who may read what was reported."""
    rule = _rule(edition, "cases", "case_terms")
    readers = rule.part("report_readers")
    return CaseTerms(
        rule.whole("triage_hours", 1, 720),
        rule.whole("due_diligence_days", 1, 90),
        frozenset(role for role in readers.values if readers.flag(role)),
        edition.name,
    )


def retention_terms(edition: Edition) -> RetentionTerms:
    """How long each regime keeps a record."""
    rule = _rule(edition, "retention", "retention_terms")
    regimes = {regime: _retention_regime(rule.part(regime)) for regime in rule.values if regime != "form"}
    return RetentionTerms(MappingProxyType(regimes), edition.name)


def _retention_regime(part: "_Part") -> RetentionRegime:
    counts_from = part.text("counts_from")
    if counts_from not in ("record", "relationship_end"):
        _refuse(part.edition, f"{part.path}.counts_from", "record or relationship_end", counts_from)
    return RetentionRegime(part.whole("years", 1, 100), counts_from)


def approval_terms(edition: Edition) -> ApprovalTerms:
    """Who may ask for and allow each action, and what is large."""
    rule = _rule(edition, "approvals", "approval_terms")
    duties, amounts, parameters = rule.part("actions"), rule.part("large_withdrawal"), rule.part("parameters")
    if duties.values.keys() != set(Action):
        _refuse(edition.name, "approvals.actions", f"all of {', '.join(Action)}", ", ".join(duties.values))
    actions = {word: parameters.text(word) for word in parameters.values}
    for word, action in actions.items():
        if action not in Action.__members__:
            _refuse(edition.name, f"{parameters.path}.{word}", f"one of {', '.join(Action)}", action)
    return ApprovalTerms(
        MappingProxyType({action: _duty(duties.part(action)) for action in Action}),
        MappingProxyType({currency: _amount(amounts, currency) for currency in amounts.values}),
        MappingProxyType({word: Action(action) for word, action in actions.items()}),
        rule.fraction("large_change_ratio"),
        edition.name,
    )


def _duty(part: "_Part") -> Duty:
    named = {side: part.part(side) for side in ("makers", "checkers")}
    makers, checkers = (
        frozenset(role for role in roles.values if roles.flag(role)) for roles in (named["makers"], named["checkers"])
    )
    if not makers or not checkers:
        _refuse(part.edition, part.path, "at least one role that may ask and one that may allow", dict(part.values))
    return Duty(makers, checkers)


def _amount(part: "_Part", currency: str) -> int:
    minor = part.scaled(currency, 10 ** exponent(currency))
    if minor <= 0:
        _refuse(part.edition, f"{part.path}.{currency}", "an amount above nothing", part.values[currency])
    return minor


READERS: Final[Mapping[str, Callable[[Edition], object]]] = MappingProxyType(
    {
        "maintenance": maintenance_rule,
        "initial": initial_rule,
        "collateral": collateral_value_caps,
        "haircuts": haircut_schedule,
        "calls": call_terms,
        "pricing": pricing_terms,
        "freshness": freshness_limits,
        "tolerance": tolerance,
        "chart": chart,
        "templates": chart,
        "impairment": staging_terms,
        "ageing": ageing_schedules,
        "control": control_terms,
        "reserve": reserve_terms,
        "screening": screening_lines,
        "ownership": ownership_lines,
        "risk_rating": risk_rating_terms,
        "credit_account": credit_account_terms,
        "suitability": suitability_terms,
        "alerts": alert_lines,
        "filings": filing_terms,
        "large_value": large_value_lines,
        "cases": case_terms,
        "retention": retention_terms,
        "approvals": approval_terms,
    }
)
"""Who reads which rule of an edition; a rule without a reader would be law nobody applies."""


def read_rulebook(document: object, name: str) -> Rulebook:
    """Build a rulebook from a parsed file; every rule of every edition is read, so that a bad file fails at once."""
    top = _Part(name, "", document)
    if top.text("rulebook") != name:
        _refuse(name, "rulebook", f"{name!r}, as the file is called", top.values["rulebook"])
    title, source, currency = top.text("title"), top.text("source"), top.text("currency")
    exponent(currency)
    editions = tuple(_read_edition(part, name, title, source, currency) for part in top.rows("editions"))
    days = [edition.effective_on for edition in editions]
    if not days or days != sorted(set(days)):
        _refuse(name, "editions", "at least one edition, oldest first, one a day", [str(day) for day in days])
    for edition in editions:
        for rule in edition.rules:
            READERS[rule](edition)
    return Rulebook(name, title, source, currency, editions)


def _read_edition(part: "_Part", name: str, title: str, source: str, currency: str) -> Edition:
    rules = {key: value for key, value in part.values.items() if key in READERS}
    spoken_for = {"effective_on", "reaches_open_contracts", "reaches_extensions", "title", "source", "status", *READERS}
    if unknown := sorted(part.values.keys() - spoken_for):
        _refuse(name, part.path, f"only the keys {', '.join(sorted(spoken_for))}", ", ".join(unknown))
    if not rules:
        _refuse(name, part.path, f"at least one of {', '.join(READERS)}", "none")
    status = part.part("status")
    for key in ("effective_on", *rules):
        if status.values.get(key) not in STATUSES:
            _refuse(name, f"{status.path}.{key}", f"one of {', '.join(STATUSES)}", status.values.get(key))
    return Edition(
        rulebook=name,
        effective_on=part.day("effective_on"),
        reaches_open_contracts=part.flag("reaches_open_contracts"),
        title=part.text("title") if "title" in part.values else title,
        source=part.text("source") if "source" in part.values else source,
        rules=MappingProxyType(rules),
        currency=currency,
        status=MappingProxyType(dict(status.values)),
        reaches_extensions=part.flag("reaches_extensions") if "reaches_extensions" in part.values else False,
    )


class _Part:
    """A mapping inside a rulebook file that knows where it stands, so that a refusal can say so."""

    def __init__(self, edition: str, path: str, values: object) -> None:
        self.edition, self.path = edition, path
        if not isinstance(values, Mapping):
            _refuse(edition, path or "the file", "a mapping of keys to values", values)
        self.values: Mapping[str, Any] = values

    @property
    def form(self) -> str:
        return self.text("form")

    def number(self, key: str, low: float, high: float) -> float:
        value = self.values.get(key)
        # A bool is an int to Python, but no ratio to a lawyer.
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            _refuse(self.edition, self._at(key), f"a number from {low:g} to {high:g}", value)
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int:
        value = self.values.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            _refuse(self.edition, self._at(key), f"a whole number from {low} to {high}", value)
        return value

    def scaled(self, key: str, units: int) -> int:
        """Read a decimal as a whole number of its smallest units; refuse what is finer than they are."""
        value = Decimal(repr(self.number(key, 0, 10**9))) * units
        if value != value.to_integral_value():
            _refuse(self.edition, self._at(key), f"a multiple of 1/{units}", self.values[key])
        return int(value)

    def fraction(self, key: str, high: float = 1) -> Fraction:
        """Read a decimal exactly, so that a quarter is a quarter and not a float beside it."""
        return Fraction(Decimal(repr(self.number(key, 0, high))))

    def numbers(self, key: str, low: float, high: float) -> Mapping[str, float]:
        part = self.part(key)
        return MappingProxyType({name: part.number(name, low, high) for name in part.values})

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip():
            _refuse(self.edition, self._at(key), "a text that says something", value)
        return value

    def day(self, key: str) -> date:
        value = self.values.get(key)
        if type(value) is not date:
            _refuse(self.edition, self._at(key), "a date such as 2026-01-19, unquoted", value)
        return value

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if not isinstance(value, bool):
            _refuse(self.edition, self._at(key), "true or false", value)
        return value

    def part(self, key: str) -> "_Part":
        part = _Part(self.edition, self._at(key), self.values.get(key))
        if not part.values:
            _refuse(self.edition, part.path, "at least one entry", "none")
        return part

    def rows(self, key: str) -> Sequence["_Part"]:
        rows = self.values.get(key)
        if not isinstance(rows, list):
            _refuse(self.edition, self._at(key), "a list", rows)
        return [_Part(self.edition, f"{self._at(key)}[{number}]", row) for number, row in enumerate(rows)]

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def _rule(edition: Edition, key: str, *forms: str) -> _Part:
    rule = _Part(edition.name, key, edition.rules.get(key))
    if rule.form not in forms:
        _refuse(edition.name, f"{key}.form", " or ".join(forms), rule.form)
    return rule


def _refuse(edition: str, key: str, expected: str, found: object) -> NoReturn:
    """``edition`` is an edition's name, or a rulebook's while its editions are still being read."""
    name, _, effective_on = edition.partition("@")
    where = f"rulebooks/{name.replace('.', '/')}.yaml" + (f", edition {effective_on}" if effective_on else "")
    raise RulebookNotUsable(
        f"{where}: {key} must be {expected}, but got {found!r}. Nothing was computed; correct the file (or, where that "
        f"edition is already law here, add a new one) and rerun."
    )
