"""Mapping by hand: fields of one's own, what is remembered for a sender, unknown words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.imports.models import CustomField, CustomKind, ImportMapping, ImportRun, ImportState
from crm.schools.models import School
from tests.crm.imports.conftest import Bring, Command, everybody, reasons, schoolings
from tests.crm.imports.test_pages import Upload, latest, upload, work

__all__ = ["upload"]
CLUB = b'Name,Class,Club since,Dues,Paid,Odd\nAda Mensah,2011,3/4/2015,"$1,250.50",Y,x\n'
OWN = {
    "layout": "spreadsheet", "column-2": "custom", "name-2": "Member since", "kind-2": "date",
    "column-3": "custom", "kind-3": "number", "targeting-3": "1", "column-4": "custom",
    "kind-4": "flag", "column-5": "city",
}  # fmt: skip


def applied(app: Flask, session: Session, coordinator: FlaskClient) -> ImportRun:
    """The latest upload, checked and applied."""
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    coordinator.post(f"/imports/{run.id}/apply")
    return work(app, session)


def test_a_column_becomes_a_field_with_a_name_a_kind_and_a_mark(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(CLUB, "club.csv")
    coordinator.post(f"/imports/{latest(session).id}/mapping", data=OWN)
    run = applied(app, session, coordinator)
    (ada,) = everybody(session)
    assert ada.custom == {"member_since": "2015-03-04", "dues": "1250.5", "paid": "yes"}
    fields = {f.key: (f.kind, f.targeting) for f in session.scalars(select(CustomField))}
    assert fields == {
        "member_since": (CustomKind.DATE, False), "dues": (CustomKind.NUMBER, True),
        "paid": (CustomKind.FLAG, False),
    }  # fmt: skip
    page = coordinator.get(f"/imports/{run.id}").text
    assert "dues: Number, used for targeting" in page


def test_a_value_that_is_not_of_its_kind_is_left_out_and_said(
    session: Session, bring: Bring
) -> None:
    rule = {"Dues": {"target": "custom.dues", "kind": "number", "targeting": True}}
    run = bring("ID,Name,Dues\n1,Ada Mensah,lots\n2,Bo Li,7\n", mapping=rule)
    ada, bo = everybody(session)
    assert (ada.custom, bo.custom) == ({}, {"dues": "7"})
    assert "Dues “lots” is no number; left out" in reasons(session, run)[0]
    again = bring("ID,Name,Dues\n1,Ada Mensah,nine\n", mapping={"Dues": "custom.dues"})
    assert "is no number" in reasons(session, again)[0], "a field keeps its kind"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"target": "custom.dues", "kind": "money"}, "the kind of a custom field is one of"),
        ({"target": "city", "kind": "number"}, "only a custom field has a kind"),
    ],
)
def test_a_mapping_file_with_an_unknown_kind_is_refused(
    run: Callable[..., Command], tmp_path_factory: pytest.TempPathFactory, rule: object, words: str
) -> None:
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "list.csv").write_text("ID,Name,Dues\n1,Ada,7\n")
    (folder / "map.json").write_text(json.dumps({"Dues": rule}))
    answer = run("people", "import", folder / "list.csv", "--mapping", folder / "map.json")
    assert answer.code == 1
    assert words in answer.stderr


def test_what_was_chosen_is_offered_for_the_next_file_with_these_columns(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(CLUB, "club.csv")
    first = latest(session)
    chosen = {**OWN, "remember": "1", "sender": "Booster club"}
    coordinator.post(f"/imports/{first.id}/mapping", data=chosen)
    # The same columns in another order and spelling, from the same sender.
    upload(b"name,CLASS,odd,club_since,Paid,dues\nBo Li,2012,Rome,2016-01-02,no,3\n", "2027.csv")
    second = latest(session)
    page = coordinator.get(f"/imports/{second.id}").text
    assert "As for Booster club" in page
    kept = session.scalars(select(ImportMapping)).one()
    coordinator.post(f"/imports/{second.id}/mapping/{kept.id}")
    applied(app, session, coordinator)
    (bo,) = everybody(session)
    assert (bo.city, bo.custom) == (
        "Rome", {"member_since": "2016-01-02", "dues": "3", "paid": "no"},
    )  # fmt: skip


def test_a_mapping_is_not_offered_nor_usable_for_other_columns(
    coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(CLUB, "club.csv")
    chosen = {**OWN, "remember": "1", "sender": "Booster club"}
    coordinator.post(f"/imports/{latest(session).id}/mapping", data=chosen)
    upload(b"Name,Class,Dues\nAda Mensah,2011,3\n", "other.csv")
    other = latest(session)
    assert "As for Booster club" not in coordinator.get(f"/imports/{other.id}").text
    kept = session.scalars(select(ImportMapping)).one()
    assert coordinator.post(f"/imports/{other.id}/mapping/{kept.id}").status_code == 409


def test_a_sender_that_changes_its_mind_has_one_mapping(
    coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(CLUB, "club.csv")
    address = f"/imports/{latest(session).id}/mapping"
    for target in ("city", "employer"):
        form = {**OWN, "column-5": target, "remember": "1", "sender": " Booster  club "}
        coordinator.post(address, data=form)
    kept = session.scalars(select(ImportMapping)).one()
    assert (kept.name, kept.directions["columns"]["Odd"]) == ("Booster club", "employer")
    coordinator.post(address, data={**OWN, "remember": "1", "sender": "Reunion committee"})
    assert len(session.scalars(select(ImportMapping)).all()) == 2
    coordinator.post(address, data={**OWN, "remember": "1", "sender": ""})
    assert len(session.scalars(select(ImportMapping)).all()) == 2, "a mapping needs a name"


def test_a_mapping_is_listed_changed_downloaded_and_forgotten(
    coordinator: FlaskClient, session: Session, upload: Upload
) -> None:
    upload(CLUB, "club.csv")
    chosen = {**OWN, "remember": "1", "sender": "Booster club"}
    coordinator.post(f"/imports/{latest(session).id}/mapping", data=chosen)
    kept = session.scalars(select(ImportMapping)).one()
    assert "Booster club" in coordinator.get("/imports/mappings").text
    assert "Member since" not in coordinator.get(f"/imports/mappings/{kept.id}").text
    assert 'value="member_since"' in coordinator.get(f"/imports/mappings/{kept.id}").text
    change = {"sender": "Boosters", "column-5": "employer"}
    assert coordinator.post(f"/imports/mappings/{kept.id}", data=change).status_code == 303
    session.expire_all()
    assert (kept.name, kept.directions["columns"]) == ("Boosters", {"Odd": "employer"})
    told = json.loads(coordinator.get(f"/imports/mappings/{kept.id}.json").text)
    assert told["columns"] == {"Odd": "employer"}
    assert coordinator.post(f"/imports/mappings/{kept.id}/delete").status_code == 303
    assert session.scalars(select(ImportMapping)).all() == []


def test_a_downloaded_mapping_reads_a_file_by_the_command(
    run: Callable[..., Command], coordinator: FlaskClient, session: Session, upload: Upload,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    upload(CLUB, "club.csv")
    chosen = {**OWN, "remember": "1", "sender": "Booster club"}
    coordinator.post(f"/imports/{latest(session).id}/mapping", data=chosen)
    kept = session.scalars(select(ImportMapping)).one()
    folder = tmp_path_factory.mktemp("told")
    (folder / "map.json").write_text(coordinator.get(f"/imports/mappings/{kept.id}.json").text)
    (folder / "club.csv").write_bytes(CLUB)
    report = run("people", "import", folder / "club.csv", "--mapping", folder / "map.json").report
    assert {"name": "dues", "kind": "number", "targeting": True} in report["fields"]


def test_a_field_can_be_renamed_and_taken_from_the_model(
    coordinator: FlaskClient, session: Session, bring: Bring
) -> None:
    bring("ID,Name,Club\n1,Ada,Chess\n", mapping={"Club": "custom.club!"})
    session.commit()
    assert "club" in coordinator.get("/imports/fields").text
    coordinator.post("/imports/fields/club", data={"club-label": "Chess club"})
    session.expire_all()
    field = session.scalars(select(CustomField)).one()
    assert (field.label, field.targeting) == ("Chess club", False)
    assert coordinator.post("/imports/fields/none", data={"none-label": "x"}).status_code == 404


def test_schools_and_statuses_that_we_do_not_know_are_told_on_the_page(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, north: School
) -> None:
    session.commit()
    upload(b"ID,Name,School,Status,Class\n1,Ada,Old North,Finished,2011\n", "list.csv")
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/check")
    work(app, session)
    page = coordinator.get(f"/imports/{run.id}").text
    assert "School “Old North”" in page
    assert "Status “Finished”" in page
    told = {"school-0": str(north.id), "status-0": "graduated"}
    assert coordinator.post(f"/imports/{run.id}/meanings", data=told).status_code == 303
    assert work(app, session).state is ImportState.CHECKED
    coordinator.post(f"/imports/{run.id}/apply")
    work(app, session)
    (ada,) = everybody(session)
    (schooling,) = schoolings(session, ada)
    assert (schooling.school_id, schooling.status) == (north.id, "graduated")


def test_a_mapping_file_names_schools_and_one_that_names_none_is_refused(
    session: Session, bring: Bring, north: School, run: Callable[..., Command],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    session.commit()
    folder = tmp_path_factory.mktemp("schools")
    (folder / "list.csv").write_text("ID,Name,School\n1,Ada,X7\n")
    (folder / "map.yaml").write_text("schools: {X7: North High School}\n")
    (folder / "bad.yaml").write_text("schools: {X7: Atlantis High}\n")
    refused = run("people", "import", folder / "list.csv", "--mapping", folder / "bad.yaml")
    assert refused.code == 1
    assert "mapping: schools 'X7': no school is called “Atlantis High”" in refused.stderr
    assert run("people", "import", folder / "list.csv", "--mapping", folder / "map.yaml").code == 0
    (schooling,) = schoolings(session, everybody(session)[0])
    assert schooling.school_id == north.id
