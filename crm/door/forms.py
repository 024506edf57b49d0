"""The public forms: short, for a phone, with a trap for machines instead of a puzzle."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, cast

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
    validators,
)
from wtforms.fields.choices import SelectChoice

from crm.alumni.contacts import email_form
from crm.core.errors import Invalid
from crm.door import gate
from crm.door.seniors import SeniorRule, senior_year
from crm.web.forms import Form, MultiCheckboxField, offered
from crm.web.i18n import CONTENT_LANGUAGES

NAME = validators.Length(max=100)
GIVEN = {"autocomplete": "given-name"}
FAMILY = {"autocomplete": "family-name"}
EMAIL = {"autocomplete": "email", "inputmode": "email", "autocapitalize": "none"}
YEAR = {"inputmode": "numeric", "min": 1930, "max": 2100}
FIRST_YEAR = 1930


class DoorForm(Form):
    """What every public form has: the trap and the time at which it was made."""

    website = StringField(
        _("Leave this empty"), [validators.Length(max=2000)],
        render_kw={"autocomplete": "off", "tabindex": "-1"},
    )  # fmt: skip
    stamp = HiddenField("")

    def trapped(self) -> bool:
        """Whether a machine filled in what no person sees."""
        return bool(self.website.data)

    def good(self, at: datetime) -> bool:
        """Whether everything is filled in as it must be, by somebody who took the time."""
        fine = bool(self.validate_on_submit())
        in_time = gate.in_time(self.stamp.data or "", at)
        if self.is_submitted() and not in_time:
            self.form_errors.append(gettext("That was very quick. Please press the button again."))
        self.stamp.data = gate.stamp(at)
        return fine and in_time


class PersonForm(DoorForm):
    """Who somebody is and how we write to them."""

    given_name = StringField(_("First name"), [validators.InputRequired(), NAME], render_kw=GIVEN)
    family_name = StringField(_("Last name"), [validators.Optional(), NAME], render_kw=FAMILY)
    email = EmailField(
        _("Your mail address"), [validators.InputRequired(), validators.Length(max=320)],
        render_kw=EMAIL,
    )  # fmt: skip
    language = SelectField(_("Language for our mail"))
    topics = MultiCheckboxField(_("Mail me about"))
    agree = BooleanField(_("I agree"), [validators.InputRequired()])

    def validate_email(self, field: Any) -> None:
        """An address that can be one; whether we know it is never looked at here."""
        try:
            email_form(field.data or "")
        except Invalid as error:
            raise ValidationError(
                gettext("Write a mail address, such as name@example.org.")
            ) from error

    def validate_given_name(self, field: Any) -> None:
        """A name has a letter in it."""
        _lettered(field)

    def offer(
        self, topics: Iterable[tuple[str, str]], ticked: Iterable[str], language: str
    ) -> None:
        """What may be chosen; a topic that needs an agreement of its own is never ticked ahead."""
        self.topics.choices = offered(topics)
        self.language.choices = offered((k, str(v)) for k, v in CONTENT_LANGUAGES.items())
        if not self.is_submitted():
            self.language.data = language
            self.topics.data = list(ticked)

    def said(self) -> dict[str, Any]:
        """The wish as JSON values, without its schools and wording."""
        return {
            "given_name": self.given_name.data or "", "family_name": self.family_name.data or "",
            "topics": sorted(self.topics.data or ()),
        }  # fmt: skip


class JoinForm(PersonForm):
    """An alumnus joins."""

    former_name = StringField(_("Last name at school, if another"), [NAME])
    school_1 = SelectField(_("Your school"), [validators.InputRequired()])
    year_1 = IntegerField(_("Class of"), [validators.InputRequired()], render_kw=YEAR)
    school_2 = SelectField(_("Another school"), [validators.Optional()])
    year_2 = IntegerField(_("Class of"), [validators.Optional()], render_kw=YEAR)
    ways = MultiCheckboxField(_("I could"))
    day: date

    def offer_schools(
        self, schools: Iterable[tuple[int, str]], ways: Iterable[tuple[str, str]]
    ) -> None:
        """The schools and ways to choose from."""
        known = offered((str(school_id), name) for school_id, name in schools)
        self.school_1.choices = [SelectChoice("", gettext("Choose")), *known]
        self.school_2.choices = [SelectChoice("", gettext("None")), *known]
        self.ways.choices = offered(ways)

    def validate_year_1(self, field: Any) -> None:
        """A class that has left, or leaves at the end of this school year."""
        self._class(field)

    def validate_year_2(self, field: Any) -> None:
        """The same of another school."""
        self._class(field)

    def validate(self, extra_validators: Any = None) -> bool:
        """All fields, and a year where another school is named."""
        fine = bool(super().validate(extra_validators))
        if self.school_2.data and self.year_2.data is None and not self.year_2.errors:
            self.year_2.errors = [gettext("Write the year of your class there.")]
            return False
        return fine

    def _class(self, field: Any) -> None:
        if field.data is None:
            return
        if field.data > senior_year(self.day):
            raise ValidationError(
                gettext(
                    "You are still at school. Come back in your last year: we keep nothing"
                    " about younger pupils."
                )
            )
        if field.data < FIRST_YEAR:
            raise ValidationError(gettext("Write a year with four digits, such as 2015."))

    def said(self) -> dict[str, Any]:
        """The whole wish, but for its wording."""
        pairs = {int(self.school_1.data): cast(int, self.year_1.data)}
        if self.school_2.data:
            pairs.setdefault(int(self.school_2.data), cast(int, self.year_2.data))
        return super().said() | {
            "former_name": self.former_name.data or "",
            "schools": [list(pair) for pair in pairs.items()],
            "ways": sorted(self.ways.data or ()),
        }


class SeniorForm(PersonForm):
    """A senior leaves an address that outlives the school's account."""

    student_number = StringField(
        _("Student number"), [validators.Length(max=40)], render_kw={"autocomplete": "off"}
    )
    birth_date = DateField(
        _("Date of birth"), [validators.Optional()], render_kw={"autocomplete": "bday"}
    )
    rule: SeniorRule

    def validate_email(self, field: Any) -> None:
        """An address of their own: one of the school stops when they leave."""
        super().validate_email(field)
        if self.rule.closes(field.data):
            raise ValidationError(
                gettext(
                    "This is your school address, and it stops soon after you leave. Write the"
                    " one that you will keep."
                )
            )

    def said(self) -> dict[str, Any]:
        """The whole wish, but for its school and wording."""
        born = self.birth_date.data
        return super().said() | {
            "student_number": self.student_number.data or "",
            "birth_date": born.isoformat() if born else "",
        }


class ClassmateForm(DoorForm):
    """Who is looked for, and how they may be reached."""

    name = StringField(
        _("Name of your classmate"), [validators.InputRequired(), validators.Length(max=120)],
        render_kw={"autocomplete": "off"},
    )  # fmt: skip
    school = SelectField(_("School"), [validators.Optional()])
    year = IntegerField(_("Class of"), [validators.Optional()], render_kw=YEAR)
    email = EmailField(
        _("Their mail address, if you know it"),
        [validators.Optional(), validators.Length(max=320)], render_kw={"autocomplete": "off"},
    )  # fmt: skip
    hint = TextAreaField(
        _("Or where we might look"), [validators.Length(max=500)], render_kw={"rows": 3}
    )
    sender = StringField(
        _("Your own name"), [validators.InputRequired(), validators.Length(max=60)],
        render_kw={"autocomplete": "name"},
    )  # fmt: skip

    def validate_email(self, field: Any) -> None:
        """An address that can be one."""
        try:
            email_form(field.data)
        except Invalid as error:
            raise ValidationError(
                gettext("Write a mail address, such as name@example.org.")
            ) from error

    def validate_name(self, field: Any) -> None:
        """A name has a letter in it."""
        _lettered(field)

    def validate_sender(self, field: Any) -> None:
        """A name has a letter in it, and carries neither an address nor a number."""
        _lettered(field)
        if any(c.isdigit() or c in "@/:<>" for c in field.data):
            raise ValidationError(gettext("Write only your name."))


class SeniorRuleForm(Form):
    """When the school accounts close, and what counts as a school's address."""

    closes_on = DateField(_("School accounts close on"), [validators.Optional()])
    domains = TextAreaField(
        _("Domains of school addresses"), [validators.Length(max=2000)], render_kw={"rows": 3}
    )
    enough = IntegerField(
        _("Enough, in percent"), [validators.InputRequired(), validators.NumberRange(1, 100)]
    )
    warn_days = IntegerField(
        _("Remind us so many days before"),
        [validators.InputRequired(), validators.NumberRange(1, 365)],
    )

    def wanted(self) -> SeniorRule:
        """The rule; domains are taken from lines, with or without their sign."""
        words = (self.domains.data or "").replace(",", " ").split()
        domains = {word.rpartition("@")[2].strip(".").lower() for word in words}
        return SeniorRule(
            closes_on=self.closes_on.data, domains=tuple(sorted(filter(None, domains))),
            enough=self.enough.data, warn_days=self.warn_days.data,
        )  # fmt: skip


def clean_name(text: str) -> str:
    """A name without anything that a reader could follow: letters, marks, blanks, `'`, `-`."""
    kept = "".join(
        c if unicodedata.category(c)[0] in "LM" or c in " '’-." else " " for c in text[:60]
    )
    # A dot with a letter behind it would become a link in many a mail program.
    return " ".join(kept.replace(".", ". ").split())


def _lettered(field: Any) -> None:
    if not any(c.isalpha() for c in field.data or ""):
        raise ValidationError(gettext("Write a name."))
