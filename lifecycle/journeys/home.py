"""What journeys say on the home page: what needs somebody, and the first one to publish."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import exists, literal_column, select
from sqlalchemy.orm import Session

from crm.core.extend import FirstStep, Todo
from crm.core.viewer import Permission, Viewer
from lifecycle.journeys.models import Enrollment, Journey, JourneyState

MOST = 20


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Journeys that cannot go on, or that set somebody aside."""
    if not viewer.may(Permission.JOURNEYS_EDIT):
        return
    aside = exists().where(
        Enrollment.journey_id == Journey.id,
        Enrollment.state == literal_column("'stuck'"),
    )
    statement = select(Journey).where(
        Journey.state != JourneyState.STOPPED, Journey.fault.is_not(None) | aside
    )
    for journey in session.scalars(statement.order_by(Journey.key).limit(MOST)):
        yield Todo(
            label=_("Look at the journey “%(name)s”: it has a fault", name=journey.name), count=1,
            href=url_for("journeys.detail", key=journey.key), tone="bad", order=20,
        )  # fmt: skip


def first_step(session: Session, viewer: Viewer) -> Iterable[FirstStep]:
    """Publishing a first journey."""
    if not viewer.may(Permission.JOURNEYS_EDIT):
        return
    yield FirstStep(
        label=_("Publish a journey"),
        text=_("Start with the welcome after graduation, which comes with Homecoming."),
        href=url_for("journeys.new", start="welcome"),
        done=bool(session.scalar(select(exists().where(Journey.id > 0)))),
        order=30,
    )
