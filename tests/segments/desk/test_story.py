"""A teacher posts, the coordinator asks, an alumnus says yes, both are told, and thanks follow."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core import clock
from crm.core.district import choose
from crm.core.viewer import Role
from crm.interactions.models import Interaction
from crm.mail.delivery import deliver
from crm.mail.models import MessageAttachment
from segments.asks.models import AskState, Commitment
from segments.desk.choices import Asking
from segments.requests.models import Request, RequestState
from tests.factories import Make
from tests.segments.story import (
    answers_on,
    ask_of,
    day_ahead,
    letters_to,
    make_speaker,
    press,
    sign_in_at,
    token,
)


def test_a_request_goes_from_the_post_to_the_thanks(
    app: Flask, client: FlaskClient, session: Session, make: Make, login_as: Any
) -> None:
    school = make.school("Booker T. Washington High School", city="Atlanta")
    teacher = make.user(Role.SCHOOL, school=school, email="teacher@school.example")
    ada = make_speaker(make, "Ada", school, email="ada@mail.example", subjects=("health",))
    ben = make_speaker(make, "Ben", email="ben@mail.example", class_year=1999)
    choose(session, Asking(explore=0.0), at=make.at)  # Else Ben is drawn in one of ten.
    session.commit()

    # The teacher posts it on a phone.
    login_as(teacher)
    page = client.get("/requests/new")
    assert page.status_code == 200
    assert school.name in page.text
    start = day_ahead(make.at, 20)
    answer = client.post("/requests/new", data={
        "school_id": school.id, "way_key": "speak", "subject_key": "health",
        "date_1": start.date().isoformat(), "time_1": "09:00", "minutes": "60",
        "grade_band": "9-12", "pupils": "28", "places": "1", "place": "school",
        "supervision": "supervised", "language": "", "title": "", "note": "Room 12",
    }, follow_redirects=True)  # fmt: skip
    assert answer.status_code == 200, answer.text
    request = session.scalars(select(Request)).one()
    assert request.title == "Speak to a class: Health and medicine"
    assert request.state is RequestState.SUBMITTED
    assert client.get(f"/requests/{request.id}/candidates").status_code == 403

    # The coordinator approves, looks at the candidates and asks the best.
    login_as(make.user(Role.COORDINATOR))
    client.post(f"/requests/{request.id}/approve")
    page = client.get(f"/requests/{request.id}/candidates").text
    assert page.index("Ada") < page.index("Ben")
    assert "went to this school (2015)" in page
    assert "ada@mail.example" not in page
    sent = client.post(
        f"/requests/{request.id}/asks", data={"person": [ada.id, ben.id]}, follow_redirects=True
    )
    assert "2 people are asked." in sent.text
    assert deliver(app, at=make.at).accepted == 2
    link = next(w for w in letters_to(session, "ada@mail.example")[0].split() if "/ask/" in w)

    # The school follows, and sees no contact data yet.
    login_as(teacher)
    page = client.get(f"/requests/{request.id}").text
    assert "Asking" in page
    assert "ada@mail.example" not in page

    # Ada opens the link and says yes: two taps.
    address = link.removeprefix("http://localhost")
    page = client.get(address).text
    assert "Room 12" in page
    yes = next(value for value in answers_on(page) if value.startswith("yes:"))
    answer = press(client, address, yes)
    assert "It is settled" in answer.text
    file = client.get(f"{address}/visit.ics")
    assert b"BEGIN:VEVENT" in file.data
    session.expire_all()
    assert request.state is RequestState.FILLED
    assert ask_of(session, ben).state is AskState.RELEASED
    promise = session.scalars(select(Commitment)).one()
    assert promise.starts_at == start

    # Both are told, with a calendar file; the other is released kindly.
    assert deliver(app, at=make.at).accepted == 3
    assert "Room 12" in letters_to(session, "ada@mail.example")[1]
    assert "ada@mail.example" in letters_to(session, "teacher@school.example")[0]
    assert len(session.scalars(select(MessageAttachment)).all()) == 2
    assert len(letters_to(session, "ben@mail.example")) == 2
    page = client.get(f"/requests/{request.id}").text
    assert "ada@mail.example" in page
    assert "Did they come?" not in page

    # Afterwards the school says how it was, and Ada is thanked.
    with clock.at(start + timedelta(hours=3)):
        sign_in_at(client, session, teacher, clock.now())
        assert "Did they come?" in client.get(f"/requests/{request.id}").text
        client.post(f"/commitments/{promise.id}/attendance", data={
            "attended": "yes", "hours": "1.5", "pupils": "27", "feedback": "They loved it",
        })  # fmt: skip
        session.expire_all()
        assert request.state is RequestState.DONE
        assert promise.thanked_at is not None
        assert deliver(app, at=clock.now()).accepted == 1
        assert "Thanked" in client.get(f"/requests/{request.id}").text
    thanks = letters_to(session, "ada@mail.example")[2]
    assert "27" in thanks
    assert "They loved it" in thanks
    deeds = session.scalars(select(Interaction).where(Interaction.alumnus_id == ada.id)).all()
    talk = next(deed for deed in deeds if deed.kind == "talk_given")
    assert (talk.pupils, talk.school_id, float(talk.hours or 0)) == (27, school.id, 1.5)
    assert any(deed.kind == "ask_answered" for deed in deeds)
    assert token(session, ada, make.at)
