"""What work costs: processor time of both processes, and how long each transaction lasted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, text

from crm.core.database import db

OURS = "select pid from pg_stat_activity where datname = current_database()"
ALONE = "set max_parallel_workers_per_gather = 0"


@dataclass
class Transactions:
    """The transactions that were committed meanwhile: how many, and the seconds of the longest.

    `longest` is by the clock, `costliest` by the processor of both processes.
    """

    number: int = 0
    longest: float = 0.0
    costliest: float = 0.0
    begun: dict[int, tuple[float, float]] = field(default_factory=dict)

    def begin(self, connection: Connection) -> None:
        """One begins."""
        self.begun[id(connection)] = (time.perf_counter(), _used(connection))

    def commit(self, connection: Connection) -> None:
        """One is about to be committed; what the commit takes is little with `fsync` off."""
        started = self.begun.pop(id(connection), None)
        if started is not None:
            self.number += 1
            self.longest = max(self.longest, time.perf_counter() - started[0])
            self.costliest = max(self.costliest, _used(connection) - started[1])


def _used(connection: Connection) -> float:
    """Seconds of processor of this process and of the connection's, as far as they can be read."""
    raw: Any = connection.connection.dbapi_connection
    try:
        return time.process_time() + _seconds(raw.info.backend_pid)
    except (OSError, ValueError):
        return time.perf_counter()


@contextmanager
def transactions() -> Iterator[Transactions]:
    """Watch every transaction of this process."""
    seen = Transactions()
    listeners = [("begin", seen.begin), ("commit", seen.commit)]
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def alone() -> None:
    """Have every statement of this database run in one process, whose time can be read."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        name = connection.execute(text("select current_database()")).scalar_one()
        connection.execute(text(f'alter database "{name}" {ALONE}'))
    db.engine.dispose()


class Meter:
    """Seconds of processor by process of the server that works for our database.

    Look again before one of them goes. Read from /proc, so the server must be on this machine.
    """

    def __init__(self) -> None:
        self.seen: dict[int, float] | None = {}

    def look(self) -> float:
        """What all of them used so far, those included that went since the last look."""
        if self.seen is not None:
            now = _server()
            self.seen = None if now is None else self.seen | now
        return sum((self.seen or {}).values())


def spent(act: Callable[[], Any], meter: Meter | None = None) -> float:
    """The milliseconds of processor that `act` took here and in the server's processes together.

    Where the server is on another machine the clock is read instead.
    """
    meter = meter or Meter()
    before, ours, clock = meter.look(), time.process_time(), time.perf_counter()
    act()
    took, mine = time.perf_counter() - clock, time.process_time() - ours
    theirs = meter.look() - before
    return (took if meter.seen is None else mine + theirs) * 1000


def _server() -> dict[int, float] | None:
    with db.engine.connect() as connection:
        pids = connection.execute(text(OURS)).scalars().all()
    try:
        return {pid: _seconds(pid) for pid in pids}
    except (OSError, ValueError):
        return None


def _seconds(pid: int) -> float:
    whole = Path(f"/proc/{pid}/stat").read_text("utf-8")
    if "postgres" not in whole.partition(")")[0]:
        raise ValueError("the server is not on this machine")
    fields = whole.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
