"""One PostgreSQL data folder: how it is made, the words that start it, whether it answers."""

from __future__ import annotations

import shutil
import socket
import struct
from contextlib import suppress
from pathlib import Path

from crm.core.embedded.host import MAJOR, Account, EmbeddedServerError

DATABASE = "homecoming"
SOCKET = ".s.PGSQL.5432"
ROOMY = 256 * 2**20

# For a laptop with two cores and 8 GB; whoever needs more runs a PostgreSQL of their own.
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.02",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    # Details and statements would write people's names and addresses into the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
FLEETING = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def make_cluster(
    account: Account, programs: Path, data: Path, *, durable: bool, server_lock: int
) -> None:
    """Make the data folder with our database, whole or not at all: the rename is the last step.

    `initdb` outlives us when we are killed; with the lock in its hands nobody starts over before
    it has ended.
    """
    if data.exists():
        made_by = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        if made_by != MAJOR:
            raise EmbeddedServerError(
                f"{data} was made by PostgreSQL {made_by}, and this is {MAJOR}: move it with "
                "pg_dump and psql, or remove it to begin anew."
            )
        return
    new = data.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    words = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
    words += ["--builtin-locale=C.UTF-8", "--auth=trust", f"--username={DATABASE}"]
    words += ["--no-instructions", *([] if durable else ["--no-sync"])]
    made = account.run(programs / "initdb", "-D", new, *words, inherits=(server_lock,))
    if made.returncode == 0:
        quick = () if durable else ("-F",)
        statement = f"CREATE DATABASE {DATABASE}"
        single = (programs / "postgres", "--single", "-D", new, *quick, "postgres")
        made = account.run(*single, text=statement, inherits=(server_lock,))
    if made.returncode:
        raise EmbeddedServerError(f"PostgreSQL could not make {data}: {made.stderr.strip()}")
    new.rename(data)


def start_command(programs: Path, data: Path, folder: Path, *, durable: bool) -> list[str]:
    """The words that start the server, with its socket in `folder`."""
    settings = SETTINGS | {"unix_socket_directories": f'"{folder}"'}
    settings |= {"dynamic_shared_memory_type": "posix" if _roomy() else "mmap"}
    settings |= {} if durable else FLEETING
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(data), *words]


def _roomy() -> bool:
    """Containers often have a tiny /dev/shm, in which a parallel query would fail."""
    with suppress(OSError):
        return shutil.disk_usage("/dev/shm").free >= ROOMY  # noqa: S108 - only measured
    return False


def sweep(data: Path, folder: Path) -> None:
    """Remove what a killed server left, knowing that none of its processes lives.

    It would stop the next start where another process has got the dead one's number.
    """
    for stale in (data / "postmaster.pid", folder / SOCKET, folder / f"{SOCKET}.lock"):
        stale.unlink(missing_ok=True)


def answers(data: Path, folder: Path) -> bool:
    """Whether a session can be opened, asked in PostgreSQL's own protocol."""
    with suppress(OSError):
        status = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
        # Asking a server that is not ready would fill its log with errors.
        if not status.rstrip().endswith("ready"):
            return False
        words = f"user\0{DATABASE}\0database\0{DATABASE}\0\0".encode()
        with socket.socket(socket.AF_UNIX) as server:
            server.settimeout(5)
            server.connect(str(folder / SOCKET))
            server.sendall(struct.pack("!ii", len(words) + 8, 3 << 16) + words)
            welcome = server.recv(1) == b"R"
            server.sendall(b"X\0\0\0\4")
            return welcome
    return False
