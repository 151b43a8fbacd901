"""What is personal can be read with its key, by its client and field, and in no other way."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from books import schema
from books.audit import verify
from books.clients import (
    client_details,
    client_entries,
    clients_with,
    details_of,
    open_client,
    rekey_client,
    set_client_detail,
)
from books.engine import reading, writing
from books.journal import ledger_head
from books.master_keys import load_master_keys, new_master_key
from books.vault import SEALED, Vault, is_sealed, rotate_master_key
from domain.clients.details import Field
from domain.errors import DeskError, MasterKeyNotUsable, PersonalDataNotUsable, TransferRefused

OLD, NEW = new_master_key(), new_master_key()
ALPHABETS = (
    "Zoë Müller-Lüdenscheidt", "欧阳娜娜", "Александр Пушкин", "محمد بن سلمان", "שרה כהן", "प्रेमचंद",
    "Nguyễn Thị Minh Khai",
    "Ολυμπία", "ქეთევანი", "김정은", "ともえ", "Ṣàngó Adébáyọ̀", "Robert'); DROP TABLE client;--",
    "Ann\x00\x1b[31mRed\r\nBob",
    "👩‍👩‍👧 Emoji Family", "ı İ ß ŉ ǰ", "x" * 512,
)  # fmt: skip


@pytest.fixture
def client(desk: sa.Engine, vault: Vault, when: dict[str, Any]) -> str:
    open_client(desk, "P1", "Somebody Special", vault=vault, source="test", **when)
    return "P1"


def everything_in(books: sa.Engine) -> str:
    """All that stands in the store, as text."""
    with reading(books) as connection:
        return json.dumps(
            [
                [list(map(str, row)) for row in connection.execute(sa.select(table))]
                for table in schema.metadata.sorted_tables
            ]
        )


@pytest.mark.parametrize("name", ALPHABETS)
def test_a_name_in_any_alphabet_is_sealed_and_opened_again(
    desk: sa.Engine, vault: Vault, when: dict[str, Any], name: str
) -> None:
    open_client(desk, "P1", name, vault=vault, source="test", **when)
    with reading(desk) as connection:
        assert client_details(connection, vault, "P1") == {Field.full_name: name}
    assert name not in everything_in(desk)
    assert json.dumps(name) not in everything_in(desk)
    assert verify(desk).entries == ledger_head(desk).sequence


def test_every_field_of_a_client_is_sealed_and_the_latest_value_counts(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    values = {
        "birth_date": "1980-05-17",
        "document": "E12345678",
        "address": "1 Hidden Lane",
        "email": "who@example.com",
    }
    for field, value in values.items():
        set_client_detail(desk, client, field, value, vault=vault, **when)
    set_client_detail(desk, client, "address", "2 Hidden Lane", vault=vault, **when)
    head = ledger_head(desk)
    set_client_detail(desk, client, "address", "2 Hidden Lane", vault=vault, **when)
    assert ledger_head(desk) == head
    with reading(desk) as connection:
        found = client_details(connection, vault, client)
    assert found == {Field.full_name: "Somebody Special", **values, Field.address: "2 Hidden Lane"}
    assert not [value for value in found.values() if value in everything_in(desk)]


def test_a_client_entered_twice_is_entered_once_and_under_another_name_refused_without_saying_it(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    head = ledger_head(desk)
    assert open_client(desk, client, "Somebody Special", vault=vault, source="test", **when) == head
    with pytest.raises(TransferRefused, match="exists_with_different_content") as refused:
        open_client(desk, client, "Impostor Exposed", vault=vault, source="test", **when)
    assert "Special" not in str(refused.value)
    assert "Impostor" not in str(refused.value)


def test_a_sealed_text_moved_to_another_client_or_field_cannot_be_opened(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    open_client(desk, "P2", "Somebody Else", vault=vault, source="test", **when)
    with writing(desk) as connection:
        sealed = vault.seal(connection, client, "address", "1 Hidden Lane")
        assert vault.open(connection, client, "address", sealed) == "1 Hidden Lane"
        assert vault.seal(connection, client, "address", "1 Hidden Lane") == sealed
        assert vault.seal(connection, client, "email", "1 Hidden Lane") != sealed
        flipped = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
        for owner, field, text in (
            ("P2", "address", sealed),
            (client, "email", sealed),
            (client, "address", flipped),
            (client, "address", sealed[:-8]),
            (client, "address", SEALED),
            (client, "address", f"{SEALED}not base64"),
        ):
            with pytest.raises(
                PersonalDataNotUsable, match=f"The {field} of client {owner} cannot be opened"
            ) as refused:
                vault.open(connection, owner, field, text)
            assert "Hidden" not in str(refused.value)


def test_what_the_first_edition_left_in_the_clear_stays_readable(
    desk: sa.Engine, vault: Vault, when: dict[str, Any]
) -> None:
    assert not is_sealed("Client 1")
    with reading(desk) as connection:
        assert vault.open(connection, "C1", "full_name", "Client 1") == "Client 1"


def test_another_master_key_opens_nothing_and_says_which_one_is_missing(
    desk: sa.Engine, client: str, vault: Vault
) -> None:
    stranger = Vault.of(load_master_keys(OLD))
    with reading(desk) as connection, pytest.raises(MasterKeyNotUsable, match="wrapped under master key") as refused:
        client_details(connection, stranger, client)
    assert OLD not in str(refused.value)


def test_a_new_master_key_wraps_the_data_keys_anew_and_leaves_history_alone(
    desk: sa.Engine, when: dict[str, Any]
) -> None:
    old = Vault.of(load_master_keys(OLD))
    open_client(desk, "P1", "Somebody Special", vault=old, source="test", **when)
    set_client_detail(desk, "P1", "document", "E12345678", vault=old, **when)
    head = ledger_head(desk)
    both = Vault.of(load_master_keys(f"{OLD},{NEW}"))
    with writing(desk) as connection:
        # Those of the fixture are wrapped under a key that is not at hand here.
        connection.execute(sa.delete(schema.data_key).where(schema.data_key.c.client_id != "P1"))
    assert (rotate_master_key(desk, both), rotate_master_key(desk, both)) == (1, 0)
    assert ledger_head(desk) == head
    new = Vault.of(load_master_keys(NEW))
    with reading(desk) as connection:
        assert client_details(connection, new, "P1")[Field.full_name] == "Somebody Special"
        with pytest.raises(MasterKeyNotUsable):
            client_details(connection, old, "P1")
        # What was indexed under the old key is found while that key is at hand, and only then.
        assert clients_with(connection, both, Field.document, "E-1234 5678") == ["P1"]
        assert clients_with(connection, new, Field.document, "E12345678") == []


def test_a_client_is_found_by_a_number_without_opening_anything(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    set_client_detail(desk, client, "document", "E12345678", vault=vault, **when)
    set_client_detail(desk, client, "phone", "+86 138 0000 0000", vault=vault, **when)
    with reading(desk) as connection:
        assert clients_with(connection, vault, Field.document, "e 1234 5678") == [client]
        assert clients_with(connection, vault, Field.phone, "E12345678") == []
        assert clients_with(connection, vault, Field.document, "E12345679") == []


def test_a_client_with_a_new_data_key_keeps_its_values_and_loses_its_past(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    set_client_detail(desk, client, "address", "1 Hidden Lane", vault=vault, **when)
    with reading(desk) as connection:
        before = client_details(connection, vault, client)
        name = connection.execute(
            sa.select(schema.client.c.name).where(schema.client.c.client_id == client)
        ).scalar_one()
    rekey_client(desk, client, vault=vault, **when)
    with reading(desk) as connection:
        assert client_details(connection, vault, client) == before
        with pytest.raises(PersonalDataNotUsable, match="under a data key the client no longer has"):
            vault.open(connection, client, "full_name", name)
    assert verify(desk).entries == ledger_head(desk).sequence


def test_a_client_erased_stays_in_the_chain_and_cannot_be_read_or_added_to(
    desk: sa.Engine, client: str, vault: Vault, when: dict[str, Any]
) -> None:
    head = ledger_head(desk)
    with writing(desk) as connection:
        vault.destroy_data_key(connection, client)
    assert verify(desk, head).entries == head.sequence
    with writing(desk) as connection:
        for attempt in (
            lambda: client_details(connection, vault, client),
            lambda: vault.seal(connection, client, "address", "1 Hidden Lane"),
        ):
            with pytest.raises(PersonalDataNotUsable, match="its data key was destroyed on purpose"):
                attempt()


@pytest.fixture
def captured(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every line any library logs."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("sqlalchemy.engine").setLevel(logging.DEBUG)
    yield caplog
    logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)


WORD = "Xylophonq"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(max_size=40), st.sampled_from(["", "\ud800", "y" * 10_000, "'; DROP TABLE event;--"])))
def test_no_log_line_and_no_refusal_ever_holds_a_name(
    desk: sa.Engine, vault: Vault, captured: pytest.LogCaptureFixture, when: dict[str, Any], salt: str
) -> None:
    name = f"{WORD} {salt}"
    captured.clear()
    said = []
    for client_id in ("C1", "P9"):
        for attempt in (
            lambda of=client_id: open_client(desk, of, name, vault=vault, source="test", **when),
            lambda of=client_id: set_client_detail(desk, of, "address", name, vault=vault, **when),
            lambda of=client_id: set_client_detail(desk, of, "birth_date", name, vault=vault, **when),
        ):
            try:
                attempt()
            except DeskError as refused:
                said += [str(refused), repr(refused), str(refused.__cause__)]
    assert said
    assert WORD not in "\n".join([*said, captured.text, repr(vault)])
    assert WORD not in everything_in(desk)


def test_sealing_many_clients_takes_no_minutes(desk: sa.Engine, vault: Vault, when: dict[str, Any]) -> None:
    clients = [(f"M{number}", f"Client {number}", "synthetic") for number in range(5_000)]
    with writing(desk) as connection:
        started = time.perf_counter()
        entries = client_entries(connection, vault, clients, when["booked_on"])
        assert time.perf_counter() - started < 5
    assert len({entry.what["name"] for entry in entries}) == 5_000


def test_many_clients_are_opened_at_once(desk: sa.Engine, vault: Vault) -> None:
    with reading(desk) as connection:
        found = details_of(connection, vault, ["C1", "C2", "C3", "nobody"])
    assert {client_id: known[Field.full_name] for client_id, known in found.items()} == {
        "C1": "Client 1", "C2": "Client 2", "C3": "Client 3",
    }  # fmt: skip
