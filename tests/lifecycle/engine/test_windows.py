"""When messages of journeys go, and what they do where the contact budget is used up."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.district import choose
from crm.core.viewer import SYSTEM
from crm.mail.content import shipped_version
from crm.mail.delivery import deliver
from crm.mail.hours import Hours, SendingHours, first_open, kept
from crm.mail.models import Message, MessageClass, MessageState
from lifecycle.calendar.choices import SchoolCalendar, Span
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment
from tests.factories import Make

DAY = timedelta(days=1)
HEAD = "journey: win\nname: Win\nserves: A goal\nenter: class:2015\n{}steps:\n"
SEND = "  - {{id: one, send: welcome-hello, topic: news, expires: 20d{}}}\n  - {{id: rest, wait: 60d}}\n  - {{id: end, exit: done}}\n"  # noqa: E501


def publish(session: Session, window: str, at: datetime, more: str = "") -> None:
    text = HEAD.format(f"window: {window}\n" if window else "") + SEND.format(more)
    service.publish(session, text, name="x.yaml", by=SYSTEM, at=at)
    session.commit()


def moments(session: Session) -> dict[int | None, datetime]:
    session.expire_all()
    return dict(session.execute(select(Message.alumnus_id, Message.not_before)).all())


def test_a_message_waits_for_the_window_where_its_reader_lives(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    office = make.alumnus(class_year=2015)
    west = make.alumnus(class_year=2015, time_zone="America/Los_Angeles")
    friday_night = datetime(2026, 9, 18, 22, tzinfo=UTC)  # 18:00 at the office
    publish(session, "{days: mon-fri, hours: 9-17}", now)
    advance(friday_night)
    monday = datetime(2026, 9, 21, 13, tzinfo=UTC)
    # In the west it is still 15:00 on Friday.
    assert moments(session) == {office.id: monday, west.id: friday_night}
    assert deliver(app, at=friday_night).accepted == 1
    assert deliver(app, at=friday_night + DAY).accepted == 0
    assert deliver(app, at=monday).accepted == 1


def test_the_window_binds_a_message_that_the_budget_put_off(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2015)
    saturday = datetime(2026, 9, 12, 15, tzinfo=UTC)
    sent(session, make, person.id, saturday, 2)
    publish(session, "{days: mon, hours: 10-11}", now)
    advance(datetime(2026, 9, 14, 14, 30, tzinfo=UTC))  # Monday 10:30
    deliver(app, at=datetime(2026, 9, 14, 14, 31, tzinfo=UTC))
    waiting = select(Message.not_before).where(Message.origin == "journey:win/one")
    assert session.scalars(waiting).one() == datetime(2026, 9, 21, 14, tzinfo=UTC)


def sent(session: Session, make: Make, person: int, at: datetime, number: int) -> None:
    version = shipped_version(session, "welcome-hello", at)
    for n in range(number):
        key = f"{person:08d}-0000-0000-0000-{n:012d}"
        make.save(
            Message(
                id=key, key=key, alumnus_id=person, message_class=MessageClass.MARKETING,
                topic_key="news", origin="campaign:x", version_id=version, queued_at=at,
                not_before=at, state=MessageState.ACCEPTED, accepted_at=at, claimed_at=at,
            )
        )  # fmt: skip


@pytest.mark.parametrize(
    ("on_cap", "state", "end"),
    [("defer", "queued", None), ("skip", "skipped", None), ("exit", "skipped", "cap")],
)
def test_what_follows_where_the_budget_is_used_up(
    app: Flask, session: Session, make: Make, now: datetime, on_cap: str, state: str, end: str
) -> None:
    person = make.alumnus(class_year=2015)
    sent(session, make, person.id, now - DAY, 2)
    publish(session, "", now, f", on_cap: {on_cap}")
    advance(now)
    deliver(app, at=now)
    advance(now + timedelta(minutes=1))
    session.expire_all()
    message = session.scalars(select(Message).where(Message.origin == "journey:win/one")).one()
    assert message.state == state
    assert message.reason == (None if state == "queued" else "contact_budget")
    assert session.scalars(select(Enrollment.end_reason)).one() == end


def test_school_days_leave_breaks_out(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2015)
    calendar = SchoolCalendar(
        terms=(Span(name="Fall", starts=date(2026, 8, 3), ends=date(2026, 12, 18)),),
        breaks=(Span(name="Off", starts=date(2026, 9, 17), ends=date(2026, 9, 22)),),
    )
    choose(session, calendar, at=now)
    publish(session, "{days: school, hours: 9-15}", now)
    advance(datetime(2026, 9, 16, 23, tzinfo=UTC))
    assert set(moments(session).values()) == {datetime(2026, 9, 23, 13, tzinfo=UTC)}


def test_the_districts_hours_are_a_setting_and_bound_every_window(
    app: Flask, coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=2015)
    saved = {"opens": "10", "closes": "12", "days": ["1", "2"]}
    answer = coordinator.post("/settings/sending-hours", data=saved, follow_redirects=True)
    assert "It holds for every message that has not left yet" in answer.text
    refused = coordinator.post("/settings/sending-hours", data={**saved, "closes": "11"})
    assert refused.status_code == 422
    publish(session, "{hours: 8-20}", now)
    advance(datetime(2026, 9, 16, 16, tzinfo=UTC))  # Wednesday noon: over
    assert set(moments(session).values()) == {datetime(2026, 9, 22, 14, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ("{days: someday}", "5: days: "),
        ("{hours: late}", "5: hours: "),
        ("{hours: 17-9}", "the window closes before it opens"),
        ("{days: mon, colour: red}", "“colour” means nothing here"),
        ("{days: mon, hours: 9-10}\n#", "step one: it expires in 5d"),
    ],
)
def test_windows_that_never_open_are_refused(
    coordinator: FlaskClient, window: str, said: str
) -> None:
    text = HEAD.format(f"window: {window}\n") + SEND.format("").replace("20d", "5d")
    answer = coordinator.post("/journeys/check", data={"text": text})
    assert answer.status_code == 422
    assert said in answer.text


spans = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda s: s[0] < s[1])
hours = st.builds(
    lambda span, days: Hours(time(span[0]), time(span[1] % 24), tuple(sorted(days))),
    spans, st.sets(st.integers(0, 6), min_size=1),
)  # fmt: skip
seconds = st.integers(1_767_225_600, 1_861_920_000)
zones = st.sampled_from(["America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "UTC"])


@given(seconds, zones, hours, hours)
def test_the_first_open_moment_is_open_and_none_before_it_is(
    second: int, name: str, one: Hours, other: Hours
) -> None:
    at, zone = datetime.fromtimestamp(second, UTC), ZoneInfo(name)
    assert kept(one.plain()) == one
    found = first_open(at, zone, one, other)

    def is_open(moment: datetime) -> bool:
        local = moment.astimezone(zone)
        minute = local.hour * 60 + local.minute
        return all(
            span is not None and span[0] <= minute < span[1]
            for span in (one.on(local.date()), other.on(local.date()))
        )

    if found is None:
        assert not any(is_open(at + timedelta(hours=n)) for n in range(24 * 8))
        return
    assert found >= at
    assert is_open(found)
    steps = int((found - at) / timedelta(minutes=30))
    assert found == at or not any(
        is_open(at + timedelta(minutes=30 * n)) for n in range(min(steps, 400))
    )


def test_a_district_chooses_at_least_two_hours(session: Session) -> None:
    with pytest.raises(ValueError, match="two hours"):
        SendingHours(opens=9, closes=10)
