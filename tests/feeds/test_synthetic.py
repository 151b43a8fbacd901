"""The invented market is reproducible, looks like a market, and hides nothing it planted."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from domain.errors import DeskNotReady, MarketFolderNotUsable, NoPrices
from feeds.folders import open_market_folder
from feeds.synthetic import DEMO_DAY, ClientBook, DeskPlan, plan_clients, write_exchange, write_statements
from feeds.synthetic_market import SPLITTING

SMALL = DeskPlan(accounts=300, sessions=30)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default invented market."""
    folder = tmp_path_factory.mktemp("landing")
    write_exchange(folder, DeskPlan())
    return folder


@pytest.fixture(scope="module")
def instruments(landing: Path) -> pd.DataFrame:
    return pd.read_csv(landing / "reference" / "instruments.csv", dtype={"symbol": str})


@pytest.fixture(scope="module")
def bars(landing: Path) -> pd.DataFrame:
    rows = [
        (*line.split(","), file.stem)
        for file in sorted((landing / "daily").glob("*.csv"))
        for line in file.read_text(encoding="utf-8").splitlines()[1:-1]
    ]
    names = ["instrument_id", "open", "high", "low", "close", "volume", "currency", "source", "day"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[1:6], float))


@pytest.fixture(scope="module")
def closes_before(bars: pd.DataFrame) -> pd.DataFrame:
    """Prices at which the books open: the last close before the demo day."""
    last = bars[bars["day"] < str(DEMO_DAY)].groupby("instrument_id")["close"].last()
    return (last * 10_000).round().astype("int64").rename("price_close_e4").reset_index()


@pytest.fixture(scope="module")
def book(instruments: pd.DataFrame, closes_before: pd.DataFrame) -> ClientBook:
    return plan_clients(instruments, closes_before, DeskPlan())


def _rows(file: Path) -> pd.DataFrame:
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    frame = pd.DataFrame(lines[1:], columns=lines[0])
    numbers = [name for name in ("open", "high", "low", "close", "price", "bid", "ask", "volume") if name in frame]
    return frame.astype(dict.fromkeys(numbers, float))


def _planted(landing: Path) -> list[dict]:
    truth = json.loads((landing / "truth.json").read_text(encoding="utf-8"))
    assert truth["source"] == "synthetic"
    return truth["planted"]


def _hashes(landing: Path) -> dict[str, str]:
    files = [file for file in sorted(landing.rglob("*")) if file.is_file()]
    return {str(file.relative_to(landing)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _log_returns(landing: Path, bars: pd.DataFrame) -> pd.DataFrame:
    """Daily log returns before the demo day, adjusted for splits and dividends."""
    closes = bars[bars["day"] < str(DEMO_DAY)].pivot(index="day", columns="instrument_id", values="close")
    actions = pd.read_csv(landing / "reference" / "corporate_actions.csv").fillna({"split_ratio": 1.0, "dividend": 0.0})
    before = closes.ffill().shift()  # The other market's holidays are no sessions.
    for action in actions[actions["ex_date"] < str(DEMO_DAY)].itertuples():
        if action.ex_date in before.index:
            reference = before.at[action.ex_date, action.instrument_id]
            before.at[action.ex_date, action.instrument_id] = (reference - action.dividend) / action.split_ratio
    return np.log(closes / before)


def _equity(book: ClientBook, price: pd.Series, splits: dict[str, float] | None = None) -> pd.DataFrame:
    """A rough valuation per account: equity, debt, and what the exchange asks for, in currency."""
    positions = book.positions.assign(
        value=book.positions["quantity_shares"]
        * book.positions["instrument_id"].map(splits or {}).fillna(1.0)
        * book.positions["instrument_id"].map(price)
    )
    positions["charge"] = positions["value"].abs() * np.where(positions["value"] < 0, 0.30, 0.25)
    accounts = book.accounts.set_index("account_id").join(positions.groupby("account_id")[["value", "charge"]].sum())
    accounts["debt"] = book.contracts.groupby("account_id")["principal_minor"].sum() / 100
    accounts["cash"] = book.deposits.groupby("account_id")["amount_minor"].sum() / 100
    accounts = accounts.fillna({"debt": 0.0, "cash": 0.0})
    accounts["equity"] = accounts["value"] + accounts["cash"] - accounts["debt"]
    asked = np.where(accounts["market"] == "US", accounts["charge"], 0.30 * accounts["debt"])
    return accounts.assign(is_below=accounts["equity"] < asked)


def test_the_same_plan_gives_the_same_bytes_and_another_seed_other_bytes(tmp_path: Path) -> None:
    for name, plan in (("first", SMALL), ("second", SMALL), ("third", replace(SMALL, seed=7))):
        write_exchange(tmp_path / name, plan)
        positions = pd.DataFrame({"account_id": ["A1"] * 9, "instrument_id": list("ABCDEFGHI"), "quantity_shares": 100})
        write_statements(tmp_path / name, plan, positions, _movements(9))
    write_exchange(tmp_path / "second", SMALL)
    write_statements(tmp_path / "second", SMALL, positions, _movements(9))
    first, second, third = (_hashes(tmp_path / name) for name in ("first", "second", "third"))
    assert first == second
    assert first.keys() == third.keys()
    assert first["daily/2026-06-16.csv"] != third["daily/2026-06-16.csv"]


def test_the_same_plan_gives_the_same_clients(
    instruments: pd.DataFrame, closes_before: pd.DataFrame, book: ClientBook
) -> None:
    again = plan_clients(instruments, closes_before.sample(frac=1, random_state=1), DeskPlan())
    for table in ("clients", "accounts", "contracts", "positions", "deposits"):
        pd.testing.assert_frame_equal(getattr(book, table), getattr(again, table))


def test_every_bar_is_one_a_market_could_print(bars: pd.DataFrame, instruments: pd.DataFrame) -> None:
    assert len(instruments) == 60
    assert bars["day"].nunique() > 600
    assert (bars[["open", "close"]].min(axis=1) >= bars["low"]).all()
    assert (bars[["open", "close"]].max(axis=1) <= bars["high"]).all()
    assert (bars["low"] > 0).all()
    assert (bars["volume"] > 0).all()
    assert not bars.duplicated(["instrument_id", "day"]).any()


def test_chinese_prices_respect_their_limits(landing: Path, bars: pd.DataFrame, instruments: pd.DataFrame) -> None:
    limit = instruments.set_index("instrument_id")["price_limit_ratio"].dropna()
    assert set(limit) == {0.10, 0.20}
    chinese = bars[bars["instrument_id"].isin(limit.index)].sort_values(["instrument_id", "day"])
    before = chinese.groupby("instrument_id")["close"].shift()
    ex_dates = pd.read_csv(landing / "reference" / "corporate_actions.csv")[["instrument_id", "ex_date"]]
    is_ex = pd.MultiIndex.from_frame(chinese[["instrument_id", "day"]]).isin(pd.MultiIndex.from_frame(ex_dates))
    usual = before.notna() & ~is_ex
    width = chinese["instrument_id"].map(limit)
    ceiling = np.floor((before * (1 + width)) * 100 + 0.5 + 1e-6) / 100
    floor = np.floor((before * (1 - width)) * 100 + 0.5 - 1e-6) / 100
    assert (chinese["high"] <= ceiling + 1e-9)[usual].all()
    assert (chinese["low"] >= floor - 1e-9)[usual].all()


def test_returns_have_fat_tails_and_volatility_clusters(landing: Path, bars: pd.DataFrame) -> None:
    returns = _log_returns(landing, bars)
    assert returns.abs().max().max() < 0.31  # No split is left in them.
    shares = returns.loc[:, returns.notna().sum() > 500]
    kurtosis = shares.kurt() + 3
    clustering = (shares**2).apply(lambda squared: np.mean([squared.autocorr(lag) for lag in range(1, 6)]))
    assert (kurtosis > 3).mean() > 0.95
    assert kurtosis.median() > 4
    assert clustering.median() > 0.05
    assert (clustering > 0).mean() > 0.85


def test_what_volatility_does_next_can_be_forecast_better_than_by_a_random_walk(
    landing: Path, bars: pd.DataFrame
) -> None:
    losses: dict[str, list[float]] = {"ewma": [], "random walk": []}
    for _, returns in _log_returns(landing, bars).items():
        squared = returns.dropna() ** 2 + 1e-8
        ahead = squared.rolling(5).mean().shift(-5)
        for name, forecast in (("ewma", squared.ewm(alpha=0.06).mean()), ("random walk", squared.rolling(5).mean())):
            ratio = (ahead / forecast).iloc[100:-5]
            losses[name].append((ratio - np.log(ratio) - 1).mean())
    assert np.mean(losses["ewma"]) < 0.8 * np.mean(losses["random walk"])


def test_intraday_quotes_lie_within_the_day_and_before_their_batch(landing: Path, bars: pd.DataFrame) -> None:
    batches = sorted((landing / "intraday").glob("*.csv"))
    assert [file.stem[9:13] for file in batches] == ["0200", "0530", "0630", "1400", "1700", "1930"]
    today = bars[bars["day"] == str(DEMO_DAY)].set_index("instrument_id")
    spoilt = {(fact["file"], fact["line"]) for fact in _planted(landing)}
    for file in batches:
        cut = datetime.strptime(file.stem, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        quotes = _rows(file)
        is_sound = [(f"intraday/{file.name}", line) not in spoilt for line in range(2, len(quotes) + 2)]
        quotes = quotes[is_sound].join(today[["low", "high"]], on="instrument_id")
        age = (cut - pd.to_datetime(quotes["quoted_at"])).dt.total_seconds()
        assert age.between(1, 180).all()
        assert quotes["price"].between(quotes["low"], quotes["high"]).all()
        assert (quotes["bid"] <= quotes["price"]).all()
        assert (quotes["price"] <= quotes["ask"]).all()
        assert quotes["instrument_id"].is_unique


def test_every_planted_quote_is_where_the_truth_says(landing: Path) -> None:
    facts = {fact["kind"]: fact for fact in _planted(landing)}
    reasons = {kind: fact["expected_reason"] for kind, fact in facts.items() if "expected_reason" in fact}
    assert reasons == {
        "crossed_quote": "bid_must_not_exceed_ask",
        "non_positive_price": "price_must_be_positive",
        "unknown_instrument": "instrument_must_be_known",
        "duplicate_quote": "quote_must_be_unique",
    }
    rows = {
        kind: _rows(landing / facts[kind]["file"]).iloc[facts[kind]["line"] - 2] for kind in [*reasons, "late_tick"]
    }
    assert all(rows[kind]["instrument_id"] == facts[kind]["instrument_id"] for kind in rows)
    assert rows["crossed_quote"]["bid"] > rows["crossed_quote"]["ask"]
    assert rows["non_positive_price"]["price"] == 0
    assert "US.NOWHERE" not in (landing / "reference" / "instruments.csv").read_text(encoding="utf-8")
    lines = (landing / facts["duplicate_quote"]["file"]).read_text(encoding="utf-8").splitlines()
    assert lines.index(lines[facts["duplicate_quote"]["line"] - 1]) < facts["duplicate_quote"]["line"] - 1
    late = facts["late_tick"]
    assert rows["late_tick"]["quoted_at"] < late["in_force_quoted_at"]
    assert rows["late_tick"]["price"] < 0.6 * float(late["in_force_price"])


def test_the_reader_holds_back_what_was_planted_and_nothing_else(landing: Path, instruments: pd.DataFrame) -> None:
    folder, known_at = open_market_folder(landing), datetime(2026, 6, 18, tzinfo=UTC)
    assert folder.vendor == "synthetic"
    known = set(instruments["instrument_id"])
    deliveries = [folder.prices(batch, known, known_at) for batch in folder.batches_of(DEMO_DAY)]
    deliveries.append(folder.daily_bars(date(2026, 5, 1), DEMO_DAY, known_at))
    deliveries.append(folder.corporate_actions(date(2023, 1, 1), DEMO_DAY, known_at))
    held_back = pd.concat([delivery.quarantined for delivery in deliveries])
    expected = {
        (fact["file"].removeprefix("intraday/"), fact["line"], fact["expected_reason"])
        for fact in _planted(landing)
        if "expected_reason" in fact
    }
    assert set(held_back[["file", "line", "reason"]].itertuples(index=False, name=None)) == expected
    assert len(held_back) == len(expected)


def test_every_planted_event_is_where_the_truth_says(landing: Path, bars: pd.DataFrame) -> None:
    facts = {fact["kind"]: fact for fact in _planted(landing)}
    actions = pd.read_csv(landing / "reference" / "corporate_actions.csv")
    for kind, name in (("split", "split"), ("dividend", "cash_dividend")):
        action = actions.iloc[facts[kind]["line"] - 2]
        assert (action["instrument_id"], action["ex_date"]) == (facts[kind]["instrument_id"], str(DEMO_DAY))
        assert action["kind"] == name
    assert (actions["ex_date"] == str(DEMO_DAY)).sum() == 2
    close = bars.pivot(index="day", columns="instrument_id", values="close")
    assert close[facts["halt"]["instrument_id"]].last_valid_index() == facts["halt"]["last_bar_on"] < str(DEMO_DAY)
    fall = close.iloc[-1] / close.iloc[-2] - 1
    assert -0.45 < fall[facts["crashing_concentrated_name"]["instrument_id"]] < -0.35
    assert fall[facts["limit_down"]["instrument_id"]] == pytest.approx(-0.10, abs=0.001)
    assert fall[SPLITTING] == pytest.approx(1 / 1.5 - 1, abs=0.1)


def test_few_accounts_begin_below_their_requirement_and_the_crash_calls_its_holders(
    landing: Path, bars: pd.DataFrame, book: ClientBook
) -> None:
    close = bars.pivot(index="day", columns="instrument_id", values="close").ffill()
    before, after = _equity(book, close.iloc[-2]), _equity(book, close.iloc[-1], {SPLITTING: 1.5})
    assert 0.005 < before["is_below"].mean() < 0.02
    assert before["is_below"].mean() < after["is_below"].mean() < 0.05
    assert (before["equity"] > 0).all()
    holders = next(fact for fact in _planted(landing) if fact["kind"] == "crashing_concentrated_name")["accounts"]
    assert len(holders) == 12
    assert not before.loc[holders, "is_below"].any()
    assert after.loc[holders, "is_below"].all()
    assert (after.loc[holders, "equity"] < 0).any()
    chinese = before[(before["market"] == "CN") & (before["debt"] > 0)]
    ratio = (chinese["value"] + chinese["cash"]) / chinese["debt"]
    assert ratio.between(1.6, 3.0).mean() > 0.8


def test_a_client_book_is_one_the_ledger_can_open(book: ClientBook, instruments: pd.DataFrame) -> None:
    accounts = book.accounts.set_index("account_id")
    assert len(accounts) == 2000
    assert accounts.index.is_unique
    assert 0.65 < (accounts["market"] == "US").mean() < 0.75
    assert set(accounts["rulebook"]) == {"us.finra_4210", "cn.sse_margin_trading"}
    assert set(accounts["client_id"]) == set(book.clients["client_id"])
    assert book.clients["name"].str.fullmatch(r"Client \d{6} \(synthetic\)").all()
    assert book.contracts["contract_id"].is_unique
    assert (book.contracts["principal_minor"] > 0).all()
    assert (book.deposits["amount_minor"] > 0).all()
    assert book.contracts["principal_minor"].dtype == book.positions["quantity_shares"].dtype == np.int64
    assert not book.positions.duplicated(["account_id", "instrument_id"]).any()
    assert (book.positions["quantity_shares"] != 0).all()
    market = instruments.set_index("instrument_id")["market"]
    assert (book.positions["instrument_id"].map(market) == book.positions["account_id"].map(accounts["market"])).all()
    longs = book.positions[book.positions["quantity_shares"] > 0].groupby("account_id").size()
    assert longs.between(1, 6).all()
    assert len(longs) == 2000
    shorts = book.positions[book.positions["quantity_shares"] < 0]
    assert 10 < len(shorts) < 100
    assert shorts["instrument_id"].str.startswith("US.").all()
    contracts = book.contracts.join(accounts[["market", "opened_on"]], on="account_id", rsuffix="_of_account")
    assert (contracts["opened_on_of_account"] < contracts["opened_on"]).all()
    assert (contracts["opened_on"] < DEMO_DAY).all()
    assert (contracts["matures_on"] >= DEMO_DAY).all()
    chinese = contracts.loc[contracts["market"] == "CN", "opened_on"]
    assert chinese.min() < date(2026, 1, 19) < chinese.max()
    assert 0.05 < 1 - book.contracts["account_id"].nunique() / 2000 < 0.25


@pytest.mark.parametrize("count", [1, 7, 5000])
def test_as_many_accounts_are_planned_as_asked(
    instruments: pd.DataFrame, closes_before: pd.DataFrame, count: int
) -> None:
    assert len(plan_clients(instruments, closes_before, DeskPlan(accounts=count)).accounts) == count


@pytest.mark.parametrize(
    ("market", "currency", "names", "day"), [("US", "USD", 10, "2008-09-15"), ("CN", "CNY", 1, "2015-07-08")]
)
def test_clients_can_be_planned_on_any_market(market: str, currency: str, names: int, day: str) -> None:
    ids = [f"{market}.{number:06d}" for number in range(names)]
    real = pd.DataFrame(
        {"instrument_id": ids, "market": market, "currency": currency, "lot_size_shares": 100, "source": "tongdaxin"}
    )
    prices = pd.DataFrame({"instrument_id": ids, "price_close_e4": 123_400})
    found = plan_clients(real, prices, DeskPlan(accounts=200, day=date.fromisoformat(day)))
    assert set(found.accounts["market"]) == {market}
    assert set(found.positions["account_id"]) == set(found.accounts["account_id"])
    assert set(found.positions["source"]) == {"synthetic"}
    assert (found.positions["quantity_shares"] % 100 == 0).mean() > 0.9


def test_clients_without_any_price_are_refused(instruments: pd.DataFrame, closes_before: pd.DataFrame) -> None:
    with pytest.raises(NoPrices, match="closing price above zero"):
        plan_clients(instruments, closes_before.iloc[:0], DeskPlan())


def _movements(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bank_account_id": "1010.USD",
            "reference": [f"dividend/{number}" for number in range(count)],
            "value_date": DEMO_DAY,
            "amount_minor": [100 + 37 * number for number in range(count)],
            "currency": "USD",
        }
    )


def _difference(true: Counter, told: Counter) -> tuple[Counter, Counter]:
    return true - told, told - true


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 50])
def test_statements_differ_from_the_books_by_what_was_planted_and_nothing_else(tmp_path: Path, count: int) -> None:
    positions = pd.DataFrame(
        {"account_id": [f"A{n}" for n in range(count)], "instrument_id": "US.ANVILS", "quantity_shares": 300}
    )
    movements = _movements(count)
    write_statements(tmp_path, SMALL, positions, movements)
    once = _hashes(tmp_path)
    write_statements(tmp_path, SMALL, positions, movements)
    assert _hashes(tmp_path) == once
    facts = _planted(tmp_path)
    cash = [fact for fact in facts if fact["subject"] == "cash"]
    assert len(facts) == min(count, 3) + min(count, 4) == len({(fact["subject"], fact["key"]) for fact in facts})

    bank = _rows(tmp_path / "bank" / f"{DEMO_DAY}.csv")
    true = Counter(zip(movements["reference"], movements["amount_minor"], strict=True))
    told = Counter(zip(bank["reference"], (bank["amount"].astype(float) * 100).round().astype(int), strict=True))
    expected = Counter()
    for fact in cash:
        amount = movements.set_index("reference")["amount_minor"].get(fact["reference"], 0)
        expected[fact["reference"], amount] -= fact["expected_break"] in ("missing_external", "amount_break")
        expected[fact["reference"], amount] += fact["expected_break"] == "duplicate_external"
        if "difference" in fact:
            expected[fact["reference"], amount + fact["difference"]] += 1
    lacking, surplus = _difference(true, told)
    assert lacking == -expected
    assert surplus == +expected

    custodian = _rows(tmp_path / "custodian" / f"{DEMO_DAY}.csv")
    true = Counter((row.account_id, row.quantity_shares) for row in positions.itertuples())
    told = Counter(zip(custodian["account_id"], custodian["quantity_shares"].astype(int), strict=True))
    expected = Counter()
    for fact in facts[: min(count, 3)]:
        expected[fact["account_id"], 300] -= fact["expected_break"] in ("missing_external", "quantity_break")
        expected[fact["account_id"], 300] += fact["expected_break"] == "duplicate_external"
        if "difference" in fact:
            expected[fact["account_id"], 300 + fact["difference"]] += 1
    lacking, surplus = _difference(true, told)
    assert lacking == -expected
    assert surplus == +expected


def test_statement_trailers_agree_with_their_lines(tmp_path: Path) -> None:
    write_statements(
        tmp_path, SMALL, pd.DataFrame(columns=["account_id", "instrument_id", "quantity_shares"]), _movements(20)
    )
    lines = (tmp_path / "bank" / f"{DEMO_DAY}.csv").read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines[1:] if not line.startswith("#")]
    total = sum(round(float(row[3]) * 100) for row in rows)
    assert lines[-2:] == [f"#rows,{len(rows)}", f"#sum,USD,{total / 100:.2f}"]
    assert (tmp_path / "custodian" / f"{DEMO_DAY}.csv").read_text(encoding="utf-8").endswith("source\n#rows,0\n")


def test_every_row_says_that_it_is_synthetic(landing: Path, book: ClientBook, tmp_path: Path) -> None:
    write_statements(tmp_path, DeskPlan(), book.positions, _movements(5))
    files = [*landing.rglob("*.csv"), *tmp_path.rglob("*.csv")]
    assert len(files) > 600
    for file in files:
        header, *lines = file.read_text(encoding="utf-8").splitlines()
        assert header.endswith(",source")
        assert all(line.endswith(",synthetic") for line in lines if not line.startswith("#"))
    for table in ("clients", "accounts", "contracts", "positions", "deposits"):
        assert set(getattr(book, table)["source"]) == {"synthetic"}
    assert not list(landing.rglob(".*"))


def test_a_folder_with_a_real_market_is_left_alone(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    reference.mkdir()
    text = "instrument_id,source\nUS.AIG,landing\n"
    (reference / "instruments.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MarketFolderNotUsable, match="Nothing was written"):
        write_exchange(tmp_path, SMALL)
    assert [file.name for file in tmp_path.rglob("*.csv")] == ["instruments.csv"]
    assert (reference / "instruments.csv").read_text(encoding="utf-8") == text


def test_a_day_without_any_open_exchange_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeskNotReady, match="neither XSHG nor XNYS"):
        write_exchange(tmp_path, replace(SMALL, day=date(2026, 6, 14)))
    assert not list(tmp_path.iterdir())


def test_a_day_one_exchange_rests_has_batches_of_the_other_only(tmp_path: Path) -> None:
    write_exchange(tmp_path, replace(SMALL, day=date(2025, 10, 6)))
    assert [file.stem[9:13] for file in sorted((tmp_path / "intraday").glob("*.csv"))] == ["1400", "1700", "1930"]
    kinds = {fact["kind"] for fact in _planted(tmp_path)}
    assert "crashing_concentrated_name" in kinds
    assert "halt" not in kinds
