"""The topics of a district: named by language, put in order, retired, never loosened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.consent import queries, service
from crm.consent.models import ConsentBasis, ConsentSource, Topic
from crm.mail import reasons
from crm.mail.delivery import deliver
from crm.mail.models import MailboxBatch, MessageState
from tests.crm.mail.outbox import make_content, queue, state
from tests.factories import Make

SPORTS = {"label_en": "School sports", "label_es": "Deporte escolar", "basis": "opt_in"}


def test_a_new_topic_is_offered_in_the_reader_s_language_and_needs_agreement_if_it_says_so(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    assert coordinator.post("/settings/topics/add", data=SPORTS).status_code == 303
    person = make.alumnus()
    assert queries.choices_of(session, person.id)["school_sports"] is False
    assert "Deporte escolar" in coordinator.get("/settings/topics?lang=es").text
    assert coordinator.post("/settings/topics/add", data=SPORTS).status_code == 422
    trail = session.scalars(select(AuditEntry.action)).all()
    assert "topic.added" in trail


def test_a_topic_that_needs_agreement_never_stops_needing_it(
    coordinator: FlaskClient, session: Session
) -> None:
    data = {"label_en": "Giving", "basis": "opt_out"}
    assert coordinator.post("/settings/topics/giving", data=data).status_code == 422
    session.expire_all()
    assert session.get_one(Topic, "giving").basis is ConsentBasis.OPT_IN


def test_a_topic_that_needs_agreement_from_now_on_reaches_only_those_who_said_yes(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    silent, agreed = make.alumnus(), make.alumnus()
    said: dict[str, Any] = {"source": ConsentSource.LINK, "at": now}
    service.grant(session, agreed.id, topic_key="news", **said)
    page = coordinator.get("/settings/topics/news").text
    assert "only the one person who said yes to it gets it" in page
    data = {"label_en": "News", "basis": "opt_in"}
    assert coordinator.post("/settings/topics/news", data=data).status_code == 303
    assert [queries.choices_of(session, p.id)["news"] for p in (silent, agreed)] == [False, True]


def test_nothing_goes_about_a_retired_topic_until_it_is_back(
    app: Flask, coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    version, person = make_content(session, now), make.alumnus()
    sent = queue(session, person, version, now)
    coordinator.post("/settings/topics/news/retire")
    assert "news" not in queries.choices_of(session, person.id)
    deliver(app, at=now)
    assert state(session, sent) == (MessageState.SKIPPED, reasons.TOPIC_RETIRED)
    coordinator.post("/settings/topics/news/restore")
    again = queue(session, person, version, now, key="again")
    deliver(app, at=now)
    assert state(session, again)[0] is MessageState.ACCEPTED


def test_order_is_what_the_coordinator_makes_it(coordinator: FlaskClient, session: Session) -> None:
    before = [topic.key for topic in queries.topics(session)]
    coordinator.post("/settings/topics/events/move", data={"direction": "up"})
    after = [topic.key for topic in queries.topics(session)]
    assert (before[:2], after[:2]) == (["news", "events"], ["events", "news"])
    coordinator.post("/settings/topics/events/move", data={"direction": "up"})
    assert [topic.key for topic in queries.topics(session)] == after


def test_a_letter_names_its_topic_in_its_own_language(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    version = make_content(session, now, languages=("en", "es"))
    queue(session, make.alumnus(language="es"), version, now)
    deliver(app, at=now)
    plain = session.scalars(select(MailboxBatch.plain)).one()
    assert "Noticias de tu escuela" in plain
    assert "News from your school" not in plain


@pytest.mark.parametrize("key", ["nothing", "\x00", "news/../x", "9" * 300])
def test_a_topic_that_is_not_there_is_not_found(coordinator: FlaskClient, key: str) -> None:
    assert coordinator.get(f"/settings/topics/{key}").status_code in {400, 404}
