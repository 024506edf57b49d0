"""An embedded server that cannot start, whose data are foreign, or that runs as root."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from crm.core.embedded import EmbeddedServer, EmbeddedServerError, host
from tests.crm.core.embedded.looking import ROOT, USER, ask, eventually, home_of, server_pid

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give way")


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


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
