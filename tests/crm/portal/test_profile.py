"""A person’s own page: what it shows, what one post saves, and taking it back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Interest
from crm.consent.models import ConsentEntry, ConsentSource
from crm.consent.queries import choices_of
from crm.core import clock
from crm.interactions.models import Interaction
from tests.crm.portal.own_page import button, link
from tests.factories import Make


def test_the_page_shows_what_we_hold_with_contact_data_masked(
    client: FlaskClient, make: Make, now: datetime
) -> None:
    school = make.school("Booker T. Washington")
    person = make.alumnus(
        "Ada", "Mensah", school=school, class_year=2015, email="ada.mensah@gmail.example",
        employer="Grady Hospital",
    )  # fmt: skip
    page = client.get(link(person, now)).text
    for shown in ("Mensah", "Booker T. Washington", "2015", "Grady Hospital", "a•••@gmail.example"):
        assert shown in page
    assert "ada.mensah@" not in page


def test_one_post_saves_what_was_filled_in_and_says_what_changed(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(ways=("judge",), city="Macon")
    data: dict[str, Any] = {
        "given_name": "Ada", "family_name": "Mensah-Ruiz", "city": "Atlanta", "language": "es",
        "time_zone": "America/Chicago", "shown": ["ways", "subjects", "topics"],
        "ways": ["speak", "mentor"], "subjects": ["law"], "topics": ["news"],
        "pause": "2026-12-01",
    }  # fmt: skip
    page = client.post(link(person, now), data=data)
    assert page.status_code == 200
    assert "Where you live" in page.text or "Dónde" in page.text
    session.expire_all()
    assert (person.family_name, person.city, person.language) == ("Mensah-Ruiz", "Atlanta", "es")
    assert person.name_key == "ada mensah ruiz"
    assert person.paused_until == date(2026, 12, 1)
    assert set(session.scalars(select(Interest.key))) == {"speak", "mentor", "law"}
    assert [k for k, yes in choices_of(session, person.id).items() if yes] == ["news"]
    entries = session.scalars(select(ConsentEntry)).all()
    assert {e.source for e in entries} == {ConsentSource.LINK}
    (done,) = session.scalars(select(Interaction)).all()
    assert (done.kind, done.machine) == ("profile_updated", False)


def test_what_was_saved_can_be_taken_back_whole(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(ways=("judge",), subjects=("law",), city="Macon")
    address = link(person, now)
    data = {
        "city": "Atlanta", "shown": ["ways", "subjects", "topics"], "ways": ["speak"],
        "pause": "2026-12-01",
    }  # fmt: skip
    page = client.post(address, data=data).text
    assert client.post(f"{address}/undo", data=button(page, "/undo")).status_code == 303
    session.expire_all()
    assert (person.city, person.paused_until) == ("Macon", None)
    assert set(session.scalars(select(Interest.key))) == {"judge", "law"}
    assert choices_of(session, person.id) == {
        "news": True, "events": True, "volunteering": True, "giving": False,
    }  # fmt: skip


def test_taking_back_works_for_an_hour_and_for_oneself_only(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person, other = make.alumnus(city="Macon"), make.alumnus(city="Rome")
    address = link(person, now)
    sealed = button(client.post(address, data={"city": "Atlanta"}).text, "/undo")
    assert client.post(link(other, now) + "/undo", data=sealed).status_code == 422
    broken = {**sealed, "before": sealed["before"][:-2] + "AA"}
    assert client.post(f"{address}/undo", data=broken).status_code == 422
    assert client.post(f"{address}/undo").status_code == 422
    with clock.at(now + timedelta(minutes=61)):
        assert client.post(f"{address}/undo", data=sealed).status_code == 422
    session.expire_all()
    assert (person.city, other.city) == ("Atlanta", "Rome")


def test_a_part_of_the_form_leaves_the_rest_alone(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(ways=("judge",), employer="Grady", language="am")
    client.post(link(person, now), data={"city": "Macon"})
    session.expire_all()
    assert (person.city, person.employer, person.language) == ("Macon", "Grady", "am")
    assert session.scalars(select(Interest.key)).all() == ["judge"]
    assert session.scalars(select(ConsentEntry)).all() == []


def test_all_boxes_unticked_means_none(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(ways=("judge",), subjects=("law",))
    client.post(link(person, now), data={"shown": ["ways", "subjects", "topics"]})
    assert session.scalars(select(Interest)).all() == []
    assert not any(choices_of(session, person.id).values())


@pytest.mark.parametrize(
    "data",
    [
        {"given_name": "", "family_name": ""},
        {"city": "x" * 201},
        {"city": "x" * 100_000},
        {"language": "tlh"},
        {"time_zone": "Mars/Olympus"},
        {"ways": "conquer"},
        {"topics": "everything"},
        {"pause": "yesterday"},
        {"pause": "2020-01-01"},
        {"pause": "2999-01-01"},
        {"city": "Macon", "pause": "2020-01-01"},
    ],
)
def test_bad_values_are_named_on_the_page_and_nothing_is_half_saved(
    client: FlaskClient, session: Session, make: Make, now: datetime, data: dict[str, str]
) -> None:
    person = make.alumnus(ways=("judge",))
    session.commit()
    answer = client.post(link(person, now), data=data)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text
    session.expire_all()
    assert (person.given_name, person.city, person.paused_until) == ("Ada", None, None)
    assert session.scalars(select(Interest.key)).all() == ["judge"]
    assert session.scalars(select(Interaction)).all() == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(max_size=60), city=st.text(max_size=60))
def test_names_of_any_script_are_kept_or_refused_but_never_break_the_page(
    client: FlaskClient, make: Make, now: datetime, name: str, city: str
) -> None:
    person = make.alumnus()
    data = {
        "preferred_name": name.encode("utf-8", "replace"),
        "city": city.encode("utf-8", "replace"),
    }
    assert client.post(link(person, now), data=data).status_code in {200, 400}


def test_a_script_in_a_name_is_only_text(client: FlaskClient, make: Make, now: datetime) -> None:
    person = make.alumnus("<script>alert(1)</script>", employer='"><img src=x onerror=alert(1)>')
    page = client.get(link(person, now)).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_saving_the_same_day_counts_once(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    for city in ("Macon", "Atlanta", "Atlanta"):
        client.post(link(person, now), data={"city": city})
    assert session.scalar(select(func.count()).select_from(Interaction)) == 1
