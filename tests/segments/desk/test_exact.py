"""Reading less changes nothing: the same people in the same order as when everything is read."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.consent.models import ConsentSource
from crm.consent.service import withdraw
from crm.core.viewer import SYSTEM
from segments.asks.eligibility import first_obstacle, need_of
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.rules import NEVER
from segments.clearance.models import Clearance
from segments.desk import pool, together
from segments.desk.choices import Asking
from segments.desk.crowd import load_crowd
from segments.desk.match import match
from segments.desk.people import People, recall
from segments.desk.planning import Circle
from segments.desk.pool import Pool, Ranked, pool_of, shortlisted
from segments.desk.queries import next_wave
from segments.desk.ranking import Fit, chance, draw, fairness, fit, order_of, wants_of
from segments.mentoring.models import MentorCapacity
from segments.requests.models import Place, Request, Supervision
from segments.targeting.models import PropensityModel
from segments.targeting.scores import keep
from tests.factories import Make
from tests.segments.story import clear, make_request, slot

WAYS = ("speak", "mentor", "judge")
DAY = timedelta(days=1)


def district(make: Make, random: Random, *, people: int = 50) -> tuple[list[Request], list[int]]:
    """Requests of all kinds and people of all kinds, some with something in the way."""
    clusters = [make.cluster(), make.cluster()]
    schools = [
        make.school(cluster=random.choice(clusters), city=random.choice(("Atlanta", "Macon")),
                    state="GA")
        for _ in range(4)
    ]  # fmt: skip
    requests = [
        make_request(
            make, random.choice(schools), days=random.choice(((20,), (20, 33))),
            way_key=random.choice(WAYS), subject_key=random.choice(("health", "law", None)),
            place=random.choice(list(Place)), places=random.randint(1, 3),
            supervision=random.choice((*Supervision, Supervision.SUPERVISED)),
        )
        for _ in range(6)
    ]  # fmt: skip
    made = [_person(make, random, n, schools, requests) for n in range(people)]
    make.session.flush()
    return requests, [person.id for person in made]


def _person(
    make: Make, random: Random, n: int, schools: list[Any], requests: list[Request]
) -> Alumnus:
    person = make.alumnus(
        f"P{n}", school=random.choice((*schools, None)),
        ways=tuple(way for way in WAYS if random.random() < 0.7),
        subjects=tuple(s for s in ("health", "law") if random.random() < 0.4),
        city=random.choice(("Atlanta", "Macon", None)), state=random.choice(("GA", "CA", None)),
        field_of_work=random.choice(("Health", "Law", None)),
    )  # fmt: skip
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        granted = make.at.date() - DAY * random.choice((30, 365, 706))
        school = random.choice((None, None, random.choice(schools).id))
        clear(make, person, random.randint(1, 3), granted_on=granted, school_id=school)
    if random.random() < 0.1:
        held = select(Clearance).where(Clearance.alumnus_id == person.id)
        for clearance in make.session.scalars(held):
            clearance.revoked_on = make.at.date() + DAY * random.choice((-5, 25))
    for _ in range(random.choice((0, 0, 1, 3))):
        make.interaction(person, days_ago=random.randint(1, 900))
    for _ in range(random.choice((0, 0, 1, 2))):
        _ask(make, random, person)
    _hinder(make, random, person, requests)
    return person


def _ask(make: Make, random: Random, person: Alumnus) -> None:
    asked_at = make.at - DAY * random.randint(20, 500)
    state = random.choice((AskState.ACCEPTED, AskState.DECLINED, AskState.NONE))
    make.save(
        Ask(alumnus_id=person.id, way_key=random.choice(WAYS), state=state, asked_at=asked_at,
            answered_at=asked_at + DAY / 2, reasons=[],
            rest_until=NEVER if random.random() < 0.1 else None)
    )  # fmt: skip


def _hinder(make: Make, random: Random, person: Alumnus, requests: list[Request]) -> None:
    """One in two has something that stands, or seems to stand, in the way."""
    kind, request = random.randrange(16), random.choice(requests)
    if kind == 0:
        person.paused_until = make.at.date() + DAY * random.choice((-3, 3))
    elif kind == 1:
        person.deceased = True
    elif kind == 2:
        mine = ContactPoint.alumnus_id == person.id
        for point in make.session.scalars(select(ContactPoint).where(mine)):
            point.status = ContactStatus.BOUNCED
    elif kind == 3:
        withdraw(make.session, person.id, topic_key="volunteering", source=ConsentSource.STAFF,
                 at=make.at)  # fmt: skip
    elif kind == 4:
        make.save(MentorCapacity(alumnus_id=person.id, most=random.choice((0, 1, 2))))
    elif kind < 8:
        times = slot(make.at, random.choice((20, 33)), hour=random.choice((9, 15)))
        asked = make.save(
            Ask(alumnus_id=person.id, request_id=request.id, way_key=request.way_key,
                state=AskState.ACCEPTED, asked_at=make.at - 90 * DAY, reasons=[])
        )  # fmt: skip
        state = random.choice((CommitmentState.PLANNED, CommitmentState.CANCELLED))
        make.save(
            Commitment(ask_id=asked.id, request_id=request.id, alumnus_id=person.id, state=state,
                       starts_at=times.starts_at, ends_at=times.ends_at, created_at=make.at)
        )  # fmt: skip


def keep_scores(session: Session, make: Make, people: list[int], random: Random) -> None:
    """Chances of a live model that no longer can be asked itself, as after an upgrade."""
    body = b"{}"
    model = make.save(
        PropensityModel(
            way_key="*", no=1, live=True, trained_at=make.at, card={}, body=body,
            sha256=hashlib.sha256(body).hexdigest(),
        )
    )  # fmt: skip
    chances = [random.choice((0.2, 0.2, random.random())) for _ in people]
    scored = np.array(sorted(people)), np.array(chances)
    keep(session, [scored], way_key="*", model_id=model.id, at=make.at)


def slowly(session: Session, make: Make, request: Request) -> list[int]:
    """All who may be asked, from the best on, with everything read and asked of each of them."""
    need, want = need_of(session, request, make.at), wants_of(session, [request])
    people = load_crowd(session, [need], want, SYSTEM)[request.way_key]
    recall(session, people, np.arange(len(people)), make.at)
    value = fit(people, *want).value * chance(people, base=0.15) * fairness(people, make.at)
    turn = draw(people.ids, request.id, next_wave(session, request.id))
    free = set(session.scalars(select(Alumnus.id).where(first_obstacle(need).is_(None))))
    order = people.ids[order_of(value, turn)].tolist()
    assert free <= set(order)
    return [key for key in order if key in free]


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_are_those_of_asking_everything_of_everybody(
    session: Session, make: Make, monkeypatch: pytest.MonkeyPatch, seed: int, *, scored: bool
) -> None:
    """By itself and solved together, however little is looked at of how many."""
    random = Random(seed)
    requests, people = district(make, random)
    if scored:
        keep_scores(session, make, people, random)
    slow = {request.id: slowly(session, make, request) for request in requests}
    assert sum(map(len, slow.values())) > 10
    monkeypatch.setattr(pool, "LOOKED_AT", 4)
    monkeypatch.setattr(pool, "READ_AT_ONCE", 1)
    monkeypatch.setattr(pool, "DRAWN_FROM", 3)
    monkeypatch.setattr("segments.desk.match.ENOUGH", 3)
    monkeypatch.setattr("segments.desk.match.base_rate", lambda *_: 0.15)
    monkeypatch.setattr(together, "base_rate", lambda *_: 0.15)
    monkeypatch.setattr("segments.desk.pool.shortlisted.__defaults__", (3,))
    cases = together._cases(session, requests, Asking(), make.at)
    for request, case in zip(requests, cases, strict=True):
        found = match(session, request, at=make.at, limit=3, counted=False).ranked
        best = slow[request.id][:3]
        assert found.people.ids[found.order[:3]].tolist() == best
        assert case.ranked.people.ids[case.ranked.order[:3]].tolist() == best
        assert set(case.ranked.people.ids.tolist()) <= set(slow[request.id])
        assert case.ranked.pool.tolist() == found.pool.tolist()
        assert case.ranked.people.ids[case.ranked.turns].tolist() == (
            found.people.ids[found.turns].tolist()
        )


def bare(n: int) -> People:
    """People of whom nothing is known but their numbers."""
    pair = np.empty(0, dtype=np.int64), np.empty(0)
    names = (
        "class_year", "city", "code", "state", "language", "work", "score", "deeds", "deeds_year",
        "last_deed", "asks", "asks_year", "yeses", "last_ask",
    )  # fmt: skip
    return People(
        ids=np.arange(1, n + 1), offers=np.ones(n, dtype=bool), ties=pair, subjects=pair,  # type: ignore[arg-type]
        **{name: np.zeros(n) for name in names},
    )  # fmt: skip


def drawn_from(worth: Any, clear: Any, wave: int) -> Ranked:
    n = len(worth)
    flags, places = np.ones(n, dtype=bool), np.full(n, int(Circle.DISTRICT))
    suits = Fit(worth, places, flags, flags, flags, places, flags)
    made: Pool = pool_of(bare(n), suits, np.ones(n), np.ones(n), request_id=7, wave=wave)
    return shortlisted(made, clear)


def test_what_the_drawn_stand_for_adds_up_to_everybody() -> None:
    """One over the chance, summed over the drawn: on average as many as were not among the best.

    900 people of whom a third may be asked; the cut between best and rest goes through 300 of equal
    value, who must not be drawn less for it.
    """
    worth = np.repeat([0.3, 0.2, 0.1], 300)
    waves, best_of = 1500, 130
    total, squares = np.zeros(3), np.zeros(3)
    for wave in range(1, waves + 1):
        found = drawn_from(worth, lambda ids: ids % 3 == 0, wave)
        best = found.people.ids[found.order[:best_of]].tolist()
        rows, share = found.drawn(4, best)
        group = (found.people.ids[rows] - 1) // 300
        stands = np.bincount(group, minlength=3) / share
        total, squares = total + stands, squares + stands**2
    error = np.sqrt(squares / waves - (total / waves) ** 2) / np.sqrt(waves)
    assert total[0] == 0
    assert (np.abs(total - [0, 70 * waves, 100 * waves]) <= 4 * error * waves).all()


def test_a_draw_leaves_out_whom_others_ask() -> None:
    found = drawn_from(np.full(300, 0.2), lambda ids: ids % 2 == 0, 1)
    rows, share = found.drawn(5, [2, 4, 5])
    assert share == pytest.approx(5 / 148)
    assert len(rows) == 5
    assert not set(found.people.ids[rows].tolist()) & {2, 4, 5}
    assert found.drawn(0, []) == ([], 0.0)
