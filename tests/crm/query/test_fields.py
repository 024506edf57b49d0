"""What single fields find, at their edges, and what they say of values they do not know."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from crm.alumni.models import ContactOwner, ContactStatus
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.interactions.models import Mode
from crm.query import QueryError, compile_query, count_up_to
from tests.factories import Make

Find = Callable[..., set[int]]


@pytest.fixture
def find(session: Session, make: Make) -> Find:
    """Ids that a query finds."""

    def search(query: str, viewer: Viewer = SYSTEM) -> set[int]:
        compiled = compile_query(query, QueryContext(session, viewer, make.at))
        return set(session.scalars(compiled.ids))

    return search


@pytest.mark.parametrize(
    ("query", "word", "suggestion"),
    [
        ("ana clas:2015", "clas", "class:"),
        ("way:mentr", "mentr", "mentor"),
        ("way:mentor,spek", "spek", "speak"),
        ("is:decesed", "decesed", "is:deceased"),
        ("has:emial", "emial", "has:email"),
        ("lang:spanis", "spanis", "Spanish"),
        ('school:"Boker Washington"', '"Boker Washington"', '"Booker T. Washington"'),
        ("mode.volunter:1y", "volunter", "volunteer"),
        ("did.talk_gven:1y", "talk_gven", "talk_given"),
        ("did:talk_gven", "talk_gven", "talk_given"),
        ("xyzzy:1", "xyzzy", ""),
        ("is:..x", "..x", ""),
        ("way:a..b", "a..b", ""),
        ("name:a..b", "a..b", ""),
        ("class:ninety", "ninety", ""),
        ("class:99", "99", ""),
        ("class:2015..2010", "2015..2010", ""),
        ("class:99999999999", "99999999999", ""),
        ("added:yesterday", "yesterday", ""),
        ("added:2026-02-30", "2026-02-30", ""),
        ("added:9999y", "9999y", ""),
        ("added:2026-05..2026-04", "2026-05..2026-04", ""),
        ("ana --- ...", "...", ""),
        ('city:"&"', '"&"', ""),
    ],
)
def test_a_wrong_word_is_pointed_at_and_the_nearest_suggested(
    make: Make, find: Find, query: str, word: str, suggestion: str
) -> None:
    make.school("Booker T. Washington")
    with pytest.raises(QueryError) as caught:
        find(query)
    error = caught.value
    assert query[error.position : error.position + error.length] == word
    assert error.suggestion == suggestion


def test_names_match_from_their_beginnings_and_quoted_ones_whole(make: Make, find: Find) -> None:
    ana = make.alumnus("Ana María", "Núñez")
    anabel = make.alumnus("Anabel", "Stone", former_name="O’Neill")
    assert find("ana") == {ana.id, anabel.id}
    assert find('"ana"') == {ana.id}
    assert find('"nunez ana"') == {ana.id}
    assert find("ONeill") == {anabel.id}
    assert find("-ana") == set()


def test_a_school_is_found_by_name_part_of_it_or_nces_id(make: Make, find: Find) -> None:
    school = make.school("Booker T. Washington", nces_id="130012000051")
    person, _ = make.alumnus(school=school), make.alumnus(school=make.school("Washington Park"))
    assert find('school:"booker t washington"') == {person.id}
    assert find("school:130012000051") == {person.id}
    assert len(find("school:washington")) == 2


def test_a_cluster_means_all_of_its_schools(make: Make, find: Find) -> None:
    cluster = make.cluster("Jackson")
    people = {make.alumnus(school=make.school(cluster=cluster)).id for _ in range(2)}
    make.alumnus()
    assert find("cluster:jackson") == people


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("last:90d", {1, 89}),
        ("last:..90d", {1, 89}),
        ("last:90d..", {91, 800}),
        ("last:1y..", {800}),
        ("last:60d..1y", {89, 91}),
        ("last:2026-09", {1}),
        ("last:2024", {800}),
        ("last:2026-09-14", {1}),
        ("last:2026-06-01..90d", {91}),
    ],
)
def test_the_last_interaction_lies_within_the_time(
    make: Make, find: Find, query: str, days: set[int]
) -> None:
    found = {}
    for age in (1, 89, 91, 800):
        person = make.alumnus()
        make.interaction(person, days_ago=age)
        make.interaction(person, days_ago=age + 1000)
        make.interaction(person, "link_clicked", Mode.COMMUNICATION, days_ago=0, machine=True)
        found[person.id] = age
    make.alumnus()
    assert {found[key] for key in find(query)} == days


def test_what_people_did_is_asked_by_kind_mode_and_time(make: Make, find: Find) -> None:
    old, new, none = (make.alumnus() for _ in range(3))
    make.interaction(old, "talk_given", days_ago=800)
    make.interaction(new, "talk_given", days_ago=8)
    make.interaction(new, "gift", Mode.PHILANTHROPIC, days_ago=8)
    make.interaction(none, "talk_given", days_ago=8, machine=True)
    make.interaction(none, "band_camp", Mode.EXPERIENTIAL, days_ago=8)
    assert find("did:talk_given") == {old.id, new.id}
    assert find("did.talk_given:1y") == {new.id}
    assert find("mode:volunteer -mode.volunteer:1y") == {old.id}
    assert find('did:"Band camp"') == {none.id}


def test_working_addresses_are_their_own_and_not_bounced(make: Make, find: Find) -> None:
    fine = make.alumnus(email=None)
    make.email(fine, "a@mail.example", status=ContactStatus.UNCONFIRMED)
    bounced, parents = make.alumnus(email=None), make.alumnus(email=None)
    make.email(bounced, "b@mail.example", status=ContactStatus.BOUNCED)
    make.email(parents, "c@mail.example", owner=ContactOwner.PARENT)
    assert find("has:email") == {fine.id}
    assert find("email:B@mail.example") == {bounced.id}
    school = Viewer(1, Role.VIEWER)
    assert find("email:b@mail.example", school) == set()
    assert find("-email:b@mail.example", school) == {fine.id, bounced.id, parents.id}


def test_custom_fields_match_words_and_quoted_ones_the_whole_value(make: Make, find: Find) -> None:
    chess = make.alumnus(custom={"club": "Chess Club", "Year": 3})
    make.alumnus(custom={"club": "Drama"})
    assert find("custom.club:chess") == {chess.id}
    assert find('custom.club:"Chess Club"') == {chess.id}
    assert find('custom.club:"Chess"') == set()
    assert find("custom.Year:3") == {chess.id}
    assert find("custom.nothing:3") == set()


def test_ids_are_the_roster_s_or_ours(make: Make, find: Find) -> None:
    person = make.alumnus(external_id="00042")
    assert find("id:00042") == find("id:sis:00042") == find(f"id:{person.id}") == {person.id}
    assert find("id:42,7,99999999999999999999999") == set()


def test_what_is_not_known_is_not_matched_but_left_out_by_its_opposite(
    make: Make, find: Find
) -> None:
    nothing = make.alumnus(class_year=None)
    for query in ("class:2015", "city:macon", "employer:delta", "state:ga", "zip:303", "has:work"):
        assert find(query) == set()
        assert find(f"-{query}") == {nothing.id}


def test_a_date_counts_from_its_first_to_its_last_moment(make: Make, find: Find) -> None:
    first = make.at.replace(month=5, day=1, hour=0)
    inside = {
        make.alumnus(created_at=moment).id
        for moment in (first, first + timedelta(days=30, hours=23, minutes=59))
    }
    make.alumnus(created_at=first - timedelta(seconds=1))
    make.alumnus(created_at=first + timedelta(days=31))
    assert find("added:2026-05") == find("added:2026-05-01..2026-05") == inside


def test_aliases_and_labels_become_the_one_name_and_key(session: Session, make: Make) -> None:
    context = QueryContext(session, SYSTEM, make.at)
    compiled = compile_query('topic:"Health and medicine" Year:2015 HAS:Email', context)
    assert compiled.text == "subject:health class:2015 has:email"
    assert compiled.fields == {"subject", "class", "has:email"}


def test_a_count_stops_where_it_is_told_to(session: Session, make: Make) -> None:
    for _ in range(3):
        make.alumnus()
    compiled = compile_query("ada", QueryContext(session, SYSTEM, make.at))
    assert count_up_to(session, compiled) == (3, False)
    assert count_up_to(session, compiled, limit=3) == (3, False)
    assert count_up_to(session, compiled, limit=2) == (2, True)


def test_a_compiled_query_stands_inside_another_statement(session: Session, make: Make) -> None:
    from_elsewhere = make.alumnus("Ana")
    make.alumnus("Bob")
    compiled = compile_query("ana has:email", QueryContext(session, SYSTEM, make.at))
    outer = type(from_elsewhere)
    names = session.scalars(outer.__table__.select().where(outer.id.in_(compiled.ids))).all()
    assert names == [from_elsewhere.id]
