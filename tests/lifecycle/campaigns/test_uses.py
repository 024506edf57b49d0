"""What a campaign or a journey still needs is not deleted, and the page says who needs it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.extend import extensions
from crm.core.viewer import SYSTEM
from crm.query.naming import that_names
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.continuum.service import sweep
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Journey
from segments.saved.models import Segment
from segments.saved.service import create_segment
from tests.factories import Make

JOURNEY = """
journey: mentors
name: Young mentors
serves: Keep them near
enter:
  when: {enter}
{more}steps:
  - id: look
    branch:
      - when: {arm}
        next: done
    otherwise: done
  - id: done
    exit: done
"""


@pytest.fixture
def segment(session: Session, now: datetime) -> Segment:
    found = create_segment(session, name="Young Mentors", query="class:2010..", by=SYSTEM, at=now)
    session.commit()
    return found


@pytest.fixture
def campaign(coordinator: FlaskClient, segment: Segment, session: Session) -> Campaign:
    """A draft that names the segment among others, by its name."""
    form = {
        "name": "Spring news",
        "goal": "",
        "query": 'class:2010.. (segment:"young mentors" or city:X)',
    }
    answer = coordinator.post("/campaigns/new", data={**form, "topic_key": "news"})
    assert answer.status_code == 303
    return session.scalars(select(Campaign)).one()


def delete(browser: FlaskClient) -> int:
    return browser.post("/segments/young-mentors/delete").status_code


def publish(session: Session, now: datetime, **queries: str) -> Journey:
    words = {"enter": "class:1990", "arm": "class:1990", "more": "", **queries}
    done = service.publish(session, JOURNEY.format(**words), name="x", by=SYSTEM, at=now)
    session.commit()
    return done.journey


@pytest.mark.parametrize(
    ("state", "needed"),
    [
        (CampaignState.DRAFT, True), (CampaignState.SCHEDULED, True), (CampaignState.SENT, False),
        (CampaignState.STOPPED, False), (CampaignState.SENDING, False),
    ],
)  # fmt: skip
def test_a_campaign_needs_its_segment_until_it_goes_out(
    campaign: Campaign, coordinator: FlaskClient, session: Session, state: CampaignState,
    needed: bool,
) -> None:  # fmt: skip
    campaign.state = state
    session.commit()
    for page in ("/segments/young-mentors", "/segments/young-mentors/delete"):
        text = coordinator.get(page).text
        assert ('<a href="/campaigns/spring-news">the campaign Spring news</a>' in text) is needed
    assert delete(coordinator) == (409 if needed else 303)
    assert (session.scalars(select(Segment.key)).all() == ["young-mentors"]) is needed


@pytest.mark.parametrize(
    "queries",
    [
        {"enter": "segment:young-mentors"}, {"arm": "-segment:young-mentors"},
        {"more": "exit: segment:young-mentors class:1990\n"},
    ],
)  # fmt: skip
def test_a_journey_needs_what_any_of_its_queries_names(
    coordinator: FlaskClient, session: Session, segment: Segment, now: datetime,
    queries: dict[str, str],
) -> None:  # fmt: skip
    publish(session, now, **queries)
    page = coordinator.get("/segments/young-mentors/delete").text
    assert '<a href="/journeys/mentors">the journey Young mentors</a>' in page
    assert delete(coordinator) == 409
    assert coordinator.get("/journeys/mentors").status_code == 200


def test_an_older_version_needs_it_only_while_somebody_is_in_it(
    coordinator: FlaskClient, session: Session, segment: Segment, make: Make, now: datetime
) -> None:
    make.alumnus(class_year=1990)
    waits = JOURNEY.replace(
        "  - id: look", "  - id: rest\n    wait: 5d\n    next: look\n  - id: look"
    )
    text = waits.format(enter="class:1990", arm="segment:young-mentors", more="")
    service.publish(session, text, name="x", by=SYSTEM, at=now)
    session.commit()
    advance(now)
    publish(session, now)
    assert delete(coordinator) == 409
    coordinator.post("/journeys/mentors/stop")
    advance(now)
    assert delete(coordinator) == 303


def test_a_segment_of_another_name_is_not_the_one(
    campaign: Campaign, session: Session, now: datetime
) -> None:
    other = create_segment(session, name="Young", query="class:2010", by=SYSTEM, at=now)
    uses = [u for find in extensions().query_users for u in find(session, f"segment:{other.key}")]
    assert uses == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("segment:young-mentors", True), ("SEGMENT:Young-Mentors", True), ("", False),
        ("-(class:2010 segment:a,young-mentors)", True), ('segment:"Young  mentors"', True),
        ('"segment:young-mentors"', False), ("segment:young-mentors-2", False),
        ("young-mentors", False), ("(((young-mentors", True), ("city:young-mentors", False),
    ],
)  # fmt: skip
def test_a_query_is_read_as_a_query_and_not_as_text(
    session: Session, segment: Segment, text: str, named: bool
) -> None:
    assert that_names(session, "segment:young-mentors")(text) is named


def test_the_list_of_people_says_where_each_stands_in_one_query(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime, queries: Any
) -> None:
    people = [make.alumnus(class_year=2001) for _ in range(5)]
    session.commit()
    assert '<th scope="col">Stage</th>' in coordinator.get("/people").text
    assert ">Quiet</td>" not in coordinator.get("/people").text
    sweep(session, now)
    session.commit()
    queries.clear()
    assert coordinator.get("/people").text.count(">Quiet</td>") == len(people)
    assert sum("FROM standing" in statement for statement in queries) == 1
