"""OneRoster as it comes: a folder or a zip of users and organizations; and zips that mean harm."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.imports.models import ImportRun, ImportState
from crm.schools.models import Cluster, School
from tests.crm.imports.conftest import Command, everybody, schoolings
from tests.crm.imports.test_layouts import table
from tests.crm.imports.test_pages import Upload, latest, stored, upload, work

__all__ = ["upload"]
ORGS = table(
    "sourcedId|status|dateLastModified|name|type|identifier|parentSourcedId",
    "d1|active|2026-01-01|Juniper Schools|district|1300120|",
    "c1|active|2026-01-01|North Cluster|local||d1",
    "o-201|active|2026-01-01|North High School|school|130012000201|c1",
    "o-202|tobedeleted|2026-01-01|Old Mill School|school|202|d1",
)
USERS = table(
    "sourcedId|status|orgSourcedIds|role|userIds|givenName|familyName|identifier|agentSourcedIds",
    "s-1|active|o-201|student||Ada|Byron|0007|",
    "s-2|active|o-999|student||Bea|Hill|0008|",
    "t-1|active|o-201|teacher||Tom|Teach||",
)
FILES = {"users.csv": USERS, "orgs.csv": ORGS, "manifest.csv": "propertyName,value\n"}
Import = Callable[..., Command]


def zipped(files: dict[str, str | bytes], **options: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(params=["folder", "zip", "zip with a folder inside"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "folder":
        folder = tmp_path / "oneroster"
        folder.mkdir()
        for name, content in FILES.items():
            (folder / name).write_text(content)
        return folder
    inside = "export/" if "inside" in request.param else ""
    path = tmp_path / "oneroster.zip"
    path.write_bytes(zipped({inside + name: content for name, content in FILES.items()}))
    return path


def test_schools_and_people_come_out_of_one_bundle(
    session: Session, run: Import, bundle: Path
) -> None:
    schools = run("schools", "import", bundle).report
    assert (schools["created"], schools["rejected"]) == (2, 0)
    north = session.scalars(select(School).where(School.nces_id == "130012000201")).one()
    cluster = session.get(Cluster, north.cluster_id)
    assert cluster is not None
    assert cluster.name == "North Cluster"
    answer = run("people", "import", bundle)
    assert (answer.report["layout"], answer.report["created"], answer.report["skipped"]) == (
        "oneroster", 2, 1,
    )  # fmt: skip
    ada, bea = everybody(session)
    assert [s.school_id for s in schoolings(session, ada)] == [north.id]
    assert schoolings(session, bea) == []
    assert "no school is called “o-999”" in answer.stderr


def test_organizations_name_the_schools_that_we_know_by_other_numbers(
    session: Session, run: Import, bundle: Path, north: School
) -> None:
    session.commit()
    run("people", "import", bundle)
    assert [s.school_id for s in schoolings(session, everybody(session)[0])] == [north.id]


def test_a_zip_goes_through_the_pages_and_only_its_users_are_kept(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, north: School
) -> None:
    session.commit()
    for path in stored(app):
        path.unlink()
    page = upload(zipped(FILES), "oneroster.zip", follow_redirects=True)
    assert "oneroster.zip/users.csv" in page.text
    assert [path.suffix for path in stored(app)] == [".csv"]
    run = latest(session)
    coordinator.post(f"/imports/{run.id}/mapping", data={"layout": "oneroster"})
    for step in ("check", "apply"):
        coordinator.post(f"/imports/{run.id}/{step}")
        run = work(app, session)
    assert (run.state, run.totals["create"]) == (ImportState.APPLIED, 2)
    assert [s.school_id for s in schoolings(session, everybody(session)[0])] == [north.id]
    assert stored(app) == []


def lying() -> bytes:
    """A zip whose users.csv says it is 10 bytes and unpacks to a megabyte."""
    whole = bytearray(zipped({"users.csv": "x" * 1_000_000}))
    size = struct.pack("<I", 1_000_000)
    while (at := whole.find(size)) >= 0:
        whole[at : at + 4] = struct.pack("<I", 10)
    return bytes(whole)


def locked() -> bytes:
    """A zip that says its part is encrypted."""
    whole = bytearray(zipped({"users.csv": USERS}))
    whole[6] |= 1
    whole[whole.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (zipped({"readme.txt": "hello"}), "holds no users.csv"),
        (zipped({"users.csv": bytes(64 * 1024 * 1024)}), "would unpack to 64 MB"),
        (zipped({f"{n}.csv": "x" for n in range(300)}), "holds 300 files"),
        (zipped({"a/users.csv": USERS, "b/users.csv": USERS}), "two files called users.csv"),
        (zipped({"users.csv": zipped({"users.csv": USERS})}), "is a zip archive"),
        (zipped({"users.csv": USERS, "orgs.csv": b"\x00\x00"}), "orgs.csv"),
        (lying(), "oneroster.zip"),
        (locked(), "locked with a password"),
        (zipped(FILES)[:-40], "no zip archive that we can open"),
        (b"", "no zip archive that we can open"),
    ],
)  # fmt: skip
def test_a_zip_that_is_none_or_a_bomb_is_refused_and_leaves_nothing(
    app: Flask, session: Session, upload: Upload, content: bytes, words: str
) -> None:
    for path in stored(app):
        path.unlink()
    answer = upload(content, "oneroster.zip")
    assert answer.status_code == 422
    assert words in answer.text
    assert session.scalar(select(ImportRun.id)) is None
    assert stored(app) == []


@pytest.mark.parametrize("evil", ["../../users.csv", "/etc/users.csv", "..\\..\\users.csv"])
def test_names_inside_a_zip_are_never_paths(
    app: Flask, session: Session, upload: Upload, evil: str
) -> None:
    assert upload(zipped({evil: USERS}), "oneroster.zip").status_code == 303
    run = latest(session)
    assert run.stored_as is not None
    folder = Path(app.instance_path) / "uploads"
    assert (folder / run.stored_as).is_file()
    assert not (folder.parent.parent / "users.csv").exists()
