"""Recording that people took part in something, and stopping a topic for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import Text, delete, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from wtforms import DateField, DecimalField, SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from crm.alumni.models import Alumnus
from crm.consent.models import ConsentSource, ConsentState, Topic
from crm.consent.queries import topics
from crm.consent.service import holds, withdraw_many
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from crm.interactions.hand import NOON, ZONE
from crm.interactions.models import Interaction
from crm.interactions.service import record_many
from crm.interactions.words import BY_HAND, KINDS
from crm.schools.queries import school_choices
from crm.web.forms import Form

EVERYTHING = "*"
TOLD: Any = Interaction.__table__.alias("told")


class DeedForm(Form):
    """What happened with all of them, when and where."""

    kind = SelectField(_("What happened"), choices=[SelectChoice(k, KINDS[k]) for k in BY_HAND])
    day = DateField(_("Day"), validators=[InputRequired()])
    school_id = SelectField(_("School"), coerce=int)
    hours = DecimalField(_("Hours each"), validators=[Optional(), NumberRange(0, 9_999)])
    note = TextAreaField(_("Note"), validators=[Length(max=2000)])

    def options(self) -> dict[str, Any]:
        """What was written, as plain JSON."""
        return {
            "kind": self.kind.data, "day": self.day.data.isoformat(),
            "school_id": self.school_id.data or None,
            "hours": str(self.hours.data) if self.hours.data is not None else None,
            "note": self.note.data or "",
        }  # fmt: skip


def _deed_form(session: Session, viewer: Viewer) -> DeedForm:
    form = DeedForm(data={"kind": "event_attended", "school_id": 0})
    schools = [SelectChoice(key, name) for key, name in school_choices(session, viewer)]
    form.school_id.choices = [SelectChoice(0, _("No school")), *schools]
    return form


def _deed_named(session: Session, options: Mapping[str, Any]) -> str:
    what, day = str(KINDS[options["kind"]]), options["day"]
    return gettext("Record “%(what)s” on %(day)s", what=what, day=day)


def _key(run_id: int) -> str:
    return f"bulk:{run_id}:"


def _deed_look(work: BulkWork) -> BulkLook:
    options = work.options
    if options["kind"] not in BY_HAND:
        raise Invalid("Choose what happened.", field="kind")
    if date.fromisoformat(options["day"]) > work.at.astimezone(ZONE).date():
        raise Invalid("That day is still to come.", field="day")
    mine = {key for key, name in school_choices(work.session, work.viewer)}
    if options["school_id"] and options["school_id"] not in mine:
        raise Invalid("Choose one of your schools.", field="school_id")
    row = select(func.to_jsonb(TOLD.table_valued(), type_=JSONB)).where(
        TOLD.c.dedupe_key == literal(_key(work.run_id)).concat(Alumnus.id.cast(Text))
    )
    now = row.correlate(Alumnus).scalar_subquery()
    return BulkLook(now, func.to_jsonb(literal(True)), now.is_not(None))


def _deed_write(work: BulkWork, ids: Sequence[int]) -> None:
    options = work.options
    moment = datetime.combine(date.fromisoformat(options["day"]), NOON, tzinfo=ZONE)
    hours = Decimal(options["hours"]) if options["hours"] else None
    record_many(
        work.session,
        (
            {
                "alumnus_id": alumnus_id, "occurred_at": moment, "kind": options["kind"],
                "mode": BY_HAND[options["kind"]], "school_id": options["school_id"],
                "hours": hours, "note": options["note"], "origin": f"bulk:{work.run_id}",
                "dedupe_key": f"{_key(work.run_id)}{alumnus_id}",
            }
            for alumnus_id in ids
        ),
    )  # fmt: skip


def _deed_back(work: BulkWork, ids: Sequence[int]) -> None:
    keys = [f"{_key(work.run_id)}{alumnus_id}" for alumnus_id in ids]
    gone = delete(Interaction).where(Interaction.dedupe_key.in_(keys))
    work.session.execute(gone, execution_options={"synchronize_session": False})


DEED = BulkAction(
    "interaction", _("Record that they took part in something"), 50, _deed_form, _deed_named,
    _deed_look, _deed_write, _deed_back,
    lambda options, value: KINDS[options["kind"]] if value else "–", touches=False,
)  # fmt: skip


class TopicForm(Form):
    """Which topic, and why."""

    topic = SelectField(_("Topic"), validators=[InputRequired()])
    wording = TextAreaField(_("Why, in the words of whoever said so"), [Length(max=2000)])

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"topic": self.topic.data, "wording": self.wording.data or ""}


def _topic_form(session: Session, viewer: Viewer) -> TopicForm:
    form = TopicForm()
    known = [SelectChoice(topic.key, gettext(topic.label)) for topic in topics(session)]
    form.topic.choices = [*known, SelectChoice(EVERYTHING, _("Everything"))]
    return form


def _topic(options: Mapping[str, Any]) -> str | None:
    return None if options["topic"] == EVERYTHING else str(options["topic"])


def _topic_named(session: Session, options: Mapping[str, Any]) -> str:
    topic = session.get(Topic, options["topic"])
    if topic is None:
        return gettext("Stop all mail")
    return gettext("Stop the topic “%(name)s”", name=gettext(topic.label))


def _topic_look(work: BulkWork) -> BulkLook:
    topic = _topic(work.options)
    if topic is not None and work.session.get(Topic, topic) is None:
        raise Invalid("There is no such topic.", field="topic")
    stopped = holds(topic, ConsentState.WITHDRAWN)
    return BulkLook(func.to_jsonb(stopped), func.to_jsonb(literal(True)), stopped)


def _topic_write(work: BulkWork, ids: Sequence[int]) -> None:
    withdraw_many(
        work.session, ids, topic_key=_topic(work.options), source=ConsentSource.STAFF, at=work.at,
        reference=f"bulk:{work.run_id}", wording=work.options["wording"],
    )  # fmt: skip


STOP = BulkAction(
    "withdraw", _("Stop a topic"), 70, _topic_form, _topic_named, _topic_look, _topic_write, None,
    lambda options, value: _("stopped") if value else _("may be sent"), touches=False,
)  # fmt: skip
