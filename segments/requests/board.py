"""The board: requests by state and age, what is late or nearly so, schools side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, true
from sqlalchemy.orm import Session, aliased

from crm.accounts.models import User
from crm.alumni.models import Way
from crm.core.viewer import Permission, Viewer
from crm.schools.models import Cluster, School
from crm.web.paging import Page, keyset
from segments.requests.access import visible_requests
from segments.requests.life import SCHOOL, TURN
from segments.requests.models import Request, RequestDate, RequestState
from segments.requests.queries import OPEN

GROUPS: dict[str, tuple[RequestState, ...]] = {
    "draft": (RequestState.DRAFT,),
    "waiting": (RequestState.SUBMITTED,),
    "asking": (RequestState.APPROVED, RequestState.ASKING),
    "filled": (RequestState.FILLED,),
    "done": (RequestState.DONE,),
    "ended": (RequestState.THANKED, RequestState.UNFILLED, RequestState.CANCELLED),
}
"""The groups of the board in the order of a request's life; all but the last are its lanes."""
LANES = tuple(group for group in GROUPS if group != "ended")
IN_A_LANE = 8
MOST_ROWS = 10_000
MOST_CHOICES = 500
YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Filters:
    """What the board is narrowed to; empty is everything that the viewer may see."""

    group: str = ""
    school: int | None = None
    cluster: int | None = None
    way: str = ""
    who: int | None = None
    due: str = ""
    turn: str = ""
    q: str = ""

    def given(self) -> dict[str, Any]:
        """The filters that narrow anything, for an address."""
        pairs = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: value for name, value in pairs if value not in ("", None)}


def read_filters(args: Mapping[str, str]) -> Filters:
    """The filters of an address; what is none is left out."""
    text = {name: args.get(name, "").strip()[:200].replace("\x00", "") for name in _names()}
    numbers = {name: _number(text[name]) for name in ("school", "cluster", "who")}
    return Filters(
        group=text["group"] if text["group"] in GROUPS else "",
        way=text["way"], q=text["q"],
        due=text["due"] if text["due"] in {"late", "soon"} else "",
        turn=text["turn"] if text["turn"] in set(TURN.values()) else "", **numbers,
    )  # fmt: skip


def _names() -> list[str]:
    return [one.name for one in fields(Filters)]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def turn_of(viewer: Viewer) -> list[RequestState]:
    """The states in which a request waits for this viewer: the school's, or all for the office."""
    if viewer.may(Permission.REQUESTS_ASK):
        return list(TURN)
    return [state for state, whose in TURN.items() if whose == SCHOOL]


def _narrowed(viewer: Viewer, wanted: Filters, at: datetime) -> list[ColumnElement[bool]]:
    """The conditions on `Request` (joined to `School`) that the filters stand for."""
    found = [visible_requests(viewer)]
    if wanted.school is not None:
        found.append(Request.school_id == wanted.school)
    if wanted.cluster is not None:
        found.append(School.cluster_id == wanted.cluster)
    if wanted.way:
        found.append(Request.way_key == wanted.way)
    if wanted.who is not None:
        found.append(Request.created_by == wanted.who)
    if wanted.turn:
        states = [state for state, whose in TURN.items() if whose == wanted.turn]
        found.append(Request.state.in_(states))
    if wanted.due == "late":
        found.append(Request.due_at < at)
    elif wanted.due == "soon":
        found.append(and_(Request.due_at >= at, Request.warn_at <= at))
    if wanted.q:
        like = func.concat("%", _escaped(wanted.q), "%")
        found.append(or_(Request.title.ilike(like), School.name.ilike(like)))
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _listed(
    viewer: Viewer, wanted: Filters, at: datetime
) -> Select[Request, str, str, datetime, str, str]:
    """(Request, school, zone, first_date, way, poster) of the requests that are wanted."""
    first = select(func.min(RequestDate.starts_at)).where(RequestDate.request_id == Request.id)
    return (
        select(
            Request, School.name.label("school"), School.time_zone.label("zone"),
            first.scalar_subquery().label("first_date"), Way.label.label("way"),
            User.name.label("poster"),
        )
        .join(School, School.id == Request.school_id)
        .join(Way, Way.key == Request.way_key)
        .outerjoin(User, User.id == Request.created_by)
        .where(*_narrowed(viewer, wanted, at))
    )  # fmt: skip


def lanes(session: Session, viewer: Viewer, wanted: Filters, at: datetime) -> dict[str, list[Any]]:
    """The first requests of each lane, the soonest due first; how many there are: `counts`."""
    number = {state: n for n, group in enumerate(LANES) for state in GROUPS[group]}
    found: dict[str, list[Any]] = {group: [] for group in LANES}
    parts = []
    for group in LANES:
        part = (
            select(Request.id)
            .join(School, School.id == Request.school_id)
            .where(Request.state.in_(GROUPS[group]), *_narrowed(viewer, wanted, at))
            .order_by(*_soonest())
            .limit(IN_A_LANE)
        )
        parts.append(select(part.subquery().c.id))
    ids = parts[0].union_all(*parts[1:]).subquery()
    statement = _listed(viewer, Filters(), at).where(Request.id.in_(select(ids.c.id)))
    for row in session.execute(statement.order_by(*_soonest())):
        found[LANES[number[row.Request.state]]].append(row)
    return found


def _soonest() -> tuple[ColumnElement[Any], ...]:
    return func.coalesce(Request.due_at, Request.since), Request.id.expression


def listed(
    session: Session, viewer: Viewer, wanted: Filters, *, after: str | None, at: datetime
) -> Page[Any]:
    """A page of requests: the soonest due first, those that have ended latest first."""
    ended = wanted.group == "ended"
    statement = _listed(viewer, wanted, at)
    states = GROUPS[wanted.group] if wanted.group else tuple(TURN)
    statement = statement.where(Request.state.in_(states))
    moment = func.coalesce(
        Request.closed_at if ended else Request.due_at, Request.since, type_=Request.since.type
    )
    return keyset(session, statement, (moment, Request.id), after=after, descending=ended)


def rows_of(session: Session, viewer: Viewer, wanted: Filters, at: datetime) -> Sequence[Any]:
    """What a file of the board holds: the newest first, at most `MOST_ROWS`."""
    statement = _listed(viewer, wanted, at)
    if wanted.group:
        statement = statement.where(Request.state.in_(GROUPS[wanted.group]))
    newest = Request.created_at.desc(), Request.id.desc()
    return session.execute(statement.order_by(*newest).limit(MOST_ROWS)).all()


def counts(session: Session, viewer: Viewer, wanted: Filters, at: datetime) -> dict[str, int]:
    """How many requests stand in each group of the board, by the same filters."""
    statement = (
        select(Request.state, func.count())
        .join(School, School.id == Request.school_id)
        .where(*_narrowed(viewer, wanted, at))
        .group_by(Request.state)
    )
    found = dict(session.execute(statement).all())
    return {group: sum(found.get(s, 0) for s in states) for group, states in GROUPS.items()}


@dataclass(frozen=True)
class Choices:
    """What the filters offer, as (value, name)."""

    schools: Sequence[Row[int, str]]
    clusters: Sequence[Row[int, str]]
    ways: Sequence[Row[str, str]]
    posters: Sequence[Row[int, str]]


def choices(session: Session, viewer: Viewer) -> Choices:
    """The schools, clusters, ways and posters of the requests that this viewer may see."""
    mine = visible_requests(viewer)
    schools = select(School.id, School.name).where(
        School.id.in_(select(Request.school_id).where(mine))
    )
    clusters = select(Cluster.id, Cluster.name).where(
        Cluster.id.in_(
            select(School.cluster_id).join(Request, Request.school_id == School.id).where(mine)
        )
    )
    ways = select(Way.key, Way.label).where(Way.key.in_(select(Request.way_key).where(mine)))
    posters = select(User.id, User.name).where(User.id.in_(select(Request.created_by).where(mine)))
    return Choices(
        session.execute(schools.order_by(School.name).limit(MOST_CHOICES)).all(),
        session.execute(clusters.order_by(Cluster.name).limit(MOST_CHOICES)).all(),
        session.execute(ways.order_by(Way.position, Way.key)).all(),
        session.execute(posters.order_by(User.name, User.id).limit(MOST_CHOICES)).all(),
    )


def schools_side_by_side(
    session: Session, viewer: Viewer, at: datetime, *, cluster: int | None = None
) -> Sequence[Any]:
    """By school, of the requests posted in a year: posted, filled, open, unfilled, median days.

    A request counts as filled from the yes to its last place on; the days run from the approval.
    """
    one = aliased(Request)
    days = func.extract("epoch", one.filled_at - one.approved_at) / 86400.0
    filled = one.filled_at.is_not(None)
    statement = (
        select(
            School.id, School.name, func.count().label("posted"),
            func.count().filter(filled).label("filled"),
            func.count().filter(one.state.in_(OPEN)).label("open"),
            func.count().filter(one.state == RequestState.UNFILLED).label("unfilled"),
            func.percentile_cont(literal(0.5)).within_group(days)
            .filter(filled, one.approved_at.is_not(None)).label("days"),
        )
        .join(one, one.school_id == School.id)
        .where(
            one.state != RequestState.DRAFT, one.created_at > at - YEAR,
            true() if viewer.school_ids is None else School.id.in_(sorted(viewer.school_ids)),
        )
        .group_by(School.id, School.name)
        .order_by(School.name, School.id)
        .limit(MOST_CHOICES)
    )  # fmt: skip
    if cluster is not None:
        statement = statement.where(School.cluster_id == cluster)
    return session.execute(statement).all()
