"""Laws of the engine, tried by chance: replay, signals in any order, long pauses, merged people."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import sleep

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge
from crm.interactions.models import Mode
from crm.interactions.service import record_many
from crm.mail.content import Variant, save_content
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from lifecycle.engine import runner, taking_over
from lifecycle.engine.pace import Pace
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, StepRun
from lifecycle.journeys.queries import load_journey
from lifecycle.journeys.takeover import Takeover
from tests.conftest import settings_for
from tests.factories import Make
from tests.lifecycle.engine.conftest import TODAY, District
from wsgi import create_app

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
HEAD = "journey: law\nname: Law\nserves: A goal\nenter: class:2026\nsteps:\n"
HEARD = HEAD + (
    "  - {id: rest, wait: 2d}\n  - {id: heard, wait_for: replied, max: 5d, yes: y, no: n}\n"
    '  - {id: "y", exit: heard}\n  - {id: "n", exit: silent}\n'
)
FORKS = HEAD + (
    "  - {id: half, split: {a: 1, b: 2}}\n  - {id: a, send: letter, topic: news, next: w}\n"
    "  - {id: b, task: Call, next: w}\n  - {id: w, wait_until: monday}\n"
    "  - {id: heard, wait_for: replied, max: 6d, yes: fork, no: fork}\n"
    "  - {id: fork, branch: 'did:replied', yes: y, no: n}\n"
    '  - {id: "y", exit: heard}\n  - {id: "n", exit: silent}\n'
)
INSIDE = "select count(*) = 1500 from enrollment"
HASH = """select md5(string_agg(concat_ws(':', e.alumnus_id, r.seq, r.step_no, r.outcome, r.reason,
    r.at), ',' order by e.alumnus_id, r.seq))
    from step_run r join enrollment e on e.id = r.enrollment_id"""
REPLIES = """insert into interaction (alumnus_id, occurred_at, kind, mode, dedupe_key, machine,
    origin, note)
    select id, timestamptz '2026-09-15 15:00Z' + id % 11 * interval '1 day', 'replied',
    'communication', 'r' || id, id % 5 = 0, '', '' from alumnus where id % 3 = 0"""


def publish(session: Session, source: str, at: datetime, takeover: Takeover | None = None) -> None:
    service.publish(session, source, name="x.yaml", by=SYSTEM, at=at, takeover=takeover)
    session.commit()


def test_the_same_moments_and_people_give_the_same_step_runs(
    make_database: Callable[[], URL], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the size of batches, however many work and however often they are knocked."""
    found = set()
    for number, (size, knocks) in enumerate([(2_000, 1), (7, 1), (50, 3)]):
        for name in ("FIRST", "ACTING"):
            monkeypatch.setattr(runner, name, size)
        monkeypatch.setattr(Pace, "told", lambda *_: None)
        url = make_database()
        app = create_app(settings_for(url, tmp_path / str(number)))
        district = District(app, url)
        district.publish(FORKS)
        district.people(150)
        district.run(REPLIES)
        for day in range(0, 18, 3):
            workers = [
                threading.Thread(target=district.tick, args=[TODAY + day * DAY])
                for _ in range(knocks)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            district.tick(TODAY + day * DAY)
        assert district.value("select count(*) from enrollment where state = 'ended'") == 150
        found.add(district.value(HASH))
        with app.app_context():
            db.engine.dispose()
    assert len(found) == 1
    assert None not in found


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_signals_early_late_and_twice_do_not_change_an_outcome(
    session: Session, make: Make, now: datetime, seed: int
) -> None:
    """The wait lasts from 48 to 168 hours after entering; ticks come every twelve hours.

    What counts is whether a person did it in that time, if that is known before it is over.
    """
    draw = random.Random(seed)
    wanted, pending = {}, []
    for _ in range(40):
        person = make.alumnus(class_year=2026)
        heard = False
        for n in range(draw.randint(0, 3)):
            when, lag, machine = draw.randint(-48, 200), draw.randint(0, 60), draw.random() < 0.2
            known = -(-(when + lag) // 12) * 12
            heard |= not machine and 48 <= when <= 168 and known <= 168
            values = {
                "alumnus_id": person.id, "occurred_at": now + when * HOUR, "kind": "replied",
                "mode": Mode.COMMUNICATION, "machine": machine, "dedupe_key": f"{person.id}:{n}",
            }  # fmt: skip
            pending += [(known, values)] * draw.randint(1, 3)
        wanted[person.id] = ["waited", "yes" if heard else "no", "ended"]
    draw.shuffle(pending)
    publish(session, HEARD, now)
    for hours in range(-48, 192, 12):
        record_many(session, [values for known, values in pending if known == hours])
        session.commit()
        if hours >= 0:
            for _ in range(draw.randint(1, 2)):
                advance(now + hours * HOUR)
    assert outcomes(session) == wanted


def outcomes(session: Session) -> dict[int, list[str]]:
    """The outcomes of each person's steps, in order."""
    runs = select(Enrollment.alumnus_id, StepRun.outcome).join(
        StepRun, StepRun.enrollment_id == Enrollment.id
    )
    found: dict[int, list[str]] = {}
    for person, outcome in session.execute(runs.order_by(Enrollment.id, StepRun.seq)):
        found.setdefault(person, []).append(outcome)
    return found


def test_publishing_over_and_over_while_ticks_run_takes_each_person_the_whole_way(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four versions, each of which moves those inside, beside three workers that never rest."""
    monkeypatch.setattr(taking_over, "BATCH", 100)
    number, over = 1_500, threading.Event()
    text_of = HEAD + "{}  - {{id: rest, wait: {}d}}\n  - {{id: end, exit: done}}\n"
    district.publish(text_of.format("", 3))
    district.people(number)
    faults: list[Exception] = []

    def work() -> None:
        try:
            while not over.is_set():
                district.tick(TODAY)
        except Exception as fault:
            faults.append(fault)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    moved = "select count(*) from step_run where outcome = 'moved'"
    for version in range(3):
        by_then = f"select ({moved} and reason like '%>{version + 1}') > 0" if version else INSIDE
        for _ in range(500):
            if faults or district.value(by_then):
                break
            sleep(0.02)
        new = "".join(f"  - {{id: n{n}, wait: 1d}}\n" for n in range(version + 1))
        with district.app.app_context():
            publish(db.session(), text_of.format(new, 4), TODAY, Takeover("move", "keep"))
            db.session.remove()
    over.set()
    for worker in workers:
        worker.join()
    for day in range(9):
        district.tick(TODAY + day * DAY)
    assert faults == []
    assert district.rows("select state, count(*) from enrollment group by 1") == [("ended", number)]
    whole = """select count(*) from enrollment e where e.seq <> (select count(*) from step_run r
        where r.enrollment_id = e.id and r.seq < e.seq)"""
    assert district.value(whole) == 0
    last = "select count(*) from enrollment e join journey_version v on v.id = e.version_id"
    assert district.value(f"{last} where v.no < 4") == 0
    assert number < int(str(district.value(moved))) <= 3 * number


def test_a_journey_paused_for_a_year_goes_on_with_everybody_and_sends_nothing_stale(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    steps = (
        "  - {id: a, send: letter, topic: news, expires: 7d}\n  - {id: rest, wait: 10d}\n"
        "  - {id: b, send: letter, topic: news, expires: 7d}\n  - {id: end, exit: done}\n"
    )
    letter(session, now)
    people = [make.alumnus(class_year=2026).id for _ in range(5)]
    publish(session, HEAD + steps, now)
    advance(now)
    journey = load_journey(session, "law")
    service.pause(session, journey, by=SYSTEM, at=now)
    session.commit()
    assert advance(now + 30 * DAY).stepped == 0
    later = now + 365 * DAY
    service.resume(session, journey, by=SYSTEM, at=later)
    session.commit()
    advance(later)
    deliver(app, at=later)
    session.expire_all()
    fates = select(Message.origin, Message.state, Message.reason)
    assert Counter(tuple(row) for row in session.execute(fates)) == {
        ("journey:law/a", MessageState.SKIPPED, "expired"): 5,
        ("journey:law/b", MessageState.ACCEPTED, None): 5,
    }
    assert [*outcomes(session)] == people
    assert {*map(tuple, outcomes(session).values())} == {("queued", "waited", "queued", "ended")}


@pytest.mark.parametrize("inside", ["both", "the one that stays", "the one that goes"])
def test_two_records_made_one_on_the_way_get_what_one_person_gets(
    app: Flask, session: Session, make: Make, now: datetime, inside: str
) -> None:
    letter(session, now)
    steps = "  - {id: rest, wait: 5d}\n  - {id: a, send: letter, topic: news}\n"
    years = {"both": (2026, 2026), "the one that stays": (2026, 2020)}.get(inside, (2020, 2026))
    kept, gone = (make.alumnus(class_year=year).id for year in years)
    publish(session, HEAD + steps + "  - {id: end, exit: done}\n", now)
    advance(now)
    merge(session, kept, gone, at=now + DAY, by=None)
    session.commit()
    for day in (1, 5, 6, 20):
        advance(now + day * DAY)
        deliver(app, at=now + day * DAY)
    session.expire_all()
    sent = select(Message.alumnus_id).where(Message.state == MessageState.ACCEPTED)
    assert session.scalars(sent).all() == [kept]
    ends = select(Enrollment.alumnus_id, Enrollment.end_reason).order_by(Enrollment.end_reason)
    expected = [(kept, "done"), (gone, "merged")] if inside == "both" else [(kept, "done")]
    assert [tuple(row) for row in session.execute(ends)] == expected


def letter(session: Session, at: datetime) -> None:
    """The content that the journeys here send."""
    variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
    save_content(
        session, key="letter", name="Letter", topic_key="news", variants=variants, by=SYSTEM, at=at
    )
