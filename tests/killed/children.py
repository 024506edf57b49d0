"""Workers in processes of their own, which die by SIGKILL where one says.

A point is a place on a worker's way that has a name (`tick: logged, not committed`), or the n-th
statement, commit or return of a connection. Whoever forks must have no other thread.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.core.database import db

ALONE = """select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend'"""
MARKS = {
    "insert into enrollment": "entered", "insert into step_run": "logged",
    "insert into message": "queued", "insert into send_attempt": "claimed",
    "insert into delivery_event": "told", "insert into staff_task": "given",
    "insert into interest": "noted", "insert into interaction": "happened",
    "update message set": "message changed", "delete from alumnus_change": "followed",
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Where a worker dies: at the n-th passing of one of these names, at its n-th step, or after a
    while."""

    labels: tuple[str, ...] = ()
    number: int = 1
    after: float | None = None


NOWHERE = Plan(("nowhere",))


@dataclass
class Points:
    """What a worker has passed by; kills it at the point that its plan names."""

    phase: str = ""
    plan: Plan = NOWHERE
    passed: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    mark: str = "nothing"
    notes: Path | None = None

    def reach(self, label: str) -> None:
        """Pass by a place of that name."""
        label = f"{self.phase}: {label}"
        self.passed[label] += 1
        if label in self.plan.labels and self.passed[label] == self.plan.number:
            if self.notes is not None:
                self.notes.write_text(json.dumps({"died": label}))
            os.kill(os.getpid(), signal.SIGKILL)

    def step(self, *_: Any) -> None:
        """Pass by a statement, a commit or the end of a connection's use."""
        self.steps += 1
        if not self.plan.labels and self.plan.after is None and self.steps == self.plan.number:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of every statement and commit of this process meanwhile."""
        heard = [
            (db.engine, "before_cursor_execute", self.step), (db.engine, "commit", self.step),
            (db.engine, "checkin", self.step), (db.engine, "after_cursor_execute", self._executed),
            (db.engine, "commit", self._committing), (Session, "after_commit", self._committed),
        ]  # fmt: skip
        for one in heard:
            event.listen(*one)
        try:
            yield
        finally:
            for one in heard:
                event.remove(*one)

    def _executed(self, *arguments: Any) -> None:
        words = str(arguments[2]).lower()
        for start, mark in MARKS.items():
            if start in words:
                self.mark = mark
                self.reach(f"{mark}, not committed")

    def _committing(self, *_: Any) -> None:
        self.reach(f"{self.mark}, before the commit")

    def _committed(self, *_: Any) -> None:
        self.reach(f"{self.mark}, committed")
        self.mark = "nothing"


@dataclass(frozen=True)
class Ended:
    """How a worker ended: killed (at which name), failed (with what it wrote), or done; and what it
    passed by."""

    killed: bool
    died: str
    fault: str
    took: float
    passed: Mapping[str, int]
    steps: int


class Children:
    """Starts workers of one app and tells how each ended.

    Without `forks` this process does their work, where nobody is to die: statements that it has
    compiled once its children need not compile again.
    """

    def __init__(self, app: Flask, *, forks: bool = True) -> None:
        self.app, self.forks = app, forks
        self.folder = Path(app.instance_path)
        self.number = 0

    def start(self, phase: str, work: Callable[[Points], object], plan: Plan = NOWHERE) -> Child:
        """A process that does some work and dies where the plan says."""
        self.number += 1
        notes = self.folder / f"child-{self.number}"
        begun = time.monotonic()
        points = Points(phase, plan, notes=notes)
        if not self.forks:
            self._work(points, work, notes)
            return Child(0, notes, plan, begun)
        pid = os.fork()
        if pid:
            return Child(pid, notes, plan, begun)
        try:
            with self.app.app_context():
                db.engine.dispose(close=False)
            self._work(points, work, notes)
        finally:
            os._exit(0)

    def _work(self, points: Points, work: Callable[[Points], object], notes: Path) -> None:
        """Do the work and write down what was passed by, or what went wrong."""
        told: dict[str, Any] = {}
        try:
            with self.app.app_context(), points.listening():
                work(points)
            told = {"passed": points.passed, "steps": points.steps}
        except BaseException:
            told = {"fault": traceback.format_exc()[-2_000:]}
        notes.write_text(json.dumps(told))

    def run(self, phase: str, work: Callable[[Points], object], plan: Plan = NOWHERE) -> Ended:
        """Start a worker and wait for its end."""
        return self.start(phase, work, plan).end()

    def pause(self, seconds: float) -> None:
        """Let a worker get on for so long."""
        time.sleep(seconds)

    def quiet(self) -> None:
        """Wait until the server does nothing more for those who died."""
        with self.app.app_context():
            for _ in range(2_000):
                try:
                    if not db.session.scalar(text(ALONE)):
                        break
                except OperationalError:
                    db.engine.dispose()
                db.session.rollback()
                time.sleep(0.01)
            db.session.remove()
            db.engine.dispose()


@dataclass(frozen=True)
class Child:
    """A worker under way."""

    pid: int
    notes: Path
    plan: Plan
    begun: float

    def end(self) -> Ended:
        """Wait for the worker, or kill it after the while that its plan says."""
        if self.plan.after is not None:
            time.sleep(self.plan.after)
            os.kill(self.pid, signal.SIGKILL)
        killed = self.pid > 0 and os.WIFSIGNALED(os.waitpid(self.pid, 0)[1])
        took = time.monotonic() - self.begun
        told = json.loads(self.notes.read_text()) if self.notes.exists() else {}
        self.notes.unlink(missing_ok=True)
        fault = "" if killed else told.get("fault", "")
        return Ended(
            killed, told.get("died", ""), fault, took, told.get("passed", {}), told.get("steps", 0)
        )


@contextmanager
def apart(app: Flask) -> Iterator[Any]:
    """A session of this process that leaves no connection for a child to share."""
    with app.app_context():
        try:
            yield db.session()
            db.session.commit()
        finally:
            db.session.remove()
            db.engine.dispose()


def draw_plan(chance: random.Random, kills: Mapping[str, int], steps: int, took: float) -> Plan:
    """Where the next one dies: by name, of all known the half at which the fewest did; at a step;
    at a moment."""
    sort = chance.random()
    if kills and sort < 0.7:
        names = sorted(kills, key=lambda name: (kills[name], chance.random()))
        least = kills[names[0]]
        rare = [name for name in names if kills[name] == least]
        number = 1 if not least else chance.randint(1, 3)
        return Plan(tuple({*rare, *names[: len(names) // 2]} if least else rare), number)
    if steps and sort < 0.9:
        return Plan(number=chance.randint(1, steps))
    return Plan(after=chance.uniform(0, max(took, 0.02)))
