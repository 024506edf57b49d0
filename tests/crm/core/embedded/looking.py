"""Looking at an embedded server from outside: its processes, its answers, its users."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from crm.core.embedded import EmbeddedServer

pytestmark = pytest.mark.xdist_group("embedded")


ROOT = Path(__file__).parents[4]


USER = """
import sys, time
from pathlib import Path
from crm.core.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), durable=False)
server.acquire()
print(server.url, flush=True)
sys.stdin.read()
"""


def connect(server: EmbeddedServer) -> psycopg.Connection[tuple[object, ...]]:
    """A plain connection, opened by way of SQLAlchemy's reading of the address."""
    arguments = sa.make_url(server.url).translate_connect_args(username="user", database="dbname")
    return psycopg.connect(**arguments, **sa.make_url(server.url).query, autocommit=True)


def ask(server: EmbeddedServer, statement: str) -> object:
    """The single value that a statement answers with."""
    with closing(connect(server)) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def home_of(instance: Path) -> Path:
    """Where the data of an instance live, as its record tells people."""
    return instance / json.loads((instance / "postgres.json").read_text())["home"]


def server_pid(instance: Path) -> int:
    """The process that the server itself names as its first."""
    return int((home_of(instance) / "data" / "postmaster.pid").read_text().split()[0])


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()
