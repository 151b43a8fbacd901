"""Personal data, sealed field by field: what stands in the chain can be read with a client's data key only.

Each client has a data key of its own, wrapped by the master key in table ``data_key``. A new master key wraps the data
keys anew and touches no history; a data key destroyed makes everything sealed under it unreadable for ever, wherever it
was copied to (the events stay, and the chain verifies). Sealing is AES-GCM; its nonce follows from the text itself, so
that the same value of the same client is the same sealed text, and booking it twice is booking it once. That is all the
chain gives away: that a value was entered again unchanged.

Who may be looked up by a number is found through a blind index, a keyed digest under the master key. An index is not
destroyed with a data key; it tells nobody anything once its master key is gone.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from books.engine import Books, writing
from books.journal import batches, insert
from books.master_keys import KEY_BYTES, MasterKeys
from books.schema import data_key
from domain.clients.details import Field, indexed_form
from domain.errors import MasterKeyNotUsable, PersonalDataNotUsable

SEALED: Final = "sealed.1."
"""How a sealed text begins; what begins otherwise was entered by the first edition of the books, in the clear."""

_WRAPPED: Final = "1."
_DESTROYED: Final = "destroyed"
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class _DataKey:
    """What a data key is used as: to seal, and to choose nonces."""

    seal: AESGCM
    nonce: bytes

    @classmethod
    def of(cls, key: bytes) -> "_DataKey":
        return cls(AESGCM(hmac.digest(key, b"seal", "sha256")), hmac.digest(key, b"nonce", "sha256"))


class Vault:
    """Seals and opens personal data with the master keys it was given; it keeps no data key and shows none."""

    def __init__(self, master_keys: Mapping[str, bytes], current: str) -> None:
        if current not in master_keys or any(len(key) != KEY_BYTES for key in master_keys.values()):
            raise MasterKeyNotUsable(
                f"A vault needs master keys of {KEY_BYTES} bytes, the one in use among them, but those given are not. "
                f"Nothing was opened or written; load them from where they are kept."
            )
        self.current = current
        self._wrapping = {name: AESGCM(_derived(key, b"lombard wrap")) for name, key in master_keys.items()}
        self._indexing = {name: _derived(key, b"lombard index") for name, key in master_keys.items()}

    @classmethod
    def of(cls, keys: MasterKeys) -> "Vault":
        """A vault with the keys as they were loaded."""
        return cls(keys.by_id, keys.current)

    def __repr__(self) -> str:
        return f"Vault(current={self.current!r}, {len(self._wrapping)} master keys)"

    def seal(self, connection: sa.Connection, client_id: str, field: str, text: str) -> str:
        """Seal one value; the client's first value makes its data key, in the caller's transaction."""
        return self.seal_many(connection, [(client_id, field, text)])[0]

    def seal_many(self, connection: sa.Connection, values: Sequence[tuple[str, str, str]]) -> list[str]:
        """Seal many (client, field, value)."""
        clients = {client_id for client_id, _, _ in values}
        keys = self._keys(connection, clients)
        missing = sorted(clients - keys.keys())
        made = {client_id: secrets.token_bytes(KEY_BYTES) for client_id in missing}
        insert(connection, data_key, [(name, self.current, self._wrap(name, key)) for name, key in made.items()])
        keys |= {client_id: _DataKey.of(key) for client_id, key in made.items()}
        return [_seal(_usable(keys, client_id), client_id, field, text) for client_id, field, text in values]

    def open(self, connection: sa.Connection, client_id: str, field: str, sealed: str) -> str:
        """Open one value; a value the first edition entered in the clear is returned as it stands."""
        return self.open_many(connection, [(client_id, field, sealed)])[0]

    def open_many(self, connection: sa.Connection, values: Sequence[tuple[str, str, str]]) -> list[str]:
        """Open many (client, field, sealed value).

        Raises
        ------
        PersonalDataNotUsable
            A value was changed, belongs elsewhere, or its data key is gone or destroyed.
        MasterKeyNotUsable
            The data key is wrapped under a master key that is not at hand.
        """
        keys = self._keys(connection, {client_id for client_id, _, sealed in values if is_sealed(sealed)})
        return [
            _open(_usable(keys, client_id), client_id, field, sealed) if is_sealed(sealed) else sealed
            for client_id, field, sealed in values
        ]

    def blind_index(self, field: Field, value: str) -> str:
        """The digest under which a value is looked up, with the id of the master key it was made with."""
        return self._index(self.current, field, value)

    def blind_indexes(self, field: Field, value: str) -> list[str]:
        """The digests of a value under every master key at hand: those made before the key changed are found, too."""
        return [self._index(name, field, value) for name in self._indexing]

    def rewrap(self, connection: sa.Connection) -> int:
        """Wrap under the key in use every data key that is not; returns how many there were."""
        rows: Any = connection.execute(
            sa.select(data_key).where(data_key.c.master_key_id.not_in([self.current, _DESTROYED]))
        )
        anew = [
            (
                self.current,
                self._wrap(row.client_id, self._unwrap(row.client_id, row.master_key_id, row.wrapped)),
                row[0],
            )
            for row in rows
        ]
        _update(connection, anew)
        return len(anew)

    def replace_data_key(self, connection: sa.Connection, client_id: str) -> None:
        """Give a client a new data key; what was sealed under the old one can no longer be opened."""
        key = secrets.token_bytes(KEY_BYTES)
        _overwrite(connection)
        _update(connection, [(self.current, self._wrap(client_id, key), client_id)])

    def destroy_data_key(self, connection: sa.Connection, client_id: str) -> None:
        """Make everything of a client unreadable for ever; a client so erased never gets another data key.

        Copies of the wrapped key in backups end with the master key they are wrapped under: change it, and let the old
        one go.
        """
        _overwrite(connection)
        _update(connection, [(_DESTROYED, _DESTROYED, client_id)])

    def is_erased(self, connection: sa.Connection, client_id: str) -> bool:
        """Whether a client's data key was destroyed."""
        query = sa.select(data_key.c.wrapped).where(data_key.c.client_id == client_id)
        return connection.execute(query).scalar_one_or_none() == _DESTROYED

    def _keys(self, connection: sa.Connection, client_ids: Iterable[str]) -> dict[str, _DataKey | None]:
        """Data keys of those clients that have one; None for a key that was destroyed."""
        found: dict[str, _DataKey | None] = {}
        for batch in batches(sorted(client_ids)):
            rows: Any = connection.execute(sa.select(data_key).where(data_key.c.client_id.in_(batch)))
            for client_id, master_key_id, wrapped in rows:
                is_gone = wrapped == _DESTROYED
                found[client_id] = None if is_gone else _DataKey.of(self._unwrap(client_id, master_key_id, wrapped))
        return found

    def _wrap(self, client_id: str, key: bytes) -> str:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._wrapping[self.current].encrypt(nonce, key, client_id.encode())
        return _WRAPPED + base64.b64encode(nonce + sealed).decode("ascii")

    def _unwrap(self, client_id: str, master_key_id: str, wrapped: str) -> bytes:
        wrapping = self._wrapping.get(master_key_id)
        if wrapping is None:
            raise MasterKeyNotUsable(
                f"The data key of client {client_id} is wrapped under master key {master_key_id}, but those at hand "
                f"are {', '.join(self._wrapping)}. Nothing was opened or written; add that key to those in use."
            )
        raw = _bytes_of(wrapped.removeprefix(_WRAPPED))
        try:
            return wrapping.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], client_id.encode())
        except (InvalidTag, ValueError):
            raise MasterKeyNotUsable(
                f"The data key of client {client_id} cannot be unwrapped under master key {master_key_id}: it was "
                f"changed, or belongs to another client. Nothing was opened or written; restore table data_key from a "
                f"backup."
            ) from None

    def _index(self, master_key_id: str, field: Field, value: str) -> str:
        told = f"{field}\x1f{indexed_form(field, value)}".encode()
        return f"{master_key_id}.{hmac.digest(self._indexing[master_key_id], told, 'sha256').hex()}"


def rotate_master_key(books: Books, vault: Vault) -> int:
    """Wrap every data key under the master key in use, in one transaction; returns how many were wrapped anew.

    History is not touched. Afterwards an old master key is needed for look-ups by what was indexed under it, and for
    nothing else.
    """
    with writing(books) as connection:
        return vault.rewrap(connection)


def is_sealed(text: str) -> bool:
    """Whether a text is sealed, or stands in the clear as the first edition of the books left it."""
    return text.startswith(SEALED)


def _seal(key: _DataKey, client_id: str, field: str, text: str) -> str:
    bound, plain = _bound(client_id, field), text.encode()
    nonce = hmac.digest(key.nonce, bound + b"\x1f" + plain, "sha256")[:_NONCE_BYTES]
    return SEALED + base64.b64encode(nonce + key.seal.encrypt(nonce, plain, bound)).decode("ascii")


def _open(key: _DataKey, client_id: str, field: str, sealed: str) -> str:
    raw = _bytes_of(sealed.removeprefix(SEALED))
    try:
        return key.seal.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(client_id, field)).decode()
    except (InvalidTag, ValueError):
        raise PersonalDataNotUsable(
            f"The {field} of client {client_id} cannot be opened: it was changed, was sealed for another client or "
            f"field, or under a data key the client no longer has. Nothing was written; see whether the chain verifies."
        ) from None


def _usable(keys: Mapping[str, _DataKey | None], client_id: str) -> _DataKey:
    key = keys.get(client_id)
    if key is not None:
        return key
    why = "was destroyed on purpose" if client_id in keys else "is not in table data_key"
    raise PersonalDataNotUsable(
        f"The personal data of client {client_id} cannot be opened or added to: its data key {why}. Nothing was "
        f"written; a client who was erased comes back as a new client."
    )


def _bound(client_id: str, field: str) -> bytes:
    """What a sealed text is bound to: moved to another client or field, it cannot be opened."""
    return f"{SEALED}{len(client_id)}:{client_id}:{field}".encode()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose).derive(key)


def _update(connection: sa.Connection, rows: Sequence[tuple[str, str, str]]) -> None:
    """Write (master key, wrapped, client)."""
    if rows:
        mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
        connection.exec_driver_sql(
            f"UPDATE data_key SET master_key_id = {mark}, wrapped = {mark} WHERE client_id = {mark}", list(rows)
        )


def _overwrite(connection: sa.Connection) -> None:
    """Have SQLite overwrite what it frees; PostgreSQL does when the table is next vacuumed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
