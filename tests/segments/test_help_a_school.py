"""What the public reads of schools' requests, and the way from there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Interest
from crm.interactions.models import Interaction
from crm.links.tokens import issue
from crm.schools.models import School
from segments.requests.models import (
    GradeBand,
    Place,
    Request,
    RequestDate,
    RequestState,
    Supervision,
)
from tests.factories import Make

WORDS = ("Mr Okafor’s nurse", "for Jamal in room 12")


@pytest.fixture
def post(make: Make) -> Any:
    """Posts a request of a school with one date."""

    def posted(school: School, state: RequestState, *, days: int = 20, **values: Any) -> Request:
        title, note = WORDS
        asked = make.save(
            Request(
                **{
                    "school_id": school.id, "title": title, "note": note, "way_key": "speak",
                    "grade_band": GradeBand.G9_12, "pupils": 30, "place": Place.SCHOOL,
                    "supervision": Supervision.SUPERVISED, "state": state,
                    "created_by": make.user(name="Ms Teacher").id, "created_at": make.at, **values,
                }
            )
        )  # fmt: skip
        starts = make.at + timedelta(days=days)
        make.save(
            RequestDate(request_id=asked.id, starts_at=starts, ends_at=starts + timedelta(hours=1))
        )
        return asked

    return posted


def test_only_what_is_approved_open_and_ahead_is_shown_and_no_words_of_anybody(
    client: FlaskClient, make: Make, post: Any
) -> None:
    assert "Nothing is asked for at the moment" in client.get("/help-a-school").text
    shown = make.school("Shown High")
    post(shown, RequestState.ASKING)
    post(shown, RequestState.APPROVED, way_key="mentor")
    hidden = make.school("Hidden High")
    for state in set(RequestState) - {RequestState.ASKING, RequestState.APPROVED}:
        post(hidden, state)
    post(hidden, RequestState.ASKING, days=-1)
    page = client.get("/help-a-school").text
    assert "Shown High" in page
    assert "October 2026" in page
    assert "Hidden High" not in page
    assert not any(word in page for word in (*WORDS, "Ms Teacher"))
    one = client.get("/help-a-school?way=mentor").text
    assert one.count("I would like to help</a>") == 1
    assert 'href="/join?way=mentor"' in one


def test_the_way_that_was_chosen_is_ticked_on_the_form(client: FlaskClient) -> None:
    page = BeautifulSoup(client.get("/join?way=mentor").text, "html.parser")
    ticked = [box["value"] for box in page.select("input[name=ways]") if box.has_attr("checked")]
    assert ticked == ["mentor"]


def test_by_the_mailed_link_an_offer_is_one_press_and_a_get_changes_nothing(
    client: FlaskClient, session: Session, make: Make, post: Any, now: datetime
) -> None:
    person = make.alumnus(ways=("mentor",))
    post(make.school("Shown High"), RequestState.ASKING)
    session.commit()
    token = issue("profile", alumnus_id=person.id, epoch=0, at=now)
    assert "Schools are asking for" in client.get(f"/me/{token}").text
    mine = select(Interest.key).where(Interest.alumnus_id == person.id).order_by(Interest.key)
    assert client.get(f"/me/{token}/offer").status_code == 405
    assert session.scalars(mine).all() == ["mentor"]
    for _ in range(2):
        assert client.post(f"/me/{token}/offer", data={"way": "speak"}).status_code == 303
    assert session.scalars(mine).all() == ["mentor", "speak"]
    assert len(session.scalars(select(Interaction)).all()) == 1
    assert "Schools are asking for" not in client.get(f"/me/{token}").text
    assert client.post(f"/me/{token}/offer", data={"way": "nothing"}).status_code in {303, 422}
    assert session.scalars(mine).all() == ["mentor", "speak"]
