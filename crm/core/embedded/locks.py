"""Files of ours and the locks on them, which the kernel lifts when their holders are gone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_own(path: Path) -> int:
    """Open a file to read and write; one that root makes belongs to the owner of its folder."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        # The server's account may write there, and must not lead root to a file elsewhere.
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def take(file: int) -> bool:
    """Lock an open file for ourselves alone, if nobody else holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def trying(path: Path) -> Iterator[int | None]:
    """The open file if its lock could be taken within the block, else None."""
    file = open_own(path)
    try:
        yield file if take(file) else None
    finally:
        os.close(file)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file's lock alone within the block, after waiting for it."""
    file = open_own(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def shared(path: Path) -> int:
    """Share a file's lock until the returned file is closed, by us or by our end."""
    file = open_own(path)
    fcntl.flock(file, fcntl.LOCK_SH)
    return file
