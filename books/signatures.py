"""Signatures: an Ed25519 key in a file that only its owner reads, what it signs, and who can tell.

Days of the books and officers' decisions are signed with it. A public key travels as text, the base64 of its 32 bytes;
its ``key_id`` is short enough to read out. A key is never part of a message.
"""

import base64
import binascii
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import SigningKeyNotUsable

SigningKey = Ed25519PrivateKey
"""What signs; it stays in the process that loaded it."""

KEY_ID_DIGITS: Final = 16
"""Digits of a key's fingerprint that name it."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
"""Every right of anybody but the owner of a file."""


def new_key() -> SigningKey:
    """A new key, from the system's own randomness."""
    return SigningKey.generate()


def save_key(key: SigningKey, path: Path) -> None:
    """Write the key as PEM (PKCS8) for its owner's eyes only; a key that is there already is never overwritten."""
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file with mode 0600, so there is no moment at which others could read it.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A hard link, unlike a rename, refuses to take the place of a file that is there.
        path.hardlink_to(temporary)
    except FileExistsError:
        raise SigningKeyNotUsable(
            f"A new signing key was to be written to {path}, but there is one already, and what it signed needs it. "
            f"Nothing was written; name another file, or move the old key away to where it is kept."
        ) from None
    finally:
        Path(temporary).unlink()


def load_key(path: Path) -> SigningKey:
    """Read a key; raises :class:`SigningKeyNotUsable` where it is missing, no such key, or open to others' eyes."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except OSError as problem:
        raise SigningKeyNotUsable(
            f"The signing key should lie at {path}, but it cannot be read: {problem.strerror}. Nothing was signed; put "
            f"the key there, or name the file that holds it, and do the same again."
        ) from None
    if mode & _OTHERS:
        raise SigningKeyNotUsable(
            f"The signing key at {path} must be readable by its owner only (mode 600), but its mode is "
            f"{stat.S_IMODE(mode):o}: others could have signed with it. Nothing was signed; take those rights away, or "
            f"better, make a new key and revoke this one."
        )
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, SigningKey):
        raise SigningKeyNotUsable(
            f"The file {path} must hold an Ed25519 private key as PEM (PKCS8) without a password, but holds something "
            f"else, or only a part. Nothing was signed; restore the key from where it is kept, and do the same again."
        )
    return key


def public_text(key: SigningKey) -> str:
    """The public half, as text that may be shown to anybody."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode("ascii")


def key_id(public_key_text: str) -> str:
    """The name of a key: the first digits of the SHA-256 of its public bytes."""
    raw = _bytes_of(public_key_text)
    if raw is None:
        raise SigningKeyNotUsable(
            f"A public key must be the base64 of 32 bytes, but {public_key_text[:60]!r} is not. Nothing was checked; "
            f"copy the key again, whole."
        )
    return hashlib.sha256(raw).hexdigest()[:KEY_ID_DIGITS]


def sign(key: SigningKey, message: bytes) -> str:
    """Sign; the same key and message always give the same signature, as base64."""
    return base64.b64encode(key.sign(message)).decode("ascii")


def is_signed(public_key_text: str, message: bytes, signature: str) -> bool:
    """Whether the holder of the key signed exactly this message; text that is no key or no signature signs nothing."""
    raw, signed = _bytes_of(public_key_text), _bytes_of(signature, 64)
    if raw is None or signed is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signed, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _bytes_of(text: str, length: int = 32) -> bytes | None:
    """The bytes a text stands for, or None; one way of writing them only, so that texts can be compared."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    is_only_way = base64.b64encode(raw).decode("ascii") == text
    return raw if len(raw) == length and is_only_way else None
