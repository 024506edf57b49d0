"""What becomes of a file that was made: kept for a time, handed out to whom it may."""

from __future__ import annotations

import tracemalloc
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts import roles
from crm.alumni.export import COLUMNS
from crm.core import clock
from crm.core.viewer import ROLE_PERMISSIONS, SYSTEM, Permission, Role
from crm.exports import files, making
from crm.exports.columns import SETS
from crm.exports.models import ExportRun, ExportState, Format
from crm.imports.models import CustomField
from crm.rights.erasing import erase
from tests.crm.exports.asking import ASK, Login, ask, run_of
from tests.crm.exports.conftest import Work
from tests.factories import Make


def test_a_file_is_deleted_after_its_time_and_whom_it_held_with_it(
    make: Make, coordinator: FlaskClient, session: Session, work: Work
) -> None:
    make.alumnus()
    export_id = ask(coordinator)
    work(export_id)
    stored = making.folder() / (run_of(session, export_id).stored_as or "")
    assert stored.is_file()
    assert making.tidy(make.at + making.KEPT - timedelta(minutes=1)) == 0
    with clock.at(make.at + making.KEPT):
        assert coordinator.post(f"/exports/{export_id}/file").status_code in (302, 409)
    assert making.tidy(make.at + making.KEPT) == 1
    assert not stored.exists()
    assert run_of(session, export_id).state is ExportState.GONE
    assert session.scalars(text("select alumnus_id from export_person")).all() == []


@pytest.mark.parametrize("what", ["block", "erase"])
def test_a_file_with_somebody_who_may_not_leave_any_more_is_not_handed_out(
    make: Make, coordinator: FlaskClient, session: Session, work: Work, what: str
) -> None:
    make.alumnus("Stays")
    person = make.alumnus("Leaves")
    export_id = ask(coordinator)
    work(export_id)
    stored = making.folder() / (run_of(session, export_id).stored_as or "")
    if what == "block":
        person.ferpa_block = True
        session.commit()
    else:
        erase(session, person.id, at=make.at, by=SYSTEM)
        session.commit()
    answer = coordinator.post(f"/exports/{export_id}/file")
    assert answer.status_code == 409
    assert not stored.exists()
    assert run_of(session, export_id).state is ExportState.VOID


def test_a_file_is_handed_out_only_while_account_and_view_are_what_they_were(
    app: Flask, make: Make, login_as: Login, session: Session, work: Work
) -> None:
    make.alumnus()
    make.user()
    asker = make.user()
    export_id = ask(login_as(asker))
    later = ask(login_as(asker))
    work(export_id)
    asker.role = Role.LIAISON
    session.commit()
    assert login_as(asker).post(f"/exports/{export_id}/file").status_code == 403
    work(later)
    run = run_of(session, later)
    assert (run.state, run.error) == (
        ExportState.FAILED, "The account that asked for it may no longer export.",
    )  # fmt: skip


def test_a_sheet_that_would_not_open_is_refused(
    make: Make, coordinator: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.exports.service.LARGEST_SHEET", 1)
    make.alumnus()
    make.alumnus()
    answer = coordinator.post("/exports/new", data={**ASK, "kind": "xlsx"})
    assert answer.status_code == 422
    assert "Choose CSV" in answer.text
    assert files.LARGEST_SHEET == 1_048_575


@pytest.mark.parametrize("kind", list(Format))
def test_a_file_of_any_length_is_written_in_the_memory_of_one_batch(
    tmp_path: Path, kind: Format
) -> None:
    def most_held(batches: int) -> int:
        tracemalloc.start()
        with files.writing(tmp_path / f"{batches}", kind, ["Number", "Name", "City"]) as add:
            for n in range(batches):
                add([[n * 250 + k, f"Ada {n}-{k}", "Milltown"] for k in range(250)])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most_held(1)
    few, many = most_held(2), most_held(24)
    assert many < few * 1.5
    assert (tmp_path / "24").stat().st_size > 5 * (tmp_path / "2").stat().st_size


def test_a_column_that_is_not_offered_cannot_be_taken(
    make: Make, coordinator: FlaskClient, session: Session
) -> None:
    make.alumnus()
    for column in ("link_epoch", "custom.secret", "name_key"):
        data = {**ASK, "columns": [column]}
        assert coordinator.post("/exports/new", data=data).status_code == 422
    assert session.scalars(select(ExportRun.id)).all() == []


def test_an_export_that_was_given_up_is_not_made(
    make: Make, coordinator: FlaskClient, session: Session, work: Work
) -> None:
    make.alumnus()
    export_id = ask(coordinator)
    assert coordinator.post(f"/exports/{export_id}/cancel").status_code == 303
    work(export_id)
    assert run_of(session, export_id).state is ExportState.CANCELLED
    assert coordinator.post(f"/exports/{export_id}/again").status_code == 409


def test_nobody_else_can_see_or_touch_an_export_that_needs_no_second_person(
    make: Make, login_as: Login, session: Session, work: Work
) -> None:
    school = make.school()
    make.alumnus(school=school)
    export_id = ask(login_as(make.user()))
    work(export_id)
    for role in (Role.LIAISON, Role.SCHOOL, Role.VIEWER):
        browser = login_as(make.user(role, school=school))
        assert browser.get(f"/exports/{export_id}").status_code == 403
        assert browser.post(f"/exports/{export_id}/file").status_code == 403


def ticked(browser: FlaskClient, columns: str) -> set[str]:
    """The boxes that the form comes with when one asks for a set of columns."""
    page = BeautifulSoup(
        browser.get("/exports/new", query_string={"columns": columns}).text, "html.parser"
    )
    return {str(box["value"]) for box in page.select("input[name=columns][checked]")}


def test_columns_that_go_together_are_ticked_by_one_link(
    coordinator: FlaskClient, session: Session, make: Make
) -> None:
    make.alumnus()
    make.save(CustomField(key="club", label="Club", created_at=make.at))
    session.commit()
    page = BeautifulSoup(coordinator.get("/exports/new").text, "html.parser")
    boxes = [str(box["value"]) for box in page.select("input[name=columns]")]
    assert len(boxes) == len(set(boxes)), "each column stands under one heading"
    assert {*COLUMNS, "custom.club"} <= set(boxes)
    assert ticked(coordinator, "all") == set(boxes)
    assert ticked(coordinator, "none") == set()
    assert ticked(coordinator, "figures") == {
        "class_year", "schools", "state", "field_of_work", "ways", "subjects",
    }  # fmt: skip
    assert "email" in ticked(coordinator, "mail")
    assert ticked(coordinator, "usual") == ticked(coordinator, "no-such-set") < set(boxes)


def test_a_set_of_columns_never_holds_addresses_for_who_may_not_see_them(
    login_as: Login, make: Make, session: Session, now: datetime
) -> None:
    make.alumnus()
    granted = ROLE_PERMISSIONS[Role.VIEWER] | {Permission.EXPORT}
    roles.set_permissions(session, Role.VIEWER, granted, by=SYSTEM, at=now)
    session.commit()
    viewer = login_as(make.user(Role.VIEWER))
    for columns in SETS:
        assert not ticked(viewer, columns) & {"email", "phone", "postal"}
    assert ticked(viewer, "mail")
