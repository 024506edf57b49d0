"""Letting many chosen people into a journey at once, and taking them out again.

Only the entry query is passed over: who died, whom the exit rule means, who was in it already and
may not again, stay out, and whatever is sent to those inside still passes the send policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, delete, func, literal, select, update
from sqlalchemy.orm import Session
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from crm.alumni.models import Alumnus
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.database import among
from crm.core.viewer import Permission, Viewer
from crm.web.forms import Form
from lifecycle.engine.changes import QUIETLY
from lifecycle.journeys.dropping import drop_waiting
from lifecycle.journeys.entering import let_in
from lifecycle.journeys.entry import entry_key, kept_out
from lifecycle.journeys.models import (
    IS_INSIDE,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyState,
    JourneyVersion,
)
from lifecycle.journeys.queries import document_of, live_journeys, live_version, load_journey

TAKEN_BACK = "taken_back"
RESTING = "resting"


class JourneyChoice(Form):
    """Which journey."""

    key = SelectField(_("Journey"), validators=[InputRequired()])

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"key": self.key.data}


def _form(session: Session, viewer: Viewer) -> JourneyChoice:
    """The journeys that take people in."""
    form = JourneyChoice()
    form.key.choices = [SelectChoice(j.key, j.name) for j, _version in live_journeys(session)]
    return form


def _journey(work: BulkWork) -> tuple[Journey, JourneyVersion | None]:
    """The journey, locked against being published, paused or stopped, and its live version."""
    journey = load_journey(work.session, work.options["key"])
    work.session.refresh(journey, with_for_update={"read": True})
    version = live_version(work.session, journey)
    return journey, version if journey.state is JourneyState.LIVE else None


def _look(work: BulkWork) -> BulkLook:
    """The fact is which way through the journey a person is on, so that a later one is another."""
    journey, version = _journey(work)
    inside = (
        select(Enrollment.id)
        .where(Enrollment.journey_id == journey.id, Enrollment.alumnus_id == Alumnus.id, IS_INSIDE)
        .scalar_subquery()
    )
    refusal: ColumnElement[Any] = literal(RESTING)
    if version is not None:
        document = document_of(version)
        refusal = kept_out(work.session, document, journey_id=journey.id, at=work.at)
    return BulkLook(
        func.to_jsonb(inside), func.to_jsonb(literal(True)), inside.is_not(None), refusal
    )


def _enter(work: BulkWork, ids: Sequence[int]) -> None:
    journey, version = _journey(work)
    if version is None:
        return
    document = document_of(version)
    key = entry_key(document, journey_id=journey.id, at=work.at).label("entry_key")
    who = select(Alumnus.id.label("alumnus_id"), key).where(among(Alumnus.id, ids))
    let_in(work.session, version, document, work.at, who, origin=f"bulk:{work.run_id}")


def _leave(work: BulkWork, ids: Sequence[int]) -> None:
    """Who took no step was never in it; who did is let out, and what still waits is not sent."""
    journey, _version = _journey(work)
    mine = [Enrollment.journey_id == journey.id, among(Enrollment.alumnus_id, ids), IS_INSIDE]
    work.session.execute(
        delete(Enrollment).where(*mine, Enrollment.seq == 0), execution_options=QUIETLY
    )
    values = {"state": EnrollmentState.ENDED, "ended_at": work.at, "end_reason": TAKEN_BACK}
    ended = update(Enrollment).where(*mine).values(values).returning(Enrollment.id)
    out = list(work.session.scalars(ended, execution_options={"synchronize_session": False}))
    drop_waiting(work.session, journey.key, people=ids, ways=out, at=work.at)


def _said(session: Session, options: Mapping[str, Any]) -> str:
    name = load_journey(session, options["key"]).name
    return gettext("Let into the journey “%(name)s”", name=name)


ENTER = BulkAction(
    "journey", _("Let into a journey"), 85, _form, _said, _look, _enter, _leave,
    lambda options, value: _("inside") if value else _("outside"), touches=False,
    permission=Permission.JOURNEYS_EDIT,
    reasons={
        RESTING: _("the journey takes nobody in"),
        "been": _("was in it already, and may not enter again"),
        "exit": _("the exit rule means them"),
    },
)  # fmt: skip
