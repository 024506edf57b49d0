"""Reads of the schools area."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select, true, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from crm.core.viewer import Viewer
from crm.schools.aliases import keys_of, name_key
from crm.schools.models import Cluster, School, SchoolAlias, SchoolStatus

EVERY = select(School.id, School.nces_id, School.name)
ALIASES = select(SchoolAlias.kind, SchoolAlias.key, SchoolAlias.school_id)


def visible_schools(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `School`: the schools this viewer may look into."""
    if viewer.school_ids is None:
        return true()
    return School.id.in_(sorted(viewer.school_ids))


def school_choices(
    session: Session, viewer: Viewer, *, closed: bool = True
) -> list[tuple[int, str]]:
    """(id, name) of the viewer's schools by name; `closed=False` leaves out those that closed."""
    statement: Select[int, str] = select(School.id, School.name).where(visible_schools(viewer))
    if not closed:
        statement = statement.where(School.status == SchoolStatus.OPEN)
    rows = session.execute(statement.order_by(School.name, School.id))
    return [(school_id, name) for school_id, name in rows]


def sure_names(session: Session) -> dict[int, str]:
    """id → a text by which a school is surely found again: its NCES id, else its name."""
    return {s.id: s.nces_id or s.name for s in every_school(session)}


def cluster_choices(session: Session, viewer: Viewer) -> list[tuple[int, str]]:
    """(id, name) of the clusters in which the viewer has a school, by name."""
    statement = select(Cluster.id, Cluster.name).order_by(Cluster.name, Cluster.id)
    if viewer.school_ids is not None:
        inside = select(School.cluster_id).where(visible_schools(viewer))
        statement = statement.where(Cluster.id.in_(inside))
    return [(cluster_id, name) for cluster_id, name in session.execute(statement)]


def school_names(session: Session) -> Mapping[str, Any]:
    """The names of all schools by themselves, for whoever completes a query."""
    return {name: name for name in session.scalars(select(School.name).order_by(School.name))}


def cluster_names(session: Session) -> Mapping[str, Any]:
    """The names of all clusters by themselves."""
    return {name: name for name in session.scalars(select(Cluster.name).order_by(Cluster.name))}


def find_school(session: Session, text: str) -> School | None:
    """The school that a text names by NCES id, local code or any of its names, or None."""
    school_id = school_named(session, text, every_school(session))
    return session.get(School, school_id) if school_id is not None else None


def every_school(session: Session) -> Sequence[Any]:
    """Rows of `id`, `nces_id` and `name`; a district has few schools."""
    return session.execute(EVERY).all()


def school_named(session: Session, text: str, schools: Sequence[Any]) -> int | None:
    """The id of the school that a text names; `schools` are the rows of `every_school`."""
    keys = keys_of(text)
    named = tuple_(SchoolAlias.kind, SchoolAlias.key).in_(keys)
    known = _known(session.execute(ALIASES.where(named)) if keys else (), schools)
    return next((known[key] for key in keys if key in known), None)


def alias_table(session: Session) -> Mapping[tuple[str, str], int]:
    """Every (kind, key) by which a school may be named, with its id; a district has few schools."""
    return _known(session.execute(ALIASES), every_school(session))


def _known(aliases: Iterable[Any], schools: Sequence[Any]) -> dict[tuple[str, str], int]:
    """School ids by (kind, key): NCES ids above aliases, aliases above the names in the list."""
    found = {(kind, key): school_id for kind, key, school_id in aliases}
    for school in schools:
        if school.nces_id:
            found["nces", school.nces_id] = school.id
        found.setdefault(("name", name_key(school.name)), school.id)
    return found


def find_cluster(session: Session, text: str) -> Cluster | None:
    """The cluster of that name (case and outer blanks do not count), or None."""
    if "\x00" in text:
        return None
    wanted = " ".join(text.split()).casefold()
    clusters = session.scalars(select(Cluster))
    return next((c for c in clusters if c.name.casefold() == wanted), None)
