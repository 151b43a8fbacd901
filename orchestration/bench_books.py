"""How fast the books are: posting to either store, what an account has, and the proof that nothing was changed."""

import hashlib
import itertools
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import psycopg
import sqlalchemy as sa

from books import schema
from books.audit import verify
from books.engine import create_books, open_books, reading, writing
from books.master_keys import load_master_keys, new_master_key
from books.posting import client_money
from books.rules import adopt
from books.seeding import seed
from books.vault import Vault
from domain.errors import DeskNotReady
from domain.ledger import Transfer
from orchestration.bench_writer import DAY, batches_of_writer, deposits, post_now, write
from orchestration.measuring import Row, Taken, fresh_home, in_turn, rounded
from orchestration.postgresql import has_postgresql, serve_postgresql
from rulebooks import editions_of

STEP: Final = "step 2"

BYTES_PER_GENERATED: Final = 400
"""What a generated transfer and its event take in a file of SQLite, indexes included, with room to spare."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is posted and asked. The first values are those the published figures were taken with."""

    accounts: int = 2_000
    rounds: int = 5
    singles: int = 200
    batches_of_100: int = 20
    big_batch: int = 10_000
    core_committed: int = 300
    core_at_once: int = 3_000
    writers: int = 4
    batches_per_writer: int = 50
    generated: int = 10_000_000
    generated_accounts: int = 100_000
    asked: int = 1_000
    verified: int = 300_000
    is_durable: bool = True


FULL: Final = Sizes()


def posting_sqlite(sizes: Sizes = FULL) -> list[Row]:
    """Transfers posted to SQLite one by one, by the hundred and by the ten thousand, beside what SQLite takes bare.

    The bare insert puts the very same rows into the same tables and indexes of a second file, opened with the same
    settings; it judges nothing and hashes nothing.
    """
    with fresh_home() as folder:
        folder.mkdir()
        books, bare = _open(folder / "books.db", sizes.accounts), _open(folder / "bare.db", sizes.accounts)
        core = _CorePeer(folder / "core.db", sizes.accounts)
        names = itertools.count()
        shapes = {1: sizes.singles, 100: sizes.batches_of_100, sizes.big_batch: 1}
        rates = {
            size: _posting_rates(books, bare, size, count, sizes, names, core if size == sizes.big_batch else None)
            for size, count in shapes.items()
        }
        for engine in (books, bare, core.engine):
            engine.dispose()
    one, hundred, big = rates.values()
    return [
        _rate("post_one_by_one_sqlite", one["ours"], 300, "bare SQLite insert and commit", one["bare"],
              f"one fsync per commit; judging, chaining and hashing leave {one['ours'] / one['bare']:.0%} of the bare "
              f"insert"),
        _rate("post_batches_of_100_sqlite", hundred["ours"], 5_000, "bare executemany and commit", hundred["bare"],
              f"Python's work on each transfer; {hundred['ours'] / hundred['bare']:.0%} of the bare insert"),
        _rate("post_batches_of_10000_sqlite", big["ours"], rounded(20 * big["core each"]),
              "SQLAlchemy Core row by row, each transfer committed", big["core each"],
              f"{_times(big, 'ours', 'core each')} that peer, {_times(big, 'ours', 'core prepared')} it with "
              f"statements made once ({big['core prepared']:,.0f}/s) and {_times(big, 'ours', 'core at once')} Core "
              f"row by row in one transaction ({big['core at once']:,.0f}/s); the floor, a bare executemany of the "
              f"same rows without rules or hashes ({big['bare']:,.0f}/s), is {_times(big, 'bare', 'core each')}, "
              f"{_times(big, 'bare', 'core prepared')} and {_times(big, 'bare', 'core at once')} of them"),
    ]  # fmt: skip


def writers_postgresql(sizes: Sizes = FULL) -> list[Row]:
    """Batches of 100 posted to a durable PostgreSQL by several processes, some of them twice; then all is counted."""
    name, goal = "post_4_writers_postgresql", 3_000
    if not has_postgresql():
        return [Row(name, 0, "transfers/s", goal, limit="not measured: PostgreSQL's programs are not on this machine",
                    better="higher", step=STEP)]  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="lombard-bench-postgresql-"))
    try:
        with serve_postgresql(folder, is_durable=sizes.is_durable) as address:
            books = _open(address, sizes.accounts)
            books.dispose()
            bare_address = _copy_of(address)
            with reading(books) as connection:
                before = _last_sequence(connection)
            seconds = _write_together(address, sizes)
            _count_nothing_lost(books, sizes)
            bare = _open_bare(bare_address)
            rows = _rows_after(books, before)
            bare_taken = in_turn({"bare": _bare_batches(bare, rows, 100)}, 1)["bare"]
            for engine in (books, bare):
                engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    posted = sizes.writers * sizes.batches_per_writer * 100
    return [
        _rate(name, posted / seconds, goal, "one bare writer, executemany and commit", posted / bare_taken.wall,
              f"the chain has one end, so {sizes.writers} writers take turns; a tenth of the batches was sent twice, "
              f"and counts once; nothing lost, nothing doubled, debits equal credits, chain verified"),
    ]  # fmt: skip


def available_balance(sizes: Sizes = FULL) -> list[Row]:
    """What an account may still spend, asked of books with millions of transfers, generated and not posted."""
    name, goal = "available_balance_10m", 2
    needed, free = sizes.generated * BYTES_PER_GENERATED, shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        why = f"not measured: needs {needed / 2**30:.0f} GiB of disk, and {free / 2**30:.0f} GiB are free"
        return [Row(name, 0, "ms", goal, limit=why, step=STEP)]
    with fresh_home() as folder:
        folder.mkdir()
        books = _open(folder / "books.db", 1)
        sums = _generate(books, sizes)
        chosen = np.random.default_rng(1).integers(0, sizes.generated_accounts, sizes.asked).tolist()
        with books.connect().execution_options(books_reading=True) as connection:
            bare = [_milliseconds(_bare_question(connection, _generated(number))) for number in chosen]
        ours = []
        for number in chosen:
            account = f"G{number:06d}"
            started = time.perf_counter()
            told = client_money(books, [account])
            ours.append((time.perf_counter() - started) * 1e3)
            assert told == {account: sums[number]}, "the books tell what was generated"
        started = time.perf_counter()
        with reading(books) as connection:
            added: Any = connection.exec_driver_sql(
                _ADDED_UP, (_generated(chosen[0]), _generated(chosen[0]))
            ).scalar_one()
        scanned = (time.perf_counter() - started) * 1e3
        assert added == sums[chosen[0]], "adding up all transfers gives the same"
        books.dispose()
    return [
        Row(name, rounded(float(np.percentile(ours, 99))), "ms", goal, peer="adding up the account's transfers",
            peer_value=rounded(scanned), step=STEP,
            limit=f"p99 of {len(ours):,} accounts, at {sizes.generated:,} transfers generated inside SQLite and not "
                  f"posted; the bare look-up of the row is {np.percentile(bare, 99):.3f} ms, the rest is SQLAlchemy"),
    ]  # fmt: skip


def verify_events(sizes: Sizes = FULL) -> list[Row]:
    """Verifying posted books in SQLite, beside hashing the same bytes and nothing else."""
    with fresh_home() as folder:
        folder.mkdir()
        books = _open(folder / "books.db", sizes.accounts)
        names = itertools.count()
        for _ in range(max(1, sizes.verified // sizes.big_batch)):
            post_now(books, deposits(min(sizes.big_batch, sizes.verified), sizes.accounts, names))
        with reading(books) as connection:
            found: Any = connection.execute(sa.select(schema.event.c.body).order_by(schema.event.c.sequence))
            bodies = [str(body).encode() for body in found.scalars()]

        def verified() -> None:
            assert verify(books).entries == len(bodies), "every entry was looked at"

        taken = in_turn({"ours": verified, "bare": lambda: _chain(bodies)}, 3)
        books.dispose()
    ours, bare = len(bodies) / taken["ours"].wall, len(bodies) / taken["bare"].wall
    return [
        Row("verify_events", rounded(ours), "events/s", 500_000, peer="bare SHA-256 of the same bytes, one core",
            peer_value=rounded(bare), better="higher", step=STEP,
            limit=f"{len(bodies):,} events: chain, columns, typed rows and balances, read from SQLite by all cores; "
                  f"hashing alone is {ours / bare:.0%} of it"),
    ]  # fmt: skip


@dataclass
class _Clients:
    """Client accounts in New York, without money or shares."""

    count: int

    @property
    def clients(self) -> pd.DataFrame:
        return pd.DataFrame({"client_id": self._names("C"), "name": self._names("Client "), "source": "synthetic"})

    @property
    def accounts(self) -> pd.DataFrame:
        return pd.DataFrame({
            "account_id": self._names("A"), "client_id": self._names("C"), "market": "US", "currency": "USD",
            "rulebook": "us.finra_4210", "opened_on": DAY, "source": "synthetic",
        })  # fmt: skip

    @property
    def contracts(self) -> pd.DataFrame:
        columns = ["contract_id", "account_id", "currency", "principal_minor", "opened_on", "matures_on"]
        return pd.DataFrame(columns=columns)

    @property
    def positions(self) -> pd.DataFrame:
        return pd.DataFrame(columns=["account_id", "instrument_id", "quantity_shares"])

    @property
    def deposits(self) -> pd.DataFrame:
        return pd.DataFrame(columns=["account_id", "amount_minor", "currency"])

    def _names(self, letter: str) -> list[str]:
        return [f"{letter}{number:06d}" for number in range(self.count)]


def _open(place: Path | str, accounts: int) -> sa.Engine:
    """Books with rules and so many client accounts."""
    engine = open_books(f"sqlite:///{place}" if isinstance(place, Path) else place)
    create_books(engine)
    when: dict[str, Any] = {"booked_on": DAY, "known_at": datetime.now(UTC)}
    with writing(engine) as connection:
        adopt(connection, editions_of("house.ledger"), **when)
        seed(connection, _Clients(accounts), vault=Vault.of(load_master_keys(new_master_key())), **when)
    return engine


def _posting_rates(
    books: sa.Engine,
    bare: sa.Engine,
    size: int,
    count: int,
    sizes: Sizes,
    names: Iterator[int],
    core: "_CorePeer | None",
) -> dict[str, float]:
    """Transfers a second, by who posts them: ``count`` batches of ``size`` a round, the median of the rounds."""
    planned = [[deposits(size, sizes.accounts, names) for _ in range(count)] for _ in range(sizes.rounds)]
    rounds = iter(planned)
    with reading(books) as connection:
        before = [_last_sequence(connection)]

    def ours() -> None:
        for batch in next(rounds):
            post_now(books, batch)

    taken: dict[str, list[Taken]] = {}
    for _ in range(sizes.rounds):
        # The rows the bare insert repeats are read back outside of any clock.
        taken.setdefault("ours", []).append(in_turn({"ours": ours}, 1)["ours"])
        rows = _rows_after(books, before[-1])
        before.append(rows.last)
        taken.setdefault("bare", []).append(in_turn({"bare": _bare_batches(bare, rows, size)}, 1)["bare"])
        if core is not None:
            peers = {
                "core each": lambda: core.commit_each(sizes.core_committed),
                "core prepared": lambda: core.prepared(sizes.core_committed),
                "core at once": lambda: core.at_once(sizes.core_at_once),
            }
            each = in_turn(peers, 1)
            for name, one in each.items():
                taken.setdefault(name, []).append(one)
    posted = {
        "ours": size * count,
        "bare": size * count,
        "core each": sizes.core_committed,
        "core prepared": sizes.core_committed,
        "core at once": sizes.core_at_once,
    }
    return {name: posted[name] / float(np.median([one.wall for one in every])) for name, every in taken.items()}


class _CorePeer:
    """A ledger as it is written at first: each transfer inserted and its two balances updated, row by row."""

    def __init__(self, file: Path, accounts: int) -> None:
        self.accounts, self.names = accounts, itertools.count()
        self.engine = open_books(f"sqlite:///{file}")
        metadata = sa.MetaData()
        self.transfer = sa.Table(
            "transfer",
            metadata,
            sa.Column("sequence", sa.Integer, primary_key=True),
            sa.Column("transfer_id", sa.Text, unique=True),
            *(sa.Column(name, sa.Text) for name in ("debit_account_id", "credit_account_id")),
            sa.Column("amount_minor", sa.Integer),
            *(sa.Column(name, sa.Text) for name in ("currency", "effective_on")),
        )
        self.balance = sa.Table(
            "balance",
            metadata,
            sa.Column("account_id", sa.Text, primary_key=True),
            sa.Column("debits_minor", sa.Integer),
            sa.Column("credits_minor", sa.Integer),
        )
        with writing(self.engine) as connection:
            metadata.create_all(connection)
            names = ["1010.USD", *(f"2010.A{number:06d}" for number in range(accounts))]
            nothing = {"debits_minor": 0, "credits_minor": 0}
            connection.execute(sa.insert(self.balance), [{"account_id": name} | nothing for name in names])

    def commit_each(self, count: int) -> None:
        """One transaction per transfer."""
        for transfer in deposits(count, self.accounts, self.names):
            with writing(self.engine) as connection:
                self._write(connection, transfer)

    def at_once(self, count: int) -> None:
        """One transaction for all of them."""
        with writing(self.engine) as connection:
            for transfer in deposits(count, self.accounts, self.names):
                self._write(connection, transfer)

    def prepared(self, count: int) -> None:
        """One transaction per transfer, with statements made once: Core at its best."""
        balance = self.balance.c
        account: sa.BindParameter[str] = sa.bindparam("account")
        amount: sa.BindParameter[int] = sa.bindparam("amount")
        insert, found = sa.insert(self.transfer), sa.update(self.balance).where(balance.account_id == account)
        debit = found.values(debits_minor=balance.debits_minor + amount)
        credit = found.values(credits_minor=balance.credits_minor + amount)
        for transfer in deposits(count, self.accounts, self.names):
            moved = {"amount": transfer.amount_minor}
            with writing(self.engine) as connection:
                connection.execute(insert, _core_row(transfer))
                connection.execute(debit, {"account": transfer.debit_account_id} | moved)
                connection.execute(credit, {"account": transfer.credit_account_id} | moved)

    def _write(self, connection: sa.Connection, transfer: Transfer) -> None:
        balance, amount = self.balance.c, transfer.amount_minor
        debited = sa.update(self.balance).where(balance.account_id == transfer.debit_account_id)
        credited = sa.update(self.balance).where(balance.account_id == transfer.credit_account_id)
        connection.execute(sa.insert(self.transfer).values(**_core_row(transfer)))
        connection.execute(debited.values(debits_minor=balance.debits_minor + amount))
        connection.execute(credited.values(credits_minor=balance.credits_minor + amount))


def _core_row(transfer: Transfer) -> dict[str, str | int]:
    return {
        "transfer_id": transfer.transfer_id,
        "debit_account_id": transfer.debit_account_id,
        "credit_account_id": transfer.credit_account_id,
        "amount_minor": transfer.amount_minor,
        "currency": transfer.currency,
        "effective_on": transfer.effective_on.isoformat(),
    }


@dataclass(frozen=True, slots=True)
class _Rows:
    """What a posting left in the tables of the books."""

    events: list[tuple[Any, ...]]
    transfers: list[tuple[Any, ...]]
    balances: dict[str, tuple[Any, ...]]
    last: int


def _last_sequence(connection: sa.Connection) -> int:
    return int(connection.exec_driver_sql("SELECT max(sequence) FROM event").scalar_one())


def _rows_after(books: sa.Engine, sequence: int) -> _Rows:
    with reading(books) as connection:

        def rows(table: str, column: str) -> list[tuple[Any, ...]]:
            found = connection.exec_driver_sql(f"SELECT * FROM {table} WHERE {column} > {sequence} ORDER BY {column}")
            return [tuple(row) for row in found]

        balances = {row[0]: row for row in rows("balance", "last_sequence")}
        return _Rows(rows("event", "sequence"), rows("transfer", "sequence"), balances, _last_sequence(connection))


def _bare_batches(bare: sa.Engine, rows: _Rows, size: int) -> Callable[[], None]:
    """Write rows into the same tables of another store through its driver alone, ``size`` transfers a commit."""
    is_sqlite = bare.dialect.name == "sqlite"
    mark, begin = ("?", "BEGIN IMMEDIATE") if is_sqlite else ("%s", "BEGIN")

    def insert(table: str, columns: int) -> str:
        return f"INSERT INTO {table} VALUES ({', '.join([mark] * columns)})"

    event, transfer = insert("event", len(rows.events[0])), insert("transfer", len(rows.transfers[0]))
    upsert = insert("balance", 7) + (
        " ON CONFLICT (ledger_account_id) DO UPDATE SET debits_posted_minor = excluded.debits_posted_minor, "
        "credits_posted_minor = excluded.credits_posted_minor, last_sequence = excluded.last_sequence"
    )
    pieces = []
    for start in range(0, len(rows.events), size):
        transfers = rows.transfers[start : start + size]
        # Where the columns of a transfer stand: its debited and its credited account are the fourth and fifth.
        touched = sorted({row[3] for row in transfers} | {row[4] for row in transfers})
        pieces.append((rows.events[start : start + size], transfers, [rows.balances[name] for name in touched]))

    def write() -> None:
        held = bare.raw_connection()
        try:
            cursor = held.cursor()
            for events, transfers, balances in pieces:
                cursor.execute(begin)
                cursor.executemany(event, events)
                cursor.executemany(transfer, transfers)
                cursor.executemany(upsert, balances)
                cursor.execute("COMMIT")
        finally:
            held.close()

    return write


def _copy_of(address: str) -> str:
    """The address of a second database on the same server, with the same books in it."""
    plain = address.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(plain.removesuffix("/postgres") + "/template1", autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare TEMPLATE postgres")
    return address.removesuffix("/postgres") + "/bare"


def _open_bare(address: str) -> sa.Engine:
    # The driver must not begin transactions by itself: the bare writer says BEGIN, as it does on SQLite.
    return sa.create_engine(address, isolation_level="AUTOCOMMIT")


def _write_together(address: str, sizes: Sizes) -> float:
    """Wall time from the moment all writers are ready to the end of the last one."""
    spawned = multiprocessing.get_context("spawn")
    ready = spawned.Barrier(sizes.writers + 1)
    writers = [
        spawned.Process(
            target=write, args=(address, number, sizes.accounts, sizes.batches_per_writer, ready), daemon=True
        )
        for number in range(sizes.writers)
    ]
    for writer in writers:
        writer.start()
    try:
        ready.wait(120)
        started = time.perf_counter()
        for writer in writers:
            writer.join(600)
    except threading.BrokenBarrierError:
        raise DeskNotReady("A writer ended before it was ready, so nothing was measured; see what it said.") from None
    seconds = time.perf_counter() - started
    assert [writer.exitcode for writer in writers] == [0] * sizes.writers, "every writer posted all it had"
    return seconds


def _count_nothing_lost(books: sa.Engine, sizes: Sizes) -> None:
    wanted = {
        transfer.transfer_id: transfer.amount_minor
        for number in range(sizes.writers)
        for batch in batches_of_writer(number, sizes.accounts, sizes.batches_per_writer)
        for transfer in batch
    }
    with reading(books) as connection:
        found = connection.exec_driver_sql("SELECT transfer_id, amount_minor FROM transfer").all()
        sums = "SELECT sum(debits_posted_minor), sum(credits_posted_minor) FROM balance"
        debits, credited = connection.exec_driver_sql(sums).one()
    assert len(found) == len(wanted) and {row[0]: row[1] for row in found} == wanted, (
        "no transfer is lost, and none is doubled"
    )
    assert debits == credited == sum(wanted.values()), "debits equal credits"
    verify(books)


_ADDED_UP: Final = (
    "SELECT coalesce(sum(CASE WHEN credit_account_id = ? THEN amount_minor ELSE -amount_minor END), 0) FROM transfer "
    "WHERE ? IN (credit_account_id, debit_account_id)"
)


def _generated(number: int) -> str:
    return f"2010.G{number:06d}"


def _generate(books: sa.Engine, sizes: Sizes) -> list[int]:
    """Fill the books inside SQLite with deposits that were never posted; returns what each account then has."""
    with reading(books) as connection:
        first = _last_sequence(connection) + 1
    held = books.raw_connection()
    cursor = held.cursor()
    # Generated rows prove nothing: they are neither kept nor checked, so nothing need be safe or whole.
    for pragma in ("query_only=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-400000"):
        cursor.execute(f"PRAGMA {pragma}")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {sizes.generated - 1})"
    day = DAY.isoformat()
    cursor.execute("BEGIN IMMEDIATE")
    cursor.execute(
        f"{numbers} INSERT INTO event SELECT {first} + i, 'transfer', printf('transfer:g%09d', i), '{day}', '{day}', "
        f"'{day}T20:00:00.000000Z', '{{}}', '' FROM n"
    )
    cursor.execute(
        f"{numbers} INSERT INTO transfer (sequence, transfer_id, template, debit_account_id, credit_account_id, "
        f"amount_minor, currency, effective_on) SELECT {first} + i, printf('g%09d', i), 'client_deposit', '1010.USD', "
        f"printf('2010.G%06d', i % {sizes.generated_accounts}), 100 + i % 977, 'USD', '{day}' FROM n"
    )
    which = np.arange(sizes.generated) % sizes.generated_accounts
    amounts = 100 + np.arange(sizes.generated) % 977
    sums = np.bincount(which, weights=amounts, minlength=sizes.generated_accounts).astype(np.int64).tolist()
    last = first + sizes.generated - 1
    rows = [("1010.USD", "USD", sum(sums), 0, 0, 0, last)]
    rows += [(_generated(number), "USD", 0, money, 0, 0, last) for number, money in enumerate(sums)]
    cursor.executemany("INSERT INTO balance VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    cursor.execute("COMMIT")
    held.invalidate()
    return sums


def _bare_question(connection: sa.Connection, name: str) -> Callable[[], object]:
    cursor = connection.connection.cursor()
    return lambda: cursor.execute("SELECT * FROM balance WHERE ledger_account_id = ?", (name,)).fetchone()


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1e3


def _chain(bodies: Sequence[bytes]) -> None:
    sha256, previous = hashlib.sha256, bytes(32)
    for body in bodies:
        previous = sha256(previous + body).digest()


def _rate(name: str, value: float, goal: float, peer: str, peer_value: float, limit: str) -> Row:
    return Row(name, rounded(value), "transfers/s", goal, peer, rounded(peer_value), limit, better="higher", step=STEP)


def _times(rates: Mapping[str, float], one: str, other: str) -> str:
    return f"{rates[one] / rates[other]:.1f} ×"
