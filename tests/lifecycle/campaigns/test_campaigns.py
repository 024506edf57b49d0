"""Campaigns through the pages and commands: drafted, written, sent once, and always adding up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.viewer import Role
from crm.mail.models import Message, MessageState
from lifecycle.campaigns import queries, service
from lifecycle.campaigns.models import Campaign, CampaignState
from tests.factories import Make

FORM = {
    "name": "Spring news",
    "goal": "Stay in touch",
    "query": "class:2010..2019",
    "topic_key": "news",
}
TEXT = {
    "subject": "News, {{ first_name }}",
    "preheader": "",
    "body": "Hello {{ first_name }}, read on.",
}


@pytest.fixture
def people(make: Make) -> list[int]:
    """Five people of the audience and one outside it."""
    school = make.school()
    inside = [make.alumnus(f"Ada{n}", school=school, class_year=2011 + n).id for n in range(5)]
    make.alumnus("Outside", school=school, class_year=1990)
    return inside


@pytest.fixture
def draft(coordinator: FlaskClient, session: Session, people: list[int]) -> Campaign:
    """A written draft, made through the pages."""
    answer = coordinator.post("/campaigns/new", data=FORM)
    assert answer.status_code == 303, answer.text
    assert answer.location.endswith("/campaigns/spring-news/text/en")
    answer = coordinator.post("/campaigns/spring-news/text/en", data=TEXT)
    assert answer.status_code == 303, answer.text
    return queries.load_campaign(session, "spring-news")


def test_a_campaign_goes_from_draft_to_one_message_a_person(
    draft: Campaign, coordinator: FlaskClient, session: Session, people: list[int], make: Make
) -> None:
    assert "5 people today" in coordinator.get("/campaigns/spring-news").text
    coordinator.post("/campaigns/spring-news/schedule", data={"when": "now"})
    assert service.start_due(session, make.at) == (1, 5)
    assert service.start_due(session, make.at) == (0, 0)
    found = session.execute(select(Message.alumnus_id, Message.origin)).all()
    assert sorted(found) == [(p, "campaign:spring-news") for p in people]


def test_the_report_adds_up_whatever_becomes_of_the_messages(
    draft: Campaign, coordinator: FlaskClient, session: Session, people: list[int], make: Make
) -> None:
    service.schedule(session, draft, send_at=make.at, by=service.SYSTEM, at=make.at)
    service.start(session, draft, at=make.at)
    fates = [
        {"state": MessageState.ACCEPTED}, {"state": MessageState.SKIPPED, "reason": "blocked"},
        {"state": MessageState.UNCERTAIN}, {"state": MessageState.FAILED},
    ]  # fmt: skip
    for person, fate in zip(people, fates, strict=False):
        session.execute(update(Message).where(Message.alumnus_id == person).values(fate))
    report = queries.report(session, draft)
    assert (report.sent, report.waiting, report.audience) == (1, 2, 5)
    assert report.skipped == {"blocked": 1, "refused_by_provider": 1}
    assert report.adds_up
    page = coordinator.get("/campaigns/spring-news").text
    assert "1 sent + 2 not sent + 2 waiting = 5" in page
    listed = coordinator.get("/campaigns/spring-news/people?state=skipped&reason=blocked").text
    assert "Ada1" in listed
    assert "Ada0" not in listed


def test_a_stopped_campaign_skips_the_rest_with_a_reason(
    draft: Campaign, coordinator: FlaskClient, session: Session, make: Make
) -> None:
    coordinator.post("/campaigns/spring-news/schedule", data={"when": "now"})
    service.start_due(session, make.at)
    coordinator.post("/campaigns/spring-news/stop")
    session.expire_all()
    report = queries.report(session, draft)
    assert report.skipped == {"stopped": 5}
    assert report.adds_up
    assert draft.state is CampaignState.STOPPED


def test_a_scheduled_campaign_waits_and_can_be_taken_back(
    draft: Campaign, coordinator: FlaskClient, session: Session, make: Make
) -> None:
    later = {"when": "later", "send_at": "2026-10-01T09:00"}
    coordinator.post("/campaigns/spring-news/schedule", data=later)
    session.expire_all()
    assert draft.send_at is not None
    assert draft.send_at.isoformat() == "2026-10-01T13:00:00+00:00"
    assert service.start_due(session, make.at) == (0, 0)
    coordinator.post("/campaigns/spring-news/unschedule")
    session.expire_all()
    assert draft.state is CampaignState.DRAFT
    assert service.start_due(session, make.at + timedelta(days=60)) == (0, 0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"query": "clas:2010"}, "class"),
        ({"query": "(class:2010"}, "is-invalid"),
        ({"name": "  "}, "is-invalid"),
        ({"topic_key": "nothing"}, "is-invalid"),
        ({"query": "x" * 3000}, "is-invalid"),
    ],
)
def test_a_faulty_draft_is_shown_again_with_the_fault(
    coordinator: FlaskClient, session: Session, change: dict[str, str], complaint: str
) -> None:
    answer = coordinator.post("/campaigns/new", data={**FORM, **change})
    assert answer.status_code == 200
    assert complaint in answer.text
    assert session.scalars(select(Campaign)).all() == []


def test_an_unknown_merge_field_is_named_and_nothing_is_saved(
    draft: Campaign, coordinator: FlaskClient
) -> None:
    answer = coordinator.post(
        "/campaigns/spring-news/text/en", data={**TEXT, "body": "Hi {{ frist_name }}"}
    )
    assert answer.status_code == 200
    assert "first_name" in answer.text
    assert "News, {{ first_name }}" in coordinator.get("/campaigns/spring-news").text


def test_what_goes_out_is_the_text_of_the_day_it_was_scheduled(
    draft: Campaign, coordinator: FlaskClient, session: Session
) -> None:
    coordinator.post("/campaigns/spring-news/schedule", data={"when": "now"})
    answer = coordinator.post("/campaigns/spring-news/text/en", data={**TEXT, "subject": "Other"})
    assert answer.status_code in {303, 409}
    assert "Other" not in coordinator.get("/campaigns/spring-news").text


def test_a_preview_shows_one_persons_mail(
    draft: Campaign, coordinator: FlaskClient, people: list[int]
) -> None:
    page = coordinator.get(f"/campaigns/spring-news/preview?person={people[3]}")
    assert "News, Ada3" in page.text
    framed = coordinator.get(f"/campaigns/spring-news/preview.html?person={people[3]}")
    assert "Ada3" in framed.text
    assert "script-src" not in framed.headers["Content-Security-Policy"]


def test_a_test_mail_goes_to_me_alone(
    draft: Campaign, coordinator: FlaskClient, session: Session
) -> None:
    coordinator.post("/campaigns/spring-news/test")
    found = session.execute(select(Message.to_address, Message.alumnus_id)).all()
    assert len(found) == 1
    assert found[0].to_address.endswith("@district.example")
    assert found[0].alumnus_id is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.LIAISON, Role.SCHOOL])
def test_others_cannot_send(
    draft: Campaign,
    login_as: Callable[[User], FlaskClient],
    make: Make,
    role: Role,
    session: Session,
) -> None:
    browser = login_as(make.user(role, school=make.school()))
    assert browser.post("/campaigns/spring-news/schedule", data={"when": "now"}).status_code == 403
    session.expire_all()
    assert draft.state is CampaignState.DRAFT


def test_the_commands_send_and_report(draft: Campaign, runner: Any, session: Session) -> None:
    session.commit()
    sent = runner.invoke(args=["campaigns", "send", "spring-news", "--json"])
    assert sent.exit_code == 0, sent.output
    assert json.loads(sent.output.splitlines()[-1])["waiting"] == 5
    report = json.loads(
        runner.invoke(args=["campaigns", "report", "spring-news", "--json"]).output.splitlines()[-1]
    )
    assert (
        report["sent"] + sum(report["skipped"].values()) + report["waiting"] == report["audience"]
    )
    again = runner.invoke(args=["campaigns", "send", "spring-news"])
    assert again.exit_code == 1
    unknown = runner.invoke(args=["campaigns", "report", "nothing"])
    assert unknown.exit_code == 1


def test_an_empty_list_offers_the_first_draft(coordinator: FlaskClient, app: Flask) -> None:
    assert "Draft the first one" in coordinator.get("/campaigns/").text
