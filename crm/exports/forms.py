"""The form that asks for a file."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import HiddenField, IntegerField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from crm.alumni.forms import MultiCheckboxField
from crm.core.viewer import Viewer
from crm.exports.columns import choices
from crm.exports.models import Format
from crm.exports.words import FORMATS
from crm.web.forms import Form


class ExportForm(Form):
    """Which people, in what file, with what of them, and why."""

    q = HiddenField()
    kind = RadioField(
        _("File"), choices=[SelectChoice(kind.value, label) for kind, label in FORMATS.items()],
        default=Format.CSV.value, validators=[InputRequired()],
    )  # fmt: skip
    columns = MultiCheckboxField(_("Columns"))
    reason = TextAreaField(_("What it is for"), validators=[Length(max=2000)])


class DecisionForm(Form):
    """A second person's word; `people` is how many they saw."""

    people = IntegerField(validators=[InputRequired()])
    word = TextAreaField(_("A word for who asked"), validators=[Length(max=2000)])


def export_form(session: Session, viewer: Viewer, query: str) -> ExportForm:
    """The form with the columns that this viewer may take along, the usual ones chosen."""
    offered = choices(session, viewer)
    form = ExportForm(data={"q": query, "columns": [c.key for c in offered if c.usual]})
    form.columns.choices = [SelectChoice(c.key, c.label) for c in offered]
    return form
