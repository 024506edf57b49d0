"""The embedded PostgreSQL: shared by processes, and whole again after any of them was killed."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from crm.core.embedded import EmbeddedServer, EmbeddedServerError, host, supervisor

pytestmark = pytest.mark.xdist_group("embedded")

ROOT = Path(__file__).parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give way")
USER = """
import sys, time
from pathlib import Path
from crm.core.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), durable=False)
server.acquire()
print(server.url, flush=True)
sys.stdin.read()
"""


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


@pytest.fixture
def other_user() -> Iterator[Callable[[Path], subprocess.Popen[str]]]:
    """Starts another process that uses an instance until its input ends."""
    processes: list[subprocess.Popen[str]] = []

    def run(instance: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(instance)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().startswith("postgresql+psycopg://")
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


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


def runs(instance: Path) -> bool:
    """Whether a server believes that it runs."""
    return (home_of(instance) / "data" / "postmaster.pid").exists()


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def processes_of(instance: Path) -> list[tuple[int, str]]:
    """The living processes that name the instance, but for our own and its direct users."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        ours = "-IS" in words or "bin/postgres" in words
        if ours and str(instance) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append((process.pid, words))
    return found


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_database_is_utf8_and_knows_letters_of_every_script(instance, start):
    server = start(instance)

    assert ask(server, "SELECT lower('ÅÑÖЖ')") == "åñöж"
    assert ask(server, "SHOW server_encoding") == "UTF8"
    assert ask(server, "SHOW timezone") == "UTC"
    assert ask(server, "SHOW listen_addresses") == ""


def test_data_outlive_a_stop(instance, stopped):
    assert not runs(instance)

    stopped.acquire()

    assert ask(stopped, "SELECT answer FROM kept") == 42


def test_nothing_is_left_running_or_lying_about_after_release(instance, start):
    server = start(instance)
    socket_folder = Path(json.loads((instance / "postgres.json").read_text())["socket"])
    assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    assert processes_of(instance)

    server.release()
    server.release()

    assert not runs(instance)
    assert not socket_folder.exists()
    assert processes_of(instance) == []


def test_last_of_two_processes_stops_the_server(instance, start, other_user):
    server = start(instance)
    other = other_user(instance)
    pid = server_pid(instance)

    server.release()
    assert server_pid(instance) == pid

    other.communicate("")
    assert other.returncode == 0
    assert not runs(instance)


def test_two_handles_in_one_process_count_as_two(instance, start):
    first, second = start(instance), start(instance)

    first.release()

    assert ask(second, "SELECT 1") == 1


def test_killed_server_is_started_anew_at_the_same_address(instance, start, other_user):
    server = start(instance)
    address, pid = server.url, server_pid(instance)
    other_user(instance)

    os.kill(pid, signal.SIGKILL)
    server.release()
    server.acquire()

    assert server.url == address
    assert server_pid(instance) != pid
    assert ask(server, "SELECT answer FROM kept") == 42


def test_server_that_died_comes_back_when_a_user_asks_again(instance, start):
    server = start(instance)
    os.kill(server_pid(instance), signal.SIGKILL)
    assert eventually(lambda: not processes_of(instance))

    server.acquire()

    assert ask(server, "SELECT answer FROM kept") == 42


def test_threads_that_acquire_together_count_once(instance, start, stopped):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: stopped.acquire(), range(8)))

    stopped.release()

    assert not runs(instance)


def test_busy_process_of_a_killed_server_is_waited_for(instance, start):
    server = start(instance)
    with closing(connect(server)) as connection:
        # It looks up only now and then, so that it outlives the server's first process a while.
        busy = "SELECT count(*) FROM generate_series(1, 2000000) a WHERE md5(a::text) = ''"
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.pgconn.send_query(busy.encode())
        time.sleep(0.1)
        os.kill(server_pid(instance), signal.SIGKILL)

        again = start(instance)

    assert ask(again, "SELECT 1") == 1


def test_number_of_a_dead_server_may_belong_to_another_process(instance, stopped):
    with subprocess.Popen(["sleep", "60"]) as innocent:
        note = f"{innocent.pid}\n{instance}\n1700000000\n5432\n/tmp\n\n  1 2\nready   \n"
        (home_of(instance) / "data" / "postmaster.pid").write_text(note)

        stopped.acquire()

        assert ask(stopped, "SELECT 1") == 1
        stopped.release()
        assert innocent.poll() is None
        innocent.kill()


def test_server_goes_when_its_only_user_is_killed(instance, stopped, other_user):
    other = other_user(instance)

    other.kill()
    other.wait()

    assert eventually(lambda: not processes_of(instance))
    assert not runs(instance)


def test_server_stays_when_one_of_two_users_is_killed(instance, start, other_user):
    other = other_user(instance)
    server = start(instance)
    pid = server_pid(instance)

    other.kill()
    other.wait()
    time.sleep(supervisor.LOOK_EVERY * 1.2)

    assert server_pid(instance) == pid
    assert ask(server, "SELECT 1") == 1


def test_server_without_a_supervisor_is_stopped_by_its_last_user(instance, start):
    server = start(instance)
    [watch] = [pid for pid, words in processes_of(instance) if "supervisor" in words]
    os.kill(watch, signal.SIGKILL)

    server.release()

    assert not runs(instance)


def test_server_that_cannot_start_names_its_log(instance, stopped):
    settings = home_of(instance) / "data" / "postgresql.conf"
    sound = settings.read_text()
    settings.write_text("nonsense = 1\n")
    expected = r"nonsense.*postgres\.log.*HOMECOMING_DATABASE_URL"

    try:
        with pytest.raises(EmbeddedServerError, match=expected):
            stopped.acquire()
    finally:
        settings.write_text(sound)


def test_data_of_another_version_are_left_alone(instance, stopped):
    version = home_of(instance) / "data" / "PG_VERSION"
    version.write_text("16\n")

    try:
        with pytest.raises(EmbeddedServerError, match="made by PostgreSQL 16"):
            stopped.acquire()
    finally:
        version.write_text(f"{host.MAJOR}\n")


def test_data_in_use_are_not_removed(instance, start):
    first, second = start(instance), start(instance)

    with pytest.raises(EmbeddedServerError, match="in use"):
        second.remove()

    assert ask(first, "SELECT answer FROM kept") == 42


def test_half_made_data_folder_is_made_again(folder, start):
    home = folder / "instance" / "postgres"
    assert host.account_for(folder).make_private(home.parent) is True
    assert host.account_for(folder).make_private(home) is True
    (home / "data.new" / "base").mkdir(parents=True)

    server = start(folder / "instance")

    assert ask(server, "SELECT current_database()") == "homecoming"
    pid = server_pid(folder / "instance")
    # And without its folder no server goes on.
    shutil.rmtree(folder / "instance")
    server.release()
    assert eventually(lambda: not alive(pid))


def test_user_killed_while_the_data_folder_is_made_leaves_no_trace(folder, start):
    instance = folder / "instance"
    words = [sys.executable, "-c", USER, str(instance)]
    for _ in range(2):
        with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL) as killed:
            assert eventually(lambda: any(instance.glob("postgres/data.new/global")))
            killed.kill()

    assert ask(start(instance), "SELECT current_database()") == "homecoming"


def test_private_folder_of_somebody_else_is_refused(folder):
    (folder / "open").mkdir(mode=0o755)

    with pytest.raises(EmbeddedServerError, match="somebody else"):
        host.account_for(folder).make_private(folder / "open")


def test_missing_wheel_is_a_sentence(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EmbeddedServerError, match="HOMECOMING_DATABASE_URL"):
        EmbeddedServer(folder / "instance", durable=False).acquire()


@as_root
def test_root_below_a_closed_folder_keeps_data_and_programs_elsewhere(folder, monkeypatch):
    monkeypatch.setattr(host, "SYSTEM_FOLDER", folder / "system")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    wheel = Path(importlib.util.find_spec(host.PACKAGE).origin).parent
    install = f"{host.PACKAGE}/pginstall{host.MAJOR}"
    unneeded = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(wheel.parent / install, closed / install, ignore=unneeded)
    if (libraries := wheel.parent / f"{host.PACKAGE}.libs").exists():
        shutil.copytree(libraries, closed / libraries.name)
    place = SimpleNamespace(submodule_search_locations=[str(closed / host.PACKAGE)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: place)

    server = EmbeddedServer(closed / "instance")
    server.acquire()

    assert ask(server, "SELECT 1") == 1
    home = home_of(closed / "instance")
    assert home.parent == folder / "system"
    assert home.stat().st_uid != 0
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    record = json.loads((closed / "instance" / "postgres.json").read_text())
    assert record["programs"].startswith(str(folder / "system" / "postgresql-"))
    server.remove()
    assert not home.exists()


@as_root
def test_data_for_a_test_below_a_closed_folder_are_temporary(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "instance", durable=False)
    server.acquire()
    home = home_of(closed / "instance")

    assert home.parent == Path(tempfile.gettempdir())

    server.release()
    assert not home.exists()
    server.acquire()
    assert ask(server, "SELECT 1") == 1
    server.release()


@as_root
def test_root_runs_the_server_as_somebody_else(instance, start):
    start(instance)

    assert home_of(instance) == instance / "postgres"
    assert home_of(instance).stat().st_uid != 0
