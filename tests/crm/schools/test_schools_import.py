"""The district's tree from an NCES-style file, and the page that shows it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.imports.models import ImportRun, ImportState
from crm.schools.models import Cluster, School
from crm.schools.queries import cluster_choices, find_school, school_choices
from tests.factories import Make

SCHOOLS = Path(__file__).parents[2] / "data" / "schools.csv"


@pytest.fixture
def load(runner: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Imports a file of schools and answers the JSON, exit code and stderr."""

    def load(source: Path | str) -> dict[str, Any]:
        path = source if isinstance(source, Path) else tmp_path / "schools.csv"
        if isinstance(source, str):
            path.write_text(source)
        result = runner.invoke(args=["schools", "import", str(path), "--json"])
        report = json.loads(result.stdout.strip().splitlines()[-1])
        return {**report, "code": result.exit_code, "stderr": result.stderr}

    return load


def test_a_file_of_schools_makes_the_tree(session: Session, load: Any) -> None:
    report = load(SCHOOLS)
    assert (report["code"], report["created"], report["rejected"]) == (0, 4, 0)
    assert {c.name for c in session.scalars(select(Cluster))} == {"North", "West"}
    middle = session.scalars(select(School).where(School.name == "North Middle School")).one()
    assert (middle.nces_id, middle.level) == ("130012000202", "middle")


def test_the_same_file_twice_changes_nothing(session: Session, load: Any) -> None:
    load(SCHOOLS)
    report = load(SCHOOLS)
    assert (report["created"], report["updated"], report["unchanged"]) == (0, 0, 4)


def test_codes_for_missing_values_are_no_values(session: Session, load: Any) -> None:
    load(SCHOOLS)
    west = session.scalars(select(School).where(School.nces_id == "130012000203")).one()
    assert (west.city, west.postal_code, west.level) == (None, None, "high")
    mill = session.scalars(select(School).where(School.nces_id == "130012000204")).one()
    assert (mill.city, mill.status) == (None, "closed")


def test_a_renamed_school_keeps_its_id_and_is_found_by_its_old_name(
    session: Session, load: Any
) -> None:
    load(SCHOOLS)
    before = find_school(session, "Booker T. Washington High School")
    renamed = SCHOOLS.read_text().replace("Booker T. Washington", "Ida B. Wells")
    assert load(renamed)["updated"] == 1
    session.expire_all()
    after = find_school(session, "Booker T Washington H.S.")
    assert before is not None
    assert after is not None
    assert (after.id, after.name) == (before.id, "Ida B. Wells High School")


def test_a_school_is_found_by_any_of_its_numbers_and_spellings(session: Session, load: Any) -> None:
    load(SCHOOLS)
    for text in ("130012000202", "202", "0202", "north middle school", "North MS", "NORTH  M.S."):
        school = find_school(session, text)
        assert school is not None, text
        assert school.nces_id == "130012000202", text
    assert find_school(session, "Nowhere High") is None
    assert find_school(session, "\x00") is None


def test_a_blank_cell_erases_nothing(session: Session, load: Any) -> None:
    load(SCHOOLS)
    assert load("NCESSCH,SCH_NAME,LCITY\n130012000201,North High School,\n")["unchanged"] == 1
    north = session.scalars(select(School).where(School.nces_id == "130012000201")).one()
    assert north.city == "Atlanta"


def test_bad_lines_are_named_with_line_and_column(load: Any) -> None:
    report = load("name,NCESSCH\nGood High,130012000301\nBad High,12\n,130012000302\nA,B,C\n")
    assert (report["code"], report["created"], report["rejected"]) == (0, 1, 3)
    assert "schools.csv:3:2: “12” is no NCES id" in report["stderr"]
    assert "schools.csv:4:1: the school has no name" in report["stderr"]
    assert "schools.csv:5: has 3 columns where the first line names 2" in report["stderr"]


def test_a_file_of_something_else_is_refused(load: Any) -> None:
    report = load("color,size\nred,3\n")
    assert report["code"] == 1
    assert "schools.csv:1: no column holds the school's name" in report["stderr"]


def test_the_page_counts_people_and_takes_a_file(
    coordinator: FlaskClient, make: Make, session: Session
) -> None:
    school = make.school("Harbor High School", cluster=make.cluster("Harbor"))
    make.alumnus(school=school)
    page = coordinator.get("/schools")
    assert "Harbor High School" in page.text
    data = {"file": (io.BytesIO(SCHOOLS.read_bytes()), "nces.csv")}
    answer = coordinator.post("/schools/import", data=data, follow_redirects=True)
    assert "4 new" in answer.text
    assert "North Middle School" in answer.text


def test_school_staff_see_their_own_school_alone(
    login_as: Callable[[User], FlaskClient], make: Make, session: Session
) -> None:
    mine, other = make.school("Mine High"), make.school("Other High", cluster=make.cluster("Far"))
    browser = login_as(make.user(Role.SCHOOL, school=mine))
    page = browser.get("/schools")
    assert "Mine High" in page.text
    assert "Other High" not in page.text
    assert browser.post("/schools/import").status_code == 403
    viewer = Viewer(user_id=1, role=Role.SCHOOL, school_ids=frozenset({mine.id}))
    assert school_choices(session, viewer) == [(mine.id, "Mine High")]
    assert cluster_choices(session, viewer) == []
    assert (other.id, "Other High") in school_choices(session, SYSTEM)


def state(session: Session) -> dict[str, list[str]]:
    """Every school, name and cluster as it stands."""
    session.expire_all()
    tables = ("school", "school_alias", "cluster")
    return {
        name: list(session.scalars(sql(f"select t::text from {name} t order by 1")))
        for name in tables
    }


def run_with(session: Session, report: dict[str, Any]) -> ImportRun:
    return session.get_one(ImportRun, report["import_id"], populate_existing=True)


def test_every_line_of_a_file_of_schools_has_its_fate_on_a_page_and_in_a_file(
    session: Session, load: Any, coordinator: FlaskClient
) -> None:
    load(SCHOOLS)
    rows = SCHOOLS.read_text().replace("Booker T. Washington", "Ida B. Wells").splitlines()
    broken = "\n".join([*rows, "13001200X,,,Wrong Number High,,,,,,,"]) + "\n"
    report = load(broken)
    run = run_with(session, report)
    assert run.totals == {"create": 0, "update": 1, "unchanged": 3, "reject": 1}
    page = coordinator.get(f"/imports/{run.id}").text
    assert "Ida B. Wells High School" in page
    assert "is no NCES id" in page
    lines = coordinator.get(f"/imports/{run.id}/lines.csv").text.splitlines()
    assert len(lines) == 1 + 5
    assert "Schools" in coordinator.get("/imports").text


def test_a_file_brought_on_the_page_leads_to_the_fate_of_its_lines(
    session: Session, coordinator: FlaskClient
) -> None:
    file = (io.BytesIO(SCHOOLS.read_bytes()), "schools.csv")
    answer = coordinator.post("/schools/import", data={"file": file})
    run = session.scalars(select(ImportRun)).one()
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/imports/{run.id}")
    assert run.totals["create"] == 4


def test_undoing_a_file_of_schools_leaves_everything_as_it_was(
    session: Session, load: Any, coordinator: FlaskClient
) -> None:
    empty = state(session)
    first = load(SCHOOLS)
    before = state(session)
    news = SCHOOLS.read_text().replace("Booker T. Washington", "Ida B. Wells")
    news = news.replace("North,", "South,").replace("North\n", "South\n")
    second = load(news + "130012009999,,,New High School,,,,,,,\n")
    assert state(session) != before
    for report, expected in ((second, before), (first, empty)):
        answer = coordinator.post(f"/imports/{report['import_id']}/undo")
        assert answer.status_code == 303
        assert run_with(session, report).state is ImportState.REVERTED
        assert state(session) == expected
    again = coordinator.post(f"/imports/{second['import_id']}/undo")
    assert again.status_code == 409


def test_a_school_that_somebody_went_to_and_a_fact_that_changed_since_stay(
    session: Session, load: Any, coordinator: FlaskClient, make: Make
) -> None:
    report = load(SCHOOLS)
    north = session.scalars(select(School).where(School.nces_id == "130012000202")).one()
    make.alumnus("Ada", school=north)
    renamed = load(SCHOOLS.read_text().replace("Booker T. Washington", "Ida B. Wells"))
    wells = find_school(session, "Ida B. Wells High School")
    assert wells is not None
    wells.name = "Wells Academy"
    session.commit()
    coordinator.post(f"/imports/{renamed['import_id']}/undo")
    assert run_with(session, renamed).mapping["undone"]["kept"] == 1
    assert "stays: changed since: name" in coordinator.get(f"/imports/{renamed['import_id']}").text
    coordinator.post(f"/imports/{report['import_id']}/undo")
    left = set(session.scalars(select(School.nces_id)))
    assert "130012000202" in left
    assert run_with(session, report).mapping["undone"]["removed"] == 4 - len(left)
