"""Forms of the events area: shape and wording; the plan and the services know the rules."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import (
    DateField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from crm.events.access import whole_clusters
from crm.events.answers import MAX_NOTE
from crm.events.models import Event, EventKind
from crm.events.plan import (
    MAX_LINE,
    MAX_TEXT,
    MAX_TITLE,
    MOST_GUESTS,
    MOST_PLACES,
    REMINDERS,
    Plan,
    local,
)
from crm.events.words import KINDS, zone_of
from crm.schools.queries import school_choices
from crm.web.forms import Form

WRITTEN = ("en", "es", "am")
"""The languages that the form offers; texts in others are kept as they are."""
ZONES = {
    "America/New_York": _("Eastern time"), "America/Chicago": _("Central time"),
    "America/Denver": _("Mountain time"), "America/Phoenix": _("Arizona"),
    "America/Los_Angeles": _("Pacific time"), "America/Anchorage": _("Alaska"),
    "Pacific/Honolulu": _("Hawaii"),
}  # fmt: skip
LAST_MINUTE = time(23, 59)


class EventForm(Form):
    """What an event is. Choices that the database knows are filled in by `offer`."""

    title_en = StringField(_("Title in English"), validators=[Length(max=MAX_TITLE)])
    description_en = TextAreaField(
        _("What it is, in English"), validators=[Length(max=MAX_TEXT)], render_kw={"rows": 5}
    )
    title_es = StringField(_("Title in Spanish"), validators=[Length(max=MAX_TITLE)])
    description_es = TextAreaField(
        _("What it is, in Spanish"), validators=[Length(max=MAX_TEXT)], render_kw={"rows": 5}
    )
    title_am = StringField(_("Title in Amharic"), validators=[Length(max=MAX_TITLE)])
    description_am = TextAreaField(
        _("What it is, in Amharic"), validators=[Length(max=MAX_TEXT)], render_kw={"rows": 5}
    )
    kind = SelectField(_("Kind"), choices=[SelectChoice(k.value, v) for k, v in KINDS.items()])
    place_for = SelectField(_("For whom?"))
    day = DateField(_("Day"), validators=[InputRequired()])
    starts = TimeField(_("Starts at"), validators=[InputRequired()])
    ends = TimeField(_("Ends at"), validators=[InputRequired()])
    last_day = DateField(_("Last day, if it is another"), validators=[Optional()])
    time_zone = SelectField(_("Time zone"))
    place = StringField(_("Place"), validators=[Length(max=MAX_LINE)])
    address = TextAreaField(
        _("Address of the place"), validators=[Length(max=MAX_LINE)], render_kw={"rows": 2}
    )
    virtual_address = StringField(_("Address online"), validators=[Length(max=MAX_LINE)])
    capacity = IntegerField(_("Places"), validators=[Optional(), NumberRange(1, MOST_PLACES)])
    guests_allowed = IntegerField(
        _("Guests for each person"), validators=[Optional(), NumberRange(0, MOST_GUESTS)], default=0
    )
    answer_by = DateField(_("Last day to answer"), validators=[Optional()])
    reminders = StringField(
        _("Remind so many days before"), default=", ".join(map(str, REMINDERS)),
        validators=[Length(max=40)],
    )  # fmt: skip

    def offer(self, session: Session, viewer: Viewer, event: Event | None) -> None:
        """Fill in the places that the viewer looks after, and the zones."""
        choices = [] if viewer.school_ids is not None else [("", gettext("The whole district"))]
        for name, pairs in (
            ("cluster", whole_clusters(session, viewer)),
            ("school", school_choices(session, viewer)),
        ):
            choices += [(f"{name}:{number}", label) for number, label in pairs]
        self.place_for.choices = [SelectChoice(*choice) for choice in choices]
        zones: dict[str, Any] = dict(ZONES)
        if event is not None:
            zones.setdefault(event.time_zone, event.time_zone)
        self.time_zone.choices = [SelectChoice(*zone) for zone in zones.items()]

    def plan(self, event: Event | None) -> Plan:
        """What was filled in. Raises `Invalid` naming the field."""
        zone, texts = self.time_zone.data, dict(event.texts) if event else {}
        for language in WRITTEN:
            title = self[f"title_{language}"].data or ""
            description = self[f"description_{language}"].data or ""
            texts.pop(language, None)
            if title or description:
                texts[language] = {"title": title, "description": description}
        starts_at = local(datetime.combine(self.day.data, self.starts.data), zone)
        last = datetime.combine(self.last_day.data or self.day.data, self.ends.data)
        if self.last_day.data is None and self.ends.data <= self.starts.data:
            last += timedelta(days=1)  # it goes on past midnight
        until = self.answer_by.data
        answer_by = local(datetime.combine(until, LAST_MINUTE), zone) if until else None
        if answer_by is not None and until == self.day.data:
            answer_by = starts_at
        school_id, cluster_id = self._place_for()
        return Plan(
            kind=EventKind(self.kind.data), texts=texts, starts_at=starts_at,
            ends_at=local(last, zone), time_zone=zone, school_id=school_id, cluster_id=cluster_id,
            place=self.place.data or "", address=self.address.data or "",
            virtual_address=self.virtual_address.data or "", answer_by=answer_by,
            capacity=self.capacity.data, guests_allowed=self.guests_allowed.data or 0,
            reminders=_days(self.reminders.data or ""),
        )  # fmt: skip

    def _place_for(self) -> tuple[int | None, int | None]:
        kind, _separator, number = (self.place_for.data or "").partition(":")
        found = int(number) if number else None
        return (found, None) if kind == "school" else (None, found)

    def place_error(self, error: Invalid) -> None:
        """Show a refusal at the field it is about."""
        field = error.field if error.field in self else "title_en"
        self[field].errors = [*self[field].errors, str(error)]


def _days(text: str) -> tuple[int, ...]:
    words = re.findall(r"\d+", text)
    if any(len(word) > 3 for word in words):
        raise Invalid(gettext("Reminders go from 1 to 60 days before."), field="reminders")
    return tuple(sorted({int(word) for word in words}, reverse=True))


def form_values(event: Event) -> dict[str, Any]:
    """What the form shows of an event that is edited."""
    zone = zone_of(event)
    starts, ends = event.starts_at.astimezone(zone), event.ends_at.astimezone(zone)
    place = f"school:{event.school_id}" if event.school_id else ""
    texts = {
        f"{part}_{language}": event.texts.get(language, {}).get(part, "")
        for language in WRITTEN
        for part in ("title", "description")
    }
    return {
        **texts, "kind": event.kind.value, "day": starts.date(), "starts": starts.time(),
        "ends": ends.time(), "last_day": ends.date() if ends.date() != starts.date() else None,
        "place_for": f"cluster:{event.cluster_id}" if event.cluster_id else place,
        "answer_by": event.answer_by.astimezone(zone).date() if event.answer_by else None,
        "reminders": ", ".join(map(str, event.reminders)),
        **{name: getattr(event, name) for name in (
            "time_zone", "place", "address", "virtual_address", "capacity", "guests_allowed",
        )},
    }  # fmt: skip


class InviteForm(Form):
    """Whom to invite."""

    query = TextAreaField(
        _("Audience"),
        validators=[InputRequired(), Length(max=2000)],
        render_kw={"rows": 2, "spellcheck": "false"},
    )


class AnswerForm(Form):
    """What somebody answers; which button was pressed says yes, perhaps or no."""

    guests = SelectField(_("Guests with you"), coerce=int, validators=[Optional()], default=0)
    guest_names = StringField(_("Their names, if you like"), validators=[Length(max=MAX_NOTE)])
    needs = StringField(
        _("What you eat, what you need to get in"), validators=[Length(max=MAX_NOTE)]
    )

    def offer(self, most: int) -> None:
        """The numbers of guests to choose from."""
        self.guests.choices = [SelectChoice(n, str(n)) for n in range(most + 1)]


class DoorForm(Form):
    """How many guests came along."""

    guests = IntegerField(
        _("Guests who came along"), validators=[Optional(), NumberRange(0, MOST_GUESTS)]
    )
