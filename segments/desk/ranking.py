"""The rank of a candidate: fit × chance of a yes × fairness, over arrays of whom nothing stops.

Each factor lies in (0, 1]. The chance is the live model's where targeting keeps scores; until then
it is the shipped prior, a logistic model on the percentile ranks of recency and frequency of giving
time (`docs/targeting.md`: these weights hardly move between organisations).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, Text, func, literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Subject
from crm.schools.lineage import predecessors_of
from crm.schools.models import School
from segments.desk.people import NOWHERE, Flags, Ids, Numbers, People, hashed
from segments.desk.planning import Circle
from segments.requests.models import Place, Request

RECENCY, FREQUENCY = 1.8, 1.5
OTHER_SUBJECT, OTHER_LANGUAGE = 0.55, 0.4
TIES = {Circle.SCHOOL: 1.0, Circle.CLUSTER: 0.85, Circle.DISTRICT: 0.7}
WAY_THERE = {"video": 1.0, "town": 1.0, "state": 0.6, "elsewhere": 0.25, "unknown": 0.75}
DISTANCES = tuple(WAY_THERE)
RESTED_LEAST, FULL_REST = 0.6, 365
DAY = 86_400.0
GOLDEN = 0x9E3779B97F4A7C15
Draws = NDArray[np.uint64]


@dataclass(frozen=True)
class Want:
    """What a request looks for, in the numbers that `People` holds."""

    own: frozenset[int]
    cluster: frozenset[int]
    subject: float | None
    fields: tuple[float, ...]
    language: float | None
    virtual: bool
    city: float
    code: float
    state: float


@dataclass(frozen=True)
class Fit:
    """How people suit a request, a row each; `distance` is a place in `DISTANCES`.

    `suits`: by subject and language, so that nearness may come before rank.
    """

    value: Numbers
    circle: Ids
    cares: Flags
    works: Flags
    speaks: Flags
    distance: Ids
    suits: Flags

    def within(self, circle: Circle) -> Flags:
        """Who is asked while a request keeps to a circle: those in it who suit; at last everybody.

        Somebody of the own school who knows nothing of the subject does not come before one of the
        district who does.
        """
        if circle == Circle.DISTRICT:
            return np.ones(len(self.circle), dtype=bool)
        return (self.circle <= circle) & self.suits

    def take(self, rows: Ids) -> Fit:
        """These rows alone."""
        return Fit(
            self.value[rows], self.circle[rows], self.cares[rows], self.works[rows],
            self.speaks[rows], self.distance[rows], self.suits[rows],
        )  # fmt: skip


def wants_of(session: Session, requests: Sequence[Request]) -> list[Want]:
    """The wishes of requests, in their order, with the schools that count as their own and near."""
    columns = School.id, School.cluster_id, School.city, School.postal_code, School.state
    schools = {row.id: row for row in session.execute(select(*columns))}
    inside: dict[int, set[int]] = {}
    for school in schools.values():
        if school.cluster_id:
            inside.setdefault(school.cluster_id, set()).add(school.id)
    before = predecessors_of(session)
    subjects = {row.key: row for row in session.scalars(select(Subject))}
    said = [
        _words(request, schools[request.school_id], subjects.get(request.subject_key or ""))
        for request in requests
    ]
    numbers = _numbers(session, {word for words in said for word in words if word})
    found = []
    for request, words in zip(requests, said, strict=True):
        school = schools[request.school_id]
        n = [numbers.get(word, NOWHERE) for word in words]
        own = before([school.id])
        near = before(inside[school.cluster_id]) if school.cluster_id else own
        found.append(
            Want(
                frozenset(own), frozenset(near), n[0] if words[0] else None, tuple(n[1:3]),
                n[3] if request.language else None, request.place is Place.VIRTUAL, *n[4:],
            )
        )  # fmt: skip
    return found


def _words(request: Request, school: Any, subject: Subject | None) -> list[str]:
    """Subject, what a field of work may be called, language, city, code and state."""
    names = (subject.key, subject.key.lower(), subject.label.lower()) if subject else ("", "", "")
    return [
        *names, request.language or "", (school.city or "").lower(),
        (school.postal_code or "")[:5], (school.state or "").upper(),
    ]  # fmt: skip


def _numbers(session: Session, words: Collection[str]) -> dict[str, float]:
    """The numbers that stand for words, as `People` holds them."""
    given = func.unnest(literal(sorted(words), ARRAY(Text))).column_valued("word")
    return {word: float(n) for word, n in session.execute(select(given, hashed(given)))}


def fit(people: People, want: Want) -> Fit:
    """How well people suit the request: subject, tie to the school, language, way to go."""
    everybody = np.ones(len(people), dtype=bool)
    cares, works, speaks = ~everybody, ~everybody, everybody
    if want.subject is not None:
        cares[people.subjects[0][people.subjects[1] == want.subject]] = True
        works = np.logical_or.reduce([people.work == field for field in want.fields])
    if want.language is not None:
        speaks = people.language == want.language
    circle = _circles(people, want)
    distance = _distances(people, want)
    suits = cares | works | (want.subject is None)
    value = (
        np.where(suits, 1.0, OTHER_SUBJECT)
        * np.array([TIES[c] for c in Circle])[circle]
        * np.where(speaks, 1.0, OTHER_LANGUAGE)
        * np.array([WAY_THERE[d] for d in DISTANCES])[distance]
    )
    return Fit(value, circle, cares, works, speaks, distance, suits & speaks)


def _circles(people: People, want: Want) -> Ids:
    row, school = people.ties
    found = np.full(len(people), int(Circle.DISTRICT))
    found[row[np.isin(school, list(want.cluster))]] = Circle.CLUSTER
    found[row[np.isin(school, list(want.own))]] = Circle.SCHOOL
    return found


def _distances(people: People, want: Want) -> Ids:
    """How far the way is, as places in `DISTANCES`."""
    at = {name: n for n, name in enumerate(DISTANCES)}
    if want.virtual:
        return np.full(len(people), at["video"])
    known = (people.city != 0) | (people.code != 0) | (people.state != 0)
    found = np.where(
        (people.state != 0) & (people.state == want.state), at["state"],
        np.where(people.state == 0, at["unknown"], at["elsewhere"]),
    )  # fmt: skip
    found[~known] = at["unknown"]
    same_city = (people.city == want.city) & (want.city != 0)
    same_code = (people.code == want.code) & (want.code != 0)
    found[same_city | same_code] = at["town"]
    return found


def chance(people: People, *, base: float) -> Numbers:
    """The chance of a yes: the model's, else the prior around the rate of yeses so far."""
    if not np.isnan(people.score).any():
        return people.score
    recency = _mid_rank(np.nan_to_num(people.last_deed, nan=-np.inf))
    frequency = _mid_rank(people.deeds + people.yeses)
    slope = RECENCY * (recency - 0.5) + FREQUENCY * (frequency - 0.5)
    prior = 1.0 / (1.0 + np.exp(-(log(base / (1 - base)) + slope)))
    return np.where(np.isnan(people.score), prior, people.score)


def _mid_rank(values: Numbers) -> Numbers:
    """The percentile rank from 0 to 1; those who are equal share the middle of their ranks."""
    ordered = np.sort(values)
    before = np.searchsorted(ordered, values, side="left")
    upto = np.searchsorted(ordered, values, side="right")
    return (before / max(len(values) - 1, 1) + upto / max(len(values), 1)) / 2.0


def fairness(people: People, at: datetime) -> Numbers:
    """Gives everybody a turn: those who rested longer and gave less of late come earlier."""
    days = (at.timestamp() - people.last_ask) / DAY
    rest = np.minimum(1.0, RESTED_LEAST + (1 - RESTED_LEAST) * days / FULL_REST)
    load = (1 + 0.25 * people.asks_year) * (1 + 0.1 * people.deeds_year)
    return np.where(np.isnan(rest), 1.0, rest) / load


def draw(ids: Ids, request_id: int, wave: int) -> Draws:
    """A draw that is the same whenever it is looked at, for the order of people of equal value."""
    return _mixed(ids, (request_id * GOLDEN + wave * 0xD1B54A32D192ED03) % 2**64)


def lot(ids: Ids, request_id: int, wave: int) -> Draws:
    """The draw that decides who is given a turn; it knows nothing of `draw` or of other requests.

    Whoever of equal value was not among the best would otherwise have drawn late here as well.
    """
    seed = hashlib.sha256(f"lot:{request_id}:{wave}".encode()).digest()
    return _mixed(ids, int.from_bytes(seed[:8], "big"))


def _mixed(ids: Ids, seed: int) -> Draws:
    """SplitMix64: Steele, Lea & Flood, Fast splittable pseudorandom number generators, OOPSLA
    2014."""
    z = ids.astype(np.uint64) * np.uint64(GOLDEN) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def order_of(value: Numbers, turn: Draws) -> Ids:
    """The rows from the best on; those of equal value in the order of their draw."""
    return np.lexsort((turn, -value))
