"""Several things asked of one and the same row, how many rows, radii, custom values, what lacks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactOwner, ContactStatus, Schooling, SchoolingStatus
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.interactions.models import Mode
from crm.query import QueryError, compile_query
from lifecycle.continuum.models import Standing, StandingMove
from segments.clearance.models import Clearance
from tests.factories import Make

Find = Callable[..., set[int]]


@pytest.fixture
def find(session: Session, make: Make) -> Find:
    """Ids that a query finds, asked of everybody at once and of each in turn."""

    def search(query: str, viewer: Viewer = SYSTEM) -> set[int]:
        compiled = compile_query(query, QueryContext(session, viewer, make.at))
        found = set(session.scalars(compiled.ids))
        assert set(session.scalars(select(Alumnus.id).where(compiled.each))) == found
        return found

    return search


def test_what_is_asked_of_a_row_is_true_of_one_row_and_not_of_two(make: Make, find: Find) -> None:
    lincoln, other = make.school("Lincoln High"), make.school("Other")
    one, two = make.alumnus(), make.alumnus()
    make.interaction(one, "talk_given", days_ago=30, school_id=lincoln.id, hours=Decimal("1.5"))
    make.interaction(two, "talk_given", days_ago=30, school_id=other.id)
    make.interaction(two, "mentoring", days_ago=30, school_id=lincoln.id)
    make.interaction(two, "talk_given", days_ago=800, school_id=lincoln.id)
    assert find("did(talk_given school:lincoln when:1y)") == {one.id}
    assert find("did(kind:talk_given hours:1..2)") == {one.id}
    assert find("did(talk_given,mentoring school:lincoln)") == {one.id, two.id}
    assert find("did(school:lincoln -talk_given)") == {two.id}
    assert find("did((talk_given or mentoring) when:1y school:lincoln)") == {one.id, two.id}


def test_how_many_rows_counts_those_that_the_rest_describes(make: Make, find: Find) -> None:
    none, once, thrice = (make.alumnus() for _ in range(3))
    make.interaction(once, "gift", Mode.PHILANTHROPIC, days_ago=5, amount=Decimal(50))
    for days in (5, 50, 500):
        make.interaction(thrice, "gift", Mode.PHILANTHROPIC, days_ago=days, amount=Decimal(20))
    make.interaction(once, "gift", Mode.PHILANTHROPIC, days_ago=1, machine=True)
    assert find("did(gift times:2..)") == {thrice.id}
    assert find("did(gift when:1y times:3)") == set()
    assert find("did(gift times:1)") == {once.id}
    assert find("did(gift times:0)") == {none.id}
    assert find("did(gift times:..1)") == {none.id, once.id}
    assert find("did(gift times:0,3)") == {none.id, thrice.id}
    assert find("-did(gift times:2..)") == {none.id, once.id}
    assert find("-did(gift times:..1)") == {thrice.id}
    assert find("did(gift times:..1 amount_sum:1..)") == {once.id}
    assert find("-(did(gift) did(gift times:0,1))") == {none.id, thrice.id}
    assert find("-did(gift)") == {none.id}
    assert find("did(gift amount_sum:60)") == {thrice.id}
    assert find("did(gift amount_sum:..55 amount:$50)") == {once.id}
    assert find("did(gift first:1y..)") == {thrice.id}
    assert find("did()") == find("has:interaction") == {once.id, thrice.id}


@pytest.mark.parametrize(
    ("query", "word", "suggestion"),
    [
        ("didd(gift)", "didd", "did("),
        ("did(kindd:gift)", "kindd", "kind:"),
        ("did(gft)", "gft", "gift"),
        ("ana did(-times:2)", "times:2", ""),
        ("did(mode:volunter)", "volunter", "volunteer"),
        ("did(did(gift))", "did", ""),
        ("contact(status:bounce)", "bounce", "bounced"),
        ("did(gift", "(", ""),
        ("lacks:emial", "emial", "has:email"),
        ("near:00000", "00000", ""),
        ("near:atlanta", "atlanta", ""),
        ("near:30303/900mi", "30303/900mi", ""),
        ("added:+99999d", "+99999d", ""),
    ],
)
def test_a_wrong_word_inside_is_pointed_at_and_the_nearest_suggested(
    find: Find, query: str, word: str, suggestion: str
) -> None:
    with pytest.raises(QueryError) as caught:
        find(query)
    error = caught.value
    assert query[error.position : error.position + error.length] == word
    assert error.suggestion == suggestion


def test_the_canonical_text_of_rows_names_what_a_bare_word_asks(
    session: Session, make: Make
) -> None:
    context = QueryContext(session, SYSTEM, make.at)
    compiled = compile_query('DID( talk_given  mode:"Volunteering" ) lacks:email,phone', context)
    assert compiled.text == "did(kind:talk_given mode:volunteer) (-has:email or -has:phone)"
    assert compiled.fields == {"did(", "has:email", "has:phone"}


def test_schoolings_addresses_and_clearances_are_asked_row_by_row(make: Make, find: Find) -> None:
    washington, jackson = make.school("Washington"), make.school("Jackson")
    left = make.alumnus(school=washington, email=None)
    make.save(
        Schooling(
            alumnus_id=left.id, school_id=jackson.id, class_year=2014,
            status=SchoolingStatus.LEFT, left_on=date(2013, 1, 31),
        )
    )  # fmt: skip
    make.email(left, "p@mail.example", owner=ContactOwner.PARENT, status=ContactStatus.BOUNCED)
    assert find("schooling(jackson status:left left:2013-01)") == {left.id}
    assert find("schooling(washington status:left)") == set()
    assert find("schooling(times:2)") == {left.id}
    assert find("contact(email owner:parent status:bounced)") == {left.id}
    assert find("contact(email owner:own)") == set()
    soon = (make.at + timedelta(days=20)).date()
    make.save(
        Clearance(
            alumnus_id=left.id, level=2, granted_on=date(2025, 1, 1), expires_on=soon,
            recorded_at=make.at,
        )
    )  # fmt: skip
    assert find("clearance(level:2.. expires:+30d)") == {left.id}
    assert find("clearance(level:2.. expires:+10d)") == set()
    assert find("clearance(expires:90d)") == set()


def test_the_history_of_stages_is_asked_by_where_from_where_to_and_when(
    make: Make, find: Find
) -> None:
    person = make.alumnus()
    make.save(
        Standing(
            alumnus_id=person.id, phase="early", phase_since=make.at, stage="connected",
            stage_since=make.at - timedelta(days=10),
        )
    )  # fmt: skip
    for source, to, days in ((None, "involved", 900), ("involved", "connected", 10)):
        moment = make.at - timedelta(days=days)
        make.save(
            StandingMove(
                alumnus_id=person.id, axis="stage", from_key=source, to_key=to, at=moment,
                since=moment, cause={},
            )
        )  # fmt: skip
    assert find("moved(from:involved to:..connected when:1y)") == {person.id}
    assert find("moved(way:down axis:stage)") == {person.id}
    assert find("moved(way:up)") == find("moved(to:involved)") == set()
    assert find("reached:involved") == find("stage_since:30d") == {person.id}
    assert find("reached:leading") == find("stage_since:30d..") == set()


def test_a_radius_takes_in_the_zip_codes_within_it(make: Make, find: Find) -> None:
    downtown = make.alumnus(postal_code="30303")
    decatur, macon = make.alumnus(postal_code="30030-1234"), make.alumnus(postal_code="31201")
    make.alumnus(postal_code=None)
    assert find("near:30303/1mi") == {downtown.id}
    assert find("near:30303") == find("near:30303/10mi") == {downtown.id, decatur.id}
    assert find("near:30303/150km") == {downtown.id, decatur.id, macon.id}


def test_custom_values_are_compared_as_numbers_or_days_if_they_are_such(
    make: Make, find: Find
) -> None:
    two = make.alumnus(custom={"gpa": "2.5", "visit": "2026-05-31"})
    ten = make.alumnus(custom={"gpa": 10, "visit": "2024-01-02"})
    other = make.alumnus(custom={"gpa": "none", "visit": "in May"})
    assert find("custom.gpa:2..3") == {two.id}
    assert find("custom.gpa:9..") == {ten.id}
    assert find("custom.visit:2026-05..2026-06") == {two.id}
    assert find("custom.visit:..1y") == {two.id}
    assert find("has:custom.gpa") == {two.id, ten.id, other.id}
    assert find("lacks:custom.gpa") == set()


def test_each_of_a_person_s_names_is_asked_by_itself(make: Make, find: Find) -> None:
    ana = make.alumnus("Ana María", "Núñez", former_name="Stone", preferred_name="Annie")
    make.alumnus("Stone", "Ana")
    assert find("given:ana") == find("family:nunez") == {ana.id}
    assert find("former:stone") == find("preferred:annie") == {ana.id}


def test_dates_of_birth_are_asked_only_by_those_who_may_edit(make: Make, find: Find) -> None:
    grown = make.alumnus(birth_date=date(2000, 9, 15))
    child = make.alumnus(birth_date=date(2008, 9, 16))
    assert find("age:18..") == find("born:2000") == find("born:2000-09-15") == {grown.id}
    assert find("age:..17") == {child.id}
    assert find("born:2000", Viewer(1, Role.VIEWER)) == set()
    assert find("age:18..", Viewer(1, Role.VIEWER)) == set()
