"""Master keys: what wraps the data keys of clients. They come from a file only its owner reads, or from a setting.

A key is 32 random bytes, written as base64 on a line of its own; the last line is the key in use, those above it are
kept for what is still wrapped under them. A key is known by the first digits of a digest of itself. No message and no
``repr`` shows a key.
"""

import base64
import binascii
import hmac
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from domain.errors import MasterKeyNotUsable

KEY_BYTES: Final = 32
KEY_ID_DIGITS: Final = 12
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Every master key at hand by its id, and the id of the one in use."""

    by_id: Mapping[str, bytes] = field(repr=False)
    current: str


def master_key_id(key: bytes) -> str:
    """The name of a key: it says nothing about the key, and no other key has it."""
    return hmac.digest(key, b"lombard master key id", "sha256").hex()[:KEY_ID_DIGITS]


def load_master_keys(told: Path | str) -> MasterKeys:
    """Read master keys from a file, or from a text (a setting), where commas may stand for line ends.

    Raises
    ------
    MasterKeyNotUsable
        The file is missing or open to others' eyes, or a line is not exactly one key.
    """
    text, where = (_read(told), str(told)) if isinstance(told, Path) else (told, "the setting")
    keys: dict[str, bytes] = {}
    current = ""
    for number, line in enumerate(text.replace(",", "\n").splitlines(), 1):
        plain = line.partition("#")[0].strip()
        if plain:
            key = _key_of(plain, where, number)
            current = master_key_id(key)
            # The same key twice: the later place counts.
            keys.pop(current, None)
            keys[current] = key
    if not keys:
        raise MasterKeyNotUsable(
            f"A master key must stand in {where}, but nothing does. Nothing was opened or written; restore the key "
            f"from where it is kept."
        )
    return MasterKeys(keys, current)


def new_master_key() -> str:
    """A new key as a line of text, from the system's own randomness."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def make_master_key(path: Path) -> MasterKeys:
    """Write a first master key for its owner's eyes only; one that is there already is never overwritten."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = _staged(path, f"{new_master_key()}\n")
    try:
        # A hard link, unlike a rename, refuses to take the place of a file that is there.
        path.hardlink_to(staged)
    except FileExistsError:
        raise MasterKeyNotUsable(
            f"A first master key was to be written to {path}, but there is one already, and what it wraps needs it. "
            f"Nothing was written; add a key to that file instead."
        ) from None
    finally:
        staged.unlink()
    return load_master_keys(path)


def add_master_key(path: Path) -> MasterKeys:
    """Add a new key to the file, which becomes the one in use; then wrap the data keys anew under it."""
    load_master_keys(path)
    _staged(path, f"{_read(path).rstrip()}\n{new_master_key()}\n").replace(path)
    return load_master_keys(path)


def _staged(path: Path, text: str) -> Path:
    # mkstemp makes the file with mode 0600, so there is no moment at which others could read it.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read()
    except OSError as problem:
        raise MasterKeyNotUsable(
            f"The master key should lie at {path}, but it cannot be read: {problem.strerror}. Nothing was opened or "
            f"written; put the key there, or name the file that holds it."
        ) from None
    if mode & _OTHERS:
        raise MasterKeyNotUsable(
            f"The master key at {path} must be readable by its owner only (mode 600), but its mode is "
            f"{stat.S_IMODE(mode):o}. Nothing was opened or written; take those rights away, add a new key, and wrap "
            f"the data keys anew."
        )
    # What is no ASCII is no key either; it is told so by its line.
    return content.decode("ascii", "replace")


def _key_of(line: str, where: str, number: int) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyNotUsable(
            f"Line {number} of {where} must be the base64 of {KEY_BYTES} bytes, 44 characters, but its {len(line)} "
            f"characters are not. Nothing was opened or written; restore the key, whole, from where it is kept."
        )
    return key
