"""What journeys add to the query language: who is in one now, and who ever was."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from crm.alumni.conditions import words
from crm.alumni.models import Alumnus
from crm.core.extend import FieldMatch, QueryContext, QueryRows
from crm.mail.models import Message
from crm.query.conditions import between
from crm.query.kinds import choice, date, flag, in_range, in_time, is_key, number, text, words_of
from crm.query.rows import times
from lifecycle.journeys.models import (
    IS_INSIDE,
    Enrollment,
    Journey,
    JourneyVersion,
    StepRun,
    entered_day,
)
from lifecycle.journeys.words import ENDS, PLACES


def journey_choices(session: Session) -> dict[str, Any]:
    """Journeys by key."""
    rows = session.execute(select(Journey.key, Journey.name).order_by(Journey.key).limit(500))
    return {key: name for key, name in rows}  # noqa: C416 - rows, not pairs


def inside(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who are in the journey now."""
    return _enrolled(match, IS_INSIDE)


def entered(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """People who ever entered the journey."""
    return _enrolled(match)


def _enrolled(match: FieldMatch, *more: ColumnElement[bool]) -> ColumnElement[bool]:
    journey = select(Journey.id).where(Journey.key == match.low).scalar_subquery()
    return exists().where(
        Enrollment.alumnus_id == Alumnus.id,
        Enrollment.journey_id == journey,
        Enrollment.arm.is_(None),
        *more,
    )


def _mailed_by(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return Message.origin.startswith(f"journey:{match.low}/", autoescape=True)


def _key_is(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    key: ColumnElement[bool] = Journey.key == match.low
    return key


def _version_no() -> Any:
    """The number of the version that a way goes by."""
    mine = select(JourneyVersion.no).where(JourneyVersion.id == Enrollment.version_id)
    return mine.correlate(Enrollment).scalar_subquery()


FIELDS = (
    choice("journey", _("Is in the journey"), inside, _("are in the journey %(value)s"),
           "journey:welcome", choices=journey_choices),
    choice("entered", _("Ever entered the journey"), entered,
           _("ever entered the journey %(value)s"), "entered:welcome", choices=journey_choices),
)  # fmt: skip
ENROLLED = QueryRows(
    "enrolled", _("One way through a journey"), _("entered a journey"), Enrollment.alumnus_id, [
        choice("journey", _("Journey"), _key_is, choices=journey_choices),
        choice("state", _("Where they are"), is_key(Enrollment.state), choices=words_of(PLACES)),
        number("step", _("Number of the next step"), in_range(Enrollment.step_no)),
        number("version", _("Version"), lambda match, context: between(_version_no(), match)),
        text("ended_by", _("How it ended"), words(Enrollment.end_reason), choices=words_of(ENDS)),
        date("when", _("Entered"), in_time(Enrollment.entered_at)),
        date("ended", _("Ended"), in_time(Enrollment.ended_at)),
        date("goal", _("Goal reached"), in_time(Enrollment.goal_at)),
        flag("has:goal", _("Goal reached"), lambda: Enrollment.goal_at.is_not(None)),
    ],
    belongs=lambda: (Journey.id == Enrollment.journey_id, Enrollment.arm.is_(None)),
    default="journey",
    totals=(times(_("How many")),), example="enrolled(journey:welcome has:goal ended:1y)",
)  # fmt: skip
STEPPED = QueryRows(
    "step", _("One step of a journey"), _("took a step of a journey"), Enrollment.alumnus_id, [
        choice("journey", _("Journey"), _key_is, choices=journey_choices),
        number("no", _("Number of the step"), in_range(StepRun.step_no)),
        text("outcome", _("Outcome"), lambda match, context: StepRun.outcome == match.low),
        text("reason", _("Reason"), lambda match, context: StepRun.reason == match.low),
        date("when", _("When"), in_time(StepRun.at)),
    ],
    belongs=lambda: (
        Journey.id == Enrollment.journey_id, StepRun.enrollment_id == Enrollment.id,
        StepRun.entered_on == entered_day(Enrollment.entered_at),
    ),
    default="journey", totals=(times(_("How many")),),
    example="step(journey:welcome outcome:yes when:90d)",
)  # fmt: skip
MAILED_BY = choice("journey", _("Journey"), _mailed_by, choices=journey_choices)
MAILED_AT = text(
    "step", _("Step of the journey"),
    lambda match, context: func.split_part(Message.origin, "/", 2) == match.low,
)  # fmt: skip
