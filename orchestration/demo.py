"""One trading day through the whole chain, on the synthetic exchange or on a folder of real prices."""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pandas as pd
from rich.console import Console

from books.extract import bank_movements, extract
from books.posting import post
from books.seeding import seed
from domain.errors import DeskNotReady, MarketFolderNotUsable, NoPrices
from domain.ledger import Transfer, ledger_account_id
from feeds.calendars import MARKETS, is_session
from feeds.folders import MarketFolder, open_market_folder
from feeds.synthetic import DeskPlan, plan_clients, plan_deposits, write_exchange, write_statements
from ml.forecasting.volatility import MODEL_NAME
from orchestration.desk import Desk, now
from orchestration.officers import approve_promotions
from orchestration.settings import Settings
from orchestration.vaults import made_vault

HISTORY_SESSIONS = 350
"""Sessions before the day that forecasts and scenarios are drawn from, where the folder has them."""

_MARKER = "made-by-demo.json"


@dataclass
class Stages:
    """Announces each stage as it begins and says how long it took."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, words: str) -> Iterator[None]:
        """Time one stage under ``name``."""
        started = time.perf_counter()
        with self.console.status(f"{words} …"):
            yield
        self.seconds[name] = time.perf_counter() - started
        self.console.print(f"  [green]✓[/green] {words} [dim]{self.seconds[name]:.1f} s[/dim]")


def clear_home(home: Path) -> None:
    """Empty a home an earlier demo made; refuse to touch any other desk."""
    if home.exists() and any(home.iterdir()):
        if not (home / _MARKER).exists():
            raise DeskNotReady(
                f"The demo starts from an empty home, but {home} holds a desk that it did not make. Nothing was "
                f"touched; set LOMBARD_HOME to another folder and try again."
            )
        shutil.rmtree(home)


def run_day(desk: Desk, plan: DeskPlan, console: Console) -> Stages:
    """Take an empty desk through one business day; every number on the page is computed here."""
    stages, settings = Stages(console), desk.settings
    with stages.stage("prepare", "Making the desk: folders, books, Dagster's storage"):
        desk.make_storage()
        (settings.home / _MARKER).write_text(json.dumps({"day": str(plan.day), "accounts": plan.accounts}))
    # Nothing reads a view before the books are opened, so dbt makes them while prices are read.
    with ThreadPoolExecutor(max_workers=1) as beside:
        views = beside.submit(desk.build_views, plan.day)
        market, sessions = _open_market(desk, plan, stages)
        with stages.stage("history", f"Reading {len(sessions)} sessions of {market.vendor} prices"):
            since = {"since": sessions[0].isoformat()}
            desk.run("load_reference", sessions[-1], {"ops": {"raw_market__corporate_actions": {"config": since}}})
            desk.run("load_history", sessions[0], until=sessions[-1])
        with stages.stage("views", "Building the dbt views over the lake"):
            views.result()
    with stages.stage("books", f"Opening {plan.accounts:,} synthetic accounts in the books"):
        seed_books(desk, market, plan, booked_on=sessions[-1])
    with stages.stage("train", "Training and validating the volatility forecast, registering it in MLflow"):
        desk.run("train_models", sessions[-1])
        approve_promotions(desk, MODEL_NAME)
    run_business_day(desk, market, plan, stages)
    return stages


def _open_market(desk: Desk, plan: DeskPlan, stages: Stages) -> tuple[MarketFolder, list[date]]:
    """The market folder, written first where it is the synthetic one, and the sessions a desk learns from."""
    settings = desk.settings
    if settings.market_folder == settings.landing:
        with stages.stage("exchange", "Opening the synthetic exchange (seeded; nothing in it is real)"):
            write_exchange(settings.landing, plan)
    market = open_market_folder(settings.market_folder)
    return market, sessions_until(market, plan.day)


def run_business_day(desk: Desk, market: MarketFolder, plan: DeskPlan, stages: Stages) -> None:
    """Start of day, every price batch, end of day."""
    with stages.stage("start_of_day", "Start of day: corporate actions, haircuts of the day, opening values"):
        desk.run("start_of_day", plan.day)
    with stages.stage("deposits", "Clients pay in"):
        pay_in(desk, plan)
    for batch in market.batches_of(plan.day):
        with stages.stage(f"batch {batch}", f"Price batch {batch}: a slice of equity, requirements, VaR and ES"):
            desk.revalue(batch, plan.day)
    with stages.stage("statements", "Custodian and bank deliver their statements"):
        deliver_statements(desk, plan)
    with stages.stage("end_of_day", "End of day: calls, loan prices, interest, reconciliation, drift, publication"):
        desk.run("end_of_day", plan.day)


def require_possible(plan: DeskPlan, settings: Settings) -> None:
    """Refuse what cannot be done before anything is cleared: a wrong folder or day costs nobody their last desk."""
    if settings.market_folder != settings.landing:
        if settings.market_folder.is_relative_to(settings.home):
            raise MarketFolderNotUsable(
                f"The market folder must lie outside the demo's home, which is emptied first, but "
                f"{settings.market_folder} is inside {settings.home}. Nothing was touched; move the folder, or set "
                f"LOMBARD_HOME to another one."
            )
        sessions_until(open_market_folder(settings.market_folder), plan.day)
    elif not all(is_session(market, plan.day) for market in MARKETS):
        raise NoPrices(
            f"The synthetic exchange trades when New York and Shanghai both do, but one of them is closed on "
            f"{plan.day}. Nothing was touched; choose another DAY."
        )


def sessions_until(market: MarketFolder, day: date) -> list[date]:
    """The sessions before ``day`` a desk learns from; refuses a day without prices or without a past."""
    held = market.sessions()
    if day not in held:
        span = f"it holds {held[0]} to {held[-1]}" if held else "it holds no session at all"
        raise NoPrices(
            f"{market.root} must have prices for {day}, but {span} and not that day. Nothing was written; "
            f"choose a session it holds with DAY=YYYY-MM-DD."
        )
    before = [session for session in held if session < day][-HISTORY_SESSIONS:]
    if len(before) < 60:
        raise NoPrices(
            f"A forecast for {day} needs at least 60 sessions before it, but the {market.vendor} folder has "
            f"{len(before)}. Nothing was written; choose a later DAY."
        )
    return before


def seed_books(desk: Desk, market: MarketFolder, plan: DeskPlan, booked_on: date) -> None:
    """Open the plan's synthetic clients on the market's own instruments, at their last close."""
    bars = desk.lake.read_between("raw_market__daily_bars", date(1998, 1, 1), booked_on)
    last = bars.sort_values("as_of_date").groupby("instrument_id").tail(1)
    alive = last[last["as_of_date"].map(lambda seen: (booked_on - seen).days <= 10)]
    instruments = market.instruments(booked_on, now()).rows
    tradable = instruments[instruments["instrument_id"].isin(alive["instrument_id"])]
    book = plan_clients(tradable, pd.DataFrame(alive[["instrument_id", "price_close_e4"]]), plan)
    with desk.books() as engine:
        seed(engine, book, vault=made_vault(desk.settings), booked_on=booked_on, known_at=now())


def pay_in(desk: Desk, plan: DeskPlan) -> None:
    """Post the day's synthetic deposits; what they do to equity shows at the close."""
    deposits = plan_deposits(desk.lake.read("raw_books__accounts", plan.day), plan)
    columns = [deposits[name] for name in ("account_id", "currency", "amount_minor")]
    transfers = [
        Transfer(
            f"deposit/{plan.day}/{account_id}", "client_deposit", ledger_account_id("1010", currency),
            ledger_account_id("2010", account_id), int(amount_minor), currency, plan.day,
        )
        for account_id, currency, amount_minor in zip(*columns, strict=True)
    ]  # fmt: skip
    with desk.books() as engine:
        post(engine, transfers, booked_on=plan.day, known_at=now())


def deliver_statements(desk: Desk, plan: DeskPlan) -> None:
    """Write what a custodian and a bank would say of our synthetic clients, with the planted mistakes."""
    with desk.books() as engine:
        positions = extract(engine, plan.day, now())["raw_books__positions"].to_pandas()
        movements = bank_movements(engine, plan.day)
    write_statements(desk.settings.landing, plan, positions, movements)


def with_day(plan: DeskPlan, settings: Settings, day: date | None) -> DeskPlan:
    """Choose the business day: the one asked for, or the last one a real folder holds."""
    if day is not None:
        return replace(plan, day=day)
    if settings.market_folder == settings.landing:
        return plan
    sessions = open_market_folder(settings.market_folder).sessions()
    return replace(plan, day=sessions[-1]) if sessions else plan
