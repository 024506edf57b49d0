"""The form in which a school says what it needs, short enough for a phone and two minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as translated
from flask_babel import lazy_gettext as _
from wtforms import (
    DateField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from crm.web.forms import Form
from crm.web.i18n import CONTENT_LANGUAGES
from segments.requests.draft import (
    MAX_NOTE,
    MAX_TITLE,
    MOST_DATES,
    MOST_PLACES,
    MOST_PUPILS,
    Draft,
    Slot,
)
from segments.requests.models import GradeBand, Place, Request, RequestDate, Supervision
from segments.requests.words import GRADES, PLACES, SUPERVISION

MINUTES = {
    30: _("Half an hour"), 45: _("45 minutes"), 60: _("An hour"), 90: _("An hour and a half"),
    120: _("Two hours"), 180: _("Three hours"), 240: _("Half a day"), 420: _("A school day"),
}  # fmt: skip


WEEKS = {
    0: _("Once, or as long as is usual"), 4: _("Four weeks"), 8: _("Eight weeks"),
    12: _("Three months"), 18: _("A term"), 36: _("A school year"),
}  # fmt: skip
"""How long mentoring may last, in weeks."""


class RequestForm(Form):
    """What, for whom, when. Choices that the database knows are filled in by `offer`."""

    school_id = SelectField(_("School"), coerce=int)
    way_key = SelectField(_("What kind of help?"))
    subject_key = SelectField(_("About what?"))
    date_1 = DateField(_("Date"), validators=[InputRequired()])
    time_1 = TimeField(_("Starts at"), validators=[InputRequired()])
    date_2 = DateField(_("Another date"), validators=[Optional()])
    time_2 = TimeField(_("Starts at"), validators=[Optional()])
    date_3 = DateField(_("A third date"), validators=[Optional()])
    time_3 = TimeField(_("Starts at"), validators=[Optional()])
    minutes = SelectField(
        _("How long?"), coerce=int, choices=[SelectChoice(*m) for m in MINUTES.items()], default=60
    )
    weeks = SelectField(
        _("For how long?"), coerce=int, choices=[SelectChoice(*w) for w in WEEKS.items()], default=0
    )
    grade_band = SelectField(
        _("Grades"), choices=[SelectChoice(k.value, v) for k, v in GRADES.items()]
    )
    pupils = IntegerField(
        _("Pupils"), validators=[InputRequired(), NumberRange(1, MOST_PUPILS)], default=25
    )
    places = IntegerField(
        _("How many people?"), validators=[InputRequired(), NumberRange(1, MOST_PLACES)], default=1
    )
    place = RadioField(_("Where?"), choices=[SelectChoice(k.value, v) for k, v in PLACES.items()])
    supervision = RadioField(
        _("Who watches the pupils?"),
        choices=[SelectChoice(k.value, v) for k, v in SUPERVISION.items()],
    )
    language = SelectField(_("Language"))
    title = StringField(_("Title (empty: we write one)"), validators=[Length(max=MAX_TITLE)])
    note = TextAreaField(_("Anything they should know"), validators=[Length(max=MAX_NOTE)])

    def offer(self, *, schools: list[tuple[int, str]], ways: Any, subjects: Any) -> None:
        """Fill in the choices that the database knows."""
        self.school_id.choices = [SelectChoice(*school) for school in schools]
        self.way_key.choices = [SelectChoice(way.key, translated(way.label)) for way in ways]
        about = [SelectChoice(s.key, translated(s.label)) for s in subjects]
        self.subject_key.choices = [SelectChoice("", _("Anything")), *about]
        spoken = [SelectChoice(*language) for language in CONTENT_LANGUAGES.items()]
        self.language.choices = [SelectChoice("", _("Any")), *spoken]

    def draft(self, zone: ZoneInfo) -> Draft:
        """What was filled in; times are read in the school's zone."""
        return Draft(
            school_id=self.school_id.data,
            way_key=self.way_key.data,
            slots=tuple(self._slots(zone)),
            title=self.title.data or "",
            subject_key=self.subject_key.data or None,
            grade_band=GradeBand(self.grade_band.data),
            pupils=self.pupils.data,
            places=self.places.data,
            place=Place(self.place.data),
            language=self.language.data or None,
            supervision=Supervision(self.supervision.data),
            note=self.note.data or "",
            weeks=self.weeks.data or None,
        )

    def _slots(self, zone: ZoneInfo) -> Iterator[Slot]:
        for n in range(1, MOST_DATES + 1):
            day, time = self[f"date_{n}"].data, self[f"time_{n}"].data
            if day is None:
                continue
            start = datetime.combine(day, time or self.time_1.data, tzinfo=zone)
            yield Slot(start, start + timedelta(minutes=self.minutes.data))

    def place_error(self, at_fault: str | None, message: str) -> None:
        """Show a service's refusal at the field it is about."""
        names = {"dates": "date_1", "way": "way_key", "subject": "subject_key"}
        name = names.get(at_fault or "", at_fault)
        target = next((field for field in self if field.name == name), self.title)
        target.errors = [*target.errors, message]


def form_values(request: Request, dates: list[RequestDate], zone: ZoneInfo) -> dict[str, Any]:
    """What the form shows of a request that is edited."""
    names = (
        "school_id", "way_key", "grade_band", "pupils", "places", "place", "supervision", "title",
        "note",
    )  # fmt: skip
    values: dict[str, Any] = {name: getattr(request, name) for name in names}
    values |= {"subject_key": request.subject_key or "", "language": request.language or ""}
    weeks = request.weeks or 0
    values["weeks"] = min(WEEKS, key=lambda known: abs(known - weeks)) if weeks else 0
    for n, choice in enumerate(dates[:MOST_DATES], 1):
        local = choice.starts_at.astimezone(zone)
        values |= {f"date_{n}": local.date(), f"time_{n}": local.time()}
        length = int((choice.ends_at - choice.starts_at).total_seconds() // 60)
        values["minutes"] = min(MINUTES, key=lambda known: abs(known - length))
    return values


class ReasonForm(Form):
    """A sentence that goes with a decision."""

    reason = TextAreaField(_("Reason"), validators=[Length(max=500)])
