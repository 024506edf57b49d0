"""Forms of a person's own page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import request
from flask_babel import lazy_gettext as _
from wtforms import (
    DateField,
    EmailField,
    RadioField,
    SelectField,
    StringField,
    validators,
)

from crm.alumni.models import Alumnus
from crm.consent import pauses
from crm.core.errors import Invalid
from crm.portal.queries import Choices, Held
from crm.portal.wishes import Wish
from crm.web.forms import Form, MultiCheckboxField, offered
from crm.web.i18n import CONTENT_LANGUAGES

LINE = [validators.Optional(), validators.Length(max=200)]
ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix",
    "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico",
    "America/Toronto", "America/Mexico_City", "America/Bogota", "America/Sao_Paulo",
    "Europe/London", "Europe/Paris", "Europe/Berlin", "Africa/Lagos", "Africa/Nairobi",
    "Africa/Addis_Ababa", "Africa/Johannesburg", "Asia/Dubai", "Asia/Kathmandu", "Asia/Kolkata",
    "Asia/Yangon", "Asia/Ho_Chi_Minh", "Asia/Manila", "Asia/Shanghai", "Asia/Seoul", "Asia/Tokyo",
    "Australia/Sydney",
)  # fmt: skip
PROFILE = (
    "given_name", "preferred_name", "middle_name", "family_name", "former_name", "job_title",
    "employer", "field_of_work", "college", "city", "language", "time_zone",
)  # fmt: skip
PARTS = ("ways", "subjects", "topics")
BREAK = "break-"
"""Before the key of a topic, the name of the field for a break from it."""


@dataclass(frozen=True)
class TopicBreak:
    """A topic as somebody may take a break from it: the field's name, its choices, the chosen."""

    name: str
    label: str
    choices: list[tuple[str, str]]
    chosen: str


class ProfileForm(Form):
    """Everything that a person may correct and choose."""

    breaks: Sequence[TopicBreak] = ()

    given_name = StringField(_("First name"), LINE, render_kw={"autocomplete": "given-name"})
    preferred_name = StringField(_("What people call you"), LINE)
    middle_name = StringField(_("Middle name"), LINE)
    family_name = StringField(_("Last name"), LINE, render_kw={"autocomplete": "family-name"})
    former_name = StringField(_("Last name at school, if another"), LINE)
    job_title = StringField(
        _("What you do"), LINE, render_kw={"autocomplete": "organization-title"}
    )
    employer = StringField(_("Where you work"), LINE, render_kw={"autocomplete": "organization"})
    field_of_work = StringField(_("Field of work"), LINE)
    college = StringField(_("College or training"), LINE)
    city = StringField(_("Where you live"), LINE, render_kw={"autocomplete": "address-level2"})
    language = SelectField(_("Language for our mail"))
    time_zone = SelectField(_("Your time zone"))
    ways = MultiCheckboxField(_("I could"))
    subjects = MultiCheckboxField(_("About"))
    topics = MultiCheckboxField(_("Mail me about"))
    break_for = RadioField(_("A break from our mail"), [validators.Optional()])
    pause = DateField(_("Send nothing until"), [validators.Optional()])

    def wish(self, alumnus: Alumnus, *, at: datetime) -> Wish:
        """What was asked for; parts that the browser did not send stay as they are."""
        sent, shown = request.form, request.form.getlist("shown")
        given = {name: self[name].data or "" for name in PROFILE if name in sent}
        parts = {
            part: frozenset(self[part].data or ())
            for part in PARTS
            if part in shown or part in sent
        }
        held, named = alumnus.paused_until, self.break_for.data if "break_for" in sent else None
        until = pauses.last_day(named, self.pause.data, held=held, today=at.date())
        pause = (until,) if {"pause", "break_for"} & sent.keys() else None
        return Wish(profile=given, pause=pause, breaks=self._breaks(at.date()), **parts)

    def _breaks(self, today: date) -> dict[str, date | None]:
        """By topic the last day of a break that was chosen anew, None for its end."""
        return {
            each.name.removeprefix(BREAK): pauses.last_day(
                each.chosen, None, held=None, today=today
            )
            for each in self.breaks
            if each.chosen != pauses.KEEP
        }

    def show(self, error: Invalid) -> None:
        """Put a refusal beside its field."""
        if error.field in self:
            self[error.field].errors = [*self[error.field].errors, str(error)]
        else:
            self.form_errors.append(str(error))


class NewAddressForm(Form):
    """A new mail address."""

    email = EmailField(
        _("Your new mail address"),
        [validators.InputRequired(), validators.Length(max=320)],
        render_kw={"autocomplete": "email"},
    )


class AddressCodeForm(Form):
    """The code that went to it."""

    code = StringField(
        _("Six-digit code"),
        [validators.InputRequired(), validators.Length(max=20)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )


def profile_form(alumnus: Alumnus, mine: Held, choices: Choices) -> ProfileForm:
    """The form with what we hold filled in, or with what was posted."""
    values: dict[str, Any] = {name: getattr(alumnus, name) or "" for name in PROFILE}
    form = ProfileForm(
        **values, ways=sorted(mine.ways), subjects=sorted(mine.subjects),
        topics=sorted(mine.topics), pause=alumnus.paused_until,
        break_for=(
            pauses.Break.DAY if alumnus.paused_until else pauses.Break.NONE
        ).value,
    )  # fmt: skip
    languages = {code: str(name) for code, name in CONTENT_LANGUAGES.items()}
    languages.setdefault(alumnus.language, alumnus.language)
    zones = dict.fromkeys(("", alumnus.time_zone or "", *ZONES))
    form.break_for.choices = pauses.choices()
    form.language.choices = offered(languages.items())
    form.time_zone.choices = offered((zone, zone.replace("_", " ") or "–") for zone in zones)
    form.ways.choices = offered(choices.ways)
    form.subjects.choices = offered(choices.subjects)
    form.topics.choices = offered(choices.topics)
    form.breaks = [_topic_break(key, label, mine) for key, label in choices.topic_names]
    return form


def _topic_break(key: str, label: str, mine: Held) -> TopicBreak:
    name, offered = BREAK + key, pauses.topic_choices(mine.breaks.get(key))
    sent = request.form.get(name, pauses.KEEP)
    return TopicBreak(name, label, offered, sent if sent in dict(offered) else pauses.KEEP)
