"""The form that asks for a rehearsal."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional

from crm.web.forms import Form
from lifecycle.journeys.reading import LARGEST

EVERYBODY = 0


class RehearsalForm(Form):
    """How long, with how many people, and perhaps a draft."""

    months = SelectField(
        _("How long"), coerce=int, default=12,
        choices=[
            SelectChoice(1, _("one month")), SelectChoice(3, _("three months")),
            SelectChoice(6, _("six months")), SelectChoice(12, _("twelve months")),
        ],
    )  # fmt: skip
    people = SelectField(
        _("With how many people"), coerce=int, default=5_000,
        choices=[
            SelectChoice(1_000, _("1,000: quick and rough")), SelectChoice(5_000, "5,000"),
            SelectChoice(20_000, "20,000"),
            SelectChoice(EVERYBODY, _("everybody: slow and exact")),
        ],
    )  # fmt: skip
    draft = TextAreaField(
        _("A draft to compare with what is live, in YAML"),
        validators=[Optional(), Length(max=LARGEST)],
    )
