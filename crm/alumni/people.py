"""Reads for lists of people and for one person's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    inspect,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
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
from crm.alumni.names import full_name
from crm.core.extend import extensions
from crm.query import Compiled, up_to
from crm.schools.models import School
from crm.web.paging import PAGE, Page, keyset, page_of, page_window

COUNTED = 1_000
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
    if not compiled.fields:
        return _walked(session, compiled, after, size, up_to(compiled, COUNTED))
    page, count = _gathered(session, compiled, after, size)
    if page is None:
        exact = up_to(compiled, COUNTED) if count == 0 else literal(count)
        return _walked(session, compiled, after, size, exact)
    items = [_line(row) for row in page.items]
    return PeoplePage(items, page.after, min(count, COUNTED), count > COUNTED)


def _walked(
    session: Session, compiled: Compiled, after: str | None, size: int, total: ColumnElement[int]
) -> PeoplePage:
    """The page by the index on names; `total` counts the matches, in the same statement."""
    plain = select(*LINE, total.label("total")).where(compiled.condition)
    page = keyset(session, plain, [Alumnus.sort_key, Alumnus.id], after=after, size=size)
    count = page.items[0].total if page.items else session.scalar(select(total)) or 0
    items = [_line(row) for row in page.items]
    return PeoplePage(items, page.after, min(count, COUNTED), count > COUNTED)


def _gathered(
    session: Session, compiled: Compiled, after: str | None, size: int
) -> tuple[Page[Any] | None, int]:
    """(the page, how many matches), in one statement; no page if there are too many to sort.

    A place after the last of the gathered tells no count: then it is 0.
    """
    enough = MANY_NAMES if "name" in compiled.fields else COUNTED
    matches = select(Alumnus.id, Alumnus.sort_key).where(compiled.condition).limit(enough + 1)
    hits = matches.cte("hits").prefix_with("materialized", dialect="postgresql")
    total = select(func.count()).select_from(hits).scalar_subquery()
    keys = [hits.c.sort_key, hits.c.id]
    window = page_window(select(hits.c.id), keys, after=after, size=size).subquery("window")
    # One row above the page tells that more follow; its line is made for nothing.
    lines = (
        select(*LINE, window.c.key_0, window.c.key_1, total.label("total"))
        .join(window, window.c.id == Alumnus.id)
        .order_by(window.c.key_0, window.c.key_1)
    )
    rows = session.execute(lines).all()
    count = rows[0].total if rows else 0
    if count > enough or (after and not rows):
        return None, count
    return page_of(rows, len(keys), size), count


def _line(row: Any) -> PersonLine:
    """A row of `LINE` as it is shown."""
    return PersonLine(
        id=row.id, name=full_name(row), class_year=row.class_year,
        schools=tuple(row.schools or ()),
        city=", ".join(part for part in (row.city, row.state) if part),
        ferpa_block=row.ferpa_block, deceased=row.deceased, do_not_contact=row.do_not_contact,
    )  # fmt: skip


LATEST = Schooling.class_year.desc().nulls_last(), School.name
LINE = (
    Alumnus.id, Alumnus.preferred_name, Alumnus.given_name, Alumnus.middle_name,
    Alumnus.family_name, Alumnus.suffix, Alumnus.class_year, Alumnus.city, Alumnus.state,
    Alumnus.ferpa_block, Alumnus.deceased, Alumnus.do_not_contact,
    select(func.array_agg(aggregate_order_by(School.name, *LATEST)))
    .join_from(Schooling, School, School.id == Schooling.school_id)
    .where(Schooling.alumnus_id == Alumnus.id)
    .scalar_subquery()
    .label("schools"),
)  # fmt: skip


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
    hidden = {"name_key", "sort_key", "link_epoch", "made_by", "made_line"}
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


def record_with_sources(session: Session, alumnus_id: int) -> dict[str, Any]:
    """`record_of` and by field who said it."""
    tell = extensions().where_from
    told = dict(tell(session, alumnus_id)) if tell is not None else {}
    return {**record_of(session, alumnus_id), "where_from": told}


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
