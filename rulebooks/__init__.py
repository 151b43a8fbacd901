"""The law and the house's policy as data: every YAML file below is one rulebook, and an edition is never edited.

Each number carries a status: ``sourced`` (stated by the source named), ``known`` (from memory; look it up before
relying on it) or ``platform`` (chosen by this desk). ``editions.lock`` holds a hash of every edition, so that no law in
force can change silently.
"""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from domain.errors import RulebookNotUsable
from domain.rulebook import Edition, Rulebook, read_rulebook

FOLDER: Final = Path(__file__).parent
LOCK_FILE: Final = FOLDER / "editions.lock"


@cache
def load_rulebook(name: str) -> Rulebook:
    """Read the rulebook called ``us.finra_4210`` from ``us/finra_4210.yaml``, every rule of every edition of it."""
    return read_rulebook_file(FOLDER / f"{name.replace('.', '/')}.yaml", name)


def read_rulebook_file(path: Path, name: str) -> Rulebook:
    """Read one rulebook from one file; raises :class:`RulebookNotUsable` for any file that is not one."""
    if not re.fullmatch(r"[a-z]+\.[a-z0-9_]+", name) or not path.is_file():
        raise RulebookNotUsable(
            f"A rulebook must be one of {', '.join(_names())}, but got {name!r}. Nothing was computed; correct "
            f"the name, or add {path.name} to rulebooks/."
        )
    text = path.read_text(encoding="utf-8")
    try:
        _require_unique_keys(yaml.compose(text, Loader=yaml.SafeLoader), path.name)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RulebookNotUsable(
            f"rulebooks/{name.replace('.', '/')}.yaml must be YAML, but it cannot be read: {error}. Nothing was "
            f"computed; correct the file and rerun."
        ) from error
    return read_rulebook(document, name)


def all_rulebooks() -> dict[str, Rulebook]:
    """Every rulebook by its name, in order of name."""
    return {name: load_rulebook(name) for name in _names()}


def editions_of(*names: str) -> list[tuple[Edition, str]]:
    """Every edition of the rulebooks named (of all, where none is), each with its hash, as the books adopt them."""
    rulebooks = [load_rulebook(name) for name in names or _names()]
    return [(edition, edition_hash(edition)) for rulebook in rulebooks for edition in rulebook.editions]


def edition_hash(edition: Edition) -> str:
    """SHA-256 over everything in an edition that can change a number; a better source leaves it as it was."""
    binding = {
        "rulebook": edition.rulebook,
        "effective_on": edition.effective_on.isoformat(),
        "reaches_open_contracts": edition.reaches_open_contracts,
        "reaches_extensions": edition.reaches_extensions,
        "currency": edition.currency,
        "rules": dict(edition.rules),
    }
    return hashlib.sha256(json.dumps(binding, sort_keys=True, allow_nan=False).encode()).hexdigest()


def edition_hashes() -> dict[str, str]:
    """Hash of every edition by its name, oldest first within each rulebook."""
    return {
        edition.name: edition_hash(edition) for rulebook in all_rulebooks().values() for edition in rulebook.editions
    }


def lock_lines() -> list[str]:
    """What ``editions.lock`` must hold, line by line; append the new line after adding an edition."""
    return [f"{name} {digest}" for name, digest in edition_hashes().items()]


def _names() -> list[str]:
    return sorted(f"{path.parent.name}.{path.stem}" for path in FOLDER.glob("*/*.yaml"))


def _require_unique_keys(node: Any, file: str) -> None:
    """YAML lets a later key replace an earlier one without a word; in a law that would be two numbers for one rule."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        if repeated := sorted({str(key) for key in keys if keys.count(key) > 1}):
            line = node.start_mark.line + 1
            raise RulebookNotUsable(
                f"{file}, line {line}: every key must stand once, but {', '.join(repeated)} stands again below it. "
                f"Nothing was computed; remove the one that is wrong and rerun."
            )
        for _, value in node.value:
            _require_unique_keys(value, file)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _require_unique_keys(value, file)
