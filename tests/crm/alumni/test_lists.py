"""Lists of people: searched as one types, walked, counted, within the scope."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.people import people_page
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role
from crm.query import compile_query
from crm.web.paging import encode
from tests.factories import Make

LoginAs = Callable[[User], FlaskClient]


def test_search_as_you_type_ignores_accents_and_answers_only_the_table(
    coordinator: FlaskClient, make: Make
) -> None:
    make.alumnus("Ana María", "Núñez", school=make.school("Booker T. Washington"))
    make.alumnus("Bob", "Stone")
    answer = coordinator.get("/people?q=nun+mar", headers={"X-Fragment": "1"})
    assert "Ana María Núñez" in answer.text
    assert "Booker T. Washington" in answer.text
    assert "Bob" not in answer.text
    assert "<html" not in answer.text
    assert 'id="results"' in answer.text
    assert 'data-count-text="1 person"' in answer.text
    assert "/exports/new?q=nun+mar" in answer.text  # the export goes with what is seen


def test_a_wrong_word_is_marked_and_the_right_one_suggested(coordinator: FlaskClient) -> None:
    answer = coordinator.get("/people?q=ana+scool:x")
    assert answer.status_code == 422
    assert "<mark>scool</mark>" in answer.text
    assert "Did you mean school:?" in answer.text
    assert coordinator.get("/people?q=scool:x", headers={"X-Fragment": "1"}).status_code == 200


def test_long_lists_say_more_than_and_lead_on(
    coordinator: FlaskClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = make.school()
    for n in range(53):
        make.alumnus("Ana", f"Person {n:02}", school=school, email=None)
    monkeypatch.setattr("crm.alumni.people.COUNTED", 51)
    first = coordinator.get("/people?q=ana")
    assert "More than 51 people" in first.text
    assert "Person 49" in first.text
    assert "Person 50" not in first.text
    after = first.text.split("after=")[1].split('"')[0].split("&")[0]
    second = coordinator.get(f"/people?q=ana&after={after}")
    assert "Person 52" in second.text
    assert "Person 49" not in second.text


def test_few_are_sorted_and_many_walked_to_the_same_pages(
    session: Session, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in (3, 1, 5, 2, 4):
        make.alumnus("Ana", f"Person {n}", city="Macon", email=None)
    make.alumnus("Ana", "Person 0", city="Savannah", email=None)
    compiled = compile_query("city:macon", QueryContext(session, SYSTEM, make.at))

    def pages() -> list[tuple[list[str], int, bool]]:
        found, after = [], None
        while not found or after:
            page = people_page(session, compiled, after=after, size=2)
            found.append(([line.name for line in page.items], page.count, page.more))
            after = page.after
        return found

    names = [["Ana Person 1", "Ana Person 2"], ["Ana Person 3", "Ana Person 4"], ["Ana Person 5"]]
    assert pages() == [(page, 5, False) for page in names]
    monkeypatch.setattr("crm.alumni.people.COUNTED", 3)
    assert pages() == [(page, 3, True) for page in names]
    beyond = people_page(session, compiled, after=encode(["z", 0]), size=2)
    assert (beyond.items, beyond.count, beyond.more) == ([], 3, True)


def test_the_count_answers_json_within_the_scope(
    coordinator: FlaskClient, make: Make, login_as: LoginAs
) -> None:
    school = make.school()
    make.alumnus(school=school)
    make.alumnus()
    assert coordinator.get("/people/count?q=").json == {
        "count": 2,
        "more": False,
        "text": "2 people",
    }
    wrong = coordinator.get("/people/count?q=clas:2015")
    assert wrong.status_code == 422
    assert wrong.json is not None
    assert (wrong.json["position"], wrong.json["length"]) == (0, 4)
    assert wrong.json["suggestion"] == "class:"
    staff = login_as(make.user(Role.SCHOOL, school=school))
    answer = staff.get("/people/count?q=").json
    assert answer is not None
    assert answer["text"] == "1 person"


def test_school_staff_see_neither_other_schools_nor_blocked_people_nor_addresses(
    make: Make, login_as: LoginAs
) -> None:
    school = make.school()
    own = make.alumnus("Own", school=school, email="own@mail.example")
    blocked = make.alumnus("Blocked", school=school, ferpa_block=True)
    other = make.alumnus("Other")
    staff = login_as(make.user(Role.SCHOOL, school=school))
    page = staff.get("/people").text
    assert "Own Mensah" in page
    assert "Blocked" not in page
    assert "Other Mensah" not in page
    assert staff.get(f"/people/{blocked.id}").status_code == 404
    assert staff.get(f"/people/{other.id}").status_code == 404
    assert "own@mail.example" not in staff.get(f"/people/{own.id}").text
    assert staff.get("/people/count?q=email:own@mail.example").json == {
        "count": 0,
        "more": False,
        "text": "0 people",
    }
    assert staff.get(f"/people/{own.id}/edit").status_code == 403
    assert staff.post("/people/export", data={"q": ""}).status_code == 403
