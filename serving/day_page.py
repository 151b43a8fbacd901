"""The day on one page: what happened on the desk, told from what was published."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from domain.money import format_minor
from serving.published import Publication

_BARS = "▁▂▃▄▅▆▇█"


def day_page(publication: Publication) -> RenderableType:
    """Lay out one publication for a terminal of 100 columns or more."""
    return Group(
        _header(publication.manifest),
        _book(publication.table("fct_risk__slices")),
        _slices(publication.table("fct_risk__slices")),
        _calls(publication.table("fct_margin__calls")),
        _loans(publication.table("fct_pricing__loan_rates")),
        _forecast(publication.table("fct_forecasting__scores"), publication.table("fct_forecasting__drift")),
        _reconciliation(publication.table("fct_reconciliation__breaks")),
        _quarantine(publication.table("fct_market__quarantine")),
    )


def _header(manifest: dict[str, Any]) -> Panel:
    told = Text.assemble(
        "business day ", (_shown(manifest["as_of_date"]), "bold"), " · slice ", (_shown(manifest["slice"]), "bold"),
        " · source ", (_shown(", ".join(manifest["source"])), "bold"), _shown(_whose(set(manifest["source"]))),
        _shown(f"\nledger head {manifest['ledger_head']} · published {manifest['published_at'][:19]}Z"),
        _shown(f" · run {manifest['run_id'][:8]}"),
    )  # fmt: skip
    return Panel(told, title="Lombard · the day on the desk", title_align="left", border_style="cyan")


def _whose(sources: set[str]) -> str:
    """What of the page is invented: all of it, the clients alone beside a vendor's prices, or nothing."""
    if "synthetic" not in sources:
        return ""
    if vendors := sorted(sources - {"synthetic"}):
        return f" · clients are synthetic; prices are {' and '.join(vendors)}'s"
    return " · nothing on this page is a client's or a market's"


def _table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    table = Table(title=Text(_shown(title), "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=column in numbers)
    return table


def _add(table: Table, *cells: str) -> None:
    """Add a row as it stands: names and texts come from outside, and may look like an order to the terminal."""
    table.add_row(*(Text(_shown(cell)) for cell in cells))


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _book(slices: pd.DataFrame) -> Table:
    numbers = ("accounts", "in call", "market value", "debt", "equity", "VaR 99 %, 1 day", "ES 97.5 %")
    last = _last_slice(slices)
    table = _table(f"The book at {'the close' if last == 'close' else last}", "currency", *numbers, numbers=numbers)
    for row in _rows(slices[slices["slice"] == last]):
        money = [
            format_minor(int(amount), row.currency).removesuffix(f" {row.currency}")
            for amount in (row.market_value_minor, row.debt_minor, row.equity_minor, row.var_99_minor, row.es_975_minor)
        ]
        _add(table, row.currency, f"{row.accounts:,}", f"{row.accounts_in_call:,}", *money)
    return table


def _slices(slices: pd.DataFrame) -> Table:
    """Every slice of the day as a row, one currency after the other, with equity drawn as a bar."""
    numbers = ("equity", "in call", "VaR 99 %")
    table = _table("Through the day", "currency", "slice", "equity", "", "in call", "VaR 99 %", numbers=numbers)
    for currency, of_one in slices.groupby("currency"):
        ordered = of_one.sort_values("slice", key=lambda names: names.map(_rank))
        low, high = ordered["equity_minor"].min(), ordered["equity_minor"].max()
        for row in _rows(ordered):
            height = 0 if high == low else int((row.equity_minor - low) * (len(_BARS) - 1) // (high - low))
            _add(
                table, str(currency), row.slice, format_minor(int(row.equity_minor), str(currency)), _BARS[height],
                f"{row.accounts_in_call:,}", format_minor(int(row.var_99_minor), str(currency)),
            )  # fmt: skip
    return table


def _calls(calls: pd.DataFrame) -> RenderableType:
    if calls.empty:
        return Text("Margin calls: none.\n")
    totals = " + ".join(format_minor(int(v), str(c)) for c, v in calls.groupby("currency")["call_minor"].sum().items())
    short = " + ".join(
        format_minor(int(v), str(c)) for c, v in calls.groupby("currency")["shortfall_minor"].sum().items()
    )
    numbers = ("equity", "must keep", "call")
    table = _table(
        f"Margin calls: {len(calls):,}, together {totals}; under water {short}. The five largest:",
        "account", *numbers, "due", "rule edition", numbers=numbers,
    )  # fmt: skip
    for row in _rows(calls.nlargest(5, "call_minor")):
        amounts = [
            format_minor(int(v), row.currency) for v in (row.equity_minor, row.requirement_minor, row.call_minor)
        ]
        _add(table, row.account_id, *amounts, str(row.due_on)[:10], row.rulebook_edition)
    return table


def _loans(rates: pd.DataFrame) -> Table:
    numbers = ("loans", "principal", "risk-free", "+ funding", "+ expected loss", "= rate", "lowest", "highest")
    table = _table("Loan prices, annual, weighted by principal", "currency", *numbers, numbers=numbers)
    for currency, of_one in rates.groupby("currency"):
        principal = of_one["principal_minor"]
        parts = [
            (of_one[column] * (principal / principal.sum())).sum() / 1e6
            for column in ("risk_free_e8", "funding_premium_e8", "expected_loss_premium_e8", "rate_e8")
        ]
        ends = [of_one["rate_e8"].min() / 1e6, of_one["rate_e8"].max() / 1e6]
        _add(
            table, str(currency), f"{len(of_one):,}", format_minor(int(principal.sum()), str(currency)),
            *[f"{value:.3f} %" for value in (*parts, *ends)],
        )  # fmt: skip
    return table


def _forecast(scores: pd.DataFrame, drift: pd.DataFrame) -> RenderableType:
    numbers = ("QLIKE", "RMSE", "MAE", "forecasts scored")
    table = _table("Five-day volatility, walked forward (lower is better)", "method", *numbers, "", numbers=numbers)
    for row in _rows(scores[scores["as_of_date"] == scores["as_of_date"].max()].sort_values("qlike")):
        champion = f"champion, version {row.model_version}" if row.is_champion else ""
        _add(
            table, row.method, f"{row.qlike:.4f}", f"{row.rmse:.4f}", f"{row.mae:.4f}", f"{row.observations:,}",
            champion,
        )  # fmt: skip
    if drift.empty:
        return Group(table, Text("Drift: not measured yet today.\n"))
    drifted = int(drift["is_drifted"].sum())
    return Group(table, Text(f"Drift: {drifted} of {len(drift)} features and predictions drifted.\n"))


def _reconciliation(breaks: pd.DataFrame) -> RenderableType:
    if breaks.empty:
        return Text("Reconciliation: the books agree with custodian and bank, line by line.\n")
    table = _table(
        f"Reconciliation: {len(breaks)} breaks", "subject", "class", "key", "books", "outside", "explanation",
        numbers=("books", "outside"),
    )  # fmt: skip
    for row in _rows(breaks.head(12)):
        sides = [f"{int(v):,}" if pd.notna(v) else "nothing" for v in (row.internal_value, row.external_value)]
        _add(table, row.subject, row.break_class, row.key, *sides, row.explanation)
    return table


def _quarantine(quarantine: pd.DataFrame) -> RenderableType:
    if quarantine.empty:
        return Text("Quarantine: empty; every delivered row was believed.\n")
    table = _table(
        f"Quarantine: {len(quarantine):,} rows not believed", "reason", "rows", "for example", numbers=("rows",)
    )
    for reason, of_one in quarantine.groupby("reason"):
        first = of_one.iloc[0]
        _add(table, str(reason), f"{len(of_one):,}", f"{first['file']}:{first['line']}")
    return table


def _rows(table: pd.DataFrame) -> Iterable[Any]:
    """Rows with a field per column; which type each has is said by the table's schema, not by pandas."""
    return table.itertuples()


def _rank(slice_name: str) -> str:
    return {"open": "0", "close": "3"}.get(slice_name, slice_name)


def _last_slice(slices: pd.DataFrame) -> str:
    return str(max(slices["slice"], key=_rank))
