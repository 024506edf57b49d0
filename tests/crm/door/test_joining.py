"""Joining by the public door: nothing before the link, nothing learnt by asking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, Interest, Schooling
from crm.consent import service as consent
from crm.consent.models import (
    ConsentEntry,
    ConsentSource,
    ConsentState,
    Suppression,
    SuppressionReason,
)
from crm.consent.queries import choices_of, suppression_of
from crm.core import clock
from crm.core.models import Throttle
from crm.door import gate
from crm.door.models import ClassmateNote, JoinPending
from crm.duplicates.models import DuplicatePair
from crm.mail.models import Message
from crm.rights import retention
from crm.schools.models import School
from tests.factories import Make

RECORDS = (Alumnus, ContactPoint, Interest, Schooling, ConsentEntry, Suppression, DuplicatePair)


def counts(session: Session) -> list[int]:
    """How many rows each table of records and of consent has."""
    return [session.execute(select(func.count()).select_from(t)).scalar_one() for t in RECORDS]


def suppress(session: Session, address: str, reason: SuppressionReason, at: datetime) -> None:
    consent.suppress(session, [address], reason=reason, source="test", at=at - timedelta(days=9))


def test_a_link_pressed_makes_the_record_with_its_consent_in_the_words_that_were_shown(
    client: FlaskClient, session: Session, link: Callable[..., str], school: School
) -> None:
    before = counts(session)
    address = link()
    for _ in range(3):
        page = client.get(address)
        assert page.status_code == 200
        assert "Ngozi Ibe" in page.text
    assert counts(session) == before

    welcome = client.post(address)
    assert "/me/" in welcome.text
    person = session.scalars(select(Alumnus)).one()
    assert (person.full_name, person.class_year, person.made_by) == ("Ngozi Ibe", 2012, "join")
    point = session.scalars(select(ContactPoint)).one()
    assert (point.value, point.source, point.preferred) == ("ngozi@mail.example", "join", True)
    assert session.scalars(select(Schooling.school_id)).all() == [school.id]
    assert session.scalars(select(Interest.key)).all() == ["mentor"]
    entries = session.scalars(select(ConsentEntry)).all()
    said = {entry.topic_key: entry.state for entry in entries}
    assert said == {
        "news": ConsentState.GRANTED, "events": ConsentState.GRANTED,
        "volunteering": ConsentState.WITHDRAWN,
    }  # fmt: skip
    assert {entry.source for entry in entries} == {ConsentSource.LINK}
    assert all("I am the person named here" in entry.wording for entry in entries)


def test_pressing_twice_makes_one_record(
    client: FlaskClient, session: Session, link: Callable[..., str]
) -> None:
    address = link()
    client.post(address)
    once = counts(session)
    again = client.post(address)
    assert again.status_code == 200
    assert "/me/" in again.text
    assert counts(session) == once
    assert "already" in client.get(address).text


def test_an_old_link_and_a_forged_one_do_nothing(
    client: FlaskClient, session: Session, link: Callable[..., str], now: datetime
) -> None:
    address = link()
    before = counts(session)
    assert client.post(address[:-1] + "~").status_code == 404
    with clock.at(now + timedelta(days=4)):
        assert client.get(address).status_code == 410
        assert client.post(address).status_code == 410
    assert counts(session) == before
    retention.run(session, at=now + timedelta(days=4), within=7)
    assert session.scalar(select(func.count()).select_from(JoinPending)) == 0
    secrets = session.scalars(select(Message.merge)).all()
    assert secrets == [{}]


def test_the_answer_is_the_same_whoever_the_address_is_of(
    client: FlaskClient, session: Session, make: Make, fill: Callable[..., Any], now: datetime,
    queries: list[str],
) -> None:  # fmt: skip
    make.alumnus(email="known@mail.example")
    make.alumnus(email="left@mail.example")
    suppress(session, "left@mail.example", SuppressionReason.UNSUBSCRIBED, now)
    suppress(session, "bounced@mail.example", SuppressionReason.BOUNCED, now)
    seen = []
    for name in ("warm-up", "nobody", "known", "left", "bounced"):
        queries.clear()
        answer = client.post("/join", data=fill(email=f"{name}@mail.example"))
        page = client.get(answer.headers["Location"])
        headers = sorted((k, v) for k, v in answer.headers if k != "Set-Cookie")
        work = [q for q in queries if "SAVEPOINT" not in q]
        seen.append((answer.status_code, answer.text, headers, page.text, work))
    assert all(each == seen[1] for each in seen[2:])


def test_somebody_known_gets_their_own_page_by_mail_and_no_second_record(
    session: Session, client: FlaskClient, make: Make, fill: Callable[..., Any], letters: Any
) -> None:
    person = make.alumnus(email="known@mail.example")
    before = counts(session)
    client.post("/join", data=fill(email="Known@Mail.example"))
    letter = letters()[-1]
    assert letter.alumnus_id == person.id
    assert letter.merge == {}
    assert counts(session) == before
    assert session.scalar(select(func.count()).select_from(JoinPending)) == 0


def test_an_address_gets_one_letter_an_hour_and_three_a_day_whatever_is_posted(
    client: FlaskClient, fill: Callable[..., Any], letters: Any, now: datetime
) -> None:
    for hour in range(8):
        at = now + timedelta(hours=hour, minutes=hour)
        with clock.at(at):
            for form in ("/join", "/join/find-a-classmate"):
                for name in ("me", "m.e", "me+1", "ME+two"):
                    stamp = gate.stamp(at - timedelta(seconds=9))
                    data = fill(email=f"{name}@gmail.com", stamp=stamp, name="Ada", sender="Al")
                    client.post(form, data=data)
        letters(at)
    assert len(letters(now + timedelta(hours=9))) == 3


def test_a_flood_from_one_place_is_stopped(
    client: FlaskClient, fill: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "BY_CLIENT", 3)
    codes = [client.post("/join", data=fill(email=f"a{n}@m.example")).status_code for n in range(5)]
    assert codes == [303, 303, 303, 429, 429]


@pytest.mark.parametrize("form", ["/join", "/join/find-a-classmate"])
def test_a_machine_gets_the_same_answer_and_leaves_nothing(
    client: FlaskClient, session: Session, fill: Callable[..., Any], form: str
) -> None:
    data = fill(name="Ada", sender="Al")
    person = client.post(form, data=data)
    robot = client.post(form, data=data | {"website": "https://spam.example"})
    assert (robot.status_code, robot.headers["Location"]) == (303, person.headers["Location"])
    kept = session.scalar(select(func.count()).select_from(JoinPending)) or 0
    kept += session.scalar(select(func.count()).select_from(ClassmateNote)) or 0
    assert kept == 1


@pytest.mark.parametrize("seconds", [0, 1, 60 * 60 * 13, None])
def test_a_form_that_was_filled_in_too_fast_or_long_ago_is_shown_again(
    client: FlaskClient, session: Session, fill: Callable[..., Any], now: datetime,
    seconds: int | None,
) -> None:  # fmt: skip
    stamp = "forged" if seconds is None else gate.stamp(now - timedelta(seconds=seconds))
    answer = client.post("/join", data=fill(stamp=stamp))
    assert answer.status_code == 422
    assert "Ngozi" in answer.text
    assert session.scalar(select(func.count()).select_from(JoinPending)) == 0


def test_a_pupil_below_the_last_year_is_told_to_come_back(
    client: FlaskClient, session: Session, fill: Callable[..., Any]
) -> None:
    answer = client.post("/join", data=fill(year_1="2030"))
    assert answer.status_code == 422
    assert "Come back in your last year" in answer.text
    assert session.scalar(select(func.count()).select_from(JoinPending)) == 0


@pytest.mark.parametrize(
    ("reason", "lifted"),
    [
        (SuppressionReason.UNSUBSCRIBED, True), (SuppressionReason.BOUNCED, False),
        (SuppressionReason.COMPLAINED, False), (SuppressionReason.STAFF, False),
    ],
)  # fmt: skip
def test_joining_lifts_the_persons_own_no_and_nothing_else(
    client: FlaskClient, session: Session, link: Callable[..., str], now: datetime,
    reason: SuppressionReason, lifted: bool,
) -> None:  # fmt: skip
    suppress(session, "ngozi@mail.example", reason, now)
    client.post(link())
    assert (suppression_of(session, "ngozi@mail.example") is None) is lifted


def test_a_namesake_of_the_class_is_proposed_and_never_merged(
    client: FlaskClient, session: Session, make: Make, link: Callable[..., str], school: School
) -> None:
    old = make.alumnus("Ngozi", "Ibe", school=school, class_year=2012, email=None)
    client.post(link())
    pair = session.scalars(select(DuplicatePair)).one()
    assert pair.first_id == old.id
    assert session.scalar(select(func.count()).select_from(ContactPoint)) == 1
    assert not session.scalars(select(Interest).where(Interest.alumnus_id == old.id)).all()


def test_a_name_in_any_script_joins(
    client: FlaskClient, session: Session, link: Callable[..., str]
) -> None:
    client.post(link(given_name="ሰላም", family_name="", language="am"))
    person = session.scalars(select(Alumnus)).one()
    assert (person.full_name, person.language) == ("ሰላም", "am")
    assert choices_of(session, person.id)["giving"] is False


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    form=st.sampled_from(["/join", "/join/find-a-classmate"]),
    email=st.sampled_from(
        ["known@mail.example", "left@mail.example", "new@mail.example", "x", "a@b@c", ""]
    )
    | st.text(max_size=30),
    words=st.text(max_size=40),
    topics=st.lists(st.sampled_from(["news", "giving", "nothing"]), max_size=3),
)
def test_whatever_is_posted_nothing_changes_before_a_confirmation(
    client: FlaskClient, session: Session, make: Make, fill: Callable[..., Any], letters: Any,
    now: datetime, form: str, email: str, words: str, topics: list[str],
) -> None:  # fmt: skip
    if suppression_of(session, "left@mail.example") is None:
        make.alumnus(email="known@mail.example")
        suppress(session, "left@mail.example", SuppressionReason.UNSUBSCRIBED, now)
    session.execute(delete(Throttle))
    before = counts(session)
    data = fill(email=email, given_name=words, topics=topics, name=words, sender="Al", hint=words)
    answer = client.post(form, data=data)
    letters()
    assert answer.status_code in {303, 400, 422}
    assert counts(session) == before


@pytest.mark.parametrize("year", ["", "soon", "12", "99999999999", "-1", "2012.5"])
@pytest.mark.parametrize("field", ["year_1", "year_2"])
def test_a_year_that_is_none_is_asked_for_again(
    client: FlaskClient, session: Session, fill: Callable[..., Any], school: School, field: str,
    year: str,
) -> None:  # fmt: skip
    answer = client.post("/join", data=fill(**{"school_2": str(school.id), field: year}))
    assert answer.status_code == 422
    assert session.scalar(select(func.count()).select_from(JoinPending)) == 0
