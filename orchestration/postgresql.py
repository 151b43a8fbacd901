"""A PostgreSQL server of our own, for as long as a test or a measurement needs one."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from domain.errors import DeskNotReady
from orchestration.measuring import free_port

POSTGRESQL_BIN: Final = max(
    Path("/usr/lib/postgresql").glob("*/bin"),
    key=lambda folder: (len(folder.parent.name), folder.parent.name),
    default=Path("/usr/lib/postgresql/15/bin"),
)
"""Where the distribution keeps the server's programs; they are on nobody's search path."""

_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "default_transaction_isolation": "serializable",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}
"""What a server of the books is set to; the books' own connections wait longer than these, and say so themselves."""


def has_postgresql() -> bool:
    """Whether the server's programs are on this machine."""
    return (POSTGRESQL_BIN / "initdb").exists()


@contextmanager
def serve_postgresql(
    folder: Path, *, is_durable: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve an empty database from ``folder`` on a free port of this machine; gives its address, and stops at the end.

    A server that is not durable loses its data with the machine's power, and is faster for it: right for tests, wrong
    for anything measured. Run as root, it serves as the user ``postgres``, who must be able to reach the folder.
    """
    if not has_postgresql():
        raise DeskNotReady(
            f"A server of our own needs PostgreSQL in {POSTGRESQL_BIN}, which is not here. Nothing was started; "
            f"install the distribution's package postgresql and do the same again."
        )
    # PostgreSQL refuses to run as root.
    as_somebody = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    if as_somebody:
        shutil.chown(folder, "postgres")
    port, data, log = free_port(), str(folder / "data"), folder / "commands.log"

    def command(name: str, *arguments: str) -> None:
        with log.open("ab") as said:
            ran = subprocess.run(
                [*as_somebody, str(POSTGRESQL_BIN / name), "-D", data, *arguments],
                cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        if ran.returncode != 0:
            words = log.read_text(encoding="utf-8", errors="replace").strip()[-1500:]
            raise DeskNotReady(f"PostgreSQL's {name} failed, so no server of our own runs:\n{words}")

    synced = () if is_durable else ("--no-sync",)
    command("initdb", "--data-checksums", "--auth=trust", "--username=desk", "--encoding=UTF8", *synced)
    wanted = _SETTINGS | {"port": str(port), "fsync": "on" if is_durable else "off"} | dict(settings or {})
    options = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    command("pg_ctl", "start", "-w", "-l", str(folder / "server.log"), "-o", options)
    try:
        yield f"postgresql+psycopg://desk@127.0.0.1:{port}/postgres"
    finally:
        command("pg_ctl", "stop", "-w", "-m", "fast" if is_durable else "immediate")
