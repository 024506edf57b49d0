"""The honest answer where nobody was found: what was tried, and what can be had instead.

Each way out is counted by the very conditions that choose whom to ask, in one statement, and comes
with a button that makes it a draft.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, exists, func, select
from sqlalchemy import inspect as mapped
from sqlalchemy.orm import Session

from crm.accounts.audit import record
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Schooling
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM, Viewer
from crm.schools.lineage import with_predecessors
from crm.schools.models import School
from segments.asks.eligibility import Need, need_of
from segments.asks.models import Ask, AskState
from segments.asks.queries import ask_counts, places_taken
from segments.asks.service import lock_request, release_others
from segments.clearance.policy import ClearancePolicy
from segments.desk.crowd import members
from segments.desk.planning import Circle
from segments.desk.pool import may_be_asked
from segments.mentoring.rules import MentoringRules
from segments.requests.draft import Draft, Slot
from segments.requests.letters import write_to_school
from segments.requests.life import move
from segments.requests.models import Place, Request, RequestDate, RequestState
from segments.requests.queries import dates_of, way_choices
from segments.requests.service import ASKABLE, create_request

LATER = (14, 28)
"""Other dates that are tried, so many days on: the same hours two and four weeks later."""
AHEAD = timedelta(days=3)
WAYS_SHOWN = 3


@dataclass(frozen=True)
class Tried:
    """How the people of one wave and circle answered."""

    wave: int
    circle: Circle
    asked: int
    yes: int
    no: int
    silent: int


@dataclass(frozen=True)
class WayOut:
    """Something else that can be had: `key` for the button, and how many people it would bring."""

    key: str
    people: int
    detail: Any = ""


def tried(session: Session, request: Request) -> Sequence[Tried]:
    """How many were asked in which waves and circles, and how they answered; in one statement."""
    school = session.get_one(School, request.school_id)
    own = with_predecessors(session, [school.id])
    inside = select(School.id).where(School.cluster_id == school.cluster_id)
    near = with_predecessors(session, session.scalars(inside)) if school.cluster_id else own
    circle = case(
        (_attended(own), int(Circle.SCHOOL)), (_attended(near), int(Circle.CLUSTER)),
        else_=int(Circle.DISTRICT),
    )  # fmt: skip
    state = Ask.state
    statement = (
        select(
            Ask.wave, circle.label("circle"), func.count().label("asked"),
            func.count().filter(state == AskState.ACCEPTED).label("yes"),
            func.count().filter(state == AskState.DECLINED).label("no"),
            func.count().filter(state.in_([AskState.NONE, AskState.OPEN])).label("silent"),
        )
        .where(Ask.request_id == request.id, state != AskState.CANCELLED)
        .group_by(Ask.wave, "circle")
        .order_by(Ask.wave, "circle")
    )  # fmt: skip
    return [
        Tried(row.wave, Circle(row.circle), row.asked, row.yes, row.no, row.silent)
        for row in session.execute(statement)
    ]


def _attended(schools: set[int]) -> Any:
    return exists().where(
        Schooling.alumnus_id == Ask.alumnus_id, Schooling.school_id.in_(sorted(schools))
    )


def ways_out(session: Session, request: Request, at: datetime) -> Iterator[WayOut]:
    """What can be had instead, those that bring nobody left out."""
    taken = places_taken(session, request)
    if 0 < taken < request.places and request.state in ASKABLE:
        yield WayOut("places", taken, taken)
    need = need_of(session, request, at)
    for key, other in _others(session, need, at):
        if people := _count(session, other):
            yield WayOut(key, people, other.dates[0].starts_at if key.startswith("date") else "")
    ways = []
    for way in way_choices(session):
        if way.key != request.way_key:
            other = _with(session, need, at, way_key=way.key, subject_key=None)
            ways.append(WayOut(f"way:{way.key}", _count(session, other), way.label))
    ways.sort(key=lambda way: -way.people)
    yield from (way for way in ways[:WAYS_SHOWN] if way.people)


def _others(session: Session, need: Need, at: datetime) -> Iterator[tuple[str, Need]]:
    """The same request by video, and on other dates."""
    if need.request.place is not Place.VIRTUAL:
        yield "virtual", _with(session, need, at, place=Place.VIRTUAL)
    for days in LATER:
        dates = tuple(
            RequestDate(request_id=need.request.id, starts_at=slot.starts_at, ends_at=slot.ends_at)
            for slot in later(session, need.request, days, at)
        )
        yield f"date:{days}", replace(need, dates=dates)


def later(session: Session, request: Request, days: int, at: datetime) -> list[Slot]:
    """The hours of a request so many days on; if those are over, as many whole weeks later still.

    The weeks are such that the soonest of `LATER` lies a few days ahead: other days on stay apart.
    """
    first = dates_of(session, request.id)
    weeks = 0
    while first and first[0].starts_at + timedelta(days=LATER[0], weeks=weeks) < at + AHEAD:
        weeks += 1
    on = timedelta(days=days, weeks=weeks)
    return [Slot(choice.starts_at + on, choice.ends_at + on) for choice in first]


def _with(session: Session, need: Need, at: datetime, **changes: Any) -> Need:
    """The need of the same request with other values; nothing of it is kept."""
    columns = [column.key for column in mapped(Request).column_attrs]
    other = Request(**{name: getattr(need.request, name) for name in columns} | changes)
    policy, rules = chosen(session, ClearancePolicy), chosen(session, MentoringRules)
    level = policy.needed_level(other.supervision, other.place)
    return replace(
        need, request=other, level=level,
        ready=policy.ready(level, at.astimezone(need.zone).date()),
        mentees=rules.most if other.way_key in rules.ways else None,
    )  # fmt: skip


def _count(session: Session, need: Need) -> int:
    if not need.dates:
        return 0
    # Whoever clearance rules out needs no further question: it leaves a tenth of a large district.
    pool = members(need.request.way_key, [need]).cte("pool").prefix_with("materialized")
    who = (
        select(func.count())
        .select_from(Alumnus)
        .join(pool, pool.c.alumnus_id == Alumnus.id)
        .where(visible_alumni(SYSTEM), *may_be_asked(need))
    )
    return session.scalars(who).one()


def take_instead(
    session: Session, request: Request, key: str, *, by: Viewer, at: datetime
) -> Request:
    """Make a way out real: a changed draft, or fewer places of the same request."""
    what, _, detail = key.partition(":")
    if what == "places":
        return _fewer(session, request, by=by, at=at)
    slots = [Slot(d.starts_at, d.ends_at) for d in dates_of(session, request.id)]
    same = Draft(
        school_id=request.school_id, way_key=request.way_key, slots=tuple(slots),
        title=request.title, subject_key=request.subject_key, grade_band=request.grade_band,
        pupils=request.pupils, places=request.places, place=request.place,
        language=request.language, supervision=request.supervision, note=request.note,
        weeks=request.weeks,
    )  # fmt: skip
    ahead = [slot for slot in slots if slot.starts_at >= at + AHEAD]
    same = replace(same, slots=tuple(ahead or later(session, request, LATER[0], at)))
    if what == "virtual":
        changed = replace(same, place=Place.VIRTUAL)
    elif what == "date" and detail in {str(days) for days in LATER}:
        changed = replace(same, slots=tuple(later(session, request, int(detail), at)))
    elif what == "way" and detail in {way.key for way in way_choices(session)}:
        changed = replace(same, way_key=detail, title="", subject_key=None)
    else:
        raise Invalid("Choose one of the answers.", field="instead")
    return create_request(session, changed, by=by, at=at, submit=False)


def _fewer(session: Session, request: Request, *, by: Viewer, at: datetime) -> Request:
    """Be content with those who said yes: the request is filled."""
    request = lock_request(session, request)
    taken = places_taken(session, request)
    if request.state not in ASKABLE or not 0 < taken < request.places:
        raise Conflict("This request has nobody to be content with.")
    record(
        session, "request.edited", kind="request", key=request.id, by=by, at=at,
        before={"places": request.places}, after={"places": taken},
    )  # fmt: skip
    request.places, request.reason = taken, None
    move(session, request, RequestState.FILLED, at=at)
    release_others(session, request, at=at, content="ask-released")
    session.flush()
    return request


def give_up(session: Session, request: Request, *, by: Viewer, at: datetime) -> None:
    """Say honestly that nobody was found, before the dates have passed; the school is told."""
    request = lock_request(session, request)
    if request.state not in ASKABLE or places_taken(session, request):
        raise Conflict("Somebody said yes already. Take fewer places, or go on asking.")
    request.reason = "nobody_left"
    move(session, request, RequestState.UNFILLED, at=at)
    release_others(session, request, at=at, content="ask-cancelled")
    asked = str(sum(ask_counts(session, request.id).values()))
    write_to_school(
        session, request, "request-unfilled", key="unfilled", merge={"asked": asked}, at=at
    )
    record(session, "request.unfilled", kind="request", key=request.id, by=by, at=at)
    session.flush()
