"""Nobody under 18 gets mail beyond what the district switched on, whatever we know of their age."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Schooling, SchoolingStatus
from crm.consent.age import AgeRule, Outreach, adult_day, adult_on, minor_on, under_age
from crm.core.district import choose, chosen
from crm.mail import reasons
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageClass, MessageState
from crm.mail.outbox import queue_many
from crm.mail.policy import Facts, Go, Skip, decide
from tests.crm.mail.outbox import make_content, queue, state
from tests.factories import Make

births = st.dates(date(2004, 1, 1), date(2012, 12, 31)) | st.sampled_from(
    [date(2008, 2, 29), date(2004, 2, 29), date(2008, 9, 15), date(2008, 9, 16)]
)
zones = st.sampled_from(
    [None, "America/New_York", "Pacific/Honolulu", "Pacific/Kiritimati", "Asia/Kathmandu"]
)
moments = st.integers(0, 6 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
rules = st.builds(
    AgeRule,
    outreach=st.sampled_from(Outreach),
    handover=st.sets(st.sampled_from(["journey:welcome", "campaign:hello"])).map(tuple),
    topics=st.sets(st.sampled_from(["news", "events", "volunteering"])).map(tuple),
    margin_years=st.integers(0, 2),
)


def years_lived(born: date, day: date) -> int:
    """Full years between two days, counted the long way round: birthday by birthday."""
    lived = 0
    while True:
        year = born.year + lived + 1
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        day_off = (born.month, born.day) == (2, 29) and not leap
        next_birthday = date(year, 3, 1) if day_off else date(year, born.month, born.day)
        if next_birthday > day:
            return lived
        lived += 1


@given(births, zones, moments, rules, st.sampled_from(MessageClass))
@example(
    date(2008, 2, 29),
    None,
    datetime(2026, 3, 1, 4, 59, tzinfo=UTC),
    AgeRule(),
    MessageClass.MARKETING,
)
@example(
    date(2008, 2, 29),
    None,
    datetime(2026, 3, 1, 5, 0, tzinfo=UTC),
    AgeRule(),
    MessageClass.MARKETING,
)
def test_whoever_has_not_lived_18_years_where_they_live_gets_what_is_switched_on_and_no_more(
    born: date, zone: str | None, at: datetime, rule: AgeRule, kind: MessageClass
) -> None:
    day = at.astimezone(ZoneInfo(zone or "America/New_York")).date()
    for topic in ("news", "giving", None):
        for origin in ("journey:welcome/hello", "journey:reunion/ask", "campaign:hello"):
            handed = rule.outreach is not Outreach.NOTHING and origin.split("/")[0] in rule.handover
            named = rule.outreach is Outreach.TOPICS and topic in rule.topics
            fine = kind is not MessageClass.ASK and (handed or named)
            allows = rule.allows(ask=kind is MessageClass.ASK, topic_key=topic, origin=origin)
            known = Facts(
                kind, birth_date=born, time_zone=zone, address="a@mail.example", language="en",
                for_minors=allows, margin_years=rule.margin_years,
            )  # fmt: skip
            barred = kind is not MessageClass.IMMEDIATE and years_lived(born, day) < 18 and not fine
            assert (decide(known, at=at) == Skip(reasons.UNDER_AGE)) == barred


@given(st.integers(2020, 2032), st.dates(date(2024, 1, 1), date(2032, 1, 1)), st.integers(0, 2))
def test_a_class_without_dates_of_birth_is_18_on_the_first_of_september(
    year: int, day: date, margin: int
) -> None:
    known = adult_on(None, year, None, margin_years=margin)
    assert under_age(known, day) == (day < date(year + margin, 9, 1))
    assert adult_on(None, None, date(year, 6, 1), margin_years=margin) == known


def test_a_pupil_of_no_known_class_counts_as_under_18_and_a_stranger_does_not() -> None:
    assert under_age(adult_on(None, None, None, enrolled=True), date(2026, 1, 1))
    assert not under_age(adult_on(None, None, None), date(2026, 1, 1))


@given(
    born=st.none() | births, year=st.none() | st.integers(2019, 2031), graduated=st.none() | births,
    day=st.dates(date(2025, 1, 1), date(2030, 12, 31)), margin=st.integers(0, 2),
    enrolled=st.booleans(),
)  # fmt: skip
@example(
    born=date(2008, 2, 29),
    year=None,
    graduated=None,
    day=date(2026, 2, 28),
    margin=0,
    enrolled=False,
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_database_and_the_rule_agree_about_everybody(
    session: Session, make: Make, born: date | None, year: int | None, graduated: date | None,
    day: date, margin: int, enrolled: bool,
) -> None:  # fmt: skip
    person = make.alumnus(class_year=year, birth_date=born, graduated_on=graduated, email=None)
    tie = session.scalars(select(Schooling).where(Schooling.alumnus_id == person.id)).one()
    tie.status = SchoolingStatus.ENROLLED if enrolled else SchoolingStatus.GRADUATED
    session.flush()
    known = adult_on(born, year, graduated, enrolled=enrolled, margin_years=margin)
    row = session.execute(
        select(minor_on(day, margin_years=margin), adult_day(margin_years=margin)).where(
            Alumnus.id == person.id
        )
    ).one()
    assert (bool(row[0]), row[1]) == (under_age(known, day), known)


BORN = date(2009, 1, 1)


@pytest.mark.parametrize(
    ("rule", "values", "goes"),
    [
        (AgeRule(), {}, False),
        (AgeRule(), {"origin": "journey:welcome/hello"}, False),
        (AgeRule(outreach=Outreach.HANDOVER), {}, False),
        (AgeRule(outreach=Outreach.HANDOVER), {"origin": "journey:welcome/hello"}, True),
        (AgeRule(outreach=Outreach.TOPICS, topics=("events",)), {}, False),
        (AgeRule(outreach=Outreach.TOPICS, topics=("news",)), {}, True),
        (AgeRule(outreach=Outreach.TOPICS, topics=("news",)), {"message_class": MessageClass.ASK},
         False),
    ],
)  # fmt: skip
def test_a_message_for_a_pupil_is_decided_when_it_is_queued_and_again_when_it_would_go(
    app: Flask, session: Session, make: Make, now: datetime, rule: AgeRule, values: dict[str, Any],
    goes: bool,
) -> None:  # fmt: skip
    choose(session, rule, at=now)
    version, person = make_content(session, now), make.alumnus(birth_date=BORN)
    one = queue(session, person, version, now, key="one", **values)
    queue_many(
        session, select(Alumnus.id.label("alumnus_id"), literal("many").label("key")),
        at=now, version_id=version,
        **{"message_class": MessageClass.MARKETING, "origin": "campaign:x", "topic_key": "news",
           **values},
    )  # fmt: skip
    many = session.scalars(select(Message.id).where(Message.key == "many")).one()
    wanted = MessageState.QUEUED if goes else MessageState.SKIPPED
    assert {state(session, i)[0] for i in (one, many)} == {wanted}
    # The switch is turned off after it was queued: the hand-over looks again.
    choose(session, AgeRule(), at=now)
    deliver(app, at=now)
    assert {state(session, i) for i in (one, many)} == {(MessageState.SKIPPED, reasons.UNDER_AGE)}


def test_what_may_only_go_after_the_birthday_waits_for_it(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(birth_date=date(2008, 9, 20))
    sent = queue(session, person, make_content(session, now), now, not_before=now + timedelta(8))
    assert state(session, sent)[0] is MessageState.QUEUED
    deliver(app, at=now + timedelta(8))
    assert state(session, sent)[0] is MessageState.ACCEPTED


def test_the_birthday_counts_where_the_person_lives() -> None:
    at = datetime(2026, 9, 16, 2, 0, tzinfo=UTC)
    known = Facts(
        MessageClass.MARKETING, birth_date=date(2008, 9, 16), address="a@mail.example",
        language="en", time_zone="Pacific/Honolulu",
    )  # fmt: skip
    assert decide(known, at=at) == Skip(reasons.UNDER_AGE)
    assert decide(known, at=datetime(2026, 9, 16, 20, 0, tzinfo=UTC)) == Go()


def test_the_switches_are_a_page_that_keeps_what_was_chosen(
    coordinator: FlaskClient, session: Session
) -> None:
    data = {"outreach": "topics", "topics": ["news"], "margin_years": "1"}
    assert coordinator.post("/settings/under-18", data=data).status_code == 303
    rule = chosen(session, AgeRule)
    assert (rule.outreach, rule.topics, rule.margin_years) == (Outreach.TOPICS, ("news",), 1)
    bad = {"outreach": "everything", "margin_years": "9"}
    assert coordinator.post("/settings/under-18", data=bad).status_code == 422
    assert chosen(session, AgeRule) == rule
