"""The form that asks for a file."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import HiddenField, IntegerField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from crm.alumni.forms import MultiCheckboxField
from crm.core.viewer import Viewer
from crm.exports.columns import USUAL, choices, grouped, ticked
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
    groups: Sequence[tuple[str, frozenset[str]]] = ()


class DecisionForm(Form):
    """A second person's word; `people` is how many they saw."""

    people = IntegerField(validators=[InputRequired()])
    word = TextAreaField(_("A word for who asked"), validators=[Length(max=2000)])


def export_form(session: Session, viewer: Viewer, query: str, columns: str = USUAL) -> ExportForm:
    """The form with the columns that this viewer may take along, those of a set of them chosen."""
    offered = choices(session, viewer)
    form = ExportForm(data={"q": query, "columns": ticked(offered, columns)})
    form.columns.choices = [SelectChoice(c.key, c.label) for c in offered]
    form.groups = grouped(offered)
    return form
