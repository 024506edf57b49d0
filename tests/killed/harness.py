"""Kills workers at random points of an import, a bulk change and an export, and tells what is left.

Run as a program of its own (it forks, so no other thread may live in it):
`python -m tests.killed.harness DATABASE_URL FOLDER [POINTS]`. A worker dies by SIGKILL before its
n-th statement or commit, right after a commit, or at some moment within a statement; then another
does the same job. The answer is one JSON object: of each kind of work how many were killed and
every fault that was found.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from crm.alumni import export
from crm.bulk import engine
from crm.core.database import db
from crm.core.jobs import jobs
from tests.conftest import settings_for
from tests.killed.works import WORKS, Work
from wsgi import create_app

MOMENTS = 2
BATCH = 40
"""So few people a batch that a small district has several."""

ALONE = """select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'"""


def in_child(app: Flask, job: tuple[str, dict[str, Any]], *, point: int = 0) -> int:
    """A process that does a job and dies at a point of it; answers its number."""
    child = os.fork()
    if child:
        return child
    with app.app_context():
        db.engine.dispose(close=False)
        seen = Path(app.instance_path) / "points"
        passed = 0

        def step(*_: Any) -> None:
            nonlocal passed
            passed += 1
            if passed == point:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(db.engine, "before_cursor_execute", step)
        event.listen(db.engine, "commit", step)
        event.listen(db.engine, "checkin", step)
    code = 1
    try:
        jobs(app).run(*job)
        seen.write_text(str(passed))
        code = 0
    finally:
        os._exit(code)


def ended(app: Flask, child: int) -> bool:
    """Wait for a worker and for what the server still does for it; whether it was killed."""
    _, status = os.waitpid(child, 0)
    with app.app_context():
        while db.session.scalar(text(ALONE)):
            db.session.rollback()
            time.sleep(0.01)
        db.session.remove()
        db.engine.dispose()
    return os.WIFSIGNALED(status)


def asked(app: Flask, act: Callable[..., Any], *arguments: Any) -> Any:
    """Do or look up something in this process, and leave no connection for a child to share."""
    with app.app_context():
        try:
            return act(*arguments)
        finally:
            db.session.remove()
            db.engine.dispose()


def torment(app: Flask, work: Work, chance: random.Random, some: int) -> dict[str, Any]:
    """Kill workers at one kind of work, each time on a fresh piece of it, and finish each piece."""
    faults: list[str] = []
    begun = time.monotonic()
    first = asked(app, work.fresh)
    ended(app, in_child(app, work.job(first)))
    took = time.monotonic() - begun
    faults += asked(app, work.faults, first, True)
    points = int((Path(app.instance_path) / "points").read_text())
    kills = 0
    # The last ones are the commit and what follows it.
    chosen = [*chance.sample(range(1, points - 1), some), points - 1, points]
    for point in [*chosen, *(-1 for _ in range(MOMENTS))]:
        piece = asked(app, work.fresh)
        child = in_child(app, work.job(piece), point=point)
        if point < 0:
            time.sleep(chance.uniform(0, took))
            os.kill(child, signal.SIGKILL)
        kills += ended(app, child)
        where = f"{work.name} {piece}, killed at {point} of {points}: "
        faults += [where + fault for fault in asked(app, work.faults, piece, False)]
        ended(app, in_child(app, work.job(piece)))
        faults += [where + fault for fault in asked(app, work.faults, piece, True)]
    return {"kills": kills, "points": points, "faults": faults + swept(app, work)}


def swept(app: Flask, work: Work) -> list[str]:
    """What the tidying job leaves that nobody needs, once files are old enough."""
    folder = Path(app.instance_path) / work.folder if work.folder else None
    if folder is None:
        return []
    old = time.time() - 2 * 24 * 3_600
    for path in folder.glob("*"):
        os.utime(path, (old, old))
    ended(app, in_child(app, (work.tidy, {})))
    needed = asked(app, work.needed)
    left = {path.name for path in folder.glob("*")}
    return [f"{name} is left" for name in left - needed] + [
        f"{name} is gone" for name in needed - left
    ]


def main(url: str, folder: str, points: str = "3") -> None:
    """Torment every kind of work and print what was found."""
    app = create_app(settings_for(make_url(url), Path(folder), export_alone=100_000))
    engine.BATCH = export.BATCH = BATCH
    chance = random.Random(7)
    found = {work.name: torment(app, work, chance, int(points)) for work in WORKS}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
