"""Leaving: by button, and by a mail program's bare POST (RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.models import ConsentEntry, ConsentSource
from crm.consent.queries import choices_of
from crm.links.service import revoke_links
from crm.links.tokens import issue
from crm.mail.content import Variant, save_content
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message
from tests.factories import Make

BODY = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def strict(app: Flask) -> Iterator[None]:
    """Forms need their token, as in the real world."""
    app.config["WTF_CSRF_ENABLED"] = True
    yield
    app.config["WTF_CSRF_ENABLED"] = False


def link(session: Session, person: Alumnus, at: datetime, *, topic: str | None = "events") -> str:
    """The way out of a message about a topic."""
    version = save_content(
        session, key="x", name="X", topic_key=topic, variants={"en": Variant("X", "", "X")},
        by=None, at=at,
    )  # fmt: skip
    message = queue_message(
        session, key=f"x:{person.id}:{topic}", alumnus_id=person.id, version_id=version.id,
        message_class=MessageClass.MARKETING, topic_key=topic, origin="campaign:x", at=at,
    )  # fmt: skip
    session.commit()
    token = issue("unsubscribe", alumnus_id=person.id, epoch=0, at=at, message_id=message)
    return f"/unsubscribe/{token}"


def gets(session: Session, person: Alumnus) -> set[str]:
    return {key for key, yes in choices_of(session, person.id).items() if yes}


@pytest.mark.usefixtures("strict")
def test_a_bare_one_click_post_leaves_the_topic_at_once(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(session, person, now)
    robot = app.test_client(use_cookies=False)
    for _ in range(3):
        answer = robot.post(address, data=BODY, content_type=FORM)
        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
        assert "Set-Cookie" not in answer.headers
    assert gets(session, person) == {"news", "volunteering"}
    (entry,) = session.scalars(select(ConsentEntry)).all()
    assert (entry.source, entry.topic_key) == (ConsentSource.ONE_CLICK, "events")
    assert entry.reference.startswith("message:")


@pytest.mark.usefixtures("strict")
def test_one_click_may_come_as_multipart_too(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    data = {"List-Unsubscribe": "One-Click"}
    robot = app.test_client(use_cookies=False)
    answer = robot.post(link(session, person, now), data=data, content_type="multipart/form-data")
    assert answer.status_code == 200
    assert "events" not in gets(session, person)


def test_one_click_without_a_topic_leaves_everything(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    client.post(link(session, person, now, topic=None), data=BODY, content_type=FORM)
    assert gets(session, person) == set()


def test_one_click_works_after_the_links_were_replaced(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(session, person, now)
    revoke_links(session, person, by=None, at=now)
    session.commit()
    assert client.get(address).status_code == 410
    assert client.post(address, data={"choice": "all"}).status_code == 410
    assert client.post(address, data=BODY, content_type=FORM).status_code == 200
    assert "events" not in gets(session, person)


def test_one_click_with_a_forged_token_does_nothing(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(session, person, now)
    profile = issue("profile", alumnus_id=person.id, epoch=0, at=now)
    for token in (address.rpartition("/")[2][:-1] + "!", profile, "x"):
        answer = client.post(f"/unsubscribe/{token}", data=BODY, content_type=FORM)
        assert answer.status_code == 404
    assert session.scalars(select(ConsentEntry)).all() == []


@pytest.mark.usefixtures("strict")
def test_the_buttons_need_the_forms_token(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(session, person, now)
    for data in ({"choice": "all"}, {}, {"List-Unsubscribe": "one-click"}):
        assert client.post(address, data=data).status_code == 400
    assert session.scalars(select(ConsentEntry)).all() == []
    page = BeautifulSoup(client.get(address).text, "html.parser")
    field = page.find("input", {"name": "csrf_token"})
    assert field is not None
    client.post(address, data={"choice": "topic", "csrf_token": str(field["value"])})
    assert "events" not in gets(session, person)


def test_the_page_offers_topic_and_everything_and_the_way_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(session, person, now)
    client.post("/me/" + issue("profile", alumnus_id=person.id, epoch=0, at=now),
                data={"shown": "topics", "topics": ["events", "giving"]})  # fmt: skip
    first = client.get(address).text
    assert 'value="topic"' in first
    assert 'value="all"' in first
    assert gets(session, person) == {"events", "giving"}
    page = client.post(address, data={"choice": "all"}).text
    assert gets(session, person) == set()
    before = re.search(r'name="before" value="([^"]+)"', page)
    assert before is not None
    client.post(address, data={"choice": "undo", "before": before[1]})
    assert gets(session, person) == {"events", "giving"}


@pytest.mark.parametrize("data", [{}, {"choice": "x"}, {"choice": "undo"}, {"choice": "\x00"}])
def test_odd_posts_change_nothing(
    client: FlaskClient, session: Session, make: Make, now: datetime, data: dict[str, str]
) -> None:
    person = make.alumnus()
    assert client.post(link(session, person, now), data=data).status_code < 500
    assert session.scalars(select(ConsentEntry)).all() == []


def test_the_link_of_a_merged_record_leaves_for_who_stands_for_it(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    kept = make.alumnus()
    gone = make.alumnus(merged_into_id=kept.id)
    client.post(link(session, gone, now), data=BODY, content_type=FORM)
    assert "events" not in gets(session, kept)
