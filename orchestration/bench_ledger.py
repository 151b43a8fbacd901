"""How fast balances are read from the ledger's lines, and lines sealed. They are generated, not posted."""

import csv
import hashlib
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import psycopg
import pyarrow as pa

from books.seals import ROWS_PER_BLOCK, first_broken_block, seal
from orchestration.measuring import Row, fresh_home, in_turn, rounded
from orchestration.postgresql import has_postgresql, serve_postgresql

STEP: Final = "step 2"
FIRST_DAY: Final = date(2025, 6, 16)


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many lines there are. The first values are those the published figures were taken with."""

    rounds: int = 5
    accounts: int = 100_000
    days: int = 250
    few_lines: int = 1_000_000
    many_lines: int = 50_000_000
    balanced_lines: int = 5_000_000
    postings: int = 100_000
    sealed_lines: int = 1_000_000
    is_durable: bool = True


FULL: Final = Sizes()


def balances(sizes: Sizes = FULL) -> list[Row]:
    """Balances of all accounts in DuckDB and in PostgreSQL, over the same lines, by the same question."""
    name = "balances_duckdb_5m"
    if not has_postgresql():
        return [Row(name, 0, "s", None, limit="not measured: PostgreSQL's programs are not on this machine", step=STEP)]
    folder = Path(tempfile.mkdtemp(prefix="lombard-bench-postgresql-"))
    try:
        with fresh_home() as ours, open_warehouse(ours) as warehouse:
            generated = _lines(f"range({sizes.balanced_lines // 2})", sizes.accounts, FIRST_DAY)
            warehouse.execute(f"CREATE TABLE line AS {generated}")
            copied = ours / "lines.csv"
            warehouse.execute(f"COPY line TO '{copied}' (HEADER false)")
            memory = {"shared_buffers": "1GB", "work_mem": "256MB", "statement_timeout": "0", "max_wal_size": "4GB",
                      "max_parallel_workers_per_gather": "2"}  # fmt: skip
            with serve_postgresql(folder, is_durable=sizes.is_durable, settings=memory) as address:
                plain = address.replace("postgresql+psycopg", "postgresql")
                with psycopg.connect(plain, autocommit=True) as connection:
                    _copy_lines(connection, copied)
                    answers: dict[str, Any] = {}

                    def ask_us() -> None:
                        answers["ours"] = warehouse.execute(_BALANCES).fetchone()

                    def ask_postgresql() -> None:
                        answers["peer"] = connection.execute(_BALANCES).fetchone()

                    taken = in_turn({"ours": ask_us, "peer": ask_postgresql}, sizes.rounds)
        told = {who: tuple(map(int, answer)) for who, answer in answers.items()}
        assert told["ours"] == told["peer"], "both add up to the same"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    ours_taken, peer_taken = taken["ours"].wall, taken["peer"].wall
    return [
        Row(name, rounded(ours_taken), "s", rounded(peer_taken / 8), "PostgreSQL, COPYed in and ANALYZEd",
            rounded(peer_taken), step=STEP,
            limit=f"{peer_taken / ours_taken:.1f} × (goal 8), {sizes.balanced_lines:,} generated lines of "
                  f"{sizes.accounts:,} accounts; PostgreSQL with 1 GB of buffers, 256 MB work_mem, 2 workers"),
    ]  # fmt: skip


def balances_whole_process(sizes: Sizes = FULL) -> list[Row]:
    """Balances of a file of postings as a whole process, from its start to its end, beside hledger's."""
    name = "balances_100k_whole_process"
    hledger = shutil.which("hledger")
    if hledger is None:
        return [Row(name, 0, "s", None, limit="not measured: hledger is not on this machine", step=STEP)]
    with fresh_home() as folder, open_warehouse(folder) as warehouse:
        lines, journal = folder / "lines.csv", folder / "lines.journal"
        generated = _lines(f"range({sizes.postings // 2})", sizes.accounts // 10, FIRST_DAY)
        warehouse.execute(f"COPY ({generated} ORDER BY sequence, side DESC) TO '{lines}' (HEADER true)")
        _write_journal(lines, journal)
        commands = {
            "ours": [sys.executable, "-I", "-c", _WHOLE_PROCESS, str(lines)],
            "peer": [hledger, "-f", str(journal), "balance", "--flat", "--no-total", "--empty", "-O", "csv"],
        }
        told = [_balances_told(command) for command in commands.values()]
        assert told[0] == told[1] != {}, "both add up to the same"
        works = {who: _process(command) for who, command in commands.items()}
        works["start"] = _process([sys.executable, "-I", "-c", "import duckdb; duckdb.connect()"])
        taken = in_turn(works, sizes.rounds)
    ours, peer = taken["ours"].wall, taken["peer"].wall
    return [
        Row(name, rounded(ours), "s", rounded(peer / 8), peer="hledger balance", peer_value=rounded(peer), step=STEP,
            limit=f"{peer / ours:.1f} × (goal 8), {sizes.postings:,} postings read from text; starting Python and "
                  f"DuckDB alone takes {taken['start'].wall:.2f} s"),
    ]  # fmt: skip


def seal_columns(sizes: Sizes = FULL) -> list[Row]:
    """Sealing the columns of lines, beside loading the same lines, and beside hashing them row by row: CPU time."""
    with fresh_home() as folder, open_warehouse(folder) as warehouse:
        parquet = folder / "lines.parquet"
        generated = _lines(f"range({sizes.sealed_lines // 2})", sizes.accounts, FIRST_DAY)
        warehouse.execute(f"COPY ({generated}) TO '{parquet}' (FORMAT parquet)")
        table = warehouse.sql(f"SELECT * FROM read_parquet('{parquet}')").to_arrow_table()
        rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
        spelled = [_spelled(row) for row in rows]
        load = f"CREATE OR REPLACE TABLE line AS SELECT * FROM read_parquet('{parquet}')"
        works: dict[str, Callable[[], object]] = {
            "seal": lambda: seal(table),
            "load": lambda: (warehouse.execute(load), warehouse.execute("CHECKPOINT")),
            "rows": lambda: _hash_rows(map(_spelled, rows)),
            "spelled": lambda: _hash_rows(spelled),
        }
        taken = in_turn(works, sizes.rounds)
    sealed, middle = seal(table), table.num_rows // 2
    assert first_broken_block(table, sealed) is None, "an untouched table keeps its seal"
    assert first_broken_block(_changed(table, middle), sealed) == middle // ROWS_PER_BLOCK, "a change is traced"
    ours, loaded, by_row = taken["seal"].cpu, taken["load"].cpu, taken["rows"].cpu
    return [
        Row("seal_columns", rounded(ours), "cpu-s", rounded(min(0.6 * loaded, by_row / 10)),
            "loading the same lines into DuckDB", rounded(loaded), step=STEP,
            limit=f"{ours / loaded:.2f} × the load (goal 0.6); {by_row / ours:.0f} × less than SHA-256 row by row in "
                  f"Python ({by_row:.2f} cpu-s, goal 10), {taken['spelled'].cpu / ours:.0f} × less where the rows are "
                  f"bytes already; {table.num_rows:,} generated lines"),
    ]  # fmt: skip


def _spelled(row: tuple[Any, ...]) -> bytes:
    return "|".join(map(str, row)).encode()


def _hash_rows(rows: Iterable[bytes]) -> None:
    sha256, previous = hashlib.sha256, bytes(32)
    for row in rows:
        previous = sha256(previous + row).digest()


def _changed(table: pa.Table, row: int) -> pa.Table:
    """The same table with one minor unit more in one row."""
    at = table.column_names.index("signed_minor")
    amounts = table.column(at).to_numpy().copy()
    amounts[row] += 1
    return table.set_column(at, "signed_minor", pa.array(amounts))


@contextmanager
def open_warehouse(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB as the desk sets it, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_unsigned_extensions": "false",
        "memory_limit": "2GB",
        "threads": "2",
        "temp_directory": str(folder / "spill"),
        "max_temp_directory_size": "4GB",
    }
    warehouse = duckdb.connect(folder / "warehouse.duckdb", config=settings)
    try:
        warehouse.execute("SET auto_checkpoint_skip_wal_threshold = 4611686018427387904")
        warehouse.execute("SET TimeZone = 'UTC'")
        yield warehouse
    finally:
        warehouse.close()


def account_of(number: str, side: str, accounts: int) -> str:
    """The SQL of the ledger account on one side of a numbered transfer: any of half of them, in no order."""
    code = {"debit": "1210", "credit": "2010"}[side]
    return f"'{code}.A' || lpad(CAST(hash({number}, '{side}') % {max(1, accounts // 2)} AS VARCHAR), 6, '0')"


def _lines(transfers: str, accounts: int, day: date) -> str:
    """A question for the lines of transfers between two of so many ledger accounts, two lines each."""
    return f"""
        SELECT
            CAST(i AS BIGINT) AS sequence,
            side,
            CASE side
                WHEN 'debit' THEN {account_of("i", "debit", accounts)} ELSE {account_of("i", "credit", accounts)}
            END AS ledger_account_id,
            'USD' AS currency,
            CAST(CASE side WHEN 'debit' THEN 100 + i % 977 ELSE -100 - i % 977 END AS BIGINT) AS signed_minor,
            DATE '{day}' AS effective_on
        FROM {transfers} AS n (i), (VALUES ('debit'), ('credit')) AS sides (side)
    """


_BALANCES: Final = """
    SELECT count(*), sum(abs(balance_minor)) FROM (
        SELECT ledger_account_id, currency, sum(signed_minor) AS balance_minor FROM line
        GROUP BY ledger_account_id, currency
    ) AS balances
"""
"""All balances, of which only the number and the sum cross to us: neither side pays for the way."""


def _copy_lines(connection: psycopg.Connection, file: Path) -> None:
    connection.execute(
        "CREATE TABLE line (sequence bigint, side text, ledger_account_id text, currency text, signed_minor bigint, "
        "effective_on date)"
    )
    with connection.cursor().copy("COPY line FROM STDIN (FORMAT csv)") as copy, file.open("rb") as lines:
        while piece := lines.read(1 << 20):
            copy.write(piece)
    connection.execute("VACUUM ANALYZE line")


_WHOLE_PROCESS: Final = """
import sys
import duckdb
columns = dict.fromkeys(("side", "ledger_account_id", "currency"), "VARCHAR")
columns = {"sequence": "BIGINT", **columns, "signed_minor": "BIGINT", "effective_on": "DATE"}
lines = duckdb.read_csv(sys.argv[1], header=True, auto_detect=False, columns=columns)
found = lines.aggregate(
    "ledger_account_id, CAST(sum(signed_minor) * CAST(0.01 AS DECIMAL(3, 2)) AS DECIMAL(18, 2)) AS amount, currency"
)
sys.stdout.writelines(f"{name},{amount} {currency}\\n" for name, amount, currency in found.order("1").fetchall())
"""
"""What the desk does with a journal's lines in a file, as a program of its own."""


def _write_journal(lines: Path, journal: Path) -> None:
    """The same lines as hledger reads them, a transaction for each two."""
    with lines.open(encoding="utf-8", newline="") as rows, journal.open("w", encoding="utf-8") as written:
        for row in csv.DictReader(rows):
            if row["side"] == "debit":
                written.write(f"\n{row['effective_on']} {row['sequence']}\n")
            minor = int(row["signed_minor"])
            sign = "-" if minor < 0 else ""
            amount = f"{sign}{abs(minor) // 100}.{abs(minor) % 100:02d} {row['currency']}"
            written.write(f"    {row['ledger_account_id']}  {amount}\n")


def _process(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, capture_output=True, check=True)


def _balances_told(command: list[str]) -> dict[str, Decimal]:
    """What a program says each account has; one of them leaves out who has nothing."""
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    amounts = {row[0]: row[1].removesuffix(" USD") for row in csv.reader(io.StringIO(told)) if row[0] != "account"}
    return {name: Decimal(amount) for name, amount in amounts.items() if Decimal(amount)}
