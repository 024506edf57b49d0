"""What a change to people does to their way through journeys, set-based over their ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    Update,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import IdArray, UTCDateTime, id_array
from crm.interactions.models import Interaction
from crm.mail.models import Message
from crm.mail.reasons import CONTACT_BUDGET
from lifecycle.journeys.definition import Document
from lifecycle.journeys.entering import MOMENT as MOMENT
from lifecycle.journeys.entering import let_in as let_in
from lifecycle.journeys.entry import entrants, meaning
from lifecycle.journeys.models import (
    IS_INSIDE,
    IS_WAITING,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.steps import ANY

AT: Any = bindparam("at", type_=UTCDateTime())
WHO: Any = bindparam("who", type_=IdArray("bigint"))
QUIETLY = {"synchronize_session": False, "preserve_rowcount": True}


def these(ids: Sequence[int]) -> ColumnElement[Any]:
    """Ids as one bound array, to compare with `= any(…)`."""
    return any_(id_array(ids))


def given(ids: Sequence[int], at: datetime) -> dict[str, Any]:
    """The values of `WHO` and `AT`, in statements that are built once."""
    return {"who": list(ids), "at": at}


def rows(session: Session, statement: Any, values: Mapping[str, Any] | None = None) -> int:
    """Run an INSERT or UPDATE and answer how many rows it touched."""
    done: Any = session.execute(statement, values, execution_options=QUIETLY)
    return int(done.rowcount)


def enter(
    session: Session,
    version: JourneyVersion,
    document: Document,
    at: datetime,
    among: ColumnElement[bool],
) -> int:
    """Let in those people `among` alumni who may enter now; answers how many did."""
    since = version.events_from or version.published_at
    who = entrants(session, document, journey_id=version.journey_id, at=at, since=since)
    return let_in(session, version, document, at, who.where(among))


def note_goals(session: Session, ids: Sequence[int], at: datetime) -> int:
    """Note that the goal of a journey happened since people entered, while it counts for them."""
    return rows(session, _goals(), given(ids, at))


@cache
def _goals() -> Update:
    kind = JourneyVersion.document["goal"].astext
    within = cast(JourneyVersion.document["goal_within"].astext, Integer)
    until = Enrollment.entered_at + func.make_interval(0, 0, 0, 0, 0, 0, within)
    reached = (
        select(Enrollment.id, func.min(Interaction.occurred_at).label("moment"))
        .join(JourneyVersion, JourneyVersion.id == Enrollment.version_id)
        .join(Interaction, Interaction.alumnus_id == Enrollment.alumnus_id)
        .where(
            Enrollment.alumnus_id == any_(WHO),
            or_(IS_INSIDE, Interaction.occurred_at <= until),
            Enrollment.goal_at.is_(None),
            Interaction.kind == kind,
            Interaction.machine.is_(False),
            Interaction.occurred_at.between(Enrollment.entered_at, AT),
        )
        .group_by(Enrollment.id)
        .subquery("reached")
    )
    statement = update(Enrollment).where(Enrollment.id == reached.c.id)
    return statement.values(goal_at=reached.c.moment)


def wake(session: Session, ids: Sequence[int], at: datetime) -> int:
    """Wake people who wait for what has happened now; the step itself decides what follows."""
    return rows(session, _waking(), given(ids, at))


@cache
def _waking() -> Update:
    step = JourneyVersion.document["steps"][Enrollment.step_no]
    happened = (
        select(Enrollment.id)
        .join(JourneyVersion, JourneyVersion.id == Enrollment.version_id)
        .join(Interaction, Interaction.alumnus_id == Enrollment.alumnus_id)
        .where(
            Enrollment.alumnus_id == any_(WHO),
            IS_WAITING,
            Enrollment.wake_at > AT,
            or_(
                step["interaction"].has_key(Interaction.kind),
                step["interaction"].astext == ANY,
            ),
            Interaction.machine.is_(False),
            Interaction.occurred_at.between(Enrollment.anchor_at, AT),
        )
    )
    return update(Enrollment).where(Enrollment.id.in_(happened)).values(wake_at=AT)


def end_departed(session: Session, ids: Sequence[int], at: datetime) -> int:
    """Let out people who died or whose record became part of another's."""
    return rows(session, _departing(), given(ids, at))


@cache
def _departing() -> Update:
    reason = case((Alumnus.deceased, "deceased"), else_="merged")
    return (
        update(Enrollment)
        .where(
            Enrollment.alumnus_id == any_(WHO),
            IS_INSIDE,
            Alumnus.id == Enrollment.alumnus_id,
            or_(Alumnus.deceased, Alumnus.merged_into_id.is_not(None)),
        )
        .values(state=EnrollmentState.ENDED, ended_at=AT, end_reason=reason)
    )


def end_capped(session: Session, ids: Sequence[int], at: datetime) -> int:
    """Let out people whose message the contact budget stopped, where its step says so."""
    return rows(session, _stopping(), given(ids, at))


@cache
def _stopping() -> Update:
    capped = (
        select(func.split_part(Message.key, ":", 3))
        .where(
            Message.alumnus_id == any_(WHO),
            Message.on_cap == literal_column("'exit'"),
            Message.state == literal_column("'skipped'"),
            Message.reason == CONTACT_BUDGET,
            Message.origin.startswith("journey:"),
        )
        .scalar_subquery()
    )
    statement = update(Enrollment).where(
        Enrollment.alumnus_id == any_(WHO), IS_WAITING, cast(Enrollment.id, String).in_(capped)
    )
    return statement.values(state=EnrollmentState.ENDED, ended_at=AT, end_reason="cap")


def versions_with_exits(session: Session, ids: Sequence[int]) -> Sequence[JourneyVersion]:
    """Versions of live journeys that have an exit query and some of these people inside."""
    return session.scalars(_exits(), {"who": list(ids)}).all()


@cache
def _exits() -> Select[JourneyVersion]:
    inside = (
        select(Enrollment.version_id)
        .where(Enrollment.alumnus_id == any_(WHO), IS_WAITING)
        .distinct()
    )
    return (
        select(JourneyVersion)
        .join(Journey, Journey.id == JourneyVersion.journey_id)
        .where(
            JourneyVersion.id.in_(inside),
            Journey.state == JourneyState.LIVE,
            JourneyVersion.document["exit"].astext.is_not(None),
        )
    )


def end_exits(
    session: Session,
    version: JourneyVersion,
    document: Document,
    at: datetime,
    among: ColumnElement[bool],
) -> list[int]:
    """Let out people inside a version whom its exit query means now; answers the enrollments."""
    if document.exit is None:
        return []
    out = meaning(session, document.exit, at)
    statement = (
        update(Enrollment)
        .where(
            Enrollment.version_id == version.id,
            IS_WAITING,
            among,
            and_(Alumnus.id == Enrollment.alumnus_id, out),
        )
        .values(state=EnrollmentState.ENDED, ended_at=at, end_reason="exit")
        .returning(Enrollment.id)
    )
    return list(session.scalars(statement, execution_options=QUIETLY))
