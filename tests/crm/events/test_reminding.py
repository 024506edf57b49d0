"""What comes after the invitation: reminders, changes, and what the pages and commands tell."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.consent.age import AgeRule, Outreach
from crm.consent.models import ConsentSource
from crm.consent.service import withdraw
from crm.core.district import choose
from crm.core.errors import Conflict
from crm.core.viewer import SYSTEM
from crm.events import queries, service
from crm.events.answers import Reply, respond
from crm.events.inviting import tick
from crm.events.models import Answer, Event, EventState, Invitation
from crm.events.plan import plan_of
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem, Message, MessageAttachment, MessageState
from crm.mail.reasons import UNDER_AGE
from lifecycle.engine.service import advance
from tests.crm.events.conftest import Planned, invited
from tests.crm.events.letters import DAY, steps
from tests.factories import Make


def coming(session: Session, make: Make, event: Event, count: int = 1) -> list[Invitation]:
    """People who said yes today."""
    people = invited(session, make, event, *(make.alumnus() for _ in range(count)))
    for mine in people:
        respond(session, mine.id, Reply("yes"), at=make.at)
    session.commit()
    return people


def test_a_full_tick_reminds_those_coming_once_for_each_reminder(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    coming(session, make, event, 2)
    invited(session, make, event, make.alumnus())
    for days_before, expected in ((10, 0), (7, 2), (6, 2), (1, 4), (0.5, 4)):
        moment = event.starts_at - days_before * DAY
        for _ in range(2):
            advance(moment)
        assert steps(session, event)["reminder"] == expected, days_before


def test_who_says_yes_after_a_reminder_was_due_is_spared_it(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    (mine,) = invited(session, make, event, make.alumnus())
    respond(session, mine.id, Reply("yes"), at=event.starts_at - 3 * DAY)
    assert tick(event.starts_at - 2 * DAY) == 0
    assert tick(event.starts_at - DAY) == 1


def test_a_postponed_event_reminds_anew(session: Session, make: Make, planned: Planned) -> None:
    event = planned(reminders=(1,))
    coming(session, make, event)
    assert tick(event.starts_at - DAY) == 1
    moved = replace(
        plan_of(event), starts_at=event.starts_at + 7 * DAY, ends_at=event.ends_at + 7 * DAY
    )
    service.edit(session, event, moved, by=SYSTEM, at=event.starts_at - DAY)
    assert tick(event.starts_at - DAY) == 1


def test_a_reminder_obeys_who_left_the_topic(
    app: Flask, session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    (mine,) = coming(session, make, event)
    withdraw(session, mine.alumnus_id, topic_key="events", source=ConsentSource.LINK, at=make.at)
    moment = event.starts_at - DAY
    tick(moment)
    deliver(app, at=moment)
    fate = session.scalars(select(Message).where(Message.origin.endswith("/reminder"))).one()
    assert fate.reason == "consent_withdrawn"


def test_a_change_of_time_is_told_once_and_brings_calendars_up_to_date(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    coming(session, make, event, 2)
    invited(session, make, event, make.alumnus())
    words = replace(plan_of(event), texts={"en": {"title": "Grand reunion"}})
    service.edit(session, event, words, by=SYSTEM, at=make.at)
    with pytest.raises(Conflict):
        service.tell(session, event, by=SYSTEM, at=make.at)
    later = replace(plan_of(event), place="Cafeteria")
    service.edit(session, event, later, by=SYSTEM, at=make.at)
    assert service.tell(session, event, by=SYSTEM, at=make.at) == 2
    with pytest.raises(Conflict):
        service.tell(session, event, by=SYSTEM, at=make.at)
    changed = select(MessageAttachment.body).join(
        Message, Message.id == MessageAttachment.message_id
    )
    files = session.scalars(changed.where(Message.origin.endswith("/changed"))).all()
    assert len(files) == 2
    assert all(b"SEQUENCE:1" in body for body in files)
    assert all(b"LOCATION:Cafeteria" in body for body in files)


def test_calling_off_tells_those_who_planned_and_drops_what_waits(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=1)
    yes, line = coming(session, make, event, 2)
    assert line.answer is Answer.WAITING
    silent = make.alumnus()
    invited(session, make, event, silent)
    assert service.cancel(session, event, by=SYSTEM, at=make.at) == 2
    told = session.scalars(
        select(Message.alumnus_id).where(Message.origin.endswith("/cancelled"))
    ).all()
    assert set(told) == {yes.alumnus_id, line.alumnus_id}
    open_ones = select(func.count()).where(
        Message.state == "queued", ~Message.origin.endswith("/cancelled")
    )
    assert session.scalar(open_ones) == 0
    assert queries.mail_report(session, event).adds_up
    body = session.scalars(
        select(MessageAttachment.body)
        .join(Message, Message.id == MessageAttachment.message_id)
        .where(Message.origin.endswith("/cancelled"))
    ).first()
    assert body is not None
    assert b"METHOD:CANCEL" in body


def test_an_event_that_is_over_is_held_by_itself(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned()
    session.commit()
    tick(event.ends_at)
    session.refresh(event)
    assert event.state is EventState.HELD


def test_the_commands_list_invite_and_report(
    session: Session, make: Make, planned: Planned, runner: Any
) -> None:
    event = planned(capacity=40)
    make.alumnus(class_year=1999)
    session.commit()

    def run(*args: str) -> Any:
        done = runner.invoke(args=["events", *args, "--json", "--as-of", make.at.isoformat()])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout.splitlines()[-1])

    assert run("invite", event.key, "--query", "class:1999")["new"] == 1
    again = run("invite", event.key)
    assert (again["new"], again["already"], again["audience"]) == (0, 1, 1)
    assert run("list")["events"][0]["invited"] == 1
    report = run("report", event.key)
    assert report["by_class"] == {"1990": {"invited": 1, "came": 0}}
    assert report["mail"]["waiting"] == 1
    refused = runner.invoke(args=["events", "report", "nothing", "--json"])
    assert refused.exit_code == 1


def test_a_query_asks_how_people_stand_to_an_event(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient
) -> None:
    event = planned()
    yes, silent = invited(session, make, event, make.alumnus("Yara"), make.alumnus("Saul"))
    respond(session, yes.id, Reply("yes"), at=make.at)

    def found(query: str) -> int:
        return int(coordinator.get("/people/count", query_string={"q": query}).get_json()["count"])

    assert silent.answer is Answer.NONE
    assert found(f"event:{event.key}") == 2
    assert found(f"event.{event.key}:coming") == 1
    assert found(f"event.{event.key}:none") == 1
    assert found(f"event.{event.key}:came") == 0
    wrong = coordinator.get("/people/count", query_string={"q": "event:clas-reunion"})
    assert wrong.status_code == 422
    assert wrong.get_json()["suggestion"] == event.key


def test_the_home_page_tells_of_this_week_and_of_the_line(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient, now: datetime
) -> None:
    starts = make.at + 3 * DAY
    event = planned(starts_at=starts, ends_at=starts + DAY / 24, capacity=1)
    coming(session, make, event, 2)
    page = coordinator.get("/").text
    assert "event takes place this week" in page
    assert "person waits for a place" in page


@pytest.mark.parametrize(
    ("rule", "gone"),
    [
        (AgeRule(), {"invitation": False, "reminder": False}),
        (AgeRule(outreach=Outreach.HANDOVER), {"invitation": False, "reminder": False}),
        (
            AgeRule(outreach=Outreach.TOPICS, topics=("news",)),
            {"invitation": False, "reminder": False},
        ),
        (
            AgeRule(outreach=Outreach.TOPICS, topics=("events",)),
            {"invitation": True, "reminder": True},
        ),
    ],
)
def test_nobody_under_18_is_invited_or_reminded_unless_the_district_switched_events_on(
    app: Flask, session: Session, make: Make, planned: Planned, rule: AgeRule, gone: dict[str, bool]
) -> None:
    choose(session, rule, at=make.at)
    event = planned()
    child = make.alumnus("Kit", class_year=None, birth_date=date(2011, 5, 1), email="kit@m.example")
    grown = make.alumnus("Ann", class_year=None, birth_date=date(1990, 5, 1), email="ann@m.example")
    for mine in invited(session, make, event, child, grown):
        respond(session, mine.id, Reply("yes"), at=make.at)
    session.commit()
    deliver(app, at=make.at)
    before = event.starts_at - DAY
    advance(before)
    deliver(app, at=before)
    for step, words in (("invitation", "event:%:invitation:%"), ("reminder", "event:%/reminder:%")):
        rows = session.execute(
            select(Message.alumnus_id, Message.state, Message.reason).where(Message.key.like(words))
        ).all()
        fates = {person: (state, reason) for person, state, reason in rows}
        assert fates[grown.id] == (MessageState.ACCEPTED, None), step
        expected = (
            (MessageState.ACCEPTED, None) if gone[step] else (MessageState.SKIPPED, UNDER_AGE)
        )
        assert fates[child.id] == expected, step


def test_the_points_of_a_list_stay_apart_in_the_letter(
    app: Flask, session: Session, make: Make, planned: Planned
) -> None:
    about = "Food and\n*music*.\n\n- Doors open early\n- Bring photos"
    event = planned(texts={"en": {"title": "Class reunion", "description": about}})
    invited(session, make, event, make.alumnus())
    session.commit()
    deliver(app, at=make.at)
    (mail,) = session.scalars(select(MailboxItem))
    told = "Food and music. · Doors open early · Bring photos"
    assert told in mail.substitutions.values()
