"""A person's own page: what it shows, what it saves, and how that is taken back."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactPoint, ContactStatus, Interest
from crm.consent import service as consent
from crm.consent.models import ConsentEntry, ConsentSource, Suppression, SuppressionReason
from crm.consent.queries import choices_of
from crm.core import clock
from crm.interactions.models import Interaction
from crm.links.tokens import issue
from crm.mail.models import Message
from crm.portal.addresses import STEP_UP
from tests.factories import Make


def link(person: Alumnus, at: datetime) -> str:
    return "/me/" + issue("profile", alumnus_id=person.id, epoch=person.link_epoch, at=at)


def button(page: str, ending: str) -> dict[str, str]:
    """The hidden fields of the form whose address ends so."""
    form = BeautifulSoup(page, "html.parser").find("form", action=re.compile(ending + "$"))
    assert form is not None
    return {str(i["name"]): str(i.get("value", "")) for i in form.find_all("input")}


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


def test_leaving_everything_takes_one_tap_and_can_be_taken_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(person, now)
    client.post(address, data={"shown": "topics", "topics": ["news", "giving"]})
    page = client.post(f"{address}/leave").text
    assert not any(choices_of(session, person.id).values())
    client.post(f"{address}/undo", data=button(page, "/undo"))
    assert {k for k, yes in choices_of(session, person.id).items() if yes} == {"news", "giving"}


def test_asking_for_mail_again_lifts_ones_own_bar_but_not_a_complaint(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    for reason, lifted in (
        (SuppressionReason.UNSUBSCRIBED, True), (SuppressionReason.COMPLAINED, False),
    ):  # fmt: skip
        address = f"{reason.value}@mail.example"
        person = make.alumnus(email=address)
        said = {"source": ConsentSource.IMPORT, "at": now}
        consent.withdraw(session, person.id, topic_key=None, **said)  # type: ignore[arg-type]
        consent.suppress(session, [address], reason=reason, source="file", at=now)
        session.commit()
        client.post(link(person, now), data={"shown": "topics", "topics": "news"})
        row = session.get_one(Suppression, address, populate_existing=True)
        assert (row.lifted_at is not None) is lifted


def test_a_link_of_somebody_who_died_is_met_decently(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus("Ada", "Mensah", deceased=True)
    page = client.get(link(person, now)).text
    assert "Mensah" not in page
    assert "<form" not in page
    client.post(link(person, now), data={"city": "Macon"})
    assert person.city is None


def test_a_blocked_person_sees_their_own_record_and_that_it_is_private(
    client: FlaskClient, make: Make, now: datetime
) -> None:
    page = client.get(link(make.alumnus(ferpa_block=True), now)).text
    assert "marked as private" in page


def test_replacing_links_ends_the_old_and_mails_a_fresh_one(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    session.commit()
    address = link(person, now)
    assert client.post(f"{address}/revoke").status_code == 200
    assert client.get(address).status_code == 410
    assert len(session.scalars(select(Message)).all()) == 1


def code_for(session: Session, address: str) -> str:
    statement = select(Message.merge).where(
        Message.to_address == address, Message.origin == "link:confirm"
    )
    return str(session.scalars(statement.order_by(Message.queued_at.desc())).first()["code"])  # type: ignore[index]


def test_a_new_address_counts_once_its_code_is_typed_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    answer = client.post(f"{address}/address", data={"email": " New@Mail.example "})
    assert answer.headers["Location"] == f"{address}/address/code"
    points = session.scalars(select(ContactPoint.key)).all()
    assert points == ["old@mail.example"]
    code = code_for(session, "new@mail.example")
    page = client.post(f"{address}/address/code", data={"code": code}).text
    assert "N•••@mail.example" in page or "n•••@mail.example" in page
    kept = {p.key: p for p in session.scalars(select(ContactPoint))}
    assert kept["new@mail.example"].preferred
    assert not kept["old@mail.example"].preferred
    assert kept["old@mail.example"].status is ContactStatus.OK
    told = session.scalars(select(Message).where(Message.to_address == "old@mail.example")).one()
    assert "new@mail.example" not in str(told.merge)


def test_guessing_the_code_of_a_new_address_is_stopped(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    client.post(f"{address}/address", data={"email": "new@mail.example"})
    code = code_for(session, "new@mail.example")
    for guess in range(1, 7):
        wrong = f"{(int(code) + guess) % 1_000_000:06d}"
        client.post(f"{address}/address/code", data={"code": wrong})
    client.post(f"{address}/address/code", data={"code": code})
    assert session.scalars(select(ContactPoint.key)).all() == ["old@mail.example"]


def test_a_code_for_a_new_address_is_over_after_half_an_hour(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(email="old@mail.example")
    address = link(person, now)
    client.post(f"{address}/address", data={"email": "new@mail.example"})
    code = code_for(session, "new@mail.example")
    with clock.at(now + timedelta(minutes=30)):
        client.post(f"{address}/address/code", data={"code": code})
    assert session.scalars(select(ContactPoint.key)).all() == ["old@mail.example"]


def test_an_address_cannot_be_bombed_with_codes(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    statuses = [
        client.post(
            link(make.alumnus(), now) + "/address", data={"email": "victim@mail.example"}
        ).status_code
        for _ in range(5)
    ]
    assert statuses == [303, 303, 303, 429, 429]


@pytest.mark.parametrize("email", ["", "nonsense", "a@b", "x" * 400, "a b@c.d"])
def test_a_bad_new_address_is_refused_on_the_page(
    client: FlaskClient, session: Session, make: Make, now: datetime, email: str
) -> None:
    answer = client.post(link(make.alumnus(), now) + "/address", data={"email": email})
    assert answer.status_code in {200, 400}
    assert session.scalars(select(Message)).all() == []


def test_an_old_link_does_not_suffice_to_move_somebodys_mail(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    address = link(person, now - STEP_UP - timedelta(minutes=1))
    assert client.get(address).status_code == 200
    page = client.post(f"{address}/address", data={"email": "new@mail.example"})
    assert "fresh link" in page.text
    assert session.scalars(select(Message)).all() == []
