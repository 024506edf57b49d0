"""What a coordinator enters about what became of a school."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import DateField, SelectField, StringField
from wtforms.validators import InputRequired, Length

from crm.web.forms import Form


class ChangeForm(Form):
    """What every change has: the day from which it counts."""

    day = DateField(_("From"), validators=[InputRequired()])


class RenameForm(ChangeForm):
    """A new name."""

    name = StringField(_("New name"), validators=[InputRequired(), Length(max=200)])


class MoveForm(ChangeForm):
    """Another cluster, or none."""

    cluster_id = SelectField(_("Cluster"), coerce=int)


class HandOnForm(ChangeForm):
    """The school that it became part of."""

    other_id = SelectField(_("School that follows"), coerce=int)


class SplitForm(HandOnForm):
    """The school that got a part of it."""
