"""The wall of law 8 around events: a viewer knows of an event whose whole place they look after."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.orm import Session

from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Viewer
from crm.events.models import Event
from crm.schools.models import Cluster, School


def _inside(viewer: Viewer, cluster_id: Any) -> ColumnElement[bool]:
    """Whether every school of a cluster lies within the viewer's wall, and there is one."""
    mine = sorted(viewer.school_ids or ())
    schools = select(School.cluster_id).where(School.cluster_id.is_not(None))
    within = cluster_id.in_(schools.where(School.id.in_(mine)))
    return and_(within, cluster_id.not_in(schools.where(School.id.not_in(mine))))


def whole_clusters(session: Session, viewer: Viewer) -> list[tuple[int, str]]:
    """(id, name) of the clusters that the viewer looks after as a whole, by name."""
    statement = select(Cluster.id, Cluster.name).order_by(Cluster.name, Cluster.id)
    if viewer.school_ids is not None:
        statement = statement.where(_inside(viewer, Cluster.id))
    return [(cluster_id, name) for cluster_id, name in session.execute(statement)]


def visible_events(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `Event`: those of a school or of a whole cluster within the viewer's wall."""
    if viewer.school_ids is None:
        return true()
    mine = sorted(viewer.school_ids)
    return or_(Event.school_id.in_(mine), _inside(viewer, Event.cluster_id))


def load_event(session: Session, viewer: Viewer, key: str, *, lock: bool = False) -> Event:
    """The event of a key, if this viewer may know of it; `NotFound` otherwise."""
    event = None
    if "\x00" not in key:
        statement = select(Event).where(Event.key == key, visible_events(viewer))
        if lock:
            statement = statement.with_for_update(of=Event)
            statement = statement.execution_options(populate_existing=True)
        event = session.scalars(statement).one_or_none()
    return _found(event)


def event_of_id(session: Session, viewer: Viewer, event_id: int) -> Event:
    """The event of a number, if this viewer may know of it; `NotFound` otherwise."""
    statement = select(Event).where(Event.id == event_id, visible_events(viewer))
    return _found(session.scalars(statement).one_or_none())


def _found(event: Event | None) -> Event:
    if event is None:
        raise NotFound("There is no such event in the part of the district that you look after.")
    return event


def lock_event(session: Session, event_id: int) -> Event:
    """The event with its row locked: whoever gives or takes places comes through here."""
    statement = select(Event).where(Event.id == event_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def guests_of(session: Session, viewer: Viewer, event: Event) -> Viewer:
    """The viewer, looking no further than the place of the event: who may be invited to it."""
    schools = _schools(session, event.school_id, event.cluster_id)
    if schools is None:
        return viewer
    mine = viewer.school_ids
    return replace(viewer, school_ids=schools if mine is None else schools & mine)


def check_place(
    session: Session, viewer: Viewer, school_id: int | None, cluster_id: int | None
) -> None:
    """Raise `Invalid` unless the viewer looks after all of the place an event is to be for."""
    if viewer.school_ids is None:
        return
    schools = _schools(session, school_id, cluster_id)
    if not schools or not schools <= viewer.school_ids:
        message = "Choose a school or a cluster that you look after."
        raise Invalid(message, field="place_for")


def _schools(
    session: Session, school_id: int | None, cluster_id: int | None
) -> frozenset[int] | None:
    """The schools of a place; None for the whole district."""
    if school_id is not None:
        return frozenset({school_id})
    if cluster_id is None:
        return None
    return frozenset(session.scalars(select(School.id).where(School.cluster_id == cluster_id)))
