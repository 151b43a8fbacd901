"""Whatever the path is, the desk learns what it found or what should have been there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from domain.errors import MarketFolderNotUsable
from feeds.folders import open_market_folder
from feeds.lean import LeanFolder
from feeds.prices import LandingFolder
from feeds.tongdaxin import TongDaXinFolder

Put = Callable[[str, str | bytes], Path]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(MarketFolderNotUsable, match=r"nowhere does not exist\. Nothing was written; give"):
        open_market_folder(tmp_path / "nowhere")


def test_an_empty_folder_says_what_belongs_there(tmp_path: Path) -> None:
    with pytest.raises(MarketFolderNotUsable, match=r"is empty, but must be a Lean folder .* TongDaXin folder"):
        open_market_folder(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "aig.zip").write_bytes(b"PK")
    with pytest.raises(MarketFolderNotUsable, match=r"aig\.zip is a file, but the market folder must be a folder"):
        open_market_folder(tmp_path / "aig.zip")


def test_a_folder_of_no_known_layout_says_what_it_holds(tmp_path: Path) -> None:
    for name in "abcdefghij":
        (tmp_path / f"{name}.txt").touch()
    with pytest.raises(MarketFolderNotUsable, match=r"but holds a\.txt, .*h\.txt, …\. Nothing was written"):
        open_market_folder(tmp_path)


def test_a_folder_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(MarketFolderNotUsable, match="may not be read by this user"):
        open_market_folder(tmp_path)


@pytest.mark.parametrize("inside", [".", "equity", "equity/usa", "equity/usa/daily"])
def test_a_lean_folder_is_known_from_any_of_its_levels(tmp_path: Path, inside: str) -> None:
    daily = tmp_path / "lean" / "equity" / "usa" / "daily"
    daily.mkdir(parents=True)
    (daily / "aig.zip").touch()
    assert open_market_folder(tmp_path / "lean" / inside) == LeanFolder(tmp_path / "lean")


@pytest.mark.parametrize("inside", [".", "vipdoc", "vipdoc/sz", "vipdoc/sz/lday"])
def test_a_tongdaxin_folder_is_known_from_any_of_its_levels(tmp_path: Path, inside: str) -> None:
    days = tmp_path / "tdx" / "vipdoc" / "sz" / "lday"
    days.mkdir(parents=True)
    (days / "sz000001.day").touch()
    assert open_market_folder(tmp_path / "tdx" / inside) == TongDaXinFolder(tmp_path / "tdx" / "vipdoc")


def test_layouts_without_a_single_file_are_not_usable(tmp_path: Path) -> None:
    (tmp_path / "equity" / "usa" / "daily").mkdir(parents=True)
    (tmp_path / "vipdoc" / "sh" / "lday").mkdir(parents=True)
    with pytest.raises(MarketFolderNotUsable, match="but holds equity, vipdoc"):
        open_market_folder(tmp_path)


def test_the_desks_own_folder_is_synthetic_as_soon_as_one_line_says_so(landing: Path) -> None:
    assert open_market_folder(landing) == LandingFolder(landing, "landing")
    with (landing / "reference" / "instruments.csv").open("a") as file:
        file.write("US.SHAM,SHAM,US,USD,equity,nyse,1,,synthetic\n")
    assert open_market_folder(landing).vendor == "synthetic"
