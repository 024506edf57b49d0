"""Reads of the mentoring area."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, func, select, true
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.schools.models import School
from crm.web.paging import Page, keyset
from segments.clearance.policy import MOST_LEVELS
from segments.clearance.queries import cleared_on
from segments.mentoring.models import MentorCapacity, MentorCheckin, MentorPair, PairState

LARGEST_ID = 2**63 - 1
VIEWS = ("active", "missed", "lapsed", "over")


def visible_pairs(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `MentorPair`: those of the viewer's schools (law 8)."""
    if viewer.school_ids is None:
        return true()
    return MentorPair.school_id.in_(sorted(viewer.school_ids))


def load_pair(session: Session, viewer: Viewer, pair_id: int, *, lock: bool = False) -> MentorPair:
    """The pair, if it is one of the viewer's schools; otherwise `NotFound`."""
    if pair_id <= LARGEST_ID:
        statement = select(MentorPair).where(MentorPair.id == pair_id, visible_pairs(viewer))
        if lock:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        found = session.scalars(statement).one_or_none()
        if found is not None:
            return found
    raise NotFound("There is no such pair in the part of the district that you look after.")


def load_checkin(session: Session, pair: MentorPair, checkin_id: int) -> MentorCheckin:
    """A check-in of the pair; otherwise `NotFound`."""
    found = session.get(MentorCheckin, checkin_id) if checkin_id <= LARGEST_ID else None
    if found is None or found.pair_id != pair.id:
        raise NotFound("There is no such check-in.")
    return found


def own_checkin(session: Session, checkin_id: int | None, ids: set[int]) -> MentorCheckin:
    """The check-in of a mailed link, if it is the person's own by any of their records' ids."""
    if checkin_id is not None:
        statement = select(MentorCheckin).where(
            MentorCheckin.id == checkin_id, MentorCheckin.alumnus_id.in_(ids)
        )
        found = session.scalars(statement).one_or_none()
        if found is not None:
            return found
    raise NotFound("There is no such check-in.")


def is_missed() -> ColumnElement[bool]:
    """A condition on `MentorPair`: a check-in was missed and nobody has settled it."""
    return exists().where(
        MentorCheckin.pair_id == MentorPair.id, MentorCheckin.missed_at.is_not(None),
        MentorCheckin.settled_at.is_(None),
    )  # fmt: skip


def lacks_clearance(today: date) -> ColumnElement[bool]:
    """A condition on `MentorPair` joined to `Alumnus`: under way without the clearance it takes."""
    held: ColumnElement[bool] = MentorPair.level == 0
    for level in range(1, MOST_LEVELS + 1):
        held = held | ((MentorPair.level == level) & cleared_on(level, today, MentorPair.school_id))
    return ~held & (MentorPair.starts_on <= today)


def pairs(
    session: Session, viewer: Viewer, *, view: str, after: str | None, today: date
) -> Page[Any]:
    """(MentorPair, Alumnus, school, next, last) of a view, those that end soonest first."""
    statement = (
        select(
            MentorPair, Alumnus, School.name.label("school"),
            _day(func.min(MentorCheckin.due_on), MentorCheckin.sent_at.is_(None)).label("next_on"),
            _day(func.max(MentorCheckin.due_on), MentorCheckin.answer.is_not(None)).label(
                "heard_on"
            ),
            is_missed().label("missed"),
        )
        .join(Alumnus, Alumnus.id == MentorPair.alumnus_id)
        .join(School, School.id == MentorPair.school_id)
        .where(visible_pairs(viewer), *_of_view(view, today))
    )  # fmt: skip
    over = view == "over"
    return keyset(
        session, statement, (MentorPair.ends_on, MentorPair.id), after=after, descending=over
    )


def _of_view(view: str, today: date) -> list[ColumnElement[bool]]:
    if view == "over":
        return [MentorPair.state != PairState.ACTIVE]
    active = MentorPair.state == PairState.ACTIVE
    if view == "missed":
        return [active, is_missed()]
    return [active, lacks_clearance(today)] if view == "lapsed" else [active]


def _day(which: ColumnElement[Any], condition: ColumnElement[bool]) -> ColumnElement[Any]:
    days = select(which).where(MentorCheckin.pair_id == MentorPair.id, condition)
    return days.correlate(MentorPair).scalar_subquery()


def counts(session: Session, viewer: Viewer, today: date) -> dict[str, int]:
    """How many pairs stand in each view."""
    active = MentorPair.state == PairState.ACTIVE
    statement = (
        select(
            func.count().filter(active).label("active"),
            func.count().filter(active, is_missed()).label("missed"),
            func.count().filter(active, lacks_clearance(today)).label("lapsed"),
            func.count().filter(~active).label("over"),
        )
        .select_from(MentorPair)
        .join(Alumnus, Alumnus.id == MentorPair.alumnus_id)
        .where(visible_pairs(viewer))
    )
    return dict(session.execute(statement).mappings().one())


def checkins_of(session: Session, pair_id: int) -> Sequence[Row[MentorCheckin, str]]:
    """(MentorCheckin, who settled it) of a pair, the latest due first."""
    return session.execute(
        select(MentorCheckin, User.name)
        .outerjoin(User, User.id == MentorCheckin.settled_by)
        .where(MentorCheckin.pair_id == pair_id)
        .order_by(MentorCheckin.number.desc())
    ).all()


def pairs_of(session: Session, alumnus_id: int) -> Sequence[Row[MentorPair, str]]:
    """(MentorPair, school) of a mentor, the latest first."""
    return session.execute(
        select(MentorPair, School.name.label("school"))
        .join(School, School.id == MentorPair.school_id)
        .where(MentorPair.alumnus_id == alumnus_id)
        .order_by(MentorPair.starts_on.desc(), MentorPair.id.desc())
        .limit(50)
    ).all()


def takes_at_most(usual: int) -> ColumnElement[int]:
    """How many pupils a person takes at once, correlated on `Alumnus.id`."""
    own = select(MentorCapacity.most).where(MentorCapacity.alumnus_id == Alumnus.id)
    return func.coalesce(own.correlate(Alumnus).scalar_subquery(), usual)


def has_now() -> ColumnElement[int]:
    """How many pupils a person goes along with, correlated on `Alumnus.id`."""
    mine = select(func.count()).where(
        MentorPair.alumnus_id == Alumnus.id, MentorPair.state == PairState.ACTIVE
    )
    return mine.correlate(Alumnus).scalar_subquery()
