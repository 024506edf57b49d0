"""A stretch of virtual days of the engine and the mail, in which workers die, twice at most.

Each knock (a tick, a delivery, a reconciliation, a post of the provider's events) is a process of
its own. A disturbed run kills some of them, lets two work at once, doubles, drops and reorders
knocks, restarts the database in the middle, and lets the provider behave as badly as it may.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from flask import Flask
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.database import db
from crm.mail import events, webhook
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from crm.mail.reconcile import reconcile
from crm.mail.transport import Guarantee
from lifecycle.engine.service import advance
from tests.killed.children import NOWHERE, Child, Children, Ended, Plan, Points, apart, draw_plan
from tests.killed.provider import CALM, FileProvider, Weather, events_of
from tests.killed.world import state_of

START = datetime(2026, 9, 15, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IN_DOUBT = [MessageState.CLAIMED, MessageState.UNCERTAIN, MessageState.CANCELLING]
ROUNDS = 8


class World(Protocol):
    """What happens by itself: at the beginning, and on some mornings."""

    days: tuple[int, ...]
    ticks: bool

    def begin(self, session: Session, at: datetime) -> None:
        """Arrange the first morning."""

    def morning(self, session: Session, day: int, at: datetime) -> None:
        """Arrange another one."""


@dataclass(frozen=True)
class Design:
    """A way to send once: how sends in doubt are settled, and what events prove."""

    guarantee: Guarantee = Guarantee.FENCE
    settle: Callable[[Flask, datetime, FileProvider], object] = lambda app, at, provider: reconcile(
        app, at=at, transport=provider
    )
    take_in: Callable[[Session, bytes, datetime], object] = lambda session, body, at: (
        events.take_in(session, webhook.parse(body), at=at)
    )


OURS = Design()


@dataclass
class Disturbance:
    """What is done to a run: so many kills, the weather at the provider, and the rest."""

    seed: int = 0
    kills: int = 0
    weather: Weather = CALM
    restart: Callable[[], None] | None = None
    restarts: int = 0
    rude: bool = False
    """Whether two work at once and knocks are doubled, dropped and reordered."""
    points: tuple[str, ...] = ()
    """Where workers die, if not anywhere."""
    known: frozenset[str] = frozenset()
    """Points that are known from a run before."""
    kills_so_far: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Verdict:
    """What came of a run. `late` counts messages in doubt at the end of a day."""

    kills: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    messages: int = 0
    lost: int = 0
    doubled: int = 0
    late: int = 0
    faults: list[str] = field(default_factory=list)
    state: Mapping[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def sound(self) -> bool:
        """Whether nothing at all is wrong."""
        return not (self.lost or self.doubled or self.late or self.faults)


class Run:
    """One run of a world; `known` is what an undisturbed one passed by."""

    def __init__(
        self, app: Flask, world: World, path: Path, done: Disturbance, design: Design = OURS
    ) -> None:
        self.app, self.world, self.path, self.done, self.design = app, world, path, done, design
        disturbed = done.kills or done.rude or done.restarts
        self.children = Children(app, forks=bool(disturbed))
        self.chance = random.Random(done.seed)
        self.verdict = Verdict()
        self.seen: dict[str, Ended] = {}
        self.labels = set(done.known)
        self.told: set[str] = set()
        self.left = 0
        self.began = START

    def go(self) -> Verdict:
        """Live through all days and judge."""
        first = self.world.days[0]
        self.began = START + timedelta(days=first)
        with apart(self.app) as session:
            self.world.begin(session, self.began)
        for number, day in enumerate(self.world.days):
            self.left = len(self.world.days) - number
            self._day(day, START + timedelta(days=day))
        self._judge()
        return self.verdict

    def _day(self, day: int, at: datetime) -> None:
        self.hooks(at - 120 * MINUTE)
        with apart(self.app) as session:
            self.world.morning(session, day, at)
        drops = self.done.rude and self.chance.random()
        for half, hour in enumerate((0, 4)):
            moment = at + timedelta(hours=hour)
            if self.world.ticks and not (drops and drops < 0.3 and half == int(drops * 1000) % 2):
                self.knock("tick", moment, self._tick(moment))
            self.settle(moment + 5 * MINUTE)
            self.hooks(moment + 210 * MINUTE)
            if not self.world.ticks:
                break
        with apart(self.app) as session:
            mine = Message.queued_at >= self.began
            doubt = select(func.count()).where(mine, Message.state.in_(IN_DOUBT))
            self.verdict.late += session.scalar(doubt) or 0

    def settle(self, at: datetime) -> None:
        """Deliver and reconcile until nothing is due or in doubt."""
        for number in range(ROUNDS):
            moment = at + number * 14 * MINUTE
            if self.done.rude and self.chance.random() < 0.2:
                self.knock("reconcile", moment, self._reconcile(moment))
            self.knock("deliver", moment, self._deliver(moment))
            if self.done.weather.early:
                self.hooks(moment + 2 * MINUTE)
            for minutes in (11, 13):
                if not self._open(moment):
                    return
                later = moment + minutes * MINUTE
                self.knock("reconcile", later, self._reconcile(later))

    def _open(self, at: datetime) -> bool:
        """Whether anything is due or in doubt."""
        due = Message.not_before <= at + 13 * MINUTE
        still = or_(
            Message.state.in_(IN_DOUBT), (Message.state == MessageState.QUEUED) & due
        )  # fmt: skip
        with apart(self.app) as session:
            mine = select(Message.id).where(Message.queued_at >= self.began, still)
            return session.scalar(mine.limit(1)) is not None

    def provider(self, at: datetime, points: Points) -> FileProvider:
        """A connection to the provider."""
        done = self.done
        return FileProvider(self.path, at, done.seed, done.weather, points, self.design.guarantee)

    def _tick(self, at: datetime) -> Callable[[Points], object]:
        def work(_: Points) -> None:
            with clock.at(at):
                advance(at)

        return work

    def _deliver(self, at: datetime) -> Callable[[Points], object]:
        return lambda points: deliver(self.app, at=at, transport=self.provider(at, points))

    def _reconcile(self, at: datetime) -> Callable[[Points], object]:
        return lambda points: self.design.settle(self.app, at, self.provider(at, points))

    def hooks(self, at: datetime) -> None:
        """The provider posts what it has to tell by now, each post again until it is taken."""
        due = {}
        for moment, told in events_of(self.provider(at, Points())):
            name = json.dumps(told, sort_keys=True)
            if moment <= at and name not in self.told:
                due[name] = told
        if not due:
            return
        self.told |= due.keys()
        items = list(due.values())
        if self.done.rude:
            items *= 3
            self.chance.shuffle(items)
        posts = [json.dumps(items[n : n + 20]).encode() for n in range(0, len(items), 20)]

        def work(_: Points) -> None:
            for post in posts:
                self.design.take_in(db.session(), post, at)
                db.session.commit()

        self.knock("events", at, work)

    def knock(self, phase: str, at: datetime, work: Callable[[Points], object]) -> None:
        """Have a piece of work done, by whoever survives."""
        for _ in range(self._deaths(phase)):
            self._die(phase, work)
            if phase == "reconcile" and self.done.weather.early:
                self.hooks(at + MINUTE)
        self._restart(phase, work)
        rude = self.done.rude
        twice = rude and self.chance.random() < 0.3
        for ended in self._together(phase, work, [NOWHERE] * (2 if twice else 1)):
            if ended.fault:
                self.verdict.faults.append(f"{phase}: {ended.fault}")
            before = self.seen.get(phase)
            if before is None or ended.steps >= before.steps:
                self.seen[phase] = ended
            self.verdict.labels.update(ended.passed)
            self.labels |= ended.passed.keys()

    def _deaths(self, phase: str) -> int:
        """How many die before this knock is heard: what is left, spread over what is left."""
        rest = self.done.kills - self.verdict.kills.total()
        if self.done.points:
            return min(rest, sum(point.startswith(f"{phase}:") for point in self.done.points))
        if rest <= 0 or phase not in self.seen:
            return 0
        wanted = rest / (self.left * (4 if self.world.ticks else 2))
        never = any(name.startswith(f"{phase}:") and not self._died(name) for name in self.labels)
        return max(int(wanted) + (self.chance.random() < wanted % 1), int(never))

    def _died(self, name: str) -> int:
        """How many died at a point so far, in the rounds before too."""
        return self.verdict.kills[name] + self.done.kills_so_far.get(name, 0)

    def _die(self, phase: str, work: Callable[[Points], object]) -> None:
        """Let one worker die: where few did yet, else early on, if there was little to do."""
        if self.done.points:
            plan = Plan(self.done.points)
            self.verdict.kills[plan.labels[0]] += self._together(phase, work, [plan])[0].killed
            return
        seen = self.seen[phase]
        known = {n: self._died(n) for n in self.labels if n.startswith(f"{phase}:")}
        plan = draw_plan(self.chance, known, seen.steps, seen.took)
        for one in (plan, Plan(number=self.chance.randint(1, 3))):
            company = [NOWHERE] if self.done.rude and self.chance.random() < 0.3 else []
            ended = self._together(phase, work, [one, *company])
            self.verdict.faults += [f"{phase}: {end.fault}" for end in ended if end.fault]
            self.labels |= ended[0].passed.keys()
            if ended[0].killed:
                named = "some moment" if one.after is not None else "some step"
                self.verdict.kills[ended[0].died or f"{phase}: {named}"] += 1
                return

    def _together(
        self, phase: str, work: Callable[[Points], object], plans: list[Plan]
    ) -> list[Ended]:
        started: list[Child] = [self.children.start(phase, work, plan) for plan in plans]
        ended = [child.end() for child in started]
        if any(one.killed for one in ended):
            self.children.quiet()
        return ended

    def _restart(self, phase: str, work: Callable[[Points], object]) -> None:
        """Take the database away in the middle of a piece of work."""
        restart = self.done.restart
        rest = self.done.restarts - self.verdict.restarts
        seen = self.seen.get(phase)
        if restart is None or seen is None or rest <= 0 or self.chance.random() > 0.15:
            return
        child = self.children.start(phase, work, NOWHERE)
        self.children.pause(self.chance.uniform(0, seen.took))
        restart()
        child.end()
        self.children.quiet()
        self.verdict.restarts += 1

    def _judge(self) -> None:
        provider = self.provider(self.began, Points())
        sent = provider.sent()
        with apart(self.app) as session:
            mine = select(Message.id, Message.state).where(Message.queued_at >= self.began)
            rows = session.execute(mine).all()
            self.verdict.state = state_of(session)
        went = [str(row.id) for row in rows if row.state is MessageState.ACCEPTED]
        known = {str(row.id) for row in rows}
        self.verdict.messages = len(rows)
        self.verdict.lost = sum(not sent[name] for name in went)
        self.verdict.doubled = sum(count > 1 for name, count in sent.items() if name in known)
        unasked = sum(name not in went for name in sent if name in known)
        if unasked:
            self.verdict.faults.append(f"{unasked} went that we do not hold for sent")
        if self.design is OURS and (late := provider.history()[2]):
            self.verdict.faults.append(f"{len(late)} batches were cancelled too late")


def differences(calm: Verdict, other: Verdict) -> list[str]:
    """Where two runs ended otherwise, a few rows of each."""
    found = []
    for name, rows in calm.state.items():
        one, two = Counter(rows), Counter(other.state[name])
        if one != two:
            only = [f"only undisturbed {row}" for row in list(one - two)[:3]]
            only += [f"only disturbed {row}" for row in list(two - one)[:3]]
            found.append(f"{name}: " + "; ".join(only))
    return found
