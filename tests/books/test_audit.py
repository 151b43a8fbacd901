"""The audit of the history: whatever is done to it behind our back is found, at the first entry it was done to.

The same tampering is done to a store and to an export, in both stores; a slow twin reads the books the obvious way and
must name the same entry.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from books import audit, audit_chain, schema
from books.audit import verify
from books.audit_export import export_audit
from books.checkpoints import SignedCheckpoint, seal_day, signed_checkpoints
from books.engine import open_books, reading, writing
from books.journal import Entry, LedgerHead, book, ledger_head
from books.posting import post
from books.signatures import new_key, public_text, sign
from domain.audit import Finding, merkle_root
from domain.errors import DayNotSealable, DeskError, DeskNotReady, LedgerTampered, ProofRefused
from domain.ledger import GENESIS_HASH, Transfer, canonical, entry_hash

KEY, OTHER_KEY = new_key(), new_key()
PUBLIC = [public_text(KEY)]


def meddle(books: sa.Engine, *statements: str) -> None:
    """Change the store the way somebody with full access to it could, triggers and foreign keys switched off."""
    with books.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")
        else:
            found = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            for trigger in found.scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            connection.commit()
            connection.connection.dbapi_connection.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            connection.execute(sa.text(statement.replace(":", "\\:")))
        connection.commit()
    books.dispose()


def deposit(number: int, day: date, amount_minor: int = 0, **more: Any) -> Transfer:
    return Transfer(
        f"t{number}", "client_deposit", "1010.USD", "2010.A1", amount_minor or 100 * number, "USD", day, **more
    )


@pytest.fixture
def sealed(desk: sa.Engine, when: dict[str, Any]) -> sa.Engine:
    """Three days of deposits, two of them sealed; a withdrawal waits from the second, and in part goes on the third."""
    day, known_at = when["booked_on"], when["known_at"]
    withdrawal = Transfer("w1", "client_withdrawal", "2010.A1", "1010.USD", 250, "USD", day, phase="pending")
    of_day: list[list[Transfer]] = [
        [deposit(1, day), deposit(2, day), deposit(3, day, channel="wire")],
        [deposit(4, day), withdrawal, deposit(5, day, event_id="e5")],
        [
            Transfer("w2", "client_withdrawal", "2010.A1", "1010.USD", 200, "USD", day, phase="post", pending_id="w1"),
            deposit(6, day),
        ],
    ]
    for number, transfers in enumerate(of_day):
        on, at = day + timedelta(days=number), known_at + timedelta(days=number)
        post(desk, transfers, booked_on=on, known_at=at)
        if number < 2:
            seal_day(desk, on, KEY, at)
    return desk


def sequence_of(books: sa.Engine, transfer_id: str) -> int:
    with books.connect() as connection:
        query = sa.select(schema.transfer.c.sequence).where(schema.transfer.c.transfer_id == transfer_id)
        return int(connection.execute(query).scalar_one())


def raw_rows(books: sa.Engine, table: sa.Table) -> list[dict[str, Any]]:
    """Rows with days and instants as text."""

    def plain(value: Any) -> Any:
        if isinstance(value, datetime):
            return schema.instant_text(value)
        return value.isoformat() if isinstance(value, date) else value

    names = [column.name for column in table.columns]
    with books.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT {', '.join(names)} FROM {table.name} ORDER BY 1").all()
    return [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in found]


def slow_twin(books: sa.Engine) -> int | None:
    """The first bad entry of chain, columns and typed rows, found without haste."""
    previous = GENESIS_HASH
    entries = raw_rows(books, schema.event)
    typed = {kind: {row.pop("sequence"): row for row in raw_rows(books, t)} for kind, t in schema.TABLE_OF_KIND.items()}
    for sequence, entry in enumerate(entries, start=1):
        body = entry.pop("body")
        previous_claimed, claimed = previous, entry.pop("entry_hash")
        previous = hashlib.sha256(bytes.fromhex(previous_claimed) + body.encode()).hexdigest()
        told = json.loads(body)
        what = {name: value for name, value in told.pop("what").items() if value is not None}
        rows = {
            kind: {name: value for name, value in rows[sequence].items() if value is not None}
            for kind, rows in typed.items()
            if sequence in rows
        }
        if entry["sequence"] != sequence or claimed != previous or told != entry or rows != {entry["kind"]: what}:
            return sequence
    strays = [number for rows in typed.values() for number in rows if not 0 < number <= len(entries)]
    return min(strays, default=None)


def rebuild(books: sa.Engine, change: Callable[[list[dict[str, Any]]], None]) -> list[str]:
    """Statements that write all of the history anew after a change, every hash right again."""
    bodies = [json.loads(row["body"]) for row in raw_rows(books, schema.event)]
    change(bodies)
    previous, statements = GENESIS_HASH, []
    for told in bodies:
        body = canonical(told)
        previous = entry_hash(previous, body)
        quoted = body.decode().replace("'", "''")
        statements.append(
            f"UPDATE event SET body = '{quoted}', entry_hash = '{previous}' WHERE sequence = {told['sequence']}"
        )
        if told["kind"] == "transfer":
            amount = told["what"]["amount_minor"]
            statements.append(f"UPDATE transfer SET amount_minor = {amount} WHERE sequence = {told['sequence']}")
    return statements


# --- What is sound -----------------------------------------------------------------------------------------------


def test_empty_books_are_proven_to_hold_nothing(books: sa.Engine) -> None:
    proven = verify(books, "0:0000000000000000")
    assert (proven.entries, proven.checkpoints, proven.projections) == (0, 0, 0)
    assert str(proven.head) == "0:0000000000000000"
    assert proven.sealed_until is None


def test_an_untouched_history_is_proven_with_all_that_stands_beside_it(sealed: sa.Engine, when: dict[str, Any]) -> None:
    head = ledger_head(sealed)
    told: list[tuple[int, int]] = []
    proven = verify(sealed, head, PUBLIC, progress=lambda done, of: told.append((done, of)))
    assert proven.head == head
    assert (proven.entries, proven.checkpoints, proven.sealed_entries) == (head.sequence, 2, head.sequence - 2)
    assert proven.sealed_until == when["booked_on"] + timedelta(days=1)
    assert proven.projections == 2
    assert told == [(head.sequence, head.sequence)]
    assert slow_twin(sealed) is None
    assert proven.entries_per_second > 0


def test_one_transaction_can_be_verified_from_within(sealed: sa.Engine) -> None:
    with reading(sealed) as connection:
        assert verify(connection).entries == ledger_head(connection).sequence


def test_pieces_checked_several_at_once_prove_the_same(
    sealed: sa.Engine, monkeypatch: pytest.MonkeyPatch, when: dict[str, Any]
) -> None:
    """Small pieces, in threads: with checkpoints within pieces, and at their ends."""
    alone = verify(sealed)
    monkeypatch.setattr(audit_chain, "ENTRIES_PER_PIECE", 4)
    monkeypatch.setattr(audit_chain, "ENTRIES_PER_STATEMENT", 3)
    monkeypatch.setattr(audit, "SEVERAL_AT_ONCE_FROM_ENTRIES", 1)
    together = verify(sealed)
    assert (together.head, together.checkpoints, together.projections) == (
        alone.head,
        alone.checkpoints,
        alone.projections,
    )
    bad = sequence_of(sealed, "t2")
    meddle(sealed, f"UPDATE event SET entry_hash = '{'0' * 64}' WHERE sequence >= {bad}")
    with pytest.raises(LedgerTampered, match=f"Entry {bad} "):
        verify(sealed)


AWKWARD = ['quote " and \\ backslash', "\\u4e2d", "中文 é 𝄞", 'a","channel":"b', "line\nbreak\tand \x01", "%s ? {} ''"]


def test_text_that_needs_escaping_is_no_tampering(desk: sa.Engine, when: dict[str, Any]) -> None:
    """The fast comparison cannot write such a text; it is compared the slow way, and agrees."""
    transfers = [deposit(n, when["booked_on"], event_id=text) for n, text in enumerate(AWKWARD, start=1)]
    post(desk, transfers, **when)
    assert verify(desk).entries == ledger_head(desk).sequence


def test_a_row_cannot_hide_one_column_in_the_text_of_another(desk: sa.Engine, when: dict[str, Any]) -> None:
    """Written out without escaping, the changed row gives exactly the body's text."""
    post(
        desk, [deposit(1, when["booked_on"], approval_id=None, channel="wire", counterparty="X", event_id="e")], **when
    )
    bad = sequence_of(desk, "t1")
    meddle(desk, """UPDATE transfer SET channel = 'wire","counterparty":"X', counterparty = NULL""")
    with pytest.raises(LedgerTampered, match=rf"Entry {bad} .*table transfer says: channel, counterparty"):
        verify(desk)


def test_a_row_cannot_hide_behind_the_escapes_of_its_body(desk: sa.Engine, when: dict[str, Any]) -> None:
    post(desk, [deposit(1, when["booked_on"], event_id="中")], **when)
    meddle(desk, "UPDATE transfer SET event_id = '\\u4e2d'")
    with pytest.raises(LedgerTampered, match="table transfer says: event_id"):
        verify(desk)


def test_many_entries_that_need_a_second_look_are_read_together(
    sealed: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules of the books have quotation marks in them, so some entries always need one."""
    monkeypatch.setattr(audit_chain, "LOOKED_AT_ALONE_MAX", 0)
    assert verify(sealed).entries == ledger_head(sealed).sequence


# --- What is not: one entry at a time ------------------------------------------------------------------------------


def at(sequence: int) -> str:
    return f"WHERE sequence = {sequence}"


EDITS: dict[str, tuple[Callable[[int], list[str]], Finding]] = {
    "an entry taken out": (
        lambda n: [f"DELETE FROM transfer {at(n)}", f"DELETE FROM event {at(n)}"],
        Finding.sequence_must_have_no_gap,
    ),
    "an entry taken out and the gap closed": (
        lambda n: [
            f"DELETE FROM transfer {at(n)}",
            f"DELETE FROM event {at(n)}",
            *(f"UPDATE {t} SET sequence = -sequence WHERE sequence > {n}" for t in ("event", "transfer")),
            *(f"UPDATE {t} SET sequence = -sequence - 1 WHERE sequence < 0" for t in ("event", "transfer")),
        ],
        Finding.entry_must_follow,
    ),
    "a body": (
        lambda n: [f"UPDATE event SET body = replace(body, '\"amount_minor\":200', '\"amount_minor\":900') {at(n)}"],
        Finding.entry_must_follow,
    ),
    "a body and its row": (
        lambda n: [
            f"UPDATE event SET body = replace(body, '\"amount_minor\":200', '\"amount_minor\":900') {at(n)}",
            f"UPDATE transfer SET amount_minor = 900 {at(n)}",
        ],
        Finding.entry_must_follow,
    ),
    "a hash": (lambda n: [f"UPDATE event SET entry_hash = '{'ab' * 32}' {at(n)}"], Finding.entry_must_follow),
    "a hash that is none": (lambda n: [f"UPDATE event SET entry_hash = 'none' {at(n)}"], Finding.entry_must_follow),
    "a hash in capitals": (
        lambda n: [f"UPDATE event SET entry_hash = upper(entry_hash) {at(n)}"],
        Finding.entry_must_follow,
    ),
    "a day": (
        lambda n: [f"UPDATE event SET effective_on = '2026-06-01' {at(n)}"],
        Finding.columns_must_say_what_the_body_says,
    ),
    "the day of booking": (
        lambda n: [f"UPDATE event SET booked_on = '2026-06-01' {at(n)}"],
        Finding.columns_must_say_what_the_body_says,
    ),
    "a moment": (
        lambda n: [f"UPDATE event SET known_at = '2026-06-16T20:00:00.000001Z' {at(n)}"],
        Finding.columns_must_say_what_the_body_says,
    ),
    "a business key": (
        lambda n: [f"UPDATE event SET business_key = 'transfer:t9' {at(n)}"],
        Finding.columns_must_say_what_the_body_says,
    ),
    "a kind": (
        lambda n: [f"UPDATE event SET kind = 'contract' {at(n)}"],
        Finding.columns_must_say_what_the_body_says,
    ),
    "an amount, in the typed row only": (
        lambda n: [f"UPDATE transfer SET amount_minor = 999 {at(n)}"],
        Finding.row_must_say_what_the_body_says,
    ),
    "a text, in the typed row only": (
        lambda n: [f"UPDATE transfer SET credit_account_id = '2010.A2' {at(n)}"],
        Finding.row_must_say_what_the_body_says,
    ),
    "something added to the typed row": (
        lambda n: [f"UPDATE transfer SET approval_id = 'forged' {at(n)}"],
        Finding.row_must_say_what_the_body_says,
    ),
    "a typed row taken out": (lambda n: [f"DELETE FROM transfer {at(n)}"], Finding.row_must_exist),
    "a typed row put beside another": (
        lambda n: [f"INSERT INTO client (sequence, client_id, name, source) VALUES ({n}, 'C9', 'x', 'y')"],
        Finding.row_must_have_an_entry,
    ),
    "two entries in each other's place": (
        lambda n: (
            [
                f"UPDATE {table} SET sequence = CASE WHEN sequence = {n} THEN {-n} ELSE {-n - 1} END "
                f"WHERE sequence IN ({n}, {n + 1})"
                for table in ("event", "transfer")
            ]
            + [
                f"UPDATE {table} SET sequence = CASE WHEN sequence = {-n} THEN {n + 1} ELSE {n} END "
                f"WHERE sequence IN ({-n}, {-n - 1})"
                for table in ("event", "transfer")
            ]
        ),
        Finding.entry_must_follow,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_behind_our_back_is_found_at_its_entry(sealed: sa.Engine, edit: str) -> None:
    statements, finding = EDITS[edit]
    bad = sequence_of(sealed, "t2")
    meddle(sealed, *statements(bad))
    with pytest.raises(LedgerTampered, match=rf"Entry {bad} .*Stop posting") as found:
        verify(sealed)
    assert (found.value.sequence, found.value.finding) == (bad, finding)
    assert isinstance(found.value, DeskError)
    if edit not in ("a hash that is none", "an entry taken out and the gap closed"):
        assert slow_twin(sealed) == bad


def test_what_no_day_can_be_is_found_too(sealed: sa.Engine) -> None:
    """SQLite takes any text for a day; PostgreSQL knows a day without end, which Python does not."""
    bad = sequence_of(sealed, "t2")
    nonsense = "infinity" if sealed.dialect.name == "postgresql" else "no day"
    meddle(sealed, f"UPDATE event SET effective_on = '{nonsense}' {at(bad)}")
    with pytest.raises(LedgerTampered, match=rf"Entry {bad} .*in its columns than its body: effective_on"):
        verify(sealed)


def test_an_entry_put_in_between_is_found(sealed: sa.Engine) -> None:
    bad = sequence_of(sealed, "t2")
    body = canonical({"sequence": bad, "kind": "currency", "what": {}}).decode()
    moved = [
        statement
        for table in ("event", "transfer")
        for statement in (
            f"UPDATE {table} SET sequence = -sequence WHERE sequence >= {bad}",
            f"UPDATE {table} SET sequence = -sequence + 1 WHERE sequence < 0",
        )
    ]
    added = (
        f"INSERT INTO event SELECT {bad}, 'currency', 'currency:XXX', effective_on, booked_on, known_at, '{body}', "
        f"'{'ab' * 32}' FROM event WHERE sequence = 1"
    )
    meddle(sealed, *moved, added)
    with pytest.raises(LedgerTampered, match=rf"Entry {bad} .*does not follow"):
        verify(sealed)
    assert slow_twin(sealed) == bad


def test_the_earliest_of_several_faults_is_named(sealed: sa.Engine) -> None:
    first, second = sequence_of(sealed, "t2"), sequence_of(sealed, "t4")
    meddle(
        sealed,
        f"UPDATE event SET entry_hash = '{'ab' * 32}' {at(second)}",
        f"UPDATE transfer SET amount_minor = 1 {at(first)}",
    )
    with pytest.raises(LedgerTampered, match=f"Entry {first} "):
        verify(sealed)


@pytest.mark.parametrize("number", [-1, 0, 10**9])
def test_a_row_under_a_number_no_entry_has_is_found(sealed: sa.Engine, number: int) -> None:
    meddle(sealed, f"INSERT INTO client (sequence, client_id, name, source) VALUES ({number}, 'C9', 'x', 'y')")
    with pytest.raises(LedgerTampered, match=f"Entry {number} .*never written.*table client"):
        verify(sealed)
    assert slow_twin(sealed) == number


def test_two_rows_run_together_do_not_pass_for_two_entries(sealed: sa.Engine) -> None:
    """The fast question asks for bodies a line each; a body with a line break in it must not fool it."""
    bad = sequence_of(sealed, "t2")
    rows = {row["sequence"]: row for row in raw_rows(sealed, schema.event)}
    joined = f"{rows[bad]['body']}\n{rows[bad + 1]['body']}", rows[bad]["entry_hash"] + rows[bad + 1]["entry_hash"]
    meddle(
        sealed,
        f"DELETE FROM event {at(bad + 1)}",
        f"DELETE FROM transfer {at(bad + 1)}",
        f"UPDATE event SET body = '{joined[0]}', entry_hash = '{joined[1]}' {at(bad)}",
    )
    with pytest.raises(LedgerTampered, match=f"Entry {bad} "):
        verify(sealed)


# --- What is not: projections --------------------------------------------------------------------------------------

PROJECTIONS = {
    "more money": "UPDATE balance SET credits_posted_minor = 1501 WHERE ledger_account_id = '2010.A1'",
    "less in flight": "UPDATE balance SET debits_pending_minor = 7 WHERE ledger_account_id = '2010.A1'",
    "a balance taken out": "DELETE FROM balance WHERE ledger_account_id = '2010.A1'",
    "a balance put in": "INSERT INTO balance VALUES ('2010.A1x', 'USD', 1, 1, 0, 0, 1)",
    "another currency": "UPDATE balance SET currency = 'CNY' WHERE ledger_account_id = '2010.A1'",
    "an older state": "UPDATE balance SET last_sequence = 1 WHERE ledger_account_id = '2010.A1'",
    "a state to come": "UPDATE balance SET last_sequence = 999999 WHERE ledger_account_id = '2010.A1'",
    "shares nobody moved": "INSERT INTO holding VALUES ('9020.A1', 'US.AIG', 0, 100, 0, 0, 1)",
}


@pytest.mark.parametrize("edit", PROJECTIONS)
def test_a_projection_that_is_not_the_sum_is_found(sealed: sa.Engine, edit: str) -> None:
    meddle(sealed, PROJECTIONS[edit])
    with pytest.raises(LedgerTampered, match=r"must be what the transfers sum to.*compute it anew") as found:
        verify(sealed)
    assert found.value.finding == Finding.projection_must_be_the_sum_of_transfers
    assert slow_twin(sealed) is None


def test_shares_are_summed_in_the_forms_of_both_editions(desk: sa.Engine, hold: Any, when: dict[str, Any]) -> None:
    """The first edition wrote movements of one side; their other side is a place that was not named then."""
    day = when["booked_on"]
    hold(desk, ("s1", "A1", "US.AIG", 100, day), ("s2", "A1", "US.AIG", 50, day), ("s3", "A2", "US.AIG", -30, day))
    movements = []
    for number, shares in ((1, 70), (2, -20)):
        what = {"movement_id": f"m{number}", "account_id": "A2", "instrument_id": "US.BAC", "kind": "delivery"}
        movements.append(Entry("movement", f"m{number}", day, {**what, "quantity_shares": shares, "effective_on": day}))
    with writing(desk) as connection:
        book(connection, movements, **when)
    head = ledger_head(desk).sequence
    meddle(
        desk,
        f"INSERT INTO holding VALUES ('9020.A2', 'US.BAC', 20, 70, 0, 0, {head})",
        f"INSERT INTO holding VALUES ('9010.unnamed', 'US.BAC', 70, 20, 0, 0, {head})",
    )
    assert verify(desk).projections == 6
    meddle(desk, "UPDATE holding SET credits_posted_shares = 71 WHERE ledger_account_id = '9020.A2'")
    with pytest.raises(LedgerTampered, match=r"The holding of 9020.A2 in US.BAC must be.*credits 70.*keep.*credits 71"):
        verify(desk)


# --- What is not: the end, the whole, the signatures ---------------------------------------------------------------


def test_an_end_cut_off_after_the_last_seal_is_found_by_the_witness(sealed: sa.Engine) -> None:
    """The chain alone cannot know; every published table carries a head, and that is the witness."""
    witness = str(ledger_head(sealed))
    assert verify(sealed, witness).entries == ledger_head(sealed).sequence
    first = sequence_of(sealed, "w2")
    undo = (
        f"DELETE FROM transfer WHERE sequence >= {first}",
        f"DELETE FROM event WHERE sequence >= {first}",
        "UPDATE balance SET debits_posted_minor = 0, debits_pending_minor = 250, credits_posted_minor = 1500 "
        "WHERE ledger_account_id = '2010.A1'",
        "UPDATE balance SET credits_posted_minor = 0, credits_pending_minor = 250, debits_posted_minor = 1500 "
        "WHERE ledger_account_id = '1010.USD'",
        f"UPDATE balance SET last_sequence = {first - 1}",
    )
    meddle(sealed, *undo)
    assert verify(sealed).entries == first - 1
    with pytest.raises(LedgerTampered, match=f"do not contain the head {witness}.*cut off") as found:
        verify(sealed, witness)
    assert found.value.sequence == first


def test_an_end_cut_off_before_a_seal_is_found_by_the_checkpoint(sealed: sa.Engine) -> None:
    first = sequence_of(sealed, "w1")
    meddle(sealed, *(f"DELETE FROM {table} WHERE sequence >= {first}" for table in ("transfer", "event")))
    with pytest.raises(LedgerTampered, match=r"should be there, for \d+ were when 2026-06-17 was signed") as found:
        verify(sealed)
    assert found.value.finding == Finding.sealed_entries_must_be_there


def _richer(bodies: list[dict[str, Any]]) -> None:
    for told in bodies:
        if told["business_key"] == "transfer:t2":
            told["what"]["amount_minor"] = 999


RICHER = (
    "UPDATE balance SET credits_posted_minor = credits_posted_minor + 799 WHERE ledger_account_id = '2010.A1'",
    "UPDATE balance SET debits_posted_minor = debits_posted_minor + 799 WHERE ledger_account_id = '1010.USD'",
)


def test_a_history_written_anew_as_a_whole_is_found_by_its_first_seal(sealed: sa.Engine) -> None:
    """Every hash is right again, every row and balance agrees: only what was signed does not."""
    head = ledger_head(sealed)
    kept = _checkpoints(sealed)
    meddle(sealed, *rebuild(sealed, _richer), *RICHER)
    assert slow_twin(sealed) is None
    with pytest.raises(LedgerTampered, match=r"or one before it is not what was signed on 2026-06-16") as found:
        verify(sealed)
    assert found.value.sequence == kept[0].checkpoint.tree_size
    meddle(sealed, "DELETE FROM checkpoint")
    assert verify(sealed).entries == head.sequence
    with pytest.raises(LedgerTampered, match="do not contain the head"):
        verify(sealed, head)
    for witness in kept:
        with pytest.raises(LedgerTampered, match="is not what was signed on"):
            verify(sealed, witness)


def _checkpoints(books: sa.Engine) -> list[SignedCheckpoint]:
    with reading(books) as connection:
        return signed_checkpoints(connection)


def test_a_history_sealed_anew_with_another_key_is_found_by_who_knows_the_key(
    sealed: sa.Engine, when: dict[str, Any]
) -> None:
    meddle(sealed, *rebuild(sealed, _richer), *RICHER, "DELETE FROM checkpoint")
    for number in (0, 1):
        seal_day(sealed, when["booked_on"] + timedelta(days=number), OTHER_KEY, when["known_at"])
    assert verify(sealed).checkpoints == 2
    with pytest.raises(LedgerTampered, match="which is none of those to be trusted") as found:
        verify(sealed, public_keys=PUBLIC)
    assert found.value.finding == Finding.key_must_be_trusted


CHECKPOINTS = {
    "its root": (f"UPDATE checkpoint SET root_hash = '{'ab' * 32}'", Finding.root_must_be_that_of_the_entries),
    "what its tree grows from": (
        f"UPDATE checkpoint SET peaks = '{'ab' * 32}'",
        Finding.root_must_be_that_of_the_entries,
    ),
    "its moment": (
        "UPDATE checkpoint SET signed_at = '2026-06-16T20:00:00.000007Z'",
        Finding.checkpoint_must_be_signed,
    ),
    "its key": (f"UPDATE checkpoint SET public_key = '{public_text(OTHER_KEY)}'", Finding.checkpoint_must_be_signed),
    "its signature": ("UPDATE checkpoint SET signature = 'AAAA'", Finding.checkpoint_must_be_signed),
    "its day": ("UPDATE checkpoint SET booked_on = '2026-01-01'", Finding.checkpoint_must_be_signed),
}


@pytest.mark.parametrize("edit", CHECKPOINTS)
def test_a_checkpoint_that_was_changed_is_found(sealed: sa.Engine, edit: str) -> None:
    statement, finding = CHECKPOINTS[edit]
    meddle(sealed, statement)
    with pytest.raises(LedgerTampered) as found:
        verify(sealed)
    assert found.value.finding == finding


def test_a_checkpoint_of_another_number_of_entries_is_found(sealed: sa.Engine) -> None:
    meddle(sealed, "UPDATE checkpoint SET tree_size = tree_size - 1 WHERE booked_on = '2026-06-16'")
    with pytest.raises(LedgerTampered, match="the root over them is another"):
        verify(sealed)


def test_a_checkpoint_in_the_middle_of_a_day_is_found(sealed: sa.Engine, when: dict[str, Any]) -> None:
    """Whoever holds the key cannot sign away a part of a day, either."""
    day = when["booked_on"] + timedelta(days=2)
    seal_day(sealed, day, KEY, when["known_at"])
    meddle(sealed, f"DELETE FROM checkpoint WHERE booked_on > '{when['booked_on']}'")
    assert verify(sealed).checkpoints == 1
    (first,) = _checkpoints(sealed)
    early = replace(first.checkpoint, booked_on=day + timedelta(days=1))
    forged = replace(first, checkpoint=early, signature=sign(KEY, early.note()))
    with pytest.raises(LedgerTampered, match="is not where 2026-06-19 ended") as found:
        verify(sealed, forged)
    assert found.value.finding == Finding.sealed_day_must_end_there


@pytest.mark.parametrize("day", ["no day", "2026-06-16T00:00"])
def test_a_checkpoint_of_what_no_day_can_be_is_found(sealed: sa.Engine, day: str) -> None:
    if sealed.dialect.name == "postgresql":
        pytest.skip("PostgreSQL takes only days for days")
    meddle(sealed, f"UPDATE checkpoint SET booked_on = '{day}', signed_at = 'never'")
    with pytest.raises(LedgerTampered, match="ends a day, says a checkpoint, but the day is"):
        verify(sealed)


def test_a_fork_is_found_by_a_head_of_the_other_branch(
    sealed: sa.Engine, address: str, tmp_path: Path, when: dict[str, Any]
) -> None:
    if sealed.dialect.name == "postgresql":
        pytest.skip("a copy of SQLite's file shows it; the entries are the same in either store")
    sealed.dispose()
    copy = tmp_path / "copy.db"
    with sa.create_engine(address).connect() as connection:
        connection.exec_driver_sql(f"VACUUM INTO '{copy}'")
    branch = open_books(f"sqlite:///{copy}")
    day, at_ = when["booked_on"] + timedelta(days=2), when["known_at"] + timedelta(days=2)
    post(sealed, [deposit(7, day)], booked_on=day, known_at=at_)
    post(branch, [deposit(8, day)], booked_on=day, known_at=at_)
    seal_day(sealed, day, KEY, at_)
    seal_day(branch, day, KEY, at_)
    for one, other in ((sealed, branch), (branch, sealed)):
        assert verify(one, ledger_head(one), PUBLIC).checkpoints == 3
        with pytest.raises(LedgerTampered, match="do not contain the head"):
            verify(one, ledger_head(other))
        with pytest.raises(LedgerTampered, match="is not what was signed on"):
            verify(one, _checkpoints(other)[-1])
    branch.dispose()


@pytest.mark.parametrize("witness", ["", "12", "x:0000000000000000", "3:abc", "-1:0000000000000000"])
def test_a_witness_that_is_no_head_is_said_to_be_none(sealed: sa.Engine, witness: str) -> None:
    with pytest.raises(ProofRefused, match="A witness must be a head"):
        verify(sealed, witness)


# --- Sealing -------------------------------------------------------------------------------------------------------


def test_a_seal_is_over_all_entries_up_to_the_end_of_its_day(sealed: sa.Engine, when: dict[str, Any]) -> None:
    first, second = _checkpoints(sealed)
    hashes = [bytes.fromhex(row["entry_hash"]) for row in raw_rows(sealed, schema.event)]
    for signed, last in ((first, "t3"), (second, "t5")):
        size = sequence_of(sealed, last)
        leaves = [hashlib.sha256(b"\0" + found).digest() for found in hashes[:size]]
        assert signed.checkpoint.tree_size == size
        assert signed.checkpoint.root_hash == merkle_root(leaves).hex()
        assert signed.checkpoint.entry_hash == hashes[size - 1].hex()
        assert signed.is_signed()
        assert SignedCheckpoint.from_json(json.loads(json.dumps(signed.to_json()))) == signed


def test_a_day_sealed_again_keeps_its_seal(sealed: sa.Engine, when: dict[str, Any]) -> None:
    before = _checkpoints(sealed)
    again = seal_day(sealed, when["booked_on"], OTHER_KEY, when["known_at"] + timedelta(days=9))
    assert again == before[0]
    assert _checkpoints(sealed) == before


def test_a_day_without_entries_is_sealed_by_the_day_before(sealed: sa.Engine, when: dict[str, Any]) -> None:
    day = when["booked_on"]
    third = seal_day(sealed, day + timedelta(days=2), KEY, when["known_at"])
    assert seal_day(sealed, day + timedelta(days=5), KEY, when["known_at"]) == third
    assert len(_checkpoints(sealed)) == 3


def test_days_are_sealed_forwards_only(sealed: sa.Engine, when: dict[str, Any]) -> None:
    meddle(sealed, "DELETE FROM checkpoint WHERE booked_on = '2026-06-16'")
    with pytest.raises(
        DayNotSealable, match=r"2026-06-16 cannot be sealed: days are sealed in their order.*Nothing was"
    ):
        seal_day(sealed, when["booked_on"], KEY, when["known_at"])


def test_nothing_booked_yet_is_nothing_to_seal(books: sa.Engine, when: dict[str, Any]) -> None:
    with pytest.raises(DayNotSealable, match=r"but there are none. Nothing was signed"):
        seal_day(books, when["booked_on"], KEY, when["known_at"])


SPOILT = {
    "an entry since the last seal": ("UPDATE event SET effective_on = '2026-06-01' WHERE sequence = {last}", "columns"),
    "the tree of the last seal": (f"UPDATE checkpoint SET peaks = '{'ab' * 32}'", "has another root"),
    "the signature of the last seal": ("UPDATE checkpoint SET signature = 'AAAA'", "does not bear its key's signature"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_nobody_signs_what_does_not_hold(sealed: sa.Engine, what: str, when: dict[str, Any]) -> None:
    statement, finding = SPOILT[what]
    meddle(sealed, statement.format(last=ledger_head(sealed).sequence))
    with pytest.raises(LedgerTampered, match=finding):
        seal_day(sealed, when["booked_on"] + timedelta(days=2), KEY, when["known_at"])
    assert len(_checkpoints(sealed)) == 2


def test_a_sealed_day_takes_no_more_entries(sealed: sa.Engine, when: dict[str, Any]) -> None:
    day = when["booked_on"] + timedelta(days=2)
    seal_day(sealed, day, KEY, when["known_at"])
    with pytest.raises(DeskError, match=f"{day} was sealed"):
        post(sealed, [deposit(7, day)], booked_on=day, known_at=when["known_at"] + timedelta(days=2))


def test_a_checkpoint_cannot_be_changed_or_taken_out(sealed: sa.Engine) -> None:
    for statement in ("UPDATE checkpoint SET signature = 'x'", "DELETE FROM checkpoint"):
        with pytest.raises(sa.exc.DatabaseError, match="checkpoint is append-only"), sealed.begin() as connection:
            connection.exec_driver_sql(statement)


# --- Exports -------------------------------------------------------------------------------------------------------


@pytest.fixture
def exported(sealed: sa.Engine, tmp_path: Path) -> Path:
    return export_audit(sealed, tmp_path / "export")


def test_an_export_proves_the_same_without_the_store(sealed: sa.Engine, exported: Path) -> None:
    stored, taken = verify(sealed), verify(exported, str(ledger_head(sealed)), PUBLIC)
    assert (taken.head, taken.checkpoints, taken.sealed_until) == (stored.head, stored.checkpoints, stored.sealed_until)
    assert taken.projections == 0
    names = {file.relative_to(exported).as_posix() for file in exported.rglob("*") if file.is_file()}
    assert names == {
        "README.txt",
        "checkpoints.json",
        "events/part-00001.parquet",
        "keys.json",
        "manifest.json",
    }
    assert json.loads((exported / "keys.json").read_text()) == PUBLIC


def test_the_same_books_give_the_same_export(sealed: sa.Engine, exported: Path, tmp_path: Path) -> None:
    again = export_audit(sealed, tmp_path / "again")
    assert (again / "manifest.json").read_bytes() == (exported / "manifest.json").read_bytes()


def test_an_export_up_to_a_day_ends_with_it(sealed: sa.Engine, tmp_path: Path, when: dict[str, Any]) -> None:
    folder = export_audit(sealed, tmp_path / "export", when["booked_on"])
    assert verify(folder).entries == sequence_of(sealed, "t3")
    assert verify(folder).checkpoints == 1


def test_empty_books_can_be_exported_too(books: sa.Engine, tmp_path: Path) -> None:
    assert verify(export_audit(books, tmp_path / "export"), LedgerHead(0, GENESIS_HASH)).entries == 0


def test_an_export_never_takes_the_place_of_another(sealed: sa.Engine, exported: Path) -> None:
    with pytest.raises(DeskNotReady, match=r"is there already. Nothing was written"):
        export_audit(sealed, exported)


def test_an_export_that_fails_leaves_nothing_behind(
    sealed: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("books.audit_export.file_hash", full)
    with pytest.raises(OSError, match="No space left"):
        export_audit(sealed, tmp_path / "exports" / "one")
    assert list((tmp_path / "exports").iterdir()) == []


Rows = list[dict[str, Any]]


def _rewrite(folder: Path, change: Callable[[Rows], Any]) -> None:
    """Change the entries of an export and make its manifest say so, as a forger would."""
    file = folder / "events" / "part-00001.parquet"
    table = pq.read_table(file)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["events/part-00001.parquet"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.update(entries=len(rows), entry_hash=rows[-1]["entry_hash"])
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _rehash(rows: Rows) -> None:
    previous = GENESIS_HASH
    for row in rows:
        row["entry_hash"] = previous = entry_hash(previous, row["body"].encode())


def _swap(rows: Rows, bad: int) -> None:
    rows[bad - 1], rows[bad] = rows[bad], rows[bad - 1]


def _insert(rows: Rows, bad: int) -> None:
    rows.insert(bad - 1, {**rows[bad - 1], "body": "{}"})
    for number, row in enumerate(rows, start=1):
        row["sequence"] = number


EXPORT_EDITS: dict[str, Callable[[Rows, int], Any]] = {
    "an entry taken out": lambda rows, bad: rows.pop(bad - 1),
    "a body": lambda rows, bad: rows[bad - 1].update(body=rows[bad - 1]["body"].replace("200", "900")),
    "a hash": lambda rows, bad: rows[bad - 1].update(entry_hash="ab" * 32),
    "a hash that is none": lambda rows, bad: rows[bad - 1].update(entry_hash="none"),
    "a number": lambda rows, bad: rows[bad - 1].update(sequence=10**6),
    "two entries in each other's place": _swap,
    "an entry put in": _insert,
}


@pytest.mark.parametrize("edit", EXPORT_EDITS)
def test_an_edit_of_an_export_is_found_at_its_entry(sealed: sa.Engine, exported: Path, edit: str) -> None:
    bad = sequence_of(sealed, "t2")
    _rewrite(exported, lambda rows: EXPORT_EDITS[edit](rows, bad))
    with pytest.raises(LedgerTampered, match=f"Entry {bad} ") as found:
        verify(exported)
    assert found.value.sequence == bad


def test_an_export_cut_off_or_written_anew_is_found_by_its_checkpoints(sealed: sa.Engine, exported: Path) -> None:
    shutil.copytree(exported, exported.with_name("cut"))
    _rewrite(exported.with_name("cut"), lambda rows: rows.__delitem__(slice(-4, None)))
    with pytest.raises(LedgerTampered, match="the end was cut off"):
        verify(exported.with_name("cut"))

    def anew(rows: Rows) -> None:
        rows[sequence_of(sealed, "t2") - 1]["body"] = rows[sequence_of(sealed, "t2") - 1]["body"].replace("200", "900")
        _rehash(rows)

    _rewrite(exported, anew)
    with pytest.raises(LedgerTampered, match="is not what was signed on 2026-06-16"):
        verify(exported)
    (exported / "checkpoints.json").write_text("[]")
    with pytest.raises(LedgerTampered, match=r"checkpoints.json is not the one that was exported"):
        verify(exported)
    with pytest.raises(LedgerTampered, match="is not what was signed on 2026-06-16"):
        verify(exported, _checkpoints(sealed)[0])


@pytest.mark.parametrize("what", ["cut short", "one bit", "taken away", "of other columns"])
def test_a_damaged_file_of_an_export_is_named(exported: Path, what: str) -> None:
    file = exported / "events" / "part-00001.parquet"
    raw = bytearray(file.read_bytes())
    if what == "cut short":
        file.write_bytes(raw[: len(raw) // 2])
    elif what == "one bit":
        raw[len(raw) // 3] ^= 1
        file.write_bytes(raw)
    elif what == "taken away":
        file.unlink()
    else:
        pq.write_table(pa.table({"sequence": [1], "body": [None], "entry_hash": [3]}), file)
    with pytest.raises(LedgerTampered):
        verify(exported)


def test_a_file_put_into_an_export_is_named(exported: Path) -> None:
    (exported / "events" / "part-00002.csv").write_text("more")
    with pytest.raises(LedgerTampered, match=r"part-00002.csv is not named in the manifest"):
        verify(exported)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"origin": "lombard books", "format": 9}', "é"])
def test_a_folder_that_is_no_export_is_said_to_be_none(exported: Path, manifest: str) -> None:
    (exported / "manifest.json").write_text(manifest)
    with pytest.raises(DeskNotReady, match=r"should be an export of the books' history"):
        verify(exported)
    with pytest.raises(DeskNotReady, match=r"manifest.json cannot be read: No such file"):
        verify(exported / "events")
