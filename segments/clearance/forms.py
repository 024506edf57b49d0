"""Forms of the clearance area."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length, Optional

from crm.web.forms import Form


class ClearanceForm(Form):
    """A level, from when, until when, accepted where."""

    level = SelectField(_("Level"), coerce=int)
    granted_on = DateField(_("Granted on"), validators=[InputRequired()])
    expires_on = DateField(_("Expires on (empty: the full time)"), validators=[Optional()])
    trained_on = DateField(_("Training done on"), validators=[Optional()])
    proof = StringField(_("Proof seen"), validators=[Length(max=200)])
    school_id = SelectField(_("Accepted by"), coerce=int)
