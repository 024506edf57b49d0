"""Reads for lists of people and for one person's page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import Session

from crm.alumni.models import (
    Alumnus,
    ContactPoint,
    ExternalId,
    Interest,
    InterestKind,
    Schooling,
    Subject,
    Way,
)
from crm.query import Compiled, count_up_to
from crm.schools.models import School
from crm.web.paging import PAGE, Page, keyset

COUNTED = 1_000
MANY = 2_000
MANY_NAMES = 20_000


@dataclass(frozen=True)
class PersonLine:
    """One line of a list of people."""

    id: int
    name: str
    class_year: int | None
    schools: tuple[str, ...]
    city: str
    ferpa_block: bool
    deceased: bool
    do_not_contact: bool


@dataclass(frozen=True)
class PeoplePage(Page[PersonLine]):
    """A page of people and how many there are in all (`more`: not counted to the end)."""

    count: int = 0
    more: bool = False


def people_page(
    session: Session, compiled: Compiled, *, after: str | None, size: int = PAGE
) -> PeoplePage:
    """One page of the people a query means, by name.

    PostgreSQL cannot know whether a filter and the order of names go together, and a wrong guess
    reads a million rows for fifty. So the first matches are gathered in any order; only if there
    are too many to sort is the index on names walked, where matches then come soon.
    """
    ids, following, count = _gathered(session, compiled, after, size)
    more = count > COUNTED
    if ids is None:
        plain = select(Alumnus.id).where(compiled.condition)
        page = keyset(session, plain, [Alumnus.sort_key, Alumnus.id], after=after, size=size)
        ids, following = [row.id for row in page.items], page.after
        if not more:
            count, more = count_up_to(session, compiled, COUNTED)
    return PeoplePage(_lines(session, ids), following, min(count, COUNTED), more)


def _gathered(
    session: Session, compiled: Compiled, after: str | None, size: int
) -> tuple[list[int] | None, str | None, int]:
    """(ids of the page, what follows, how many matches); no ids if there are too many to sort."""
    if not compiled.fields:
        return None, None, 0
    enough = MANY_NAMES if "name" in compiled.fields else MANY
    some = select(Alumnus.id, Alumnus.sort_key).where(compiled.condition).limit(enough + 1)
    hits = some.subquery("some")
    counted = select(hits, func.count().over().label("total")).subquery("hits")
    keys = [counted.c.sort_key, counted.c.id]
    page = keyset(session, select(counted.c.id, counted.c.total), keys, after=after, size=size)
    total = page.items[0].total if page.items else 0
    if total > enough or (after and not page.items):
        return None, None, total
    return [row.id for row in page.items], page.after, total


def _lines(session: Session, ids: Sequence[int]) -> list[PersonLine]:
    """The people of these ids as lines, in the order of the ids."""
    found = session.scalars(select(Alumnus).where(Alumnus.id.in_(ids)))
    people = sorted(found, key=lambda person: ids.index(person.id))
    schools = school_names(session, ids)
    return [
        PersonLine(
            id=p.id, name=p.full_name, class_year=p.class_year, schools=schools.get(p.id, ()),
            city=", ".join(part for part in (p.city, p.state) if part),
            ferpa_block=p.ferpa_block, deceased=p.deceased, do_not_contact=p.do_not_contact,
        )
        for p in people
    ]  # fmt: skip


def school_names(session: Session, alumnus_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The names of each person's schools, the last one attended first."""
    found: dict[int, list[str]] = defaultdict(list)
    statement = (
        select(Schooling.alumnus_id, School.name)
        .join(School, School.id == Schooling.school_id)
        .where(Schooling.alumnus_id.in_(alumnus_ids))
        .order_by(Schooling.class_year.desc().nulls_last(), School.name)
    )
    for alumnus_id, name in session.execute(statement):
        found[alumnus_id].append(name)
    return {alumnus_id: tuple(names) for alumnus_id, names in found.items()}


def schoolings_of(session: Session, alumnus_id: int) -> list[tuple[Schooling, School]]:
    """A person's schoolings with their schools, the last one first."""
    statement = (
        select(Schooling, School)
        .join(School, School.id == Schooling.school_id)
        .where(Schooling.alumnus_id == alumnus_id)
        .order_by(Schooling.class_year.desc().nulls_last(), School.name)
    )
    return [(schooling, school) for schooling, school in session.execute(statement)]


def contacts_of(session: Session, alumnus_id: int) -> list[ContactPoint]:
    """A person's contact points, those to use first."""
    statement = (
        select(ContactPoint)
        .where(ContactPoint.alumnus_id == alumnus_id)
        .order_by(ContactPoint.kind, ContactPoint.preferred.desc(), ContactPoint.id)
    )
    return list(session.scalars(statement))


def interests_of(session: Session, alumnus_id: int, kind: InterestKind) -> dict[str, str]:
    """A person's ways or subjects: label by key, in their shown order."""
    table = Way if kind is InterestKind.WAY else Subject
    statement = (
        select(Interest.key, table.label)
        .outerjoin(table, table.key == Interest.key)
        .where(Interest.alumnus_id == alumnus_id, Interest.kind == kind)
        .order_by(table.position, Interest.key)
    )
    return {key: label or key for key, label in session.execute(statement)}


def interest_choices(session: Session, kind: InterestKind) -> list[tuple[str, str]]:
    """(key, label) of the ways that are offered, or of all subjects."""
    if kind is InterestKind.SUBJECT:
        rows = session.execute(select(Subject.key, Subject.label).order_by(Subject.position))
        return [(key, label) for key, label in rows]
    offered = select(Way.key, Way.label).where(Way.offered).order_by(Way.position)
    return [(key, label) for key, label in session.execute(offered)]


def external_ids_of(session: Session, alumnus_id: int) -> list[str]:
    """A person's ids in other systems, as `system:value`."""
    statement = select(ExternalId.system, ExternalId.value).where(
        ExternalId.alumnus_id == alumnus_id
    )
    return [f"{system}:{value}" for system, value in session.execute(statement.order_by("system"))]


def record_of(session: Session, alumnus_id: int) -> dict[str, Any]:
    """Everything in one person's record as plain values, for `people show`."""
    person = session.get_one(Alumnus, alumnus_id)
    hidden = {"name_key", "sort_key", "link_epoch"}
    return {
        **{k: v for k, v in columns_of(person).items() if k not in hidden},
        "name": person.full_name,
        "external_ids": external_ids_of(session, alumnus_id),
        "schoolings": [
            {**_without_ids(schooling), "school": school.name, "nces_id": school.nces_id}
            for schooling, school in schoolings_of(session, alumnus_id)
        ],
        "contact_points": [_without_ids(point) for point in contacts_of(session, alumnus_id)],
        "interests": [_without_ids(row) for row in _interests(session, alumnus_id)],
    }


def _interests(session: Session, alumnus_id: int) -> Sequence[Interest]:
    mine: Select[Interest] = select(Interest).where(Interest.alumnus_id == alumnus_id)
    return session.scalars(mine.order_by(Interest.kind, Interest.key)).all()


def columns_of(row: Any) -> dict[str, Any]:
    """A row's columns by name."""
    return {
        attribute.key: getattr(row, attribute.key) for attribute in inspect(row).mapper.column_attrs
    }


def _without_ids(row: Any) -> dict[str, Any]:
    return {key: value for key, value in columns_of(row).items() if not key.endswith("id")}
