"""Journeys, their immutable versions, the people in them and each step they took."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    SmallInteger,
    UniqueConstraint,
    cast,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity
from crm.core.months import monthly


class JourneyState(StrEnum):
    """Whether a journey takes people in and moves them on."""

    LIVE = "live"
    PAUSED = "paused"
    STOPPED = "stopped"


class EnrollmentState(StrEnum):
    """Whether a person is on the way, set aside with a fault, or through."""

    WAITING = "waiting"
    STUCK = "stuck"
    ENDED = "ended"


class Arm(StrEnum):
    """For which comparison somebody is kept aside, instead of going the way."""

    JOURNEY = "journey"
    DISTRICT = "district"


class Journey(Model):
    """An automated program; `live_version_id` is what new people enter.

    `checked_at` is when everybody was last held against the entry query (changed people are at
    once); `fault` says what keeps the program from moving people on, until it works again.
    """

    __tablename__ = "journey"
    __table_args__ = (UniqueConstraint("key"),)

    id: Mapped[int] = identity()
    key: Mapped[str]
    name: Mapped[str]
    goal: Mapped[str] = mapped_column(default="")
    state: Mapped[JourneyState] = mapped_column(Choice(JourneyState))
    live_version_id: Mapped[int | None] = mapped_column(BigInteger)
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    fault: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())


class JourneyVersion(Model):
    """An immutable definition: canonical JSON, its fingerprint, and the YAML it was written in.

    `steps` is how many steps the document has. `events_from` is since when the journey listens to
    what lets people in (a version that listens to the same goes on from the one before).
    `takeover` says what becomes of those inside older versions; None: they stay on them.
    """

    __tablename__ = "journey_version"
    __table_args__ = (UniqueConstraint("journey_id", "no"),)

    id: Mapped[int] = identity()
    journey_id: Mapped[int] = mapped_column(ForeignKey("journey.id"))
    no: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sha256: Mapped[str]
    source: Mapped[str]
    steps: Mapped[int] = mapped_column(SmallInteger)
    published_at: Mapped[datetime] = mapped_column(UTCDateTime())
    published_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    events_from: Mapped[datetime | None] = mapped_column(UTCDateTime())
    takeover: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class Enrollment(Model):
    """A person in a version, about to run step `step_no` at `wake_at`.

    `seq` counts the steps run, so that (id, seq) names each one; `anchor_at` is when the present
    wait began. `entry_key` bounds re-entry: `once`, a year, an occurrence. `goal_at` is when the
    goal of the journey was reached while the person was in it. A stuck one keeps its fault in
    `end_reason`. `origin` names the bulk change or the journey that let the person in;
    None: the entry query did. `arm` says that somebody was kept aside for comparison: such a row
    has ended when it begins.
    """

    __tablename__ = "enrollment"
    __table_args__ = (
        UniqueConstraint("journey_id", "alumnus_id", "entry_key"),
        Index(
            "uq_enrollment_active",
            "journey_id",
            "alumnus_id",
            unique=True,
            postgresql_where=text("state <> 'ended'"),
        ),
        Index(
            "ix_enrollment_due",
            "version_id",
            "step_no",
            "wake_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_enrollment_stuck",
            "journey_id",
            "version_id",
            "step_no",
            postgresql_where=text("state = 'stuck'"),
        ),
        Index(None, "alumnus_id"),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    id: Mapped[int] = identity()
    journey_id: Mapped[int] = mapped_column(ForeignKey("journey.id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("journey_version.id"))
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    entry_key: Mapped[str]
    state: Mapped[EnrollmentState] = mapped_column(Choice(EnrollmentState))
    step_no: Mapped[int] = mapped_column(SmallInteger)
    seq: Mapped[int] = mapped_column(default=0)
    wake_at: Mapped[datetime] = mapped_column(UTCDateTime())
    anchor_at: Mapped[datetime] = mapped_column(UTCDateTime())
    entered_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    end_reason: Mapped[str | None]
    goal_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    origin: Mapped[str | None]
    arm: Mapped[Arm | None] = mapped_column(Choice(Arm))


# Written into the statement rather than bound, so that the partial indices can be used for it.
IS_WAITING: ColumnElement[bool] = Enrollment.state == literal_column("'waiting'")
IS_STUCK: ColumnElement[bool] = Enrollment.state == literal_column("'stuck'")
IS_INSIDE: ColumnElement[bool] = Enrollment.state != literal_column("'ended'")


def entered_day(entered_at: Any) -> ColumnElement[date]:
    """The `entered_on` of the steps of an enrollment entered at this moment."""
    return cast(func.timezone("UTC", entered_at), Date)


MOVED = "moved"
"""The outcome of a run that did nothing but move somebody to another version (`reason`: 1>2)."""


class StepRun(Model):
    """One execution of one step: its outcome and why; the key is the wall against a second run.

    `entered_on` is the day of the enrollment's `entered_at`, which never changes: a second run
    falls into the same month.
    """

    __tablename__ = "step_run"
    __table_args__ = monthly("entered_on")

    enrollment_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(primary_key=True)
    entered_on: Mapped[date] = mapped_column(primary_key=True)
    step_no: Mapped[int] = mapped_column(SmallInteger)
    outcome: Mapped[str]
    reason: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(UTCDateTime())


class StaffTask(Model):
    """Something that a journey asks staff to do about a person; open until somebody did it.

    The step run that gave it is (`enrollment_id`, `seq`): a second run gives no second task.
    """

    __tablename__ = "staff_task"
    __table_args__ = (
        UniqueConstraint("enrollment_id", "seq"),
        Index(None, "alumnus_id"),
        Index("ix_staff_task_open", "due_at", "id", postgresql_where=text("done_at is null")),
    )

    id: Mapped[int] = identity()
    journey_id: Mapped[int] = mapped_column(ForeignKey("journey.id"))
    enrollment_id: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int]
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    title: Mapped[str]
    given_at: Mapped[datetime] = mapped_column(UTCDateTime())
    due_at: Mapped[datetime] = mapped_column(UTCDateTime())
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    done_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
