"""Forms of the request desk."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, IntegerRangeField, StringField
from wtforms.validators import Length, NumberRange, Optional
from wtforms.widgets import RangeInput

from crm.web.forms import Form


class WaveForm(Form):
    """Whom to ask; the people themselves are check boxes called `person`."""

    auto = BooleanField(_("Send the next wave by itself until the places are filled"))


class PersonForm(Form):
    """Whom to look up among those who were not suggested."""

    person = StringField(_("Name or id of a person"), validators=[Length(max=200)])


class TryForm(Form):
    """Other values than the district's, to see what would come of them; nothing is kept."""

    size = IntegerRangeField(
        _("People asked at once"), [Optional(), NumberRange(1, 50)], widget=RangeInput()
    )
    fair = IntegerRangeField(
        _("How much turns count, in percent"),
        [Optional(), NumberRange(0, 200)],
        widget=RangeInput(step=10),
    )
