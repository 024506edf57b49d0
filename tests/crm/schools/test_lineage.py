"""What becomes of schools: names, clusters, mergers, closures, and figures that stay comparable."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import User
from crm.alumni.models import Schooling, SchoolingStatus
from crm.core.errors import Conflict, Invalid
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role
from crm.imports.district import schools_page
from crm.query import compile_query
from crm.schools import lineage
from crm.schools.lineage import When
from crm.schools.models import SchoolChange, SchoolStatus
from crm.schools.queries import find_school
from crm.schools.service import SchoolFacts, save_schools
from tests.factories import Make

LONG_AGO = date(2015, 7, 1)


@pytest.fixture
def when(now: datetime) -> When:
    return When(LONG_AGO, now, None)


def meant(session: Session, text: str, now: datetime) -> set[int]:
    """The ids of the people that a query means."""
    return set(session.scalars(compile_query(text, QueryContext(session, SYSTEM, now)).ids))


def test_a_renamed_school_is_found_by_every_name_and_keeps_its_people(
    session: Session, make: Make, when: When, now: datetime
) -> None:
    school = make.school("Old Mill High")
    person = make.alumnus("Ada", school=school)
    lineage.rename(session, school, "Rosa Parks High", when)
    for name in ("Old Mill High", "Rosa Parks High"):
        assert find_school(session, name) is school
        assert meant(session, f'school:"{name}"', now) == {person.id}


def test_staff_of_the_successor_see_the_alumni_of_the_school_that_closed(
    session: Session, make: Make, when: When, login_as: Callable[[User], FlaskClient]
) -> None:
    old, new = make.school("Old Mill High"), make.school("North High")
    oldest = make.school("Mill Academy")
    first, second = make.alumnus("Ada", school=old), make.alumnus("Bea", school=oldest)
    user = make.user(Role.SCHOOL, school=new)
    lineage.hand_on(session, oldest, old, When(date(1990, 7, 1), when.at, None), closes=True)
    assert viewer_for(session, user).school_ids == {new.id}
    done = lineage.hand_on(session, old, new, when, closes=True)
    assert viewer_for(session, user).school_ids == {new.id, old.id, oldest.id}
    assert old.status is SchoolStatus.CLOSED
    browser = login_as(user)
    for person in (first, second):
        assert browser.get(f"/people/{person.id}").status_code == 200
    lineage.take_back(session, done, when.at)
    assert viewer_for(session, user).school_ids == {new.id}


def test_a_query_for_a_school_brings_whom_it_took_over_and_then_means_as_it_was(
    session: Session, make: Make, when: When, now: datetime
) -> None:
    old, new = make.school("Old Mill High"), make.school("North High")
    ada, bea = make.alumnus("Ada", school=old), make.alumnus("Bea", school=new)
    lineage.hand_on(session, old, new, when, closes=True)
    assert meant(session, 'school:"North High"', now) == {ada.id, bea.id}
    assert meant(session, 'attended:"North High"', now) == {bea.id}
    assert meant(session, 'school:"Old Mill High"', now) == {ada.id}


def test_names_and_clusters_of_a_day_are_as_they_were_then(
    session: Session, make: Make, now: datetime
) -> None:
    cedar, lake = make.cluster("Cedar"), make.cluster("Lake")
    school = make.school("Old Mill High", cluster=cedar)
    lineage.move(session, school, lake.id, When(date(2018, 7, 1), now, None))
    lineage.rename(session, school, "North High", When(date(2020, 7, 1), now, None))

    def on(day: date | None) -> tuple[str, str]:
        (row,) = schools_page(session, SYSTEM, after=None, day=day).items
        return row.name, row.cluster

    assert on(date(2017, 1, 1)) == ("Old Mill High", "Cedar")
    assert on(date(2018, 7, 1)) == ("Old Mill High", "Lake")
    assert on(date(2021, 1, 1)) == ("North High", "Lake") == on(None)


def test_a_file_that_renames_and_moves_a_school_leaves_its_history(
    session: Session, now: datetime
) -> None:
    facts = SchoolFacts("Old Mill High", nces_id="130012000001", cluster="Cedar")
    save_schools(session, [facts], at=now)
    news = SchoolFacts("North High", nces_id="130012000001", cluster="Lake",
                       status=SchoolStatus.CLOSED)  # fmt: skip
    save_schools(session, [news], at=now + timedelta(days=400))
    assert {c.kind.value for c in session.scalars(select(SchoolChange))} == {
        "renamed", "moved", "closed",
    }  # fmt: skip
    (row,) = schools_page(session, SYSTEM, after=None, day=now.date()).items
    assert (row.name, row.cluster) == ("Old Mill High", "Cedar")
    save_schools(session, [news], at=now + timedelta(days=401))
    assert len(session.scalars(select(SchoolChange)).all()) == 3


def test_senseless_changes_are_refused(session: Session, make: Make, when: When) -> None:
    old, new = make.school("Old Mill High"), make.school("North High")
    lineage.hand_on(session, old, new, when, closes=True)
    for wrong in (
        lambda: lineage.hand_on(session, new, old, when, closes=True),
        lambda: lineage.hand_on(session, new, new, when, closes=True),
        lambda: lineage.close(session, old, when),
        lambda: lineage.rename(session, old, " ", when),
        lambda: lineage.rename(session, new, "A", When(date(2099, 1, 1), when.at, None)),
    ):
        with pytest.raises(Invalid):
            wrong()
    first = lineage.rename(session, new, "A High", when)
    lineage.rename(session, new, "B High", when)
    with pytest.raises(Conflict):
        lineage.take_back(session, first, when.at)


def test_the_page_of_a_school_tells_its_lineage_and_takes_changes(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    old, new = make.school("Old Mill High"), make.school("North High")
    make.alumnus("Ada", school=old, class_year=1994)
    address = f"/schools/{old.id}"
    day = {"day": "2016-07-01"}
    assert coordinator.post(f"{address}/merge", data={"other_id": new.id, **day}).status_code == 303
    assert coordinator.post(f"/schools/{new.id}/rename", data={"name": "Lake High", **day})
    page = coordinator.get(f"/schools/{new.id}").text
    assert "hc-lineage" in page
    assert "renamed from “North High” to “Lake High”" in page
    assert "With the schools that became part of it" in page
    assert "North High" in coordinator.get("/schools?as_of=2016-06-30").text
    assert "North High" not in coordinator.get("/schools?as_of=2016-07-01").text
    change = session.scalars(select(SchoolChange).where(SchoolChange.school_id == old.id)).one()
    assert coordinator.post(f"/schools/{new.id}/changes/{change.id}/undo").status_code == 404
    assert coordinator.post(f"{address}/changes/{change.id}/undo").status_code == 303
    assert "hc-lineage" not in coordinator.get(f"/schools/{new.id}").text


VERBS = st.lists(
    st.tuples(
        st.sampled_from(["rename", "move", "merge", "split", "close"]), st.integers(0, 3),
        st.integers(0, 3), st.integers(0, 20),
    ),
    max_size=8,
)  # fmt: skip


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(VERBS)
def test_whatever_is_entered_and_taken_back_in_turn_leaves_schools_as_they_were(
    session: Session, make: Make, now: datetime, verbs: list[tuple[str, int, int, int]]
) -> None:
    with session.begin_nested() as savepoint:
        clusters = [make.cluster(f"C{n}") for n in range(2)]
        schools = [make.school(f"S{n} High", cluster=clusters[n % 2]) for n in range(4)]

        def picture() -> list[tuple[str, str, int | None]]:
            return [(s.name, s.status.value, s.cluster_id) for s in schools]

        before, done = picture(), []
        for verb, one, other, years in verbs:
            school, when = schools[one], When(date(2000 + years, 7, 1), now, None)
            try:
                if verb == "rename":
                    done.append(lineage.rename(session, school, f"N{years} {other} High", when))
                elif verb == "move":
                    done.append(lineage.move(session, school, clusters[other % 2].id, when))
                elif verb == "close":
                    done.append(lineage.close(session, school, when))
                else:
                    closes = verb == "merge"
                    done.append(
                        lineage.hand_on(session, school, schools[other], when, closes=closes)
                    )
            except Invalid:
                continue
        for change in reversed(done):
            lineage.take_back(session, change, now)
        assert picture() == before
        assert lineage.with_predecessors(session, [s.id for s in schools[:1]]) == {schools[0].id}
        savepoint.rollback()
    session.expire_all()


def test_the_list_of_schools_counts_a_school_with_whom_it_took_over_each_person_once(
    coordinator: FlaskClient, session: Session, make: Make, when: When
) -> None:
    oldest, old, new = (make.school(n) for n in ("Mill Academy", "Old Mill High", "North High"))
    both = make.alumnus("Ada", school=old)
    make.alumnus("Bea", school=oldest)
    make.alumnus("Cy", school=new)
    status = SchoolingStatus.GRADUATED
    make.save(Schooling(alumnus_id=both.id, school_id=new.id, class_year=2016, status=status))
    lineage.hand_on(session, oldest, old, When(date(1990, 7, 1), when.at, None), closes=True)
    done = lineage.hand_on(session, old, new, when, closes=True)
    session.commit()

    def rows() -> dict[str, str]:
        page = BeautifulSoup(coordinator.get("/schools").text, "html.parser")
        found = page.select("tbody tr")
        return {
            str(r.th.a.text): " ".join(r.get_text(" ").split()) for r in found if r.th and r.th.a
        }

    shown = rows()
    assert shown["North High"].endswith("2 3 with the schools that became part of it")
    assert shown["Old Mill High"].endswith("1 2 with the schools that became part of it")
    assert "counts with North High, too" in shown["Old Mill High"]
    assert shown["Mill Academy"].endswith("1")
    lineage.take_back(session, done, when.at)
    session.commit()
    assert rows()["North High"].endswith("2")
