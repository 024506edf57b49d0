"""Which schools and clusters a word of a query means."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.names import fold
from crm.query import UnknownValue
from crm.schools.lineage import with_predecessors
from crm.schools.models import Cluster, School
from crm.schools.queries import every_school, school_named


def schools_named(session: Session, text: str, *, then: bool = False) -> list[int]:
    """Ids of the schools of that name, alias or NCES id, or else of those that it abbreviates.

    With them come the schools that became part of them, unless `then` asks for the school alone, as
    it was. Raises `UnknownValue` if there is none.
    """
    schools = every_school(session)
    named = school_named(session, text, schools)
    wanted = fold(text)
    exact = (
        {named} if named is not None else {row.id for row in schools if fold(row.name) == wanted}
    )
    found = exact or {row.id for row in schools if _begins(wanted, row.name)}
    if not found:
        names = [row.name for row in schools]
        raise UnknownValue("There is no school “%(text)s”.", names, text=text)
    return sorted(found if then else with_predecessors(session, found))


def clusters_named(session: Session, text: str) -> list[int]:
    """Ids of the schools in the clusters of that name; raises `UnknownValue` if there is none."""
    clusters = session.execute(select(Cluster.id, Cluster.name)).all()
    wanted = fold(text)
    found = [row.id for row in clusters if fold(row.name) == wanted]
    found = found or [row.id for row in clusters if _begins(wanted, row.name)]
    if not found:
        raise UnknownValue(
            "There is no cluster “%(text)s”.", [row.name for row in clusters], text=text
        )
    inside = session.scalars(select(School.id).where(School.cluster_id.in_(found)))
    return sorted(with_predecessors(session, inside))


def _begins(wanted: str, name: str) -> bool:
    """Whether each wanted word begins a word of the name."""
    words = fold(name).split()
    return bool(wanted) and all(any(w.startswith(p) for w in words) for p in wanted.split())
