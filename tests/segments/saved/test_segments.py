"""Saved segments: named queries that other queries use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, User
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.query import QueryError, compile_query
from segments.saved.models import Segment, SegmentKind, SegmentMember
from segments.saved.queries import load_segment, names
from segments.saved.service import create_segment, edit_segment, freeze_segment, key_for
from tests.factories import Make

LoginAs = Callable[[User], FlaskClient]


@pytest.fixture
def save(session: Session, make: Make) -> Callable[[str, str], Segment]:
    """Saves a query under a name."""
    return lambda name, query: create_segment(
        session, name=name, query=query, by=SYSTEM, at=make.at
    )


@pytest.fixture
def find(session: Session, make: Make) -> Callable[..., set[int]]:
    """Ids that a query finds."""

    def search(query: str, viewer: Viewer = SYSTEM) -> set[int]:
        compiled = compile_query(query, QueryContext(session, viewer, make.at))
        return set(session.scalars(compiled.ids))

    return search


def test_a_segment_is_used_inside_another_query(make: Make, save: Any, find: Any) -> None:
    mentor = make.alumnus(class_year=2015, ways=("mentor",))
    old = make.alumnus(class_year=1999, ways=("mentor",))
    other = make.alumnus(class_year=2015)
    segment = save("Young Mentors", "Way:Mentor class:2010..")
    assert (segment.key, segment.query) == ("young-mentors", "way:mentor class:2010..")
    assert find("segment:young-mentors") == {mentor.id}
    assert find("-segment:young-mentors") == {old.id, other.id}
    assert find('segment:"young mentors" or class:1999') == {mentor.id, old.id}


def test_a_frozen_segment_keeps_its_people_and_a_thawed_one_follows(
    session: Session, make: Make, save: Any, find: Any
) -> None:
    first = make.alumnus(class_year=2015)
    segment = save("Fifteen", "class:2015")
    assert freeze_segment(session, segment, by=SYSTEM, at=make.at) == 1
    second = make.alumnus(class_year=2015)
    assert find("segment:fifteen") == {first.id}
    with pytest.raises(Conflict, match="keeps its people"):
        edit_segment(session, segment, name="X", query="class:2016", by=SYSTEM, at=make.at)
    session.refresh(segment)
    assert find("segment:fifteen class:2015") == {first.id}
    assert second.id not in find("segment:fifteen")


def test_a_segment_never_shows_a_viewer_more_than_their_own_people(
    session: Session, make: Make, save: Any, find: Any
) -> None:
    school = make.school()
    own = make.alumnus(school=school)
    make.alumnus()
    blocked = make.alumnus(school=school, ferpa_block=True)
    viewer = Viewer(1, Role.SCHOOL, "", frozenset({school.id}))
    segment = save("Everybody", "")
    assert find("segment:everybody", viewer) == {own.id}
    assert blocked.id in find("segment:everybody")
    freeze_segment(session, segment, by=SYSTEM, at=make.at)
    assert find("segment:everybody", viewer) == {own.id}
    assert find("-segment:everybody", viewer) == set()


def test_no_segment_contains_itself_however_far_around(
    session: Session, make: Make, save: Any
) -> None:
    a = save("A", "class:2015")
    b = save("B", "segment:a or class:2016")
    with pytest.raises(QueryError, match="contain itself") as caught:
        edit_segment(session, a, name="A", query="ana segment:a", by=SYSTEM, at=make.at)
    assert (caught.value.position, caught.value.length) == (12, 1)
    with pytest.raises(QueryError, match="contain itself"):
        edit_segment(session, a, name="A", query="segment:b", by=SYSTEM, at=make.at)
    a.query = f"segment:{b.key}"
    with pytest.raises(QueryError, match="contain itself"):
        compile_query("segment:a", QueryContext(session, SYSTEM, make.at))


def test_segments_in_segments_stay_small(session: Session, make: Make, save: Any) -> None:
    save("S0", " or ".join(f"class:{year}" for year in range(1960, 2050)))
    for n in range(1, 6):
        save(f"S{n}", f"segment:s{n - 1}")
    with pytest.raises(QueryError, match="deep"):
        save("S6", "segment:s5")
    wide = " or ".join("segment:s0 class:2000" for _ in range(6))
    with pytest.raises(QueryError, match="too large"):
        save("Wide", wide)


def test_a_misspelt_segment_is_suggested(session: Session, make: Make, save: Any) -> None:
    save("Young Mentors", "way:mentor")
    with pytest.raises(QueryError) as caught:
        compile_query("segment:yuong-mentors", QueryContext(session, SYSTEM, make.at))
    assert caught.value.suggestion == "young-mentors"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Young Mentors!", "young-mentors"),
        ("Niños y niñas", "ninos-y-ninas"),
        ("новые", "novye"),
        ("new", "new-2"),
        ("!!", "segment"),
        ("x" * 90, "x" * 60),
    ],
)
def test_keys_are_made_of_names_in_any_script(
    session: Session, make: Make, name: str, key: str
) -> None:
    assert key_for(session, name) == key


def test_two_segments_of_one_name_get_two_keys(save: Any) -> None:
    assert [save("Same", "").key for _ in range(3)] == ["same", "same-2", "same-3"]


def test_a_name_is_needed_and_short(save: Any) -> None:
    for name in ("", " \n ", "x" * 101):
        with pytest.raises(Invalid) as caught:
            save(name, "")
        assert caught.value.field == "name"


def test_only_the_author_or_a_coordinator_changes_a_segment(
    session: Session, make: Make, save: Any
) -> None:
    segment = save("Mine", "class:2015")
    liaison = Viewer(make.user(Role.LIAISON).id, Role.LIAISON, "", frozenset())
    with pytest.raises(NotAllowed):
        edit_segment(session, segment, name="Yours", query="", by=liaison, at=make.at)
    own = create_segment(session, name="Own", query="", by=liaison, at=make.at)
    edit_segment(session, own, name="Owned", query="", by=liaison, at=make.at)
    assert (own.name, own.key) == ("Owned", "own")


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("segment:a", True),
        ("-(segment:b,a or x)", True),
        ("segment:ab", False),
        ('"segment:a"', False),
        ("xsegment:a", False),
    ],
)
def test_a_segment_is_known_to_be_used_only_by_its_whole_name(query: str, *, named: bool) -> None:
    assert names(query, "segment:a") is named


def test_the_pages_lead_from_a_search_to_a_segment_and_away_again(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    make.alumnus("Ana", ways=("mentor",))
    assert "/segments/new?q=way:mentor" in coordinator.get("/people?q=way:mentor").text
    assert "way:mentor" in coordinator.get("/segments/new?q=way:mentor").text
    data = {"name": "Mentors", "q": "way:mentor"}
    answer = coordinator.post("/segments/new", data=data)
    assert answer.headers["Location"] == "/segments/mentors"
    assert "Ana Mensah" in coordinator.get("/segments/mentors").text
    assert "Mentors" in coordinator.get("/segments").text
    data = {"name": "All mentors", "q": "way:mentor,speak"}
    assert coordinator.post("/segments/mentors/edit", data=data).status_code == 303
    assert coordinator.post("/segments/mentors/freeze").status_code == 303
    assert session.scalars(select(SegmentMember)).all()
    assert coordinator.post("/segments/mentors/freeze").status_code == 409
    session.commit()
    assert coordinator.post("/segments/mentors/thaw").status_code == 303
    assert session.scalars(select(SegmentMember)).all() == []
    assert "Delete" in coordinator.get("/segments/mentors/delete").text
    assert coordinator.post("/segments/mentors/delete").status_code == 303
    assert coordinator.get("/segments/mentors").status_code == 404
    actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    verbs = ("created", "edited", "frozen", "thawed", "deleted")
    assert actions == [f"segment.{verb}" for verb in verbs]


def test_a_segment_that_another_names_stays(
    coordinator: FlaskClient, session: Session, save: Any
) -> None:
    save("Inner", "class:2015")
    save("Outer", "segment:inner class:2010..")
    session.commit()
    assert "Outer" in coordinator.get("/segments/inner").text
    assert coordinator.post("/segments/inner/delete").status_code == 409
    assert load_segment(session, "inner").kind is SegmentKind.DYNAMIC


def test_a_segment_whose_query_no_longer_works_says_so(
    coordinator: FlaskClient, session: Session, save: Any
) -> None:
    segment = save("Broken", "way:mentor")
    segment.query = "way:juggle"
    session.commit()
    assert "juggle" in coordinator.get("/segments").text
    assert "juggle" in coordinator.get("/segments/broken").text


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "q": "ana"},
        {"name": "A", "q": "way:mentr"},
        {"name": "A", "q": "x" * 5000},
        {"name": "A", "q": "\x01(" * 50},
        {"name": "A" * 500, "q": ""},
    ],
)
def test_a_bad_segment_is_shown_again(
    coordinator: FlaskClient, session: Session, data: dict[str, str]
) -> None:
    assert coordinator.post("/segments/new", data=data).status_code == 422
    assert session.scalars(select(Segment)).all() == []


def test_viewers_look_but_do_not_save(make: Make, login_as: LoginAs, save: Any) -> None:
    save("Mentors", "way:mentor")
    viewer = login_as(make.user(Role.VIEWER))
    page = viewer.get("/segments/mentors")
    assert page.status_code == 200
    assert "Freeze" not in page.text
    assert viewer.post("/segments/mentors/freeze").status_code == 403
    assert viewer.get("/segments/new").status_code == 403
    school = login_as(make.user(Role.SCHOOL))
    assert school.get("/segments").status_code == 403


def test_the_command_lists_segments(runner: Any, make: Make, save: Any) -> None:
    make.alumnus(ways=("mentor",))
    save("Mentors", "way:mentor")
    result = runner.invoke(args=["segments", "list", "--json"])
    report = json.loads(result.stdout.splitlines()[-1])
    assert (report["count"], report["segments"][0]["people"]) == (1, 1)
