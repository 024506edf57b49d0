"""An embedded server as its users come and go, one after the other or at once."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from crm.core.embedded import supervisor
from tests.crm.core.embedded.looking import (
    ROOT,
    USER,
    ask,
    connect,
    eventually,
    home_of,
    server_pid,
)


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


def runs(instance: Path) -> bool:
    """Whether a server believes that it runs."""
    return (home_of(instance) / "data" / "postmaster.pid").exists()


def processes_of(instance: Path) -> list[tuple[int, str]]:
    """The living processes that name the instance, but for our own and its direct users."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        ours = "-IS" in words or "bin/postgres" in words
        if ours and str(instance) in words and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append((process.pid, words))
    return found


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
