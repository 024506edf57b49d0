"""Reads everybody whose record stands into columns, in four streams and without a join."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Executable, select
from sqlalchemy.orm import Session

from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ExternalId,
    Schooling,
)
from crm.alumni.names import fold, words
from crm.duplicates.columns import Gatherer, People, place

BATCH = 20_000
LOCAL = 5
"""The name before the @ says something from so many letters on."""
SYSTEMS = 64


def load_people(session: Session, since: datetime | None = None) -> tuple[People, NDArray[Any]]:
    """Everybody, and for each whether they changed from `since` on (all did without it)."""
    gatherer = Gatherer()
    changed: list[bool] = []
    for row in _stream(session, _persons()):
        changed.append(since is None or row.updated_at >= since)
        birth = row.birth_date
        gatherer.add(
            row.id, given=words(f"{row.given_name} {row.preferred_name}"),
            family=words(f"{row.family_name} {row.former_name}"),
            birth=birth.year * 10_000 + birth.month * 100 + birth.day if birth else 0,
            class_year=row.class_year or 0, postal=(row.postal_code or "").split("-")[0].strip(),
            city=_folded(row.city or ""),
        )  # fmt: skip
    people = gatherer.people()
    marks = np.array(changed, dtype=bool)
    _contacts(session, people, marks, since)
    _schools(session, people)
    _systems(session, people)
    return people, marks


def _folded(text: str) -> str:
    return " ".join(words(text)) if text else ""


def _persons() -> Executable:
    return (
        select(
            Alumnus.id, Alumnus.given_name, Alumnus.preferred_name, Alumnus.family_name,
            Alumnus.former_name, Alumnus.birth_date, Alumnus.class_year, Alumnus.postal_code,
            Alumnus.city, Alumnus.updated_at,
        )
        .where(Alumnus.merged_into_id.is_(None))
        .order_by(Alumnus.id)
    )  # fmt: skip


def _contacts(
    session: Session, people: People, marks: NDArray[Any], since: datetime | None
) -> None:
    """Mail and telephone of their own, and the street of any postal address."""
    statement = select(
        ContactPoint.alumnus_id, ContactPoint.kind, ContactPoint.key, ContactPoint.value,
        ContactPoint.owner, ContactPoint.updated_at,
    )  # fmt: skip
    code = people.texts.code
    for n, row in _of(session, people, statement):
        if since is not None and row.updated_at >= since:
            marks[n] = True
        if row.kind is ContactKind.POSTAL:
            people.street[n] = code(fold(row.value.split("\n")[0]))
        elif row.owner is not ContactOwner.OWN:
            continue
        elif row.kind is ContactKind.PHONE:
            place(people.phones, n, code(row.key))
        else:
            place(people.emails, n, code(row.key))
            local = row.key.partition("@")[0]
            if len(local) >= LOCAL:
                place(people.locals, n, code(local + "@"))


def _schools(session: Session, people: People) -> None:
    for n, row in _of(session, people, select(Schooling.alumnus_id, Schooling.school_id)):
        place(people.schools, n, row.school_id)


def _systems(session: Session, people: People) -> None:
    known: dict[str, np.uint64] = {}
    for n, row in _of(session, people, select(ExternalId.alumnus_id, ExternalId.system)):
        if row.system not in known:
            known[row.system] = np.uint64(1 << min(len(known), SYSTEMS - 1))
        people.systems[n] |= known[row.system]


def _of(session: Session, people: People, statement: Executable) -> Iterator[tuple[int, Any]]:
    """The rows of a statement, each with the place of the person it names."""
    place_of = {person: n for n, person in enumerate(people.ids.tolist())}
    for row in _stream(session, statement):
        n = place_of.get(row.alumnus_id)
        if n is not None:
            yield n, row


def _stream(session: Session, statement: Executable) -> Iterator[Any]:
    yield from session.execute(statement, execution_options={"yield_per": BATCH})
