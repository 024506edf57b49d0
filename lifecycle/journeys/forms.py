"""The form in which a journey is written."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from wtforms import TextAreaField
from wtforms.validators import Length, Optional

from crm.query.parser import MAX_TEXT
from crm.web.forms import Form
from lifecycle.journeys.reading import LARGEST


class JourneyForm(Form):
    """The YAML of a journey, pasted or from a file; a file wins."""

    text = TextAreaField(_("The journey in YAML"), validators=[Optional(), Length(max=LARGEST)])
    file = FileField(_("Or a file"))


class TryForm(Form):
    """A query to try out beside the journey; nothing is kept of it."""

    q = TextAreaField(_("Try a query"), validators=[Optional(), Length(max=MAX_TEXT)])
