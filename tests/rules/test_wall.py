"""Law 8 by chance: whatever role, permissions and scope, no address shows anybody from beyond.

People stand inside and outside a scope, each with words that stand nowhere else; every GET address
is opened with what belongs to either, and no answer may hold an outside word. What an address does
not show answers as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.accounts import roles
from crm.accounts.models import User, UserScope
from crm.alumni.models import Alumnus
from crm.core.viewer import ALWAYS, AT_MOST, SYSTEM, Permission, Role
from crm.schools.models import School
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.mentoring.models import MentorPair, PairState
from segments.requests.models import (
    GradeBand,
    Place,
    Request,
    RequestDate,
    RequestState,
    Supervision,
)
from tests.factories import Make
from tests.rules.district import District, addresses, seed

OUTSIDE = ("Xyloutside", "outside.person@mail.example", "Quarantania High")
"""Words of a person, an address and a school that nobody inside has."""

PROMISED, UNASKED = "promised.person@mail.example", "unasked.person@mail.example"
ROLES = [Role.LIAISON, Role.SCHOOL, Role.VIEWER]
QUERIES = ("Xyloutside", "class:2015", "-way:nothing", "id:{outside}", 'school:"Quarantania High"')
IDS = {"alumnus_id": "person", "request_id": "request", "commitment_id": "commitment",
       "school_id": "school", "first_id": "person", "ask_id": "ask", "date_id": "date",
       "interaction_id": "talk", "pair_id": "pair"}  # fmt: skip


@dataclass
class Stand:
    """A school with a person who has promised to come there, and everything about it."""

    school: School
    person: Alumnus
    ids: dict[str, int]


def stand(make: Make, school: School, person: Alumnus) -> Stand:
    """A request of the school, asked of the person, who said yes."""
    teacher = make.user(Role.SCHOOL, school=school)
    starts = make.at + timedelta(days=9)
    request = make.save(
        Request(
            school_id=school.id, title=f"A talk for {person.family_name}", way_key="speak",
            pupils=20, grade_band=GradeBand.G6_8, place=Place.SCHOOL,
            supervision=Supervision.SUPERVISED, state=RequestState.ASKING, created_by=teacher.id,
            created_at=make.at, approved_at=make.at,
        )
    )  # fmt: skip
    hour = timedelta(hours=1)
    date = make.save(RequestDate(request_id=request.id, starts_at=starts, ends_at=starts + hour))
    ask = make.save(
        Ask(
            request_id=request.id, alumnus_id=person.id, way_key="speak", asked_at=make.at,
            state=AskState.ACCEPTED, answered_at=make.at, rank=1, probability=0.5, reasons=[],
        )
    )  # fmt: skip
    promised = make.save(
        Commitment(
            ask_id=ask.id, request_id=request.id, alumnus_id=person.id, starts_at=starts,
            ends_at=starts + hour, state=CommitmentState.PLANNED, created_at=make.at,
        )
    )  # fmt: skip
    talk = make.interaction(person, school_id=school.id, note=f"Talked about {person.family_name}")
    pair = make.save(
        MentorPair(
            alumnus_id=person.id, school_id=school.id, mentee=f"Pupil of {person.family_name}",
            level=2, starts_on=make.at.date(), ends_on=make.at.date() + timedelta(days=80),
            state=PairState.ACTIVE, created_at=make.at,
        )
    )  # fmt: skip
    ids = {
        "pair": pair.id,
        "person": person.id, "request": request.id, "commitment": promised.id, "ask": ask.id,
        "school": school.id, "date": date.id, "talk": talk.id,
    }  # fmt: skip
    return Stand(school, person, ids)


def aimed(app: Flask, district: District, ids: dict[str, int]) -> Iterator[tuple[str, str, bool]]:
    """Every GET address with these ids for the seeded ones: endpoint, path, whether it has one."""
    here = District(district.users, {**district.places, **{n: ids[k] for n, k in IDS.items()}})
    for rule, address in addresses(app, here, "GET"):
        if getattr(app.view_functions[rule.endpoint], "access", "public") != "public":
            yield rule.endpoint, address, bool(set(rule.arguments) & set(IDS))


def permissions(role: Role) -> st.SearchStrategy[frozenset[Permission]]:
    """What a district may let a role do."""
    free = sorted(AT_MOST[role] - ALWAYS[role])
    return st.sets(st.sampled_from(free)).map(lambda chosen: ALWAYS[role] | chosen)


@pytest.mark.parametrize("role", ROLES)
def test_no_address_shows_anybody_from_beyond_the_wall(
    app: Flask, make: Make, session: Session, login_as: Callable[[User], FlaskClient], role: Role
) -> None:
    district = seed(make)
    inside = stand(make, make.school("Inland High"), make.alumnus("Ines", "Inside"))
    home = make.alumnus("Iris", "Inside", school=inside.school, email=UNASKED)
    outer = make.school(OUTSIDE[2])
    outside = stand(
        make,
        outer,
        make.alumnus("Otto", OUTSIDE[0], school=outer, email=OUTSIDE[1], class_year=2015),
    )
    user = make.user(role)
    make.save(UserScope(user_id=user.id, school_id=inside.school.id))
    browser = login_as(user)

    @settings(
        max_examples=1, deadline=None, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(permissions(role))
    @example(AT_MOST[role])
    def check(wanted: frozenset[Permission]) -> None:
        roles.set_permissions(session, role, wanted, by=SYSTEM, at=make.at)
        session.commit()
        assert leaks(app, district, browser, outside) == []
        shown = browser.get(f"/people/{home.id}").text
        assert (UNASKED in shown) == ({Permission.CONTACT_VIEW, Permission.PEOPLE_VIEW} <= wanted)

    check()


def leaks(app: Flask, district: District, browser: FlaskClient, outside: Stand) -> list[str]:
    """Each address that shows an outside word, or answers otherwise than for nobody's id."""
    found = []
    nobody = dict.fromkeys(outside.ids, 2**40)
    for endpoint, address, by_id in aimed(app, district, outside.ids):
        answer = browser.get(address)
        found += [f"{address} shows {word}" for word in OUTSIDE if word in answer.text]
        if by_id:
            stranger = next(a for e, a, _ in aimed(app, district, nobody) if e == endpoint)
            if browser.get(stranger).status_code != answer.status_code:
                found.append(f"{address} answers {answer.status_code} and tells that it is there")
    for query in QUERIES:
        text = query.format(outside=outside.person.id)
        for path in ("/people", "/people/count", "/"):
            answer = browser.get(path, query_string={"q": text})
            body = answer.text.replace(text, "").replace(_quoted(text), "")
            found += [f"{path}?q={text} shows {word}" for word in OUTSIDE if word in body]
    exported = browser.post("/people/export", data={"q": ""}).get_data(as_text=True)
    return found + [f"the export shows {word}" for word in OUTSIDE if word in exported]


def _quoted(text: str) -> str:
    return text.replace('"', "&#34;")


def test_a_school_sees_an_address_after_a_yes_to_it_and_of_nobody_else(
    app: Flask, make: Make, session: Session, login_as: Callable[[User], FlaskClient]
) -> None:
    district = seed(make)
    school = make.school("Inland High")
    inside = stand(make, school, make.alumnus("Ines", "Inside", school=school, email=PROMISED))
    home = make.alumnus("Iris", "Inside", school=school, email=UNASKED)
    browser = login_as(make.user(Role.SCHOOL, school=school))
    session.commit()
    assert PROMISED in browser.get(f"/people/{inside.person.id}").text
    ids = {**inside.ids, "person": home.id}
    shown = [a for _, a, _ in aimed(app, district, ids) if UNASKED in browser.get(a).text]
    assert shown == []
