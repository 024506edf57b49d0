"""Seniors, whose school accounts close: how many of them left an address that will not."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar

from flask import url_for
from flask_babel import ngettext
from pydantic import Field
from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from crm.accounts import audit
from crm.alumni.access import visible_alumni
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    Schooling,
    SchoolingStatus,
)
from crm.core.district import Choices, chosen
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.door.models import SchoolCode
from crm.schools.models import School, SchoolLevel, SchoolStatus
from crm.schools.queries import visible_schools

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
NEW_YEAR = 7
"""The month in which the next class becomes the seniors."""
WORKING = (ContactStatus.OK, ContactStatus.UNCONFIRMED)


class SeniorRule(Choices):
    """When school accounts close, which domains they are of, and how many should be safe by then.

    `enough` is a share in percent; `warn_days` is how long before the day the office is told.
    """

    key: ClassVar[str] = "seniors"
    closes_on: date | None = None
    domains: tuple[str, ...] = ()
    enough: int = Field(default=70, ge=1, le=100)
    warn_days: int = Field(default=60, ge=1, le=365)

    def days_left(self, day: date) -> int | None:
        """Days until the accounts close; None without a day or once it has passed."""
        left = (self.closes_on - day).days if self.closes_on else -1
        return left if left >= 0 else None

    def closes(self, address: str) -> bool:
        """Whether an address is of a school, and will not outlive it."""
        domain = address.rpartition("@")[2].lower()
        return any(domain == d or domain.endswith(f".{d}") for d in self.domains)


@dataclass(frozen=True)
class Cover:
    """One school's seniors, and how many of them have an address of their own."""

    school_id: int
    school: str
    seniors: int
    covered: int

    @property
    def share(self) -> float:
        """The part that is safe, from 0 to 1."""
        return self.covered / self.seniors if self.seniors else 0.0


def senior_year(day: date) -> int:
    """The class that leaves at the end of the school year."""
    return day.year + (1 if day.month >= NEW_YEAR else 0)


def coverage(session: Session, viewer: Viewer, rule: SeniorRule, *, day: date) -> list[Cover]:
    """By school of the viewer's, the seniors and those with a working address of their own."""
    mine = exists().where(
        ContactPoint.alumnus_id == Alumnus.id, ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN, ContactPoint.status.in_(WORKING),
        ~_closing(rule),
    )  # fmt: skip
    # An alias: the wall around people asks `Schooling` itself.
    here = aliased(Schooling)
    rows = session.execute(
        select(School.id, School.name, func.count(), func.count().filter(mine))
        .select_from(here)
        .join(School, School.id == here.school_id)
        .join(Alumnus, Alumnus.id == here.alumnus_id)
        .where(
            here.class_year == senior_year(day), here.status != SchoolingStatus.LEFT,
            visible_schools(viewer), visible_alumni(viewer),
        )
        .group_by(School.id)
        .order_by(School.name, School.id)
    )  # fmt: skip
    return [Cover(*row) for row in rows]


def _closing(rule: SeniorRule) -> ColumnElement[bool]:
    domain = func.split_part(ContactPoint.key, "@", 2)
    each = [
        or_(domain == d, domain.endswith(f".{d}", autoescape=True)) for d in sorted(rule.domains)
    ]
    return or_(*each) if each else false()


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Schools whose seniors are about to be lost."""
    if not viewer.may(Permission.PEOPLE_VIEW):
        return
    rule = chosen(session, SeniorRule)
    left = rule.days_left(at.date())
    if left is None or left > rule.warn_days:
        return
    found = coverage(session, viewer, rule, day=at.date())
    low = sum(cover.share * 100 < rule.enough for cover in found)
    label = ngettext(
        "school has too few seniors with an address of their own",
        "schools have too few seniors with an address of their own", low,
    )  # fmt: skip
    yield Todo(label, low, url_for("seniors.index"), "warn", 35)


def schools(session: Session, viewer: Viewer) -> Sequence[Any]:
    """(id, name, code or None) of the viewer's open high schools, and of others with a code."""
    statement = (
        select(School.id, School.name, SchoolCode.code)
        .outerjoin(
            SchoolCode, and_(SchoolCode.school_id == School.id, SchoolCode.retired_at.is_(None))
        )
        .where(
            visible_schools(viewer), School.status == SchoolStatus.OPEN,
            or_(School.level == SchoolLevel.HIGH, SchoolCode.code.is_not(None)),
        )
        .order_by(School.name, School.id)
    )  # fmt: skip
    return session.execute(statement).all()


def poster_of(session: Session, viewer: Viewer, school_id: int) -> tuple[School, str | None]:
    """A school of the viewer's and its present code; raises `NotFound`."""
    statement = select(School).where(School.id == school_id, visible_schools(viewer))
    school = session.scalars(statement).one_or_none()
    if school is None:
        raise NotFound("There is no such school in the part of the district that you look after.")
    present = SchoolCode.school_id == school.id, SchoolCode.retired_at.is_(None)
    return school, session.scalar(select(SchoolCode.code).where(*present))


def make_codes(
    session: Session, school_ids: Sequence[int], *, by: Viewer, at: datetime
) -> list[str]:
    """A new code for each of these schools; their present ones stop, and say so kindly."""
    session.execute(
        update(SchoolCode)
        .where(SchoolCode.school_id.in_(school_ids), SchoolCode.retired_at.is_(None))
        .values(retired_at=at)
    )
    made = [
        SchoolCode(
            code="".join(secrets.choice(ALPHABET) for _ in range(8)), school_id=school, made_at=at
        )
        for school in school_ids
    ]
    session.add_all(made)
    for one in made:
        audit.record(session, "school.code_made", kind="school", key=one.school_id, by=by, at=at)
    session.flush()
    return [one.code for one in made]


def school_of(session: Session, code: str) -> tuple[School, bool] | None:
    """The school of a code, and whether the code is still good; None for no code of ours."""
    if not 1 <= len(code) <= 40 or "\x00" in code:
        return None
    row = session.execute(
        select(School, SchoolCode.retired_at)
        .join(SchoolCode, SchoolCode.school_id == School.id)
        .where(SchoolCode.code == code.lower())
    ).one_or_none()
    return (row[0], row[1] is None) if row is not None else None
