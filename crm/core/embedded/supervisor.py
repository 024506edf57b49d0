"""Runs one embedded PostgreSQL server and stops it when its last user has died without a word.

A program by itself, `python supervisor.py ORDER`, started by `server.py` in a session of its own,
so that neither Ctrl-C nor a closed terminal reaches the server. It imports nothing but the standard
library, to start at once and stay small.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LOOK_EVERY = 1.0
FAST_SHUTDOWN = 60.0


def supervise(order: dict[str, Any]) -> int:
    """Run the server that `order` describes until it ends; its exit code."""
    ended, alive = os.pipe()
    user, group, groups = order["identity"]
    server = subprocess.Popen(  # noqa: S603 - the order comes from server.py
        order["command"],
        stdin=subprocess.DEVNULL,
        # Every process of the server inherits both: the lock says that it lives, the pipe that it
        # ended, even when its first process was killed and others linger.
        pass_fds=(order["server_lock"], alive),
        env=order["environ"],
        user=user,
        group=group,
        extra_groups=groups,
    )
    os.close(alive)
    while not _readable(ended, LOOK_EVERY):
        with _unused(order["locks"]) as unused:
            if unused:
                server.send_signal(signal.SIGINT)
                if not _readable(ended, FAST_SHUTDOWN):
                    server.send_signal(signal.SIGQUIT)
    shutil.rmtree(order["socket_folder"], ignore_errors=True)
    return server.wait()


def _readable(pipe: int, seconds: float) -> bool:
    return bool(select.select([pipe], [], [], seconds)[0])


@contextmanager
def _unused(locks: list[str]) -> Iterator[bool]:
    """Take all locks without waiting; whether that worked, which means that nobody is there."""
    taken: list[int] = []
    try:
        for path in locks:
            taken.append(os.open(path, os.O_RDWR))
            fcntl.flock(taken[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except FileNotFoundError:
        yield True  # The instance was removed, and with it whatever the server was for.
    except BlockingIOError:
        yield False
    finally:
        for file in taken:
            os.close(file)


if __name__ == "__main__":
    sys.exit(supervise(json.loads(sys.argv[1])))
