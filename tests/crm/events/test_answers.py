"""Answers and places: one after the other, in order, and never more than there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM
from crm.duplicates import merging
from crm.events import service
from crm.events.answers import Outcome, Reply, respond
from crm.events.inviting import tick
from crm.events.models import Answer, Event, EventKind, Invitation
from crm.events.plan import Plan, plan_of
from crm.events.queries import place_in_line, taken
from crm.mail.models import Message, MessageAttachment
from crm.rights.erasing import erase
from tests.conftest import TODAY, settings_for
from tests.crm.events.conftest import Planned, invitation, invited
from tests.factories import Make
from wsgi import create_app

MINUTE = timedelta(minutes=1)


def say(session: Session, mine: Invitation, answer: str, at: datetime, guests: int = 0) -> Outcome:
    return respond(session, mine.id, Reply(answer, guests), at=at)


def steps(session: Session, mine: Invitation) -> list[str]:
    """The letters about their answer that a person was written, by step."""
    origins = select(Message.origin).where(Message.alumnus_id == mine.alumnus_id)
    found = session.scalars(origins.where(Message.origin.contains("/")).order_by(Message.queued_at))
    return [origin.partition("/")[2] for origin in found]


def test_a_yes_takes_places_for_guests_too_and_is_confirmed_with_a_calendar_file(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=5, guests_allowed=3)
    (mine,) = invited(session, make, event, make.alumnus())
    assert say(session, mine, "yes", make.at, guests=2) is Outcome.COMING
    assert taken(session, event.id) == 3
    assert steps(session, mine) == ["coming"]
    file = session.scalars(select(MessageAttachment)).one()
    words = file.body.decode()
    assert f"UID:event-{event.id}-{mine.id}@localhost" in words
    assert "SEQUENCE:0" in words
    assert "SUMMARY:Class reunion" in words


def test_more_guests_than_allowed_are_not_counted(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(guests_allowed=1)
    (mine,) = invited(session, make, event, make.alumnus())
    say(session, mine, "yes", make.at, guests=9)
    assert mine.guests == 1


def test_when_it_is_full_people_stand_in_line_and_the_first_gets_the_place_that_frees(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=1)
    first, second, third = invited(session, make, event, *(make.alumnus() for _ in range(3)))
    assert say(session, first, "yes", make.at) is Outcome.COMING
    assert say(session, third, "yes", make.at + MINUTE) is Outcome.WAITING
    assert say(session, second, "yes", make.at + 2 * MINUTE) is Outcome.WAITING
    assert [place_in_line(session, mine) for mine in (third, second)] == [1, 2]
    say(session, first, "no", make.at + 3 * MINUTE)
    session.refresh(third)
    assert third.answer is Answer.COMING
    assert second.answer is Answer.WAITING
    assert steps(session, third) == ["place"]
    assert steps(session, second) == []


def test_nobody_passes_a_party_that_is_first_in_line(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=3, guests_allowed=2)
    here, family, single = invited(session, make, event, *(make.alumnus() for _ in range(3)))
    say(session, here, "yes", make.at)
    assert say(session, family, "yes", make.at + MINUTE, guests=2) is Outcome.WAITING
    assert say(session, single, "yes", make.at + 2 * MINUTE) is Outcome.WAITING
    assert say(session, family, "yes", make.at + 3 * MINUTE, guests=0) is Outcome.COMING
    session.refresh(single)
    assert single.answer is Answer.COMING


def test_who_is_coming_keeps_the_place_when_there_is_no_room_for_more_guests(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=2, guests_allowed=2)
    (mine,) = invited(session, make, event, make.alumnus())
    say(session, mine, "yes", make.at)
    assert say(session, mine, "yes", make.at, guests=2) is Outcome.NO_ROOM
    assert (mine.answer, mine.guests) == (Answer.COMING, 0)


def test_after_the_deadline_a_yes_is_late_but_a_place_can_still_be_freed(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=1, answer_by=make.at + timedelta(days=1))
    coming, line, late = invited(session, make, event, *(make.alumnus() for _ in range(3)))
    say(session, coming, "yes", make.at)
    say(session, line, "yes", make.at)
    after = make.at + timedelta(days=2)
    assert say(session, late, "yes", after) is Outcome.LATE
    assert say(session, coming, "no", after) is Outcome.DECLINED
    session.refresh(line)
    assert line.answer is Answer.COMING, "the line moves up after the deadline too"


def test_nothing_changes_once_it_has_begun_or_was_called_off(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    (mine,) = invited(session, make, event, make.alumnus())
    assert say(session, mine, "yes", event.starts_at) is Outcome.OVER
    service.cancel(session, event, by=SYSTEM, at=make.at)
    assert say(session, mine, "yes", make.at) is Outcome.OVER
    assert mine.answer is Answer.NONE


def test_places_that_are_promised_cannot_be_taken_away_and_more_let_the_line_in(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=2)
    people = invited(session, make, event, *(make.alumnus() for _ in range(4)))
    for n, mine in enumerate(people):
        say(session, mine, "yes", make.at + n * MINUTE)
    with pytest.raises(Invalid):
        service.edit(session, event, replace(plan_of(event), capacity=1), by=SYSTEM, at=make.at)
    service.edit(session, event, replace(plan_of(event), capacity=3), by=SYSTEM, at=make.at)
    for mine in people:
        session.refresh(mine)
    assert [mine.answer for mine in people] == [Answer.COMING] * 3 + [Answer.WAITING]
    service.edit(session, event, replace(plan_of(event), capacity=None), by=SYSTEM, at=make.at)
    session.refresh(people[3])
    assert people[3].answer is Answer.COMING


DEED = st.tuples(
    st.integers(0, 5), st.sampled_from(["yes", "yes", "no", "maybe", "room"]), st.integers(0, 3)
)


@contextmanager
def taken_back(session: Session) -> Iterator[None]:
    """Everything inside is rolled back at the end."""
    inside = session.begin_nested()
    try:
        yield
    finally:
        inside.rollback()
        session.expire_all()


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(capacity=st.integers(1, 6), deeds=st.lists(DEED, min_size=3, max_size=14))
def test_whatever_people_answer_places_suffice_the_line_is_kept_and_nobody_is_lost(
    session: Session, make: Make, planned: Planned, capacity: int,
    deeds: list[tuple[int, str, int]],
) -> None:  # fmt: skip
    with taken_back(session):
        event = planned(capacity=capacity, guests_allowed=3)
        people = invited(session, make, event, *(make.alumnus() for _ in range(6)))
        line: list[int] = []
        for n, (who, answer, number) in enumerate(deeds):
            at = make.at + n * MINUTE
            if answer == "room":
                change_room(session, event, number, at)
            else:
                respond(session, people[who].id, Reply(answer, number), at=at)
            line = check(session, event, people, line)


def change_room(session: Session, event: Event, number: int, at: datetime) -> None:
    """More or fewer places; fewer than are promised is refused."""
    wanted = replace(plan_of(event), capacity=max(1, (event.capacity or 0) + number - 1))
    try:
        service.edit(session, event, wanted, by=SYSTEM, at=at)
    except Invalid:
        assert (wanted.capacity or 0) < taken(session, event.id)


def check(session: Session, event: Event, people: list[Invitation], before: list[int]) -> list[int]:
    """The rules that always hold; answers who stands in line, in order."""
    session.expire_all()
    places = taken(session, event.id)
    assert places <= (event.capacity or 0)
    waiting = [mine for mine in people if mine.answer is Answer.WAITING]
    waiting.sort(key=lambda mine: (mine.in_line_since, mine.id))
    line = [mine.id for mine in waiting]
    stayed = [number for number in before if number in line]
    assert line[: len(stayed)] == stayed, "nobody passes anybody"
    if waiting:
        assert places + waiting[0].party > (event.capacity or 0), "the first would fit"
    count = select(func.count()).where(Invitation.event_id == event.id)
    assert session.scalar(count) == len(people)
    return line


def test_two_people_who_say_yes_at_once_never_get_the_same_last_place(
    make_database: Callable[[], URL], tmp_path: Path
) -> None:
    app = create_app(settings_for(make_database(), tmp_path))
    with app.app_context():
        make = Make(db.session(), TODAY)
        starts = TODAY + timedelta(days=9)
        plan = Plan(
            kind=EventKind.TALK, texts={"en": {"title": "Talk"}},
            starts_at=starts, ends_at=starts + timedelta(hours=1), time_zone="America/New_York",
            place="Library", capacity=3, guests_allowed=1,
        )  # fmt: skip
        event = service.create(db.session(), plan, by=SYSTEM, at=TODAY)
        service.open_event(db.session(), event, by=SYSTEM, at=TODAY)
        mine = invited(db.session(), make, event, *(make.alumnus() for _ in range(8)))
        ids, event_id = [one.id for one in mine], event.id
        db.session.commit()
    start = threading.Barrier(len(ids))
    threads = [threading.Thread(target=at_once, args=(app, start, number)) for number in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with app.app_context():
        rows = db.session.execute(
            text("select answer, guests from event_invitation where event_id = :id"),
            {"id": event_id},
        ).all()
        assert sum(1 + row.guests for row in rows if row.answer == "coming") <= 3
        assert {row.answer for row in rows} == {"coming", "waiting"}
        db.session.remove()
        db.engine.dispose()


def at_once(app: Flask, start: Any, invitation_id: int) -> None:
    """Say yes, with a guest every other time, at the moment all others do."""
    with app.app_context():
        start.wait(30)
        reply = Reply("yes", invitation_id % 2)
        respond(db.session(), invitation_id, reply, at=TODAY)
        db.session.commit()


def test_an_answer_after_a_merge_is_that_of_the_record_that_stayed(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=1)
    kept, gone = make.alumnus("Rosa"), make.alumnus("Rosa")
    (mine,) = invited(session, make, event, gone)
    say(session, mine, "yes", make.at)
    done = merging.merge(session, kept.id, gone.id, at=make.at, by=None)
    assert invitation(session, event, kept).answer is Answer.COMING
    merging.unmerge(session, done.id, at=make.at, by=None)
    assert invitation(session, event, gone).answer is Answer.COMING


def test_a_person_who_is_forgotten_frees_the_place_and_leaves_no_word(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=1)
    gone, line = invited(session, make, event, make.alumnus(), make.alumnus())
    respond(session, gone.id, Reply("yes", needs="No nuts"), at=make.at)
    respond(session, line.id, Reply("yes"), at=make.at + MINUTE)
    erase(session, gone.alumnus_id, at=make.at, by=None)
    session.commit()
    tick(make.at + MINUTE)
    for mine in (gone, line):
        session.refresh(mine)
    assert (gone.answer, gone.needs) == (Answer.DECLINED, "")
    assert line.answer is Answer.COMING
