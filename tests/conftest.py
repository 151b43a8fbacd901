"""What tests of every folder share: a vault for the personal data of their invented clients."""

import pytest

from books.master_keys import load_master_keys, new_master_key
from books.vault import Vault


@pytest.fixture(scope="session")
def vault() -> Vault:
    """A vault with a master key of its own."""
    return Vault.of(load_master_keys(new_master_key()))
