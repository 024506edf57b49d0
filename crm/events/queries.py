"""Reads of events: the list, the figures of one, the people behind a figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext
from sqlalchemy import ColumnElement, Integer, false, func, or_, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.conditions import name_matches
from crm.alumni.models import Alumnus
from crm.alumni.names import fold
from crm.core.viewer import Viewer
from crm.events.access import visible_events
from crm.events.letters import origin_of
from crm.events.models import COUNTS, Answer, Event, EventState, Invitation
from crm.mail import figures
from crm.mail.figures import Report
from crm.query.naming import that_names
from crm.schools.models import Cluster, School
from crm.web.paging import Page, keyset

CAME = Invitation.came_at.is_not(None)
INVITED = Invitation.invited_at.is_not(None)
AHEAD = (EventState.OPEN, EventState.CLOSED)
CONCERNED = (Answer.COMING, Answer.WAITING, Answer.MAYBE)
"""Whom a change of an event concerns: those who plan with it."""
GROUPS: Mapping[str, ColumnElement[bool]] = {
    "invited": INVITED,
    "coming": Invitation.answer == Answer.COMING,
    "waiting": Invitation.answer == Answer.WAITING,
    "maybe": Invitation.answer == Answer.MAYBE,
    "declined": Invitation.answer == Answer.DECLINED,
    "none": INVITED & (Invitation.answer == Answer.NONE),
    "came": CAME,
    "door": (Invitation.answer == Answer.COMING) | CAME,
    "missed": (Invitation.answer == Answer.COMING) & Invitation.came_at.is_(None),
}
"""Groups of people by name, as conditions on `Invitation`."""


@dataclass(frozen=True)
class Figures:
    """How an event stands. `places` counts the guests of those coming; `there` those who came too.

    `invited` = `coming` + `waiting` + `maybe` + `declined` + `silent`, but for walk-ins.
    """

    invited: int = 0
    coming: int = 0
    places: int = 0
    waiting: int = 0
    maybe: int = 0
    declined: int = 0
    silent: int = 0
    came: int = 0
    there: int = 0
    missed: int = 0
    walked_in: int = 0

    def to_json(self) -> dict[str, int]:
        """The figures as the commands print them."""
        return dict(vars(self))


def figures_of(session: Session, event_ids: Iterable[int]) -> dict[int, Figures]:
    """The figures of several events, in one statement."""
    count, party = func.count(), 1 + Invitation.guests

    def such(group: str) -> Any:
        return count.filter(GROUPS[group])

    there = func.sum(1 + Invitation.came_guests).filter(CAME)
    statement = (
        select(
            Invitation.event_id, such("invited").label("invited"), such("coming").label("coming"),
            _sum(func.sum(party).filter(GROUPS["coming"])).label("places"),
            such("waiting").label("waiting"), such("maybe").label("maybe"),
            such("declined").label("declined"), such("none").label("silent"),
            such("came").label("came"), _sum(there).label("there"),
            such("missed").label("missed"),
            count.filter(CAME, Invitation.answer != Answer.COMING).label("walked_in"),
        )
        .where(Invitation.event_id.in_(list(event_ids)), COUNTS)
        .group_by(Invitation.event_id)
    )  # fmt: skip
    return {
        row.event_id: Figures(**{k: v for k, v in row._mapping.items() if k != "event_id"})
        for row in session.execute(statement)
    }


def _sum(total: Any) -> Any:
    return func.coalesce(total, 0).cast(Integer)


def figures_of_one(session: Session, event: Event) -> Figures:
    """The figures of one event."""
    return figures_of(session, [event.id]).get(event.id, Figures())


def taken(session: Session, event_id: int) -> int:
    """How many places those coming and their guests take."""
    total = func.coalesce(func.sum(1 + Invitation.guests), 0).cast(Integer)
    statement = select(total).where(Invitation.event_id == event_id, GROUPS["coming"], COUNTS)
    return session.scalars(statement).one()


def free(session: Session, event: Event) -> int | None:
    """How many places are free; None where there is room for all."""
    return None if event.capacity is None else event.capacity - taken(session, event.id)


def events_page(
    session: Session, viewer: Viewer, *, past: bool, at: datetime, after: str | None
) -> Page[Any]:
    """Events of the viewer with the name of their place: what is to come, or what is over."""
    over = Event.ends_at <= at
    statement = (
        select(Event, School.name.label("school"), Cluster.name.label("cluster"))
        .outerjoin(School, School.id == Event.school_id)
        .outerjoin(Cluster, Cluster.id == Event.cluster_id)
        .where(visible_events(viewer), over if past else ~over)
    )
    return keyset(session, statement, [Event.starts_at, Event.id], after=after, descending=past)


def place_name(session: Session, event: Event) -> str:
    """The name of the school or cluster that the event is for; empty for the district."""
    if event.school_id is not None:
        return session.get_one(School, event.school_id).name
    return session.get_one(Cluster, event.cluster_id).name if event.cluster_id else ""


def mail_report(session: Session, event: Event) -> Report:
    """Where the invitations ended up: sent + skipped by reason + waiting = audience (law 4)."""
    origin = origin_of(event)
    return figures.reports_of(session, {origin: event.audience})[origin]


def people_page(
    session: Session, event: Event, viewer: Viewer, *, group: str, name: str = "",
    after: str | None, size: int = 50,
) -> Page[Any]:  # fmt: skip
    """Rows of (Invitation, Alumnus) of a group by name, within the viewer's wall.

    A group that is not one of `GROUPS` is everybody.
    """
    statement = select(Invitation, Alumnus).join(Alumnus, Alumnus.id == Invitation.alumnus_id)
    statement = statement.where(Invitation.event_id == event.id, visible_alumni(viewer))
    if group in GROUPS:
        statement = statement.where(GROUPS[group])
    if name.strip():
        statement = statement.where(name_matches(name) if fold(name).split() else false())
    keys = [Alumnus.sort_key, Alumnus.id]
    return keyset(session, statement, keys, after=after, size=size)


def invitation_of(session: Session, event_id: int, alumnus_ids: Iterable[int]) -> Invitation | None:
    """A person's invitation; of the records that are one person today, the one that answered."""
    statement = (
        select(Invitation)
        .join(Alumnus, Alumnus.id == Invitation.alumnus_id)
        .where(Invitation.event_id == event_id, Invitation.alumnus_id.in_(list(alumnus_ids)))
        .order_by(Alumnus.merged_into_id.is_not(None), Invitation.id)
    )
    return session.scalars(statement.limit(1)).first()


def place_in_line(session: Session, invitation: Invitation) -> int:
    """How many stand in line before this person, and the person: 1 is the next."""
    before = select(func.count()).where(
        COUNTS,
        Invitation.event_id == invitation.event_id,
        Invitation.answer == Answer.WAITING,
        (Invitation.in_line_since < invitation.in_line_since)
        | (
            (Invitation.in_line_since == invitation.in_line_since)
            & (Invitation.id <= invitation.id)
        ),
    )
    return session.scalars(before).one()


def decades(session: Session, event: Event) -> list[tuple[int | None, int, int]]:
    """(first year of the decade or None, invited, came) by class, the latest decade first."""
    decade = (func.div(Alumnus.class_year, 10) * 10).cast(Integer).label("decade")
    statement = (
        select(decade, func.count().filter(INVITED), func.count().filter(CAME))
        .join(Invitation, Invitation.alumnus_id == Alumnus.id)
        .where(Invitation.event_id == event.id, COUNTS)
        .group_by(decade)
        .order_by(decade.desc().nulls_last())
    )
    return [(row[0], row[1], row[2]) for row in session.execute(statement)]


def due(session: Session, at: datetime, ahead: timedelta) -> list[Event]:
    """Events that take place within a time from now on, the next one first."""
    statement = select(Event).where(
        Event.state.in_(AHEAD), Event.starts_at > at, Event.starts_at <= at + ahead
    )
    return list(session.scalars(statement.order_by(Event.starts_at, Event.id)))


def pressing(session: Session, at: datetime, ahead: timedelta) -> bool:
    """Whether there is an event that is `due` or `over`."""
    here = or_(Event.ends_at <= at, Event.starts_at.between(at, at + ahead))
    ours = select(Event.id).where(Event.state.in_(AHEAD), here).limit(1)
    return session.scalar(ours) is not None


def over(session: Session, at: datetime) -> list[Event]:
    """Events that have ended and are not marked as held."""
    statement = select(Event).where(Event.state.in_(AHEAD), Event.ends_at <= at)
    return list(session.scalars(statement.order_by(Event.id)))


def mailed(
    session: Session, event: Event, viewer: Viewer, *, state: str, reason: str, after: str | None
) -> Page[Any]:
    """The people behind a figure of the invitations' report."""
    return figures.addressees(
        session, origin_of(event), viewer, state=state, reason=reason, after=after
    )


def events_that_name(session: Session, piece: str) -> list[tuple[str, str]]:
    """(label, address) of the events to come whose audience names a piece of a query."""
    named = that_names(session, piece)
    rows = session.execute(
        select(Event.key, Event.query)
        .where(Event.query != "", Event.state.in_([EventState.DRAFT, *AHEAD]))
        .order_by(Event.starts_at, Event.id)
    )
    return [
        (gettext("the event %(name)s", name=row.key), f"/events/{row.key}")
        for row in rows
        if named(row.query)
    ]
