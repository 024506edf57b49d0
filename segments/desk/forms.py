"""Forms of the request desk."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, StringField
from wtforms.validators import Length

from crm.web.forms import Form


class WaveForm(Form):
    """Whom to ask; the people themselves are check boxes called `person`."""

    auto = BooleanField(_("Send the next wave by itself until the places are filled"))


class PersonForm(Form):
    """Whom to look up among those who were not suggested."""

    person = StringField(_("Id of a person"), validators=[Length(max=200)])
