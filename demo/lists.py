"""The lists that schools keep by hand: whom they called on in a school year, and who came.

Each June the district's schools hand in what they kept: a file of asks with the answers, and one of
the hours that were given. Whoever came was checked before they met a class. Schools had lists long
before there was a program, so the first day brings several years of them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from sqlalchemy import select

from crm.core.viewer import SYSTEM
from crm.imports.interactions import import_interactions
from demo.people import ASKED_FOR, WAYS, ZONE, Person
from demo.truth import COMES, LATELY, SAYS_NO, YEAR, AskFacts, chance_of_signing_up, chance_of_yes
from segments.asks.history import import_asks
from segments.asks.models import Ask

if TYPE_CHECKING:
    from demo.replay import Replay

YEARS_BEFORE = 6
CALLED, CALLED_AGAIN = 0.45, 0.35
"""The chance that somebody on a list is called in a year, and what a yes of late adds."""
CHECKED = 0.8
DEEDS = {"speak": "talk_given", "mentor": "mentoring"}


@dataclass
class Listed:
    """Somebody on a list: when they were called, when they came."""

    person: Person
    since: date
    asked: list[datetime] = field(default_factory=list)
    came: list[datetime] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """One line of a list."""

    person: Person
    at: datetime
    way: str
    answer: str
    came_at: datetime | None
    school: str


class Lists:
    """The lists of one replay. Their chances are their own, so that nothing else changes by them."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.random = Random(replay.seed + 3)
        self.listed: list[Listed] = []
        self.codes = sorted({p.school.nces_id for p in replay.by_number.values()})
        for person in replay.by_number.values():
            if self.random.random() < chance_of_signing_up(person):
                years = 1 + int(self.random.expovariate(1 / 4))
                self.listed.append(Listed(person, date(person.class_year + years, 9, 1)))

    def begin(self, at: datetime) -> None:
        """What schools had kept before there was a program."""
        year = at.year if at.month >= 7 else at.year - 1
        calls: list[Call] = []
        for n in range(year - YEARS_BEFORE, year):
            calls += self._year(n)
        self._bring(calls, at, f"before-{year}")

    def live(self, at: datetime) -> None:
        """In June, what was kept in the school year that ends."""
        if self.replay.passed(at, 6, 12):
            self._note_desk(at)
            self._bring(self._year(at.year - 1), at, f"{at.year - 1}-{at.year}")

    def _year(self, year: int) -> list[Call]:
        """The calls of the school year that begins in that year, oldest first."""
        calls = []
        for one in self.listed:
            if one.since > date(year, 9, 1):
                continue
            for begins in (date(year, 9, 12), date(year + 1, 1, 20)):
                moment = self._moment(begins)
                lately = any(day > moment - LATELY for day in one.came)
                if self.random.random() < CALLED + CALLED_AGAIN * lately:
                    calls.append(self._call(one, moment))
        return sorted(calls, key=lambda call: (call.at, call.person.n))

    def _moment(self, begins: date) -> datetime:
        day = begins + timedelta(days=self.random.randrange(100))
        return datetime.combine(day, time(9 + self.random.randrange(8)), ZONE)

    def _call(self, one: Listed, moment: datetime) -> Call:
        """One call, answered by the model."""
        random, person = self.random, one.person
        way = person.favourite_way
        if random.random() < 0.5:
            way = random.choices(WAYS, ASKED_FOR)[0]
        own = random.random() < 0.8
        facts = AskFacts(
            way=way, own_school=own, subject=None, virtual=False,
            helped_lately=any(day > moment - LATELY for day in one.came),
            asks_last_year=sum(moment - YEAR < day < moment for day in one.asked),
            month=moment.month,
        )  # fmt: skip
        one.asked.append(moment)
        came_at = None
        answer = "declined" if random.random() < SAYS_NO else "none"
        if random.random() < chance_of_yes(person, facts):
            answer = "accepted"
            if random.random() < COMES:
                came_at = moment + timedelta(days=14)
                one.came.append(came_at)
        school = person.school.nces_id if own else random.choice(self.codes)
        return Call(person, moment, way, answer, came_at, school)

    def _note_desk(self, at: datetime) -> None:
        """People are as tired of the desk's asks as of those of a list."""
        asks = select(Ask.alumnus_id, Ask.asked_at).where(
            Ask.chosen_by != "history", Ask.asked_at > at - YEAR
        )
        by_number = {one.person.student_number: one for one in self.listed}
        for alumnus_id, moment in self.replay.session.execute(asks.order_by(Ask.id)).all():
            person = self.replay.people.get(alumnus_id)
            if person is not None and person.student_number in by_number:
                by_number[person.student_number].asked.append(moment)

    def _bring(self, calls: Sequence[Call], at: datetime, name: str) -> None:
        session, folder = self.replay.session, self.replay.folder
        asks, hours = folder / f"calls-{name}.csv", folder / f"hours-{name}.csv"
        _write(asks, ("person_id", "asked_at", "way", "answered_at", "answer"), _asks(calls))
        columns = ("person_id", "occurred_at", "kind", "mode", "school_id", "hours", "note")
        _write(hours, columns, _hours(calls))
        import_asks(session, asks, at=at, by=SYSTEM)
        import_interactions(session, hours, at=at, by=SYSTEM)
        came = [(c.person.student_number, c.came_at) for c in calls if c.came_at is not None]
        checked = [(who, day) for who, day in came if self.random.random() < CHECKED]
        self.replay.desk.check(checked, at)


def _asks(calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    for call in calls:
        said = call.at + timedelta(days=1)
        answered = "" if call.answer == "none" else said.isoformat()
        yield (
            call.person.student_number, call.at.isoformat(), call.way, answered, call.answer,
        )  # fmt: skip


def _hours(calls: Sequence[Call]) -> Iterator[tuple[str, ...]]:
    for call in calls:
        if call.came_at is not None:
            kind = DEEDS.get(call.way, "help_given")
            yield (
                call.person.student_number, call.came_at.isoformat(), kind, "volunteer",
                call.school, "2", "From a school’s list",
            )  # fmt: skip


def _write(path: Path, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(columns)
        writer.writerows(rows)
