"""The timeline on a person's page, and what staff record by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.core.viewer import Role
from crm.interactions.models import Interaction, Mode
from tests.factories import Make

LoginAs = Callable[[User], FlaskClient]


def test_the_timeline_is_newest_first_filtered_and_paged(
    coordinator: FlaskClient, make: Make
) -> None:
    person = make.alumnus()
    for n in range(25):
        make.interaction(person, "replied", Mode.COMMUNICATION, days_ago=n, note=f"reply {n:02}")
    make.interaction(person, "talk_given", days_ago=3, hours=1, pupils=28)
    page = coordinator.get(f"/people/{person.id}").text
    assert page.index("reply 00") < page.index("Gave a talk") < page.index("reply 10")
    assert "28 pupils" in page
    assert "reply 24" not in page
    address = page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert "reply 24" in coordinator.get(address).text
    talks = coordinator.get(f"/people/{person.id}?mode=volunteer").text
    assert "Gave a talk" in talks
    assert "reply 00" not in talks
    assert coordinator.get(f"/people/{person.id}?mode=nonsense&after=nonsense").status_code == 200


def test_a_talk_is_recorded_once_however_often_the_form_is_sent(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    school = make.school()
    person = make.alumnus(school=school)
    day = (make.at - timedelta(days=2)).date()
    data = {
        "once": "abc", "kind": "talk_given", "day": day.isoformat(), "school_id": str(school.id),
        "hours": "1.5", "pupils": "28", "note": "Nursing",
    }  # fmt: skip
    for _ in range(2):
        answer = coordinator.post(f"/people/{person.id}/interactions", data=data)
        assert answer.status_code == 303
    entry = session.scalars(select(Interaction)).one()
    assert (entry.mode, entry.pupils, entry.school_id) == (Mode.VOLUNTEER, 28, school.id)
    assert entry.occurred_at.date() == day
    assert session.scalars(select(AuditEntry.action)).all() == ["interaction.recorded"]


def test_an_entry_made_by_hand_can_be_taken_back_and_no_other(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    person = make.alumnus()
    mine = make.interaction(person, origin="hand")
    programs = make.interaction(person, origin="journey:welcome/hello")
    address = f"/people/{person.id}/interactions"
    assert coordinator.post(f"{address}/{mine.id}/take-back").status_code == 303
    session.commit()
    assert coordinator.post(f"{address}/{programs.id}/take-back").status_code == 404
    assert session.scalars(select(Interaction.id)).all() == [programs.id]


@pytest.mark.parametrize(
    "data",
    [
        {"day": "2999-01-01"},
        {"day": "yesterday"},
        {"kind": "link_clicked"},
        {"hours": "NaN"},
        {"hours": "1e400"},
        {"hours": "-1"},
        {"pupils": "9" * 40},
        {"amount": "Infinity"},
        {"school_id": "0.5"},
        {"school_id": "9" * 30},
        {"note": "x" * 100_000},
        {"once": "y" * 100},
    ],
)
def test_a_bad_entry_is_refused_and_nothing_recorded(
    coordinator: FlaskClient, make: Make, session: Session, data: dict[str, str]
) -> None:
    person = make.alumnus()
    session.commit()
    fine = {"kind": "call", "day": "2026-09-01", "school_id": "0"}
    answer = coordinator.post(f"/people/{person.id}/interactions", data={**fine, **data})
    assert 400 <= answer.status_code < 500
    assert session.scalars(select(Interaction)).all() == []


def test_a_liaison_records_only_for_people_of_the_cluster(make: Make, login_as: LoginAs) -> None:
    cluster = make.cluster()
    own = make.alumnus(school=make.school(cluster=cluster))
    other = make.alumnus()
    liaison = login_as(make.user(Role.LIAISON, cluster=cluster))
    data = {"kind": "call", "day": "2026-09-01", "school_id": "0"}
    assert liaison.post(f"/people/{other.id}/interactions", data=data).status_code == 404
    assert liaison.post(f"/people/{own.id}/interactions", data=data).status_code == 303
