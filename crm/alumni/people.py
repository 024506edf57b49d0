"""Reads for lists of people and for one person's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Select,
    bindparam,
    func,
    inspect,
    literal_column,
    select,
    union_all,
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
from crm.core.database import UNPREPARED, values_of
from crm.core.extend import ListColumn, extensions
from crm.query import Compiled, count_up_to, up_to
from crm.schools.models import School
from crm.web.paging import PAGE, Page, page_of, place_of, window_after

KEYS = [Alumnus.sort_key, Alumnus.id]
BOUNDS = ("after_key", "after_id")
COUNTED = 1_000
MANY_NAMES = 20_000


class PersonLine(NamedTuple):
    """One line of a list of people."""

    id: int
    name: str
    class_year: int | None
    schools: tuple[str, ...]
    city: str
    ferpa_block: bool
    deceased: bool
    do_not_contact: bool
    listed: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class PeoplePage(Page[PersonLine]):
    """A page of people and how many there are in all (`more`: not counted to the end)."""

    count: int = 0
    more: bool = False


def people_page(
    session: Session,
    compiled: Compiled,
    *,
    after: str | None,
    size: int = PAGE,
    columns: Sequence[ListColumn] = (),
) -> PeoplePage:
    """One page of the people a query means, by name, and how many they are, in one statement."""
    place = place_of(after, KEYS) or ()
    lines = compiled.piece(
        ("page", bool(place), size, *(column.key for column in columns)),
        lambda: _statement(compiled, bool(place), size, columns),
    )
    rows = values_of(session, lines, dict(zip(BOUNDS, place, strict=False))).all()
    count = rows[0][-1] if rows else 0
    if after and not rows:
        count = count_up_to(session, compiled, COUNTED + 1)[0]
    shown = page_of(rows, 2, size)
    tell = [cache(column.told) for column in columns]
    items = [_line(row, tell) for row in shown.items]
    return PeoplePage(items, shown.after, min(count, COUNTED), count > COUNTED)


def _statement(
    compiled: Compiled, later: bool, size: int, columns: Sequence[ListColumn]
) -> Select[Any]:
    """The lines of a page, `later` the one after the place that `BOUNDS` name."""
    window, total = _window(compiled, later, size)
    page = window.subquery("page")
    # One row above the page tells that more follow; its line is made for nothing.
    lines = (
        select(*LINE, *(column.value for column in columns), page.c.key_0, page.c.key_1, total)
        .join(page, page.c.id == Alumnus.id)
        .order_by(page.c.key_0, page.c.key_1)
    )
    return lines if _is_one_plan(compiled) else lines.execution_options(**UNPREPARED)


def _is_one_plan(compiled: Compiled) -> bool:
    """Whether no value decides how the people are best found: everybody, by whoever sees all."""
    return not compiled.fields and not compiled.ids.compile().params


def _window(
    compiled: Compiled, later: bool, size: int
) -> tuple[Select[Any] | CompoundSelect[Any], ColumnElement[int]]:
    """The ids and keys of a page's people, and how many people there are (one above at most).

    PostgreSQL cannot know whether a filter and the order of names go together, and a wrong guess
    reads a million rows for fifty. So the first matches are gathered in any order; only if there
    are too many to sort is the index on names walked, where matches then come soon.
    """
    bounds = [bindparam(n, type_=k.type) for n, k in zip(BOUNDS, KEYS, strict=True) if later]
    people = select(Alumnus.id).where(compiled.condition)
    if not compiled.fields:
        walk = window_after(people, KEYS, bounds).limit(literal_column(str(size + 1)))
        return walk, up_to(compiled, COUNTED)
    enough = MANY_NAMES if "name" in compiled.fields else COUNTED
    hits = _once(people.add_columns(Alumnus.sort_key).limit(enough + 1), "hits")
    tally = _once(select(func.count().label("total")).select_from(hits), "tally")
    total = select(tally.c.total).scalar_subquery()
    few = select(hits.c.id).where(total <= enough)
    many = select(Alumnus.id).where(compiled.each, total > enough)
    window = union_all(
        window_after(few, [hits.c.sort_key, hits.c.id], bounds, size=size),
        window_after(many, KEYS, bounds, size=size),
    )
    return window, total


def _once(statement: Select[Any], name: str) -> CTE:
    """A piece of a statement that is worked out by itself, and once."""
    return statement.cte(name).prefix_with("materialized", dialect="postgresql")


def _line(row: Any, tell: Sequence[Callable[[Any], str | None]]) -> PersonLine:
    """A row of `LINE` as it is shown, and the columns after it, each as `tell` has it."""
    city, state = row.city, row.state
    return PersonLine(
        row.id, full_name(row), row.class_year, tuple(row.schools or ()),
        f"{city}, {state}" if city and state else city or state or "",
        row.ferpa_block, row.deceased, row.do_not_contact,
        tuple([say(value) for say, value in zip(tell, row[len(LINE) :], strict=False)]),
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
