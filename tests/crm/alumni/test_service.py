"""Editing a person: checked, audited, never over somebody else's change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.alumni.models import ContactKind, ContactOwner, ContactPoint, Interest, InterestKind
from crm.alumni.queries import resolve_person
from crm.alumni.service import edit_profile, put_contact, put_email, set_interests
from crm.core.errors import Conflict, Invalid, NotFound
from crm.core.viewer import SYSTEM
from tests.factories import Make


def test_an_edit_is_found_under_the_new_name_and_leaves_a_trail(
    session: Session, make: Make
) -> None:
    person = make.alumnus("Maria", "Lopez")
    changes = {"family_name": "Núñez", "former_name": "Lopez", "city": "  Macon ", "state": ""}
    changed = edit_profile(session, person, changes, by=SYSTEM, at=make.at, source="staff")
    assert changed == {"family_name", "former_name", "city"}
    assert (person.name_key, person.sort_key) == ("maria nunez lopez", "nunez maria")
    entry = session.scalars(select(AuditEntry)).one()
    assert entry.detail["before"] == {"family_name": "Lopez", "former_name": "", "city": None}
    assert entry.detail["after"]["city"] == "Macon"


def test_an_edit_that_changes_nothing_leaves_no_trail(session: Session, make: Make) -> None:
    person = make.alumnus("Maria")
    before = person.updated_at
    edit_profile(session, person, {"given_name": "Maria "}, by=SYSTEM, at=make.at, source="staff")
    assert session.scalars(select(AuditEntry)).all() == []
    assert person.updated_at == before


def test_an_edit_of_a_page_that_is_out_of_date_is_refused(session: Session, make: Make) -> None:
    person = make.alumnus()
    seen = person.updated_at
    edit_profile(session, person, {"city": "Macon"}, by=SYSTEM, at=make.at, source="link")
    with pytest.raises(Conflict):
        edit_profile(
            session, person, {"city": "Rome"}, by=SYSTEM, at=make.at, source="staff", seen=seen
        )
    assert person.city == "Macon"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_year", 99),
        ("class_year", "2015"),
        ("city", "x" * 201),
        ("city", 7),
        ("language", "english please"),
        ("time_zone", "Mars/Olympus"),
        ("birth_date", "2001-01-01"),
        ("given_name", "\ud800"),
        ("link_epoch", 7),
        ("deceased", None),
    ],
)
def test_a_bad_value_names_its_field_and_changes_nothing(
    session: Session, make: Make, field: str, value: object
) -> None:
    person = make.alumnus(city="Macon")
    with pytest.raises(Invalid) as caught:
        edit_profile(
            session, person, {"state": "GA", field: value}, by=SYSTEM, at=make.at, source="staff"
        )
    assert caught.value.field == field
    assert person.state is None


def test_a_person_keeps_at_least_one_name(session: Session, make: Make) -> None:
    person = make.alumnus("Suharto", "")
    with pytest.raises(Invalid, match="at least one name"):
        edit_profile(session, person, {"given_name": " "}, by=SYSTEM, at=make.at, source="staff")


def test_ways_kept_keep_their_date_and_those_left_out_go(session: Session, make: Make) -> None:
    person = make.alumnus(ways=("mentor", "judge"))
    later = make.at + timedelta(days=1)
    way = InterestKind.WAY
    keys = {"mentor", "speak"}
    assert set_interests(session, person.id, kind=way, keys=keys, source="link", at=later)
    assert not set_interests(session, person.id, kind=way, keys=keys, source="link", at=later)
    rows = session.execute(select(Interest.key, Interest.since, Interest.source)).all()
    assert sorted(map(tuple, rows)) == [("mentor", make.at, ""), ("speak", later, "link")]
    assert set_interests(session, person.id, kind=way, keys=(), source="link", at=later)
    with pytest.raises(Invalid, match="juggle"):
        set_interests(session, person.id, kind=way, keys=["juggle"], source="link", at=later)


def test_a_new_preferred_address_replaces_the_old_one(session: Session, make: Make) -> None:
    person = make.alumnus(email="old@mail.example")
    told = {"owner": ContactOwner.OWN, "preferred": True, "source": "link", "at": make.at}
    point = put_email(session, person, " New@Mail.example ", **told)
    assert (point.value, point.key, point.preferred) == (
        "New@mail.example",
        "new@mail.example",
        True,
    )
    again = put_email(session, person, "NEW@mail.example", **told)
    assert again.id == point.id
    rows = session.execute(select(ContactPoint.key, ContactPoint.preferred)).all()
    assert sorted(map(tuple, rows)) == [("new@mail.example", True), ("old@mail.example", False)]


def test_a_parents_address_is_never_the_preferred_one(session: Session, make: Make) -> None:
    person = make.alumnus(email=None)
    point = put_email(
        session, person, "mum@mail.example", owner=ContactOwner.PARENT, preferred=True,
        source="staff", at=make.at,
    )  # fmt: skip
    assert not point.preferred


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [
        (ContactKind.PHONE, "(404) 555-0134", "+14045550134"),
        (ContactKind.PHONE, "+44 20 7946 0018", "+442079460018"),
        (ContactKind.POSTAL, " 1 Élm St \n\n Macon, GA ", "1 elm st macon ga"),
    ],
)
def test_contact_points_have_a_comparable_form(
    session: Session, make: Make, kind: ContactKind, value: str, key: str
) -> None:
    person = make.alumnus()
    point = put_contact(
        session, person, kind, value, owner=ContactOwner.OWN, preferred=True, source="staff",
        at=make.at,
    )  # fmt: skip
    assert point.key == key


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ContactKind.EMAIL, "ana at mail"),
        (ContactKind.EMAIL, "a" * 400),
        (ContactKind.EMAIL, "a\x00@mail.example"),
        (ContactKind.PHONE, "call me"),
        (ContactKind.PHONE, "12"),
        (ContactKind.POSTAL, " , "),
    ],
)
def test_what_cannot_be_an_address_is_refused(
    session: Session, make: Make, kind: ContactKind, value: str
) -> None:
    with pytest.raises(Invalid) as caught:
        put_contact(
            session, make.alumnus(), kind, value, owner=ContactOwner.OWN, preferred=True,
            source="staff", at=make.at,
        )  # fmt: skip
    assert caught.value.field == kind.value


def test_a_person_is_named_by_a_roster_id_or_by_our_own(session: Session, make: Make) -> None:
    person = make.alumnus(external_id="00042")
    other = make.alumnus(external_id=str(person.id))
    assert resolve_person(session, "00042") == person.id
    assert resolve_person(session, " sis:00042") == person.id
    assert resolve_person(session, str(person.id)) == other.id
    assert resolve_person(session, str(other.id)) == other.id
    for nobody in ("42", "sis:", "\x00", "9" * 40, "", "٤٢", "-1"):
        with pytest.raises(NotFound):
            resolve_person(session, nobody)


def test_a_merged_record_answers_the_one_that_stands(session: Session, make: Make) -> None:
    kept = make.alumnus()
    gone = make.alumnus(external_id="00042", merged_into_id=kept.id)
    assert resolve_person(session, "00042") == kept.id
    assert resolve_person(session, str(gone.id)) == kept.id
