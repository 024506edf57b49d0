"""Forms of the people pages: shape and wording; the service knows the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import (
    BooleanField,
    DateField,
    HiddenField,
    IntegerField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from crm.alumni.models import Alumnus, ContactKind, ContactOwner, InterestKind
from crm.alumni.people import interest_choices, interests_of
from crm.alumni.profile import CLASS_YEARS, EDITABLE
from crm.alumni.words import CONTACT_KINDS, OWNERS
from crm.web.forms import Form
from crm.web.i18n import CONTENT_LANGUAGES

LINE = [Optional(), Length(max=200)]


def offered(labels: Mapping[Any, Any]) -> list[SelectChoice]:
    """What a field lets one choose, from labels by value."""
    return [SelectChoice(value, label) for value, label in labels.items()]


class MultiCheckboxField(SelectMultipleField):  # type: ignore[misc]
    """Several choices as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


class ProfileForm(Form):
    """What staff may change about a person."""

    seen = HiddenField()
    given_name = StringField(_("Given name"), validators=LINE)
    middle_name = StringField(_("Middle name"), validators=LINE)
    family_name = StringField(_("Family name"), validators=LINE)
    suffix = StringField(_("Suffix"), validators=LINE)
    preferred_name = StringField(_("Name they go by"), validators=LINE)
    former_name = StringField(_("Former name"), validators=LINE)
    birth_date = DateField(_("Date of birth"), validators=[Optional()])
    class_year = IntegerField(
        _("Class"), validators=[Optional(), NumberRange(CLASS_YEARS[0], CLASS_YEARS[-1])]
    )
    language = SelectField(_("Language"))
    city = StringField(_("City"), validators=LINE)
    state = StringField(_("State"), validators=LINE)
    postal_code = StringField(_("Postal code"), validators=LINE)
    time_zone = StringField(_("Time zone, such as America/New_York"), validators=LINE)
    job_title = StringField(_("Job"), validators=LINE)
    employer = StringField(_("Employer"), validators=LINE)
    field_of_work = StringField(_("Field of work"), validators=LINE)
    college = StringField(_("College"), validators=LINE)
    ways = MultiCheckboxField(_("Ways they would help"))
    subjects = MultiCheckboxField(_("Subjects they care about"))
    paused_until = DateField(_("Wants no mail until"), validators=[Optional()])
    ferpa_block = BooleanField(_("FERPA block: leaves no list, search or file for schools"))
    deceased = BooleanField(_("Deceased"))
    do_not_contact = BooleanField(_("Do not contact"))

    def changes(self) -> dict[str, Any]:
        """The profile's fields as the service takes them."""
        values = {name: self[name].data for name in EDITABLE if name in self}
        return {name: "" if v is None and name in TEXTS else v for name, v in values.items()}


TEXTS = frozenset(name for name in EDITABLE if name.endswith("_name") or name == "suffix")


def profile_form(session: Session, person: Alumnus) -> ProfileForm:
    """The form filled with the person as they are, or with what was sent."""
    mine = {kind: interests_of(session, person.id, kind) for kind in InterestKind}
    form = ProfileForm(
        obj=person, seen=person.updated_at.isoformat(),
        ways=list(mine[InterestKind.WAY]), subjects=list(mine[InterestKind.SUBJECT]),
    )  # fmt: skip
    form.language.choices = offered({person.language: person.language, **CONTENT_LANGUAGES})
    for field, kind in ((form.ways, InterestKind.WAY), (form.subjects, InterestKind.SUBJECT)):
        known = {**dict(interest_choices(session, kind)), **mine[kind]}
        field.choices = offered({key: _(label) for key, label in known.items()})
    return form


class ContactForm(Form):
    """An address to add."""

    kind = SelectField(
        _("Kind"),
        choices=offered(CONTACT_KINDS),
        coerce=ContactKind,
        default=ContactKind.EMAIL,
    )
    value = TextAreaField(_("Address"), validators=[InputRequired(), Length(max=320)])
    owner = SelectField(
        _("Whose it is"),
        choices=offered(OWNERS),
        coerce=ContactOwner,
        default=ContactOwner.OWN,
    )
    preferred = BooleanField(_("The one to use"))
