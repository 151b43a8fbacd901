"""Where a desk's vault gets its master keys: from the setting, or from the file the settings name."""

from books.master_keys import load_master_keys, make_master_key
from books.vault import Vault
from orchestration.settings import Settings


def vault_of(settings: Settings) -> Vault:
    """The vault of a desk whose master key is there; raises :class:`MasterKeyNotUsable` where it is not."""
    return Vault.of(load_master_keys(settings.master_key or settings.master_key_file))


def made_vault(settings: Settings) -> Vault:
    """The vault of a desk that is only being made: its first master key is written where none is.

    Keep a copy of the key elsewhere: without it nothing personal in the books can be read again.
    """
    if settings.master_key is None and not settings.master_key_file.exists():
        return Vault.of(make_master_key(settings.master_key_file))
    return vault_of(settings)
