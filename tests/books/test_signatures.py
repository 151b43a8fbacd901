"""Signatures: what one key signed nobody else can have signed, and a key others can read signs nothing."""

import base64
import hashlib
import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from books.signatures import SigningKey, is_signed, key_id, load_key, new_key, public_text, save_key, sign
from domain.errors import DeskError, SigningKeyNotUsable

KEY, OTHER_KEY = new_key(), new_key()

# RFC 8032, section 7.1, test 2: the secret and public key, the message 0x72, its signature.
SECRET = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def test_the_published_example_of_ed25519_is_reproduced() -> None:
    key = SigningKey.from_private_bytes(SECRET)
    assert public_text(key) == text(PUBLIC)
    assert sign(key, b"\x72") == text(SIGNATURE)
    assert is_signed(text(PUBLIC), b"\x72", text(SIGNATURE))


@given(st.binary())
def test_only_the_key_that_signed_is_believed(message: bytes) -> None:
    signature = sign(KEY, message)
    assert is_signed(public_text(KEY), message, signature)
    assert not is_signed(public_text(OTHER_KEY), message, signature)
    assert not is_signed(public_text(KEY), message + b"\0", signature)


@given(st.integers(0, 511))
def test_a_signature_with_one_bit_changed_signs_nothing(bit: int) -> None:
    raw = bytearray(base64.b64decode(sign(KEY, b"a day")))
    raw[bit // 8] ^= 1 << bit % 8
    assert not is_signed(public_text(KEY), b"a day", text(bytes(raw)))


@pytest.mark.parametrize("nonsense", ["", "é", "AAAA", text(bytes(32))[:-1], text(bytes(31)), " " + text(bytes(32))])
def test_text_that_is_no_key_or_signature_signs_nothing(nonsense: str) -> None:
    assert not is_signed(nonsense, b"a day", sign(KEY, b"a day"))
    assert not is_signed(public_text(KEY), b"a day", nonsense)
    with pytest.raises(SigningKeyNotUsable, match="base64 of 32 bytes"):
        key_id(nonsense)


def test_a_key_has_one_text_and_one_name_only() -> None:
    """The last character of base64 carries spare bits; another letter there would be the same key under a new name."""
    written = public_text(KEY)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    same = written[:-2] + letters[letters.index(written[-2]) + 1] + "="
    assert base64.b64decode(same) == base64.b64decode(written)
    assert not is_signed(same, b"a day", sign(KEY, b"a day"))


def test_the_name_of_a_key_is_the_start_of_its_fingerprint() -> None:
    assert key_id(text(PUBLIC)) == hashlib.sha256(PUBLIC).hexdigest()[:16] == "39f713d0a644253f"
    assert key_id(public_text(KEY)) != key_id(public_text(OTHER_KEY))


def test_a_saved_key_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.pem"
    before = os.umask(0)
    try:
        save_key(KEY, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["signing.pem"]
    assert public_text(load_key(path)) == public_text(KEY)


def test_a_key_never_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    save_key(KEY, path)
    with pytest.raises(SigningKeyNotUsable, match=r"there is one already.*Nothing was written"):
        save_key(OTHER_KEY, path)
    assert public_text(load_key(path)) == public_text(KEY)
    assert [found.name for found in tmp_path.iterdir()] == ["signing.pem"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o777])
def test_a_key_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "signing.pem"
    save_key(KEY, path)
    path.chmod(mode)
    with pytest.raises(SigningKeyNotUsable, match=f"owner only .mode 600., but its mode is {mode:o}"):
        load_key(path)


def test_a_key_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(
        SigningKeyNotUsable, match=r"should lie at .*none.pem.*No such file.*Nothing was signed"
    ) as found:
        load_key(tmp_path / "none.pem")
    assert isinstance(found.value, DeskError)
    with pytest.raises(SigningKeyNotUsable, match="Is a directory"):
        load_key(tmp_path)


def _pem(key: SigningKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


NO_KEYS = {
    "empty": b"",
    "cut short": _pem(KEY)[:60],
    "of another kind": _pem(ec.generate_private_key(ec.SECP256R1())),
    "behind a password": _pem(KEY, b"secret"),
    "public only": KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "no text": bytes(range(256)),
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_a_file_that_holds_no_such_key_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "signing.pem"
    path.write_bytes(NO_KEYS[what])
    path.chmod(0o600)
    with pytest.raises(SigningKeyNotUsable, match="must hold an Ed25519 private key") as found:
        load_key(path)
    assert found.value.__cause__ is None
    assert found.value.__suppress_context__ or found.value.__context__ is None


def test_a_key_never_shows_itself(tmp_path: Path) -> None:
    secret = KEY.private_bytes_raw()
    for shown in (repr(KEY), str(KEY)):
        assert secret.hex() not in shown
        assert text(secret) not in shown
