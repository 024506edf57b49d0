"""One tick after another: people enter, wait, get mail, turn off at branches and leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from crm.interactions.models import Mode
from crm.mail.content import Variant, save_content
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from lifecycle.engine.service import advance
from lifecycle.journeys import queries, service
from lifecycle.journeys.models import Enrollment, EnrollmentState, StepRun
from lifecycle.journeys.takeover import Takeover
from tests.factories import Make

DAY = timedelta(days=1)
WELCOME = """\
journey: hello
name: Hello
serves: Connect early
enter: "phase:new_graduate"
goal: profile_updated
steps:
  - {id: first, send: letter, topic: news, expires: 7d}
  - {id: heard, wait_for: profile_updated, max: 10d, yes: done, no: again}
  - {id: again, send: letter, topic: news}
  - {id: rest, wait: 5d}
  - {id: offers, branch: has:way, yes: done, no: third}
  - {id: third, send: letter, topic: volunteering}
  - {id: done, exit: done}
"""


@pytest.fixture
def letter(session: Session, now: datetime) -> None:
    variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
    save_content(
        session, key="letter", name="Letter", topic_key="news", variants=variants, by=SYSTEM, at=now
    )


def publish(session: Session, text: str, at: datetime) -> Any:
    done = service.publish(session, text, name="hello.yaml", by=SYSTEM, at=at)
    session.commit()
    return done


def origins(session: Session, alumnus_id: int) -> list[str]:
    statement = select(Message.origin).where(Message.alumnus_id == alumnus_id)
    return list(session.scalars(statement.order_by(Message.queued_at, Message.origin)))


def outcomes(session: Session, alumnus_id: int) -> list[tuple[int, str]]:
    statement = (
        select(StepRun.step_no, StepRun.outcome)
        .join(Enrollment, Enrollment.id == StepRun.enrollment_id)
        .where(Enrollment.alumnus_id == alumnus_id)
        .order_by(StepRun.seq)
    )
    return [(no, word) for no, word in session.execute(statement)]


@pytest.mark.usefixtures("letter")
def test_somebody_silent_walks_the_whole_way(session: Session, make: Make, now: datetime) -> None:
    person, other = make.alumnus(class_year=2026), make.alumnus(class_year=2010)
    publish(session, WELCOME, now)
    first = advance(now)
    assert (first.moved, first.entered, first.stepped, first.queued) == (2, 1, 1, 1)
    assert advance(now).to_json() == dict.fromkeys(first.to_json(), 0)
    advance(now + 9 * DAY)
    assert origins(session, person.id) == ["journey:hello/first"]
    advance(now + 10 * DAY)
    advance(now + 15 * DAY)
    assert outcomes(session, person.id) == [
        (0, "queued"), (1, "no"), (2, "queued"), (3, "waited"), (4, "otherwise"),
        (5, "queued"), (6, "ended"),
    ]  # fmt: skip
    assert origins(session, person.id) == [
        f"journey:hello/{s}" for s in ("first", "again", "third")
    ]
    assert origins(session, other.id) == []
    one = session.scalars(select(Enrollment)).one()
    assert (one.state, one.end_reason) == (EnrollmentState.ENDED, "done")


@pytest.mark.usefixtures("letter")
def test_what_is_waited_for_wakes_at_the_next_tick(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2026)
    robot = make.alumnus(class_year=2026)
    publish(session, WELCOME, now)
    advance(now)
    words = {"kind": "profile_updated", "mode": Mode.COMMUNICATION, "days_ago": -2.0}
    make.interaction(person, **words)
    make.interaction(robot, machine=True, **{**words, "days_ago": -0.5})
    advance(now + 1 * DAY)
    assert outcomes(session, person.id) == [(0, "queued")]  # it has not happened yet
    advance(now + 3 * DAY)
    assert outcomes(session, person.id)[1:] == [(1, "yes"), (6, "ended")]
    assert outcomes(session, robot.id) == [(0, "queued")]
    assert (
        session.scalars(select(Enrollment.goal_at).where(Enrollment.alumnus_id == person.id)).one()
        == now + 2 * DAY
    )
    advance(now + 10 * DAY)
    assert outcomes(session, robot.id)[1] == (1, "no")


@pytest.mark.usefixtures("letter")
def test_what_a_stopped_journey_decided_is_not_sent(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2026)
    done = publish(session, WELCOME, now)
    advance(now)
    service.stop(session, done.journey, by=SYSTEM, at=now)
    session.commit()
    deliver(app, at=now + DAY)
    message = session.scalars(select(Message).execution_options(populate_existing=True)).one()
    assert (message.state, message.reason) == (MessageState.SKIPPED, "stopped")


@pytest.mark.usefixtures("letter")
def test_what_a_replaced_version_decided_is_not_sent_and_every_message_is_counted(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    """Of who is let out at once; of who was through it already when it would go."""
    tail = WELCOME.index("  - {id: heard")
    short = WELCOME[:tail] + "  - {id: done, exit: done}\n"
    through = make.alumnus(class_year=2026).id
    publish(session, short, now)
    advance(now)
    inside = make.alumnus(class_year=2026).id
    publish(session, WELCOME, now)
    advance(now)
    stop = Takeover("stop")
    text = WELCOME.replace("10d", "11d")
    done = service.publish(session, text, name="hello.yaml", by=SYSTEM, at=now, takeover=stop)
    session.commit()
    late = make.alumnus(class_year=2026).id
    assert advance(now).ended == 1
    session.expire_all()
    states = select(Message.alumnus_id, Message.state, Message.reason).order_by(Message.alumnus_id)
    assert [tuple(row) for row in session.execute(states)] == [
        (through, MessageState.QUEUED, None),
        (inside, MessageState.SKIPPED, "stopped"),
        (late, MessageState.QUEUED, None),
    ]
    deliver(app, at=now + DAY)
    session.expire_all()
    assert [tuple(row)[1:] for row in session.execute(states)] == [
        (MessageState.SKIPPED, "stopped"),
        (MessageState.SKIPPED, "stopped"),
        (MessageState.ACCEPTED, None),
    ]
    sends = queries.sends_of(session, done.journey, ["first"], SYSTEM)["first"]
    assert (sends.sent, sends.waiting, sends.skipped, sends.decided) == (1, 0, {"stopped": 2}, 3)


@pytest.mark.usefixtures("letter")
def test_what_the_policy_holds_back_is_counted_with_its_reason(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2026, deceased=False, do_not_contact=True)
    make.alumnus(class_year=2026, email=None)
    make.alumnus(class_year=2026)
    done = publish(session, WELCOME, now)
    advance(now)
    deliver(app, at=now + DAY)
    sends = queries.sends_of(session, done.journey, ["first"], SYSTEM)["first"]
    assert sends.skipped == {"do_not_contact": 1, "no_address": 1}
    assert sends.decided == 3
    runs = select(StepRun).where(StepRun.step_no == 0)
    assert len(session.scalars(runs).all()) == sends.decided
