"""Servers and their folders, taken away after each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crm.core.embedded import EmbeddedServer
from tests.crm.core.embedded.looking import ask


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder that every account can reach, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="embedded-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def instance() -> Iterator[Path]:
    """An instance with a stopped server and a table, in a folder with a hard name."""
    folder = Path(tempfile.mkdtemp(prefix="embedded test, l'école "))
    folder.chmod(0o755)
    server = EmbeddedServer(folder / "instance", durable=False)
    server.acquire()
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    server.release()
    yield folder / "instance"
    server.remove()
    shutil.rmtree(folder)


@pytest.fixture
def start() -> Iterator[Callable[[Path], EmbeddedServer]]:
    """Acquires servers for instance folders and releases them afterwards."""
    servers: list[EmbeddedServer] = []

    def acquire(instance: Path) -> EmbeddedServer:
        server = EmbeddedServer(instance, durable=False)
        servers.append(server)
        server.acquire()
        return server

    yield acquire
    for server in servers:
        server.release()


@pytest.fixture
def stopped(instance, start) -> EmbeddedServer:
    """A handle on the instance, whose server does not run."""
    server = start(instance)
    server.release()
    return server
