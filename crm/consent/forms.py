"""What staff record on somebody's word."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import SelectField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from crm.consent.models import ConsentState
from crm.consent.service import MAX_WORDING
from crm.web.forms import Form

EVERYTHING = "*"


class WordForm(Form):
    """One choice of a person: the topic (or all), yes or no, and what they said."""

    topic = SelectField(_("About"))
    state = SelectField(
        _("They said"),
        choices=[
            SelectChoice(ConsentState.WITHDRAWN.value, _("No more of it")),
            SelectChoice(ConsentState.GRANTED.value, _("Yes, please send it")),
        ],
    )
    wording = TextAreaField(
        _("What they said, and how"), validators=[InputRequired(), Length(max=MAX_WORDING)]
    )
