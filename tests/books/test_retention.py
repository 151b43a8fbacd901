"""Nothing personal is destroyed before every law allows it, and then nobody reads it again."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from books.audit import verify
from books.client_states import move_client
from books.clients import client_details
from books.engine import reading
from books.journal import ledger_head
from books.posting import post
from books.retention import destruction_day, erase
from books.rules import adopt
from domain.errors import ErasureRefused, PersonalDataNotUsable, TransferRefused
from domain.ledger import Transfer
from rulebooks import editions_of

DAY = date(2026, 6, 16)
LATER = {"booked_on": date(2036, 6, 16), "known_at": datetime(2036, 6, 16, 20, tzinfo=UTC)}
FILE = "f" * 64


@pytest.fixture
def kept(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    adopt(desk, editions_of("house.retention"), **when)
    return desk


def allowed_on(books: sa.Engine, client_id: str) -> date | None:
    with reading(books) as connection:
        return destruction_day(connection, client_id, DAY)


def test_while_the_relationship_goes_on_nothing_is_destroyed(kept: sa.Engine, vault: Any) -> None:
    assert allowed_on(kept, "C1") is None
    with pytest.raises(ErasureRefused, match=r"the relationship goes on.*Nothing was destroyed"):
        erase(kept, "C1", "ma", "asked for it", vault=vault, **LATER)


def test_after_the_end_the_longest_law_counts_from_the_last_record(
    kept: sa.Engine, vault: Any, when: dict[str, Any]
) -> None:
    """Ten years from the end by the Chinese law and from the record by OFAC's: the later of the two."""
    move_client(kept, "C1", "closed", "li", "asked for it", FILE, **when)
    assert allowed_on(kept, "C1") == date(2036, 6, 16)
    early = {**LATER, "booked_on": date(2036, 6, 15)}
    with pytest.raises(ErasureRefused, match="must be kept until 2036-06-16"):
        erase(kept, "C1", "ma", "asked for it", vault=vault, **early)
    with reading(kept) as connection:
        assert client_details(connection, vault, "C1")


def test_a_late_posting_keeps_a_client_longer(kept: sa.Engine, when: dict[str, Any]) -> None:
    move_client(kept, "C1", "closed", "li", "asked for it", FILE, **when)
    late = {"booked_on": date(2027, 3, 1), "known_at": datetime(2027, 3, 1, 20, tzinfo=UTC)}
    dividend = Transfer("d1", "dividend", "1010.USD", "2010.A1", 5, "USD", date(2027, 3, 1))
    post(kept, [dividend], **late)
    assert allowed_on(kept, "C1") == date(2037, 3, 1)


def test_once_every_law_allows_it_the_data_is_gone_and_the_chain_stays(
    kept: sa.Engine, vault: Any, when: dict[str, Any]
) -> None:
    move_client(kept, "C1", "closed", "li", "asked for it", FILE, **when)
    assert erase(kept, "C1", "ma", "ten years are over", vault=vault, **LATER) == date(2036, 6, 16)
    with reading(kept) as connection, pytest.raises(PersonalDataNotUsable, match="destroyed on purpose"):
        client_details(connection, vault, "C1")
    with reading(kept) as connection:
        assert client_details(connection, vault, "C2")
    assert verify(kept).entries == ledger_head(kept).sequence
    with pytest.raises(ErasureRefused, match="they were destroyed before"):
        erase(kept, "C1", "ma", "once more", vault=vault, **LATER)
    with pytest.raises(TransferRefused, match="clients_must_exist"):
        erase(kept, "C9", "ma", "nobody", vault=vault, **LATER)
