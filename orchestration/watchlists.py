"""The lists a desk screens against, kept as they came, so that what was in force can be read again byte for byte."""

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from domain.clients.watchlists import Watchlist
from domain.errors import DeskNotReady
from feeds.watchlists import ListReading
from feeds.watchlists_eu import read_eu_xml
from feeds.watchlists_house import read_house_list
from feeds.watchlists_ofac import read_ofac_csv, read_ofac_xml
from feeds.watchlists_un import read_un_xml
from orchestration.settings import Settings

LAYOUTS: Final = ("house", "ofac-csv", "ofac-xml", "un", "eu")
"""How a list may be laid out; only the first two do not say themselves on which day they were published."""

_MARK: Final = "read.json"


def read_list(
    layout: str,
    source: Path,
    published_on: date | None,
    known_at: datetime,
    previous: Watchlist | None = None,
    *,
    accept_shrinkage: bool = False,
) -> ListReading:
    """Read a list in one of the layouts; ``source`` is a file, or a folder for the three files of OFAC."""
    if layout in ("house", "ofac-csv"):
        if published_on is None:
            raise DeskNotReady(
                f"A list in layout {layout} does not say when it was published. Nothing was read; say so with "
                f"--published-on."
            )
        read = read_house_list if layout == "house" else read_ofac_csv
        return read(source, published_on, known_at, previous, accept_shrinkage=accept_shrinkage)
    readers = {"ofac-xml": read_ofac_xml, "un": read_un_xml, "eu": read_eu_xml}
    return readers[layout](source, known_at, previous, accept_shrinkage=accept_shrinkage)


def keep_list(settings: Settings, layout: str, source: Path, watchlist: Watchlist) -> Path:
    """Keep the files a list was read from; those of one version are kept once."""
    folder = _folder(settings, watchlist.name, watchlist.version)
    if not folder.exists():
        staged = folder.with_name(f".{folder.name}")
        shutil.rmtree(staged, ignore_errors=True)
        if source.is_dir():
            shutil.copytree(source, staged / "list")
        else:
            (staged / "list").mkdir(parents=True)
            shutil.copy(source, staged / "list" / source.name)
        told = {"layout": layout, "published_on": str(watchlist.published_on), "is_folder": source.is_dir()}
        (staged / _MARK).write_text(json.dumps({**told, "file": source.name}), encoding="utf-8")
        staged.rename(folder)
    return folder


def kept_list(settings: Settings, name: str, version: str) -> Watchlist:
    """Read a kept list again; raises :class:`DeskNotReady` where it is gone or is not what it was."""
    folder = _folder(settings, name, version)
    if not (folder / _MARK).exists():
        raise DeskNotReady(
            f"List {name} {version[:16]} is in force and should be kept in {folder}, but is not there. Nothing was "
            f"screened; restore the folder from a backup."
        )
    told = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    source = folder / "list" if told["is_folder"] else folder / "list" / told["file"]
    found = read_list(told["layout"], source, date.fromisoformat(told["published_on"]), datetime.now(UTC)).watchlist
    if found.version != version:
        raise DeskNotReady(
            f"List {name} {version[:16]} in {folder} was changed since it came into force. Nothing was screened; "
            f"restore the folder from a backup."
        )
    return found


def kept_lists(settings: Settings, versions: Mapping[str, str]) -> list[Watchlist]:
    """Every list in force, read again."""
    return [kept_list(settings, name, version) for name, version in versions.items()]


def _folder(settings: Settings, name: str, version: str) -> Path:
    return settings.home / "watchlists" / name / version[:16]
