"""Forms of the mentoring area."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import DateField, DecimalField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from crm.web.forms import Form, MultiCheckboxField
from segments.mentoring.rules import MOST_WEEKS
from segments.mentoring.service import MAX_LINE, MAX_MENTEE, MAX_REASON


class PairForm(Form):
    """A pair to begin on a mentor's page."""

    school_id = SelectField(_("School"), coerce=int)
    mentee = StringField(
        _("The pupil (initials, no full name)"), [InputRequired(), Length(max=MAX_MENTEE)]
    )
    starts_on = DateField(_("Begins on"), [InputRequired()])
    weeks = IntegerField(_("For how many weeks"), [InputRequired(), NumberRange(1, MOST_WEEKS)])


class CapacityForm(Form):
    """How many pupils a mentor takes."""

    most = IntegerField(_("Takes at most so many pupils at once"), [Optional(), NumberRange(0, 20)])


class EndForm(Form):
    """Why a pair ends early."""

    reason = TextAreaField(_("Why it ends early"), [InputRequired(), Length(max=MAX_REASON)])


class WordForm(Form):
    """What the mentor adds to their tap."""

    hours = DecimalField(_("Hours together since we last asked"), [Optional(), NumberRange(0, 99)])
    line = TextAreaField(_("A line, if you like"), [Length(max=MAX_LINE)])


class RulesForm(Form):
    """The district's choices."""

    ways = MultiCheckboxField(_("These kinds of help are mentoring"))
    most = IntegerField(
        _("Pupils that a mentor takes at once"), [InputRequired(), NumberRange(1, 20)]
    )
    weeks = IntegerField(
        _("Weeks that it usually lasts"), [InputRequired(), NumberRange(1, MOST_WEEKS)]
    )
    first = IntegerField(
        _("First check-in, days after the start"), [InputRequired(), NumberRange(1, 15)]
    )
    second = IntegerField(
        _("Second check-in, days after the start"), [InputRequired(), NumberRange(16, 31)]
    )
    answer_days = IntegerField(
        _("A check-in is missed after (days)"), [InputRequired(), NumberRange(1, 31)]
    )
