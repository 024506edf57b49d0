"""What became of schools: renamed, moved to another cluster, merged, split, closed.

A schooling stays with the school as it was. Who looks after a school looks after those that it came
from as well, so that nobody's alumni are lost when a building changes its sign.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Text, case, cast, exists, literal_column, select
from sqlalchemy.orm import Session, aliased

from crm.core.errors import Conflict, Invalid, NotFound
from crm.core.viewer import Viewer
from crm.schools.aliases import name_key
from crm.schools.models import (
    ChangeKind,
    Cluster,
    School,
    SchoolAlias,
    SchoolChange,
    SchoolStatus,
)

HANDED_ON = (ChangeKind.MERGED, ChangeKind.SPLIT)
STANDS = SchoolChange.undone_at.is_(None)
LINKS = select(SchoolChange.school_id, SchoolChange.other_id).where(
    STANDS, SchoolChange.kind.in_(HANDED_ON), SchoolChange.other_id.is_not(None)
)


@dataclass(frozen=True)
class When:
    """From which day a change counts, when it was entered and by whom."""

    day: date
    at: datetime
    by: Viewer | None


def with_predecessors(session: Session, school_ids: Iterable[int]) -> set[int]:
    """These schools and all that became part of them, over any number of generations."""
    return _reached(school_ids, _links(session))


def predecessors_of(session: Session) -> Callable[[Iterable[int]], set[int]]:
    """`with_predecessors` for many questions after one look."""
    links = _links(session)
    return lambda school_ids: _reached(school_ids, links)


def lines_of(session: Session, school_ids: Iterable[int]) -> dict[int, set[int]]:
    """Of these schools those that others became part of, each with itself and all of them."""
    links = _links(session)
    lines = {school_id: _reached([school_id], links) for school_id in school_ids}
    return {school_id: line for school_id, line in lines.items() if len(line) > 1}


def heirs_of(session: Session, school_ids: Iterable[int]) -> dict[int, list[str]]:
    """Of these schools those that were handed on, each with the names of whom to."""
    rows = session.execute(
        select(SchoolChange.school_id, School.name)
        .join(School, School.id == SchoolChange.other_id)
        .where(STANDS, SchoolChange.kind.in_(HANDED_ON), SchoolChange.school_id.in_([*school_ids]))
        .order_by(SchoolChange.on_day, SchoolChange.id)
    )
    found: dict[int, list[str]] = {}
    for school_id, name in rows:
        found.setdefault(school_id, []).append(name)
    return found


def with_successors(session: Session, school_ids: Iterable[int]) -> set[int]:
    """These schools and all that they became."""
    turned: dict[int, set[int]] = defaultdict(set)
    for to, sources in _links(session).items():
        for source in sources:
            turned[source].add(to)
    return _reached(school_ids, turned)


def _links(session: Session) -> dict[int, set[int]]:
    """By successor the schools it came from; a district has few."""
    found: dict[int, set[int]] = defaultdict(set)
    for source, to in session.execute(LINKS):
        found[to].add(source)  # type: ignore[index]
    return found


def _reached(start: Iterable[int], links: Mapping[int, set[int]]) -> set[int]:
    found, todo = set(start), list(start)
    while todo:
        for school_id in links.get(todo.pop(), ()):
            if school_id not in found:
                found.add(school_id)
                todo.append(school_id)
    return found


def changes_of(session: Session, school_ids: Iterable[int]) -> Sequence[SchoolChange]:
    """Everything that became of these schools, or made one of them, oldest first."""
    ids = sorted(school_ids)
    mine = SchoolChange.school_id.in_(ids) | SchoolChange.other_id.in_(ids)
    order = SchoolChange.on_day, SchoolChange.id
    return session.scalars(select(SchoolChange).where(mine).order_by(*order)).all()


def name_on(day: date) -> ColumnElement[str]:
    """A school's name as it was on a day, in a statement over `School`."""
    since, then = _then(day, ChangeKind.RENAMED)
    return case((since, then), else_=School.name)


def cluster_on(day: date) -> ColumnElement[Any]:
    """The id of the cluster that a school belonged to on a day (or null), over `School`."""
    since, then = _then(day, ChangeKind.MOVED)
    return case((since, cast(then, BigInteger)), else_=School.cluster_id)


def _then(day: date, kind: ChangeKind) -> tuple[ColumnElement[bool], ColumnElement[str]]:
    """Whether a school changed after a day, and what was before the first of these changes."""
    change = aliased(SchoolChange)
    plain = change.before.op("#>>", return_type=Text())(literal_column("'{}'"))
    first = (
        select(plain)
        .where(*_after(change, day, kind))
        .order_by(change.on_day, change.id)
        .limit(1)
        .scalar_subquery()
    )
    return exists().where(*_after(aliased(SchoolChange), day, kind)), first


def _after(change: Any, day: date, kind: ChangeKind) -> tuple[ColumnElement[bool], ...]:
    return (
        change.school_id == School.id, change.kind == kind, change.on_day > day,
        change.undone_at.is_(None),
    )  # fmt: skip


def rename(session: Session, school: School, name: str, when: When) -> SchoolChange:
    """Give a school another name from a day on; every name it had still finds it."""
    name = " ".join(name.split())
    if not name or len(name) > 200:
        raise Invalid("Write a name of at most 200 characters.", field="name")
    if name == school.name:
        raise Invalid("That is its name already.", field="name")
    for known in (school.name, name):
        _know(session, school, known)
    done = _note(session, school, ChangeKind.RENAMED, when, school.name, name)
    school.name = name
    session.flush()
    return done


def _know(session: Session, school: School, name: str) -> None:
    """Let a name find the school, unless it finds another already."""
    key = name_key(name)
    taken = SchoolAlias.kind == "name", SchoolAlias.key == key
    if key and session.scalar(select(SchoolAlias.id).where(*taken)) is None:
        session.add(SchoolAlias(school_id=school.id, kind="name", key=key))
        session.flush()


def move(session: Session, school: School, cluster_id: int | None, when: When) -> SchoolChange:
    """Let a school belong to another cluster, or to none, from a day on."""
    if cluster_id is not None and session.get(Cluster, cluster_id) is None:
        raise NotFound("There is no such cluster.")
    if cluster_id == school.cluster_id:
        raise Invalid("It belongs there already.", field="cluster_id")
    done = _note(session, school, ChangeKind.MOVED, when, school.cluster_id, cluster_id)
    school.cluster_id = cluster_id
    session.flush()
    return done


def hand_on(
    session: Session, school: School, other: School, when: When, *, closes: bool
) -> SchoolChange:
    """Let a school become part of another (`closes`), or the other be split off from it."""
    if other.id in with_predecessors(session, [school.id]):
        raise Invalid("That school became part of this one: it cannot be what follows.",
                      field="other_id")  # fmt: skip
    kind = ChangeKind.MERGED if closes else ChangeKind.SPLIT
    after = SchoolStatus.CLOSED if closes else school.status
    done = _note(session, school, kind, when, school.status.value, after.value, other.id)
    school.status = after
    session.flush()
    return done


def close(session: Session, school: School, when: When) -> SchoolChange:
    """Close a school from a day on; its alumni stay its own."""
    if school.status is SchoolStatus.CLOSED:
        raise Invalid("It is closed already.", field="day")
    closed = SchoolStatus.CLOSED
    done = _note(session, school, ChangeKind.CLOSED, when, school.status.value, closed.value)
    school.status = closed
    session.flush()
    return done


def take_back(session: Session, change: SchoolChange, at: datetime) -> None:
    """Undo a change; raises `Conflict` if a later one of its kind builds on it."""
    school = session.get_one(School, change.school_id, with_for_update=True)
    now = {
        ChangeKind.RENAMED: school.name, ChangeKind.MOVED: school.cluster_id,
    }.get(change.kind, school.status.value)  # fmt: skip
    if change.undone_at is not None or now != change.after:
        raise Conflict("This was changed again since: take that back first.")
    if change.kind is ChangeKind.RENAMED:
        school.name = change.before
    elif change.kind is ChangeKind.MOVED:
        school.cluster_id = change.before
    else:
        school.status = SchoolStatus(change.before)
    change.undone_at = at
    session.flush()


def note_import(
    session: Session, school: School, news: Mapping[str, Any], when: When
) -> list[SchoolChange]:
    """Keep what a file of schools is about to change, before it does."""
    kept: list[tuple[ChangeKind, Any, Any]] = []
    if "name" in news:
        _know(session, school, school.name)
        kept.append((ChangeKind.RENAMED, school.name, news["name"]))
    if "cluster_id" in news and school.cluster_id is not None:
        kept.append((ChangeKind.MOVED, school.cluster_id, news["cluster_id"]))
    if news.get("status") is SchoolStatus.CLOSED:
        kept.append((ChangeKind.CLOSED, school.status.value, "closed"))
    return [_note(session, school, kind, when, *both) for kind, *both in kept]


def _note(
    session: Session,
    school: School,
    kind: ChangeKind,
    when: When,
    before: Any,
    after: Any,
    other_id: int | None = None,
) -> SchoolChange:
    if when.day > when.at.date():
        raise Invalid("Enter it on the day itself or later: it counts at once.", field="day")
    done = SchoolChange(
        school_id=school.id, kind=kind, on_day=when.day, other_id=other_id, before=before,
        after=after, at=when.at, by=when.by.user_id if when.by else None, undone_at=None,
    )  # fmt: skip
    session.add(done)
    session.flush()
    return done
