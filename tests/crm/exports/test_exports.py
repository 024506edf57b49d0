"""Exports: what the file holds, and the second person that a large one waits for."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import AuditEntry
from crm.core import clock
from crm.core.errors import Conflict
from crm.exports import making, queries
from crm.exports.models import ExportState
from crm.exports.service import approve
from crm.imports.models import CustomField
from crm.web.cells import safe_cell
from tests.crm.exports.asking import ASK, Login, ask, run_of
from tests.crm.exports.conftest import Work
from tests.factories import Make


def rows_of(browser: FlaskClient, export_id: int) -> list[dict[str, str]]:
    answer = browser.post(f"/exports/{export_id}/file", buffered=True)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def actions(session: Session) -> list[str]:
    """What the trail says was done; that addresses were looked at stands there besides."""
    done = select(AuditEntry.action).where(AuditEntry.action != "alumnus.looked")
    return list(session.scalars(done.order_by(AuditEntry.id)))


def test_a_small_export_is_made_at_once_holds_the_chosen_columns_and_is_noted(
    coordinator: FlaskClient, make: Make, session: Session, work: Work
) -> None:
    make.save(CustomField(key="club", label="Club", created_at=make.at))
    person = make.alumnus("Ana", "Aa", external_id="007", custom={"club": "=chess"})
    make.alumnus("Blocked", "Bb", ferpa_block=True)
    columns = ["given_name", "external_ids", "custom.club", "list.stage", "email", "class_year"]
    export_id = ask(coordinator, columns=columns)
    assert "being made" in coordinator.get(f"/exports/{export_id}").text
    work(export_id)
    work(export_id)
    run = run_of(session, export_id)
    assert (run.state, run.people, run.blocked) == (ExportState.READY, 1, 1)
    (row,) = rows_of(coordinator, export_id)
    assert list(row) == [
        "external_ids", "given_name", "class_year", "email", "list.stage", "custom.club",
    ]  # fmt: skip
    assert (row["given_name"], row["external_ids"], row["custom.club"]) == (
        "Ana", "sis:007", "'=chess",
    )  # fmt: skip
    assert row["email"].startswith("ana.")
    assert actions(session) == ["export.asked", "export.made", "export.downloaded"]
    made = session.scalars(select(AuditEntry).where(AuditEntry.action == "export.made")).one()
    assert (made.detail["people"], made.detail["left_out"]) == (1, 1)
    assert set(made.detail["columns"]) == set(columns)
    inside = session.scalars(text("select alumnus_id from export_person")).all()
    assert inside == [person.id]
    stored = making.folder() / (run.stored_as or "")
    assert stored.stat().st_mode & 0o077 == 0


def test_a_spreadsheet_keeps_zeros_as_text_and_runs_nothing(
    coordinator: FlaskClient, make: Make, work: Work
) -> None:
    make.alumnus("=1+1", "Aa", external_id="007", postal_code="00501", employer="bell\x0bring")
    export_id = ask(
        coordinator, kind="xlsx",
        columns=["id", "given_name", "external_ids", "postal_code", "class_year", "employer"],
    )  # fmt: skip
    work(export_id)
    body = coordinator.post(f"/exports/{export_id}/file", buffered=True).get_data()
    sheet = load_workbook(io.BytesIO(body))["People"]
    head, line = list(sheet.iter_rows())
    found = {title.value: cell for title, cell in zip(head, line, strict=True)}
    assert found["given_name"].value == "'=1+1"
    assert found["postal_code"].value == "00501"
    assert found["class_year"].value == 2015
    assert found["employer"].value == "bellring"
    assert {cell.data_type for cell in line} == {"s", "n"}
    assert found["id"].data_type == "s"


@pytest.mark.parametrize(
    "nasty",
    [
        *("=1", "+1", "-1", "@a", "  =1", "\t=1", "\r\n=1", "\x00=1", "\x0b=1", "\u200b=1"),
        *("\ufeff=1", "\u3000=1", "＝1", "＋1", "－1", "＠a", "﹢1", "'=1", '"=1', "\u202e=1"),
        *("|calc", "%0a=1", "−1"),
    ],
)
def test_whatever_a_spreadsheet_could_take_for_a_formula_gets_an_apostrophe(nasty: str) -> None:
    assert safe_cell(nasty) == "'" + nasty


@pytest.mark.parametrize("fine", ["", "Ana", "00501", "王小明", "a=b", "3-4", "x; y", "n/a"])
def test_plain_text_stays_as_it_is(fine: str) -> None:
    assert safe_cell(fine) == fine


def test_a_formula_after_another_countrys_separator_is_stopped_too() -> None:
    assert safe_cell("a;=cmd()") == "a;'=cmd()"
    assert safe_cell("a\t @x") == "a\t '@x"


def test_a_large_export_waits_for_a_second_person_who_sees_what_it_is(
    make: Make, login_as: Login, session: Session, strict: int, work: Work
) -> None:
    for n in range(strict + 1):
        make.alumnus(f"Person{n}")
    asker, second = make.user(name="Ana Asker"), make.user(name="Sam Second")
    browser = login_as(asker)
    page = browser.get("/exports/new").text
    assert "A second person must agree" in page
    silent = browser.post("/exports/new", data={**ASK, "reason": " "})
    assert silent.status_code == 422
    assert "Say what the file is for" in silent.text
    export_id = ask(browser)
    work(export_id)
    assert run_of(session, export_id).state is ExportState.WAITING
    assert browser.post(f"/exports/{export_id}/file").status_code == 409
    own = browser.post(f"/exports/{export_id}/approve", data={"people": strict + 1})
    assert own.status_code == 403

    browser = login_as(second)
    assert "export waits for a second person" in browser.get("/").text
    page = browser.get(f"/exports/{export_id}").text
    for told in ("Ana Asker", "the reunion", "Given name", "everybody"):
        assert told in page
    agreed = browser.post(
        f"/exports/{export_id}/approve", data={"people": strict + 1, "word": "Have fun"}
    )
    assert agreed.status_code == 303
    work(export_id)
    assert run_of(session, export_id).state is ExportState.READY
    assert browser.post(f"/exports/{export_id}/file").status_code == 403

    browser = login_as(asker)
    assert len(rows_of(browser, export_id)) == strict + 1
    assert "Have fun" in browser.get(f"/exports/{export_id}").text
    assert actions(session) == [
        "export.asked", "export.approved", "export.made", "export.downloaded",
    ]  # fmt: skip


def test_many_small_exports_in_a_day_are_a_large_one(
    make: Make, coordinator: FlaskClient, session: Session, strict: int, work: Work
) -> None:
    make.alumnus("Ana")
    make.alumnus("Bob")
    assert coordinator.post("/people/export", data={"q": ""}).status_code == 200
    second = coordinator.post("/people/export", data={"q": ""})
    assert second.status_code == 303
    assert "/exports/new" in second.headers["Location"]
    assert run_of(session, ask(coordinator)).state is ExportState.WAITING
    with clock.at(make.at + timedelta(hours=25)):
        assert run_of(session, ask(coordinator)).state is ExportState.MAKING


def waiting(make: Make, browser: FlaskClient, strict: int) -> int:
    for n in range(strict + 1):
        make.alumnus(f"Person{n}")
    return ask(browser)


def test_a_declined_export_leaves_nothing_and_says_why(
    make: Make, login_as: Login, session: Session, strict: int, work: Work
) -> None:
    asker, second = make.user(), make.user(name="Sam Second")
    export_id = waiting(make, login_as(asker), strict)
    browser = login_as(second)
    data = {"people": 0, "word": "Not to a vendor"}
    assert browser.post(f"/exports/{export_id}/decline", data=data).status_code == 303
    assert browser.post(f"/exports/{export_id}/approve", data={"people": 9}).status_code == 409
    work(export_id)
    run = run_of(session, export_id)
    assert (run.state, run.stored_as) == (ExportState.DECLINED, None)
    assert "Not to a vendor" in login_as(asker).get(f"/exports/{export_id}").text


def test_an_agreement_is_void_when_the_query_has_grown_since(
    make: Make, login_as: Login, session: Session, strict: int, work: Work
) -> None:
    asker, second = make.user(), make.user()
    export_id = waiting(make, login_as(asker), strict)
    browser = login_as(second)
    make.alumnus("One more")
    session.commit()
    seen = browser.post(f"/exports/{export_id}/approve", data={"people": strict + 1})
    assert seen.status_code == 409, "they saw fewer people than it means now"
    assert (
        browser.post(f"/exports/{export_id}/approve", data={"people": strict + 2}).status_code
        == 303
    )
    for n in range(making.FEW + 1):
        make.alumnus(f"Late{n}")
    work(export_id)
    run = run_of(session, export_id)
    assert (run.state, run.stored_as) == (ExportState.VOID, None)
    assert "has grown" in (run.error or "")
    assert not list(making.folder().glob("*")) or run.size is None


def test_an_export_that_nobody_decides_lapses(
    make: Make, login_as: Login, session: Session, strict: int
) -> None:
    asker, second = make.user(), make.user()
    export_id = waiting(make, login_as(asker), strict)
    late = make.at + queries.LAPSE + timedelta(minutes=1)
    making.tidy(late - timedelta(minutes=2))
    assert run_of(session, export_id).state is ExportState.WAITING
    viewer, run = viewer_for(session, second), run_of(session, export_id)
    assert not list(queries.waiting_for(session, viewer, late))
    with pytest.raises(Conflict):
        approve(session, run, people=4, word="", by=viewer, at=late)
    making.tidy(late)
    assert run_of(session, export_id).state is ExportState.LAPSED
