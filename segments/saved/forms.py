"""The form of a segment."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from crm.query.parser import MAX_TEXT
from crm.web.forms import Form
from segments.saved.service import MAX_NAME


class SegmentForm(Form):
    """A name and a query."""

    name = StringField(_("Name"), validators=[InputRequired(), Length(max=MAX_NAME)])
    q = TextAreaField(_("Query"), validators=[Length(max=MAX_TEXT)])
