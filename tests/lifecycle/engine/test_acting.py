"""Steps that act: chance, facts, other journeys, tasks, asks."""

from __future__ import annotations

from datetime import datetime

from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.imports.models import CustomField
from crm.links.tokens import issue
from crm.mail.models import Message
from lifecycle.engine.service import advance
from lifecycle.journeys.chance import lot
from lifecycle.journeys.explain import ways_of
from lifecycle.journeys.models import Enrollment, Journey, JourneyState, StaffTask
from segments.asks.models import Ask, AskState
from tests.factories import Make
from tests.lifecycle.engine.acting import DAY, head, outcomes, publish

SPLIT = "  - {id: half, split: {a: 70%, b: 30%}}\n  - {id: a, exit: a}\n  - {id: b, exit: b}\n"


def test_chance_sends_each_person_where_python_says_and_by_the_weights(
    session: Session, make: Make, now: datetime
) -> None:
    people = [make.alumnus(class_year=2026, email=None).id for _ in range(200)]
    publish(session, head("split") + SPLIT, now)
    advance(now)
    ends = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.end_reason)).all())
    expected = {i: "a" if lot("split:half", i) < 2**32 * 70 // 100 else "b" for i in people}
    assert ends == expected
    assert 110 < sum(end == "a" for end in ends.values()) < 170


@given(st.integers(1, 2**62), st.text("abc:", max_size=9))
def test_a_lot_is_fixed_and_within_bounds(person: int, salt: str) -> None:
    assert 0 <= lot(salt, person) == lot(salt, person) < 2**32


SET = "  - {id: note, set: {subject: health, custom.club: invited}}\n  - {id: end, exit: done}\n"


def test_facts_are_noted_once_and_keep_who_said_so(
    session: Session, make: Make, now: datetime
) -> None:
    make.save(CustomField(key="club", label="Club", created_at=now))
    new = make.alumnus(class_year=2026, custom={"club": "chess", "other": "x"})
    had = make.alumnus(class_year=2026, subjects=("health",))
    publish(session, head("notes") + SET, now)
    report = advance(now + DAY)
    assert (report.stepped, report.ended) == (4, 2)
    session.expire_all()
    assert session.get_one(Alumnus, new.id).custom == {"club": "invited", "other": "x"}
    rows = select(Interest.alumnus_id, Interest.source, Interest.since).where(
        Interest.kind == InterestKind.SUBJECT
    )
    found = {person: (source, since) for person, source, since in session.execute(rows)}
    assert found == {new.id: ("journey:notes/note", now + DAY), had.id: ("", now)}


def test_another_journey_takes_those_whom_its_rules_allow(
    session: Session, make: Make, now: datetime
) -> None:
    plain, gone, before = (make.alumnus(class_year=2026) for _ in range(3))
    make.save(Interest(alumnus_id=gone.id, kind=InterestKind.WAY, key="speak", since=now))
    rest = "  - {id: rest, wait: 9d}\n  - {id: end, exit: done}\n"
    kin = head("kin", "city:Nowhere").replace("steps:", "exit: way:speak\nsteps:") + rest
    publish(session, kin, now)
    journey = session.scalars(select(Journey)).one()
    make.save(
        Enrollment(
            journey_id=journey.id, version_id=journey.live_version_id, alumnus_id=before.id,
            entry_key="once", state="ended", step_no=0, wake_at=now, anchor_at=now,
            entered_at=now - DAY, ended_at=now - DAY,
        )
    )  # fmt: skip
    publish(session, head("first") + "  - {id: go, enter: kin}\n  - {id: end, exit: done}\n", now)
    advance(now)
    inside = select(Enrollment.alumnus_id).where(
        Enrollment.journey_id == journey.id, Enrollment.state == "waiting"
    )
    assert session.scalars(inside).all() == [plain.id]
    told = outcomes(session, "first")
    assert told[plain.id][0] == ("entered", None)
    assert told[gone.id][0] == ("not_entered", "exit")
    assert told[before.id][0] == ("not_entered", "been")
    journey.state = JourneyState.PAUSED
    session.commit()
    late = make.alumnus(class_year=2026)
    advance(now + DAY)
    assert outcomes(session, "first")[late.id][0] == ("not_entered", "paused")


TASK = "  - {id: call, task: Call them, due: 3d}\n  - {id: end, exit: done}\n"


def test_a_task_is_on_the_home_page_and_the_persons_until_it_is_done(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2026)
    publish(session, head("calls") + TASK, now)
    advance(now)
    advance(now + DAY)
    task = session.scalars(select(StaffTask)).one()
    assert (task.alumnus_id, task.title, task.due_at) == (person.id, "Call them", now + 3 * DAY)
    assert "task of a journey is to be done" in coordinator.get("/").text
    assert "Call them" in coordinator.get(f"/people/{person.id}").text
    assert "Ada Mensah" in coordinator.get("/journeys/tasks").text
    done = coordinator.post(f"/journeys/tasks/{task.id}/done", follow_redirects=True)
    assert "Done. Thank you." in done.text
    again = coordinator.post(f"/journeys/tasks/{task.id}/done", follow_redirects=True)
    assert "marked this task as done already" in again.text
    assert "task of a journey is to be done" not in coordinator.get("/").text


ASK = "  - {id: q, ask: mentor, expires: 20d, otherwise: end}\n  - {id: rest, wait: 1d}\n"


def test_an_ask_goes_to_those_who_may_be_asked_and_says_why_to_no_other(
    session: Session, make: Make, now: datetime
) -> None:
    fine, blocked, asked, mute = (make.alumnus(class_year=2015) for _ in range(4))
    blocked.do_not_contact = True
    mute_point = make.alumnus(class_year=2015, email=None)
    make.save(
        Ask(alumnus_id=asked.id, way_key="speak", state=AskState.DECLINED, asked_at=now - 5 * DAY)
    )
    publish(session, head("asks", "class:2015") + ASK + "  - {id: end, exit: done}\n", now)
    advance(now)
    advance(now + 2 * DAY)
    told = {person: runs[0] for person, runs in outcomes(session, "asks").items()}
    assert told[fine.id] == told[mute.id] == ("asked", None)
    assert told[blocked.id] == ("not_asked", "do_not_contact")
    assert told[asked.id] == ("not_asked", "asked_lately")
    assert told[mute_point.id] == ("not_asked", "no_address")
    letters = session.scalars(select(Message.alumnus_id).order_by(Message.alumnus_id)).all()
    assert letters == [fine.id, mute.id]
    new = session.scalars(select(Ask).where(Ask.request_id.is_(None), Ask.expires_at.is_not(None)))
    assert {(ask.alumnus_id, ask.expires_at) for ask in new} == {
        (fine.id, now + 20 * DAY), (mute.id, now + 20 * DAY)
    }  # fmt: skip
    way = ways_of(session, asked.id)[0]
    assert "were asked not long ago" in way.steps[0][1]


def test_the_mailed_link_takes_the_answer_which_a_wait_hears(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2015)
    wait = "  - {id: heard, wait_for: [ask_answered, replied], max: 30d, yes: end, no: bad}\n"
    ends = "  - {id: bad, exit: silent}\n  - {id: end, exit: done}\n"
    text = head("asks", "class:2015") + "  - {id: q, ask: mentor, otherwise: bad}\n" + wait + ends
    publish(session, text, now)
    advance(now)
    ask = session.scalars(select(Ask)).one()
    token = issue("ask", alumnus_id=person.id, epoch=0, at=now, subject=ask.id)
    assert "Would you help a school?" in client.get(f"/ask/{token}").text
    assert session.scalars(select(Interest)).all() == []
    said = client.post(f"/ask/{token}", data={"answer": "yes"}, follow_redirects=True)
    assert "We will think of you" in said.text
    session.expire_all()
    assert ask.state is AskState.ACCEPTED
    way = select(Interest.key).where(Interest.alumnus_id == person.id)
    assert session.scalars(way).all() == ["mentor"]
    advance(now + 2 * DAY)
    assert [word for word, _ in outcomes(session, "asks")[person.id]] == ["asked", "yes", "ended"]
