"""Kills workers at random points of an import, a bulk change and an export, and tells what is left.

A worker dies before its n-th statement or commit, right after a commit, or at some moment within a
statement; then another does the same job.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from crm.alumni import export
from crm.bulk import engine
from crm.core.database import db
from crm.core.jobs import jobs
from tests.killed.children import NOWHERE, Children, Ended, Plan, Points
from tests.killed.works import WORKS, Work

MOMENTS = 1
BATCH = 40
"""So few people a batch that a small district has several."""


def run_works(app: Flask, seed: int, some: int) -> dict[str, dict[str, Any]]:
    """Torment every kind of work; of each how many were killed and every fault that was found."""
    engine.BATCH = export.BATCH = BATCH
    chance = random.Random(seed)
    return {work.name: torment(app, work, chance, some) for work in WORKS}


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
    children = Children(app)

    def done(piece: int, plan: Plan = NOWHERE) -> Ended:
        def act(_: Points) -> None:
            jobs(app).run(*work.job(piece))

        ended = children.run(work.name, act, plan)
        children.quiet()
        return ended

    first = asked(app, work.fresh)
    whole = done(first)
    faults = [whole.fault] if whole.fault else []
    faults += asked(app, work.faults, first, True)
    kills, points = 0, whole.steps
    # The last ones are the commit and what follows it.
    chosen = [*chance.choices(range(1, points - 1), k=some), points - 1, points]
    plans = [Plan(number=point) for point in chosen]
    plans += [Plan(after=chance.uniform(0, whole.took)) for _ in range(MOMENTS)]
    for plan in plans:
        piece = asked(app, work.fresh)
        kills += done(piece, plan).killed
        where = f"{work.name} {piece}, killed at {plan} of {points}: "
        faults += [where + fault for fault in asked(app, work.faults, piece, False)]
        again = done(piece)
        faults += [where + again.fault] if again.fault else []
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
    tidied = Children(app).run("tidy", lambda _: jobs(app).run(work.tidy, {}))
    needed = asked(app, work.needed)
    left = {path.name for path in folder.glob("*")}
    wrong = [f"{name} is left" for name in left - needed]
    wrong += [f"{name} is gone" for name in needed - left]
    return [*wrong, tidied.fault] if tidied.fault else wrong
