"""How fast the ledger is read: closing a day, balances, and sealing the lines. All lines are generated, not posted."""

import csv
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import psycopg

from orchestration.measuring import Row, fresh_home, in_turn
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


def close_day(sizes: Sizes = FULL) -> list[Row]:
    """Closing the last of many days, from the closing before it and from all lines there are: processors' time."""
    taken = {}
    for lines in (sizes.few_lines, sizes.many_lines):
        with fresh_home() as folder:
            folder.mkdir()
            taken[lines] = _closing_times(folder, lines, sizes)
    few, many = taken[sizes.few_lines], taken[sizes.many_lines]
    a_day = f"a day of {sizes.many_lines // sizes.days:,} lines after {sizes.many_lines:,}"
    return [
        _cpu("close_day_1m", few["close"], None, "rebuilding it from all lines", few["rebuild"],
             f"a day of {sizes.few_lines // sizes.days:,} lines after {sizes.few_lines:,}; "
             f"{sizes.accounts:,} ledger accounts are carried forward"),
        _cpu("close_day_50m", many["close"], min(2.5 * few["close"], many["rebuild"] / 25),
             "the same on 1M lines", few["close"],
             f"{a_day}: {many['close'] / few['close']:.2f} × closing on 1M lines (goal 2.5), and "
             f"{many['rebuild'] / many['close']:.0f} × cheaper than the rebuild (goal 25)"),
        _cpu("rebuild_50m", many["rebuild"], None, "the bare reading of the lines", many["read"],
             "Parquet to be decoded, then one hash table"),
    ]  # fmt: skip


def balances(sizes: Sizes = FULL) -> list[Row]:
    """Balances of all accounts in DuckDB and in PostgreSQL, over the same lines, by the same question."""
    name = "balances_duckdb_5m"
    if not has_postgresql():
        return [Row(name, 0, "s", None, limit="not measured: PostgreSQL's programs are not on this machine", step=STEP)]
    folder = Path(tempfile.mkdtemp(prefix="lombard-bench-postgresql-"))
    try:
        with fresh_home() as ours, _warehouse(ours) as warehouse:
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
        Row(name, _rounded(ours_taken), "s", _rounded(peer_taken / 8), "PostgreSQL, COPYed in and ANALYZEd",
            _rounded(peer_taken), step=STEP,
            limit=f"{peer_taken / ours_taken:.1f} × (goal 8), {sizes.balanced_lines:,} generated lines of "
                  f"{sizes.accounts:,} accounts; PostgreSQL with 1 GB of buffers, 256 MB work_mem, 2 workers"),
    ]  # fmt: skip


def balances_whole_process(sizes: Sizes = FULL) -> list[Row]:
    """Balances of a file of postings as a whole process, from its start to its end, beside hledger's."""
    name = "balances_100k_whole_process"
    hledger = shutil.which("hledger")
    if hledger is None:
        return [Row(name, 0, "s", None, limit="not measured: hledger is not on this machine", step=STEP)]
    with fresh_home() as folder, _warehouse(folder) as warehouse:
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
        Row(name, _rounded(ours), "s", _rounded(peer / 8), peer="hledger balance", peer_value=_rounded(peer), step=STEP,
            limit=f"{peer / ours:.1f} × (goal 8), {sizes.postings:,} postings read from text; starting Python and "
                  f"DuckDB alone takes {taken['start'].wall:.2f} s"),
    ]  # fmt: skip


@contextmanager
def _warehouse(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
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


def _lines(transfers: str, accounts: int, day: date) -> str:
    """A question for the lines of transfers between two of so many ledger accounts, two lines each."""
    number = f"CAST(hash(i, side) % {max(1, accounts // 2)} AS VARCHAR)"
    return f"""
        SELECT
            CAST(i AS BIGINT) AS sequence,
            side,
            CASE side WHEN 'debit' THEN '1210.A' ELSE '2010.A' END || lpad({number}, 6, '0') AS ledger_account_id,
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


def _days(count: int) -> list[date]:
    return [FIRST_DAY + timedelta(days=number) for number in range(count)]


def _closing_times(folder: Path, lines: int, sizes: Sizes) -> dict[str, float]:
    """Processors' seconds of closing the last day, of rebuilding it from all lines, and of reading them all."""
    days = _days(sizes.days)
    with _warehouse(folder) as warehouse:
        per_day = lines // sizes.days // 2
        for number, day in enumerate(days):
            part = folder / "line" / f"as_of_date={day}" / "part.parquet"
            part.parent.mkdir(parents=True)
            transfers = f"range({number * per_day}, {(number + 1) * per_day})"
            warehouse.execute(f"COPY ({_lines(transfers, sizes.accounts, day)}) TO '{part}' (FORMAT parquet)")
        warehouse.execute(
            f"CREATE VIEW line AS SELECT * FROM read_parquet('{folder}/line/*/*.parquet', hive_partitioning = true, "
            f"hive_types = {{'as_of_date': DATE}})"
        )
        warehouse.execute(f"CREATE TABLE closing AS {_rebuilt(days[-2])}")
        close, rebuild = _closed(days[-2], days[-1]), _rebuilt(days[-1])
        works: dict[str, Callable[[], object]] = {
            "close": lambda: warehouse.execute(f"CREATE OR REPLACE TABLE closed AS {close}"),
            "rebuild": lambda: warehouse.execute(f"CREATE OR REPLACE TABLE rebuilt AS {rebuild}"),
            "read": lambda: warehouse.execute("SELECT max(ledger_account_id), sum(signed_minor) FROM line").fetchone(),
        }
        taken = in_turn(works, sizes.rounds)
        apart = "(FROM closed EXCEPT FROM rebuilt) UNION ALL (FROM rebuilt EXCEPT FROM closed)"
        assert warehouse.execute(apart).fetchall() == [], "the day closes at what all lines say"
    return {name: one.cpu for name, one in taken.items()}


def _rebuilt(day: date) -> str:
    """The closing of a day from all lines up to it."""
    today = f"FILTER (WHERE as_of_date = DATE '{day}')"
    return f"""
        SELECT
            DATE '{day}' AS as_of_date,
            ledger_account_id,
            currency,
            CAST(coalesce(sum(signed_minor) FILTER (WHERE as_of_date < DATE '{day}'), 0) AS BIGINT) AS opening_minor,
            CAST(coalesce(sum(greatest(signed_minor, 0)) {today}, 0) AS BIGINT) AS debit_minor,
            CAST(coalesce(sum(greatest(-signed_minor, 0)) {today}, 0) AS BIGINT) AS credit_minor,
            CAST(sum(signed_minor) AS BIGINT) AS closing_minor
        FROM line
        WHERE as_of_date <= DATE '{day}'
        GROUP BY ledger_account_id, currency
    """


def _closed(before: date, day: date) -> str:
    """The closing of a day from the closing before it and the lines of the day."""
    return f"""
        SELECT
            DATE '{day}' AS as_of_date,
            ledger_account_id,
            currency,
            coalesce(opened.closing_minor, 0) AS opening_minor,
            coalesce(moved.debit_minor, 0) AS debit_minor,
            coalesce(moved.credit_minor, 0) AS credit_minor,
            coalesce(opened.closing_minor, 0) + coalesce(moved.debit_minor - moved.credit_minor, 0) AS closing_minor
        FROM (SELECT * FROM closing WHERE as_of_date = DATE '{before}') AS opened
        FULL JOIN (
            SELECT
                ledger_account_id,
                currency,
                CAST(sum(greatest(signed_minor, 0)) AS BIGINT) AS debit_minor,
                CAST(sum(greatest(-signed_minor, 0)) AS BIGINT) AS credit_minor
            FROM line
            WHERE as_of_date = DATE '{day}'
            GROUP BY ledger_account_id, currency
        ) AS moved USING (ledger_account_id, currency)
    """


def _cpu(name: str, value: float, goal: float | None, peer: str, peer_value: float, limit: str) -> Row:
    held = None if goal is None else _rounded(goal)
    return Row(name, _rounded(value), "cpu-s", held, peer, _rounded(peer_value), limit, step=STEP)


def _rounded(value: float) -> float:
    """Three digits, which is more than a shared machine can repeat."""
    return float(f"{value:.3g}")
