"""Finds out what kind of market folder a path is, or says what was expected there instead."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol

from domain.errors import MarketFolderNotUsable
from feeds import delimited
from feeds.deliveries import Delivery, Fault
from feeds.lean import LeanFolder
from feeds.prices import LandingFolder
from feeds.reference import INSTRUMENTS_HEADER
from feeds.tongdaxin import TongDaXinFolder

LAYOUTS: Final = (
    "a Lean folder (equity/usa/daily/*.zip), a TongDaXin folder (vipdoc/sh/lday/*.day), or the desk's own "
    "(reference/instruments.csv, daily/, intraday/)"
)


class MarketFolder(Protocol):
    """Market data of one vendor, whatever the layout; rows as of a day, problems beside them."""

    @property
    def root(self) -> Path:
        """The folder read from."""

    @property
    def vendor(self) -> str:
        """Whose word the rows are."""

    def instruments(self, day: date, known_at: datetime) -> Delivery:
        """Instruments the desk can lend on, as of ``day``."""

    def daily_bars(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Unadjusted bars from ``first`` to ``last``."""

    def corporate_actions(self, first: date, last: date, known_at: datetime) -> Delivery:
        """Splits and cash dividends with an ex-date from ``first`` to ``last``."""

    def rates(self, day: date, known_at: datetime) -> Delivery:
        """The latest rate of each currency on or before ``day``; may be empty."""

    def batches_after(self, cursor: str) -> list[str]:
        """Names of complete intraday batches later than ``cursor``."""

    def batches_of(self, day: date) -> list[str]:
        """Names of complete intraday batches of ``day``."""

    def prices(self, batch: str, instruments: set[str], known_at: datetime) -> Delivery:
        """Quotes of one batch."""

    def sessions(self) -> list[date]:
        """Days that have at least one daily bar."""


def open_market_folder(path: Path) -> MarketFolder:
    """The reader for the layout found at ``path``; raises :class:`MarketFolderNotUsable` where there is none."""
    _must_be_a_folder_with_content(path)
    lean = _first_holding(_upwards(path, ("equity", "usa", "daily")), Path("equity", "usa", "daily"), "*.zip")
    if lean is not None:
        return LeanFolder(lean)
    for root in [path / "vipdoc", *_upwards(path, ("sh", "lday")), *_upwards(path, ("sz", "lday"))]:
        if any(_holds(root / exchange / "lday", "*.day") for exchange in ("sh", "sz")):
            return TongDaXinFolder(root)
    if (path / "reference" / "instruments.csv").is_file():
        return LandingFolder(path, _vendor(path))
    inside = sorted(entry.name for entry in path.iterdir())
    raise MarketFolderNotUsable(
        f"{path} must be {LAYOUTS}, but holds {', '.join(inside[:8])}{', …' if len(inside) > 8 else ''}. Nothing was "
        f"written; give the folder that holds one of these layouts."
    )


def _must_be_a_folder_with_content(path: Path) -> None:
    if not path.exists():
        raise MarketFolderNotUsable(
            f"The market folder {path} does not exist. Nothing was written; give a folder that is there, or run the "
            f"demo, which makes its own."
        )
    if not path.is_dir():
        raise MarketFolderNotUsable(
            f"{path} is a file, but the market folder must be a folder: {LAYOUTS}. Nothing was written; give the "
            f"folder that holds it."
        )
    try:
        empty = not any(path.iterdir())
    except PermissionError:
        raise MarketFolderNotUsable(
            f"The market folder {path} may not be read by this user. Nothing was written; grant reading, or give "
            f"another folder."
        ) from None
    if empty:
        raise MarketFolderNotUsable(
            f"The market folder {path} is empty, but must be {LAYOUTS}. Nothing was written; put the data there, or "
            f"give another folder."
        )


def _upwards(path: Path, names: Sequence[str]) -> list[Path]:
    """Folders that ``path`` may lie in, if it is itself a part of the layout ``names``."""
    path = path.resolve()
    found = [path]
    for depth in range(1, len(names) + 1):
        if path.parts[-depth:] == tuple(names[:depth]):
            found.append(path.parents[depth - 1])
    return found


def _first_holding(roots: Sequence[Path], below: Path, pattern: str) -> Path | None:
    return next((root for root in roots if _holds(root / below, pattern)), None)


def _holds(folder: Path, pattern: str) -> bool:
    return folder.is_dir() and any(folder.glob(pattern))


def _vendor(path: Path) -> str:
    """``synthetic`` as soon as one instrument says so: what is made up must never pass for a market."""
    found = delimited.read_sheet(path / "reference" / "instruments.csv", path, INSTRUMENTS_HEADER)
    lines = [] if isinstance(found, Fault) else found.lines
    return "synthetic" if any(line.endswith(",synthetic") for line in lines) else "landing"
