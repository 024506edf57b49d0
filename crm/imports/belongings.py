"""Who said the addresses and the schools of a record, as `provenance` says it of its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, literal, select
from sqlalchemy.orm import Session

from crm.alumni.access import sees_contact
from crm.alumni.models import Alumnus, ContactPoint, Schooling
from crm.core.database import db
from crm.core.viewer import Permission, Viewer
from crm.imports import provenance
from crm.imports.models import ImportRun
from crm.imports.provenance import FILE, LINK, MERGE, STAFF, UNKNOWN, Said
from crm.imports.targets import LABELS
from crm.schools.models import School

SOURCES = {"link": LINK, "join": LINK, "staff": STAFF, "merge": MERGE}
MOST = 50


@dataclass(frozen=True)
class Belonging:
    """An address or a school of a record as a line of text, and who said it."""

    text: str
    said: Said


def addresses_from(session: Session, alumnus_id: int) -> list[Belonging]:
    """Every address of a record, those that are no longer used too, by their order on its page."""
    named = literal("import:").concat(cast(ImportRun.id, Text))
    rows = session.execute(
        select(ContactPoint, ImportRun)
        .outerjoin(ImportRun, named == ContactPoint.source)
        .where(ContactPoint.alumnus_id == alumnus_id)
        .order_by(ContactPoint.kind, ContactPoint.preferred.desc(), ContactPoint.id)
        .limit(MOST)
    )
    return [_address(point, run) for point, run in rows]


def _address(point: ContactPoint, run: ImportRun | None) -> Belonging:
    text = point.value.replace("\n", ", ")
    if run is not None:
        return Belonging(text, Said(text, FILE, point.created_at, **provenance.file_of(run, None)))
    source = SOURCES.get(point.source.partition(":")[0], UNKNOWN)
    return Belonging(text, Said(text, source, point.created_at))


def schools_from(session: Session, alumnus_id: int) -> list[Belonging]:
    """Every school of a record: the latest file that told of it, else the one that made it."""
    person = session.get_one(Alumnus, alumnus_id)
    told = _told(session, person)
    rows = session.execute(
        select(School.id, School.name, Schooling.class_year)
        .join(Schooling, Schooling.school_id == School.id)
        .where(Schooling.alumnus_id == alumnus_id)
        .order_by(Schooling.class_year.desc().nulls_last(), Schooling.id)
        .limit(MOST)
    )
    made = provenance.made_of(session, person)
    first = Said(None, FILE, person.created_at, **made) if made else Said(None, UNKNOWN)
    return [
        Belonging(" ".join(str(part) for part in (name, year) if part), told.get(school_id, first))
        for school_id, name, year in rows
    ]


def _told(session: Session, person: Alumnus) -> Mapping[int, Said]:
    """By school the word of the latest file that changed what is known of the time there."""
    found: dict[int, Said] = {}
    for at, file, changes in provenance.lines_of(session, person.id):
        for school_id in _schools(changes):
            found.setdefault(school_id, Said(None, FILE, at, **file))
    return found


def _schools(changes: Mapping[str, Any]) -> Iterator[int]:
    for schooling in changes.get("schoolings", ()):
        if isinstance(schooling, Mapping) and isinstance(schooling.get("school_id"), int):
            yield schooling["school_id"]


def panel(viewer: Viewer, person: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """The block on a person's page, for those who may edit it; addresses for who may see them."""
    if not viewer.may(Permission.PEOPLE_EDIT):
        return None
    session = db.session()
    shown = sees_contact(session, viewer, person.id)
    return {
        "standings": provenance.where_from(session, person.id), "labels": LABELS,
        "schools": schools_from(session, person.id),
        "addresses": addresses_from(session, person.id) if shown else [],
    }  # fmt: skip
