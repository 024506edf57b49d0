"""Forms of the asks area."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import DecimalField, IntegerField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional

from crm.web.forms import Form
from segments.asks.afterwards import MAX_FEEDBACK
from segments.requests.draft import MOST_PUPILS


class AttendanceForm(Form):
    """What came of a visit."""

    attended = RadioField(
        _("Did they come?"),
        choices=[SelectChoice("yes", _("Yes")), SelectChoice("no", _("No"))],
        default="yes",
    )
    hours = DecimalField(_("Hours"), validators=[Optional(), NumberRange(0, 24)])
    pupils = IntegerField(_("Pupils reached"), validators=[Optional(), NumberRange(0, MOST_PUPILS)])
    feedback = TextAreaField(_("A word for them"), validators=[Length(max=MAX_FEEDBACK)])
