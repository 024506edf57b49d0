"""The consent panel's route and what the query language may ask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.consent import queries, service
from crm.consent.models import ConsentEntry, ConsentSource, SuppressionReason
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role
from crm.query import compile_query
from tests.factories import Make


def told(topic: str, state: str, wording: str = "rang on 3 May") -> dict[str, str]:
    return {"word-topic": topic, "word-state": state, "word-wording": wording}


def test_staff_record_a_withdrawal_on_somebodys_word(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    person = make.alumnus()
    answer = coordinator.post(f"/people/{person.id}/consent", data=told("news", "withdrawn"))
    assert answer.status_code == 303
    entry = session.scalars(select(ConsentEntry)).one()
    assert (entry.topic_key, entry.source, entry.wording) == ("news", "staff", "rang on 3 May")


@pytest.mark.parametrize(
    "data",
    [
        told("news", "granted", ""), told("weather", "granted"), told("news", "perhaps"), {},
        told("news", "granted", "x" * 5_000), told("\x00", "granted"),
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_recorded_is_refused(
    coordinator: FlaskClient, make: Make, session: Session, data: dict[str, str]
) -> None:
    person = make.alumnus()
    answer = coordinator.post(f"/people/{person.id}/consent", data=data)
    assert answer.status_code == 422
    assert session.scalars(select(ConsentEntry)).all() == []


def test_a_liaison_records_nothing_for_people_of_other_schools(
    make: Make, login_as: Callable[[User], FlaskClient], session: Session
) -> None:
    mine, other = make.school(), make.school()
    person = make.alumnus(school=other)
    browser = login_as(make.user(Role.LIAISON, school=mine))
    answer = browser.post(f"/people/{person.id}/consent", data=told("news", "withdrawn"))
    assert answer.status_code == 404
    assert session.scalars(select(ConsentEntry)).all() == []


def test_the_page_of_a_person_says_what_may_be_sent_and_why(
    coordinator: FlaskClient, make: Make, session: Session, now: datetime
) -> None:
    person = make.alumnus(email="zoe@mail.example")
    service.withdraw(session, person.id, topic_key="news", source=ConsentSource.ONE_CLICK, at=now)
    service.suppress(
        session, ["zoe@mail.example"], reason=SuppressionReason.COMPLAINED, source="t", at=now
    )
    page = coordinator.get(f"/people/{person.id}").text
    assert "they pressed “unsubscribe” in their mail program" in page
    assert "mail to it was reported as spam" in page


def test_queries_find_whom_a_topic_may_reach_and_whose_address_is_closed(
    make: Make, session: Session, now: datetime
) -> None:
    here, left, closed = make.alumnus(), make.alumnus(), make.alumnus(email="no@mail.example")
    service.withdraw(session, left.id, topic_key=None, source=ConsentSource.LINK, at=now)
    bounced = SuppressionReason.BOUNCED
    service.suppress(session, ["NO@mail.example"], reason=bounced, source="t", at=now)
    context = QueryContext(session, SYSTEM, now)

    def found(text: str) -> set[int]:
        return set(session.scalars(compile_query(text, context).ids))

    assert found("consent:news") == {here.id, closed.id}
    assert found("is:suppressed") == {closed.id}
    assert queries.count_suppressed(session) == 1
