"""The lake: every table Python writes, as Parquet with a declared schema, written whole or not at all.

``lake/<table>/as_of_date=YYYY-MM-DD/<part>.parquet``. One day and part is one file; writing it again replaces it, so a
retried step changes nothing. Reading goes by name through the same class, never by a path of the caller's own.
"""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assets.schemas import TABLES
from domain.errors import TableNotInLake

_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_BOOTSTRAP: Final = date(1900, 1, 1)
"""An empty file stands under this day, so that a view over a table nobody has written yet still has columns."""


class Lake:
    """Parquet tables below ``root``, and one read-only door to the views dbt builds over them."""

    def __init__(self, root: Path, warehouse: Path) -> None:
        self.root = root
        self.warehouse = warehouse

    def prepare(self) -> None:
        """Create the folders, an empty file per table, and sweep what a killed writer left in staging."""
        staging = self.root / ".staging"
        staging.mkdir(parents=True, exist_ok=True)
        for orphan in staging.iterdir():
            orphan.unlink()
        for table, schema in TABLES.items():
            if not self._file(table, _BOOTSTRAP, "empty").exists():
                self._put(schema.empty_table(), table, _BOOTSTRAP, "empty")

    def write(self, table: str, rows: pd.DataFrame | pa.Table, as_of_date: date, part: str = "all") -> int:
        """Replace one part of one day of ``table``; returns the number of rows written.

        Columns must be those of ``TABLES[table]``, in any order; ``as_of_date`` is filled in where it is missing.
        """
        schema = TABLES[table]
        if isinstance(rows, pd.DataFrame):
            rows = rows if "as_of_date" in rows.columns else rows.assign(as_of_date=as_of_date)
            wrong = set(rows.columns) ^ set(schema.names)
            assert not wrong, f"{table}: columns differ from assets/schemas.py by {sorted(wrong)}"
            rows = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
        days = rows.column("as_of_date").unique().to_pylist()
        assert days in ([], [as_of_date]), f"{table}: rows of {days} may not be kept under {as_of_date}"
        self._put(rows.cast(schema), table, as_of_date, part)
        return int(rows.num_rows)

    def read(self, table: str, as_of_date: date, part: str | None = None) -> pd.DataFrame:
        """Rows of one day of ``table`` (one part, or all); raises :class:`TableNotInLake` where none was written."""
        files = self.parts(table, as_of_date)
        if part is not None:
            files = [file for file in files if file.stem == part]
        if not files:
            where = f"{table} for {as_of_date}" + (f", part {part}" if part else "")
            raise TableNotInLake(f"{where} was never written. Materialize {table} for that day, then rerun this step.")
        return pa.concat_tables([self._load(file, table) for file in files]).to_pandas()

    def read_between(self, table: str, first: date, last: date) -> pd.DataFrame:
        """Rows of every day from ``first`` to ``last``, both included; empty where nothing was written."""
        files = [file for day in self._folders(table) if first <= day <= last for file in self.parts(table, day)]
        return pa.concat_tables([TABLES[table].empty_table(), *(self._load(file, table) for file in files)]).to_pandas()

    def days(self, table: str) -> list[date]:
        """Business days of ``table`` that hold at least one file, oldest first."""
        return [day for day in self._folders(table) if self.parts(table, day)]

    def parts(self, table: str, as_of_date: date) -> list[Path]:
        """Files of one day of ``table``, by name."""
        assert table in TABLES, f"{table} is not declared in assets/schemas.py"
        return sorted((self.root / table / f"as_of_date={as_of_date}").glob("*.parquet"))

    def query(self, sql: str, parameters: list[Any] | None = None) -> pd.DataFrame:
        """Answer ``sql`` from the warehouse's views, read-only.

        Integers stay integers: cast HUGEINT sums in the SQL.
        """
        with self.door() as connection:
            answer: pa.Table = connection.sql(sql, params=parameters or []).to_arrow_table()
            return answer.to_pandas(integer_object_nulls=True)

    @contextmanager
    def door(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the warehouse read-only for as long as the block runs; dbt is its one writer."""
        if not self.warehouse.exists():
            raise TableNotInLake(f"The warehouse {self.warehouse} does not exist. Run `lombard init`, then try again.")
        connection = duckdb.connect(str(self.warehouse), read_only=True, config={"threads": 2})
        try:
            connection.execute("SET TimeZone='UTC'")
            yield connection
        finally:
            connection.close()

    def _load(self, file: Path, table: str) -> pa.Table:
        # Asked for by the declared names, a column that the file calls otherwise would come back as blanks.
        try:
            with pq.ParquetFile(file, page_checksum_verification=True) as held:
                differing = set(held.schema_arrow) ^ set(TABLES[table])
                if not differing:
                    return held.read(use_threads=False).select(TABLES[table].names).cast(TABLES[table])
        except (OSError, ValueError, pa.ArrowException) as damage:
            raise TableNotInLake(
                f"{file} cannot be read back as {table} ({damage}). Nothing was changed; materialize that day again."
            ) from damage
        columns = ", ".join(sorted({field.name for field in differing}))
        raise TableNotInLake(
            f"{file} cannot be read back as {table}: it and assets/schemas.py disagree on {columns}. "
            f"Nothing was changed; materialize that day again."
        )

    def _folders(self, table: str) -> list[date]:
        """Days that have a folder; a writer killed before its rename leaves one with nothing in it."""
        found = (self.root / table).glob("as_of_date=*")
        days = sorted(date.fromisoformat(folder.name.removeprefix("as_of_date=")) for folder in found)
        return [day for day in days if day != _BOOTSTRAP]

    def _file(self, table: str, as_of_date: date, part: str) -> Path:
        assert table in TABLES, f"{table} is not declared in assets/schemas.py"
        assert _PART.fullmatch(part), f"{part!r} cannot name a part"
        return self.root / table / f"as_of_date={as_of_date}" / f"{part}.parquet"

    def _put(self, rows: pa.Table, table: str, as_of_date: date, part: str) -> None:
        target = self._file(table, as_of_date, part)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = self.root / ".staging" / f"{uuid.uuid4().hex}.parquet"
        pq.write_table(rows, staged, write_page_checksum=True)
        replace_durably(staged, target)


def replace_durably(staged: Path, target: Path) -> None:
    """Put ``staged`` in the place of ``target`` so that a power cut leaves the old file or the new one."""
    with staged.open("rb") as handle:
        os.fsync(handle.fileno())
    staged.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
