"""The form that records an interaction by hand."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import (
    DateField,
    DecimalField,
    HiddenField,
    IntegerField,
    SelectField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from crm.core.viewer import Viewer
from crm.interactions.hand import ZONE, Entry
from crm.interactions.words import BY_HAND, KINDS
from crm.schools.queries import school_choices
from crm.web.forms import Form


class EntryForm(Form):
    """A talk, a call, a gift."""

    once = HiddenField(validators=[Length(max=64)])
    kind = SelectField(_("What happened"), choices=[SelectChoice(k, KINDS[k]) for k in BY_HAND])
    day = DateField(_("Day"), validators=[InputRequired()])
    school_id = SelectField(_("School"), coerce=int)
    hours = DecimalField(_("Hours"), validators=[Optional(), NumberRange(0, 9_999)])
    pupils = IntegerField(_("Pupils reached"), validators=[Optional(), NumberRange(0, 100_000)])
    amount = DecimalField(_("Amount"), validators=[Optional(), NumberRange(0, 999_999_999)])
    note = TextAreaField(_("Note"), validators=[Length(max=2000)])

    def entry(self) -> Entry:
        """What was written down."""
        names = ("kind", "day", "hours", "amount", "pupils")
        values = {name: self[name].data for name in names}
        note, once = self.note.data or "", self.once.data or ""
        return Entry(**values, school_id=self.school_id.data or None, note=note, once=once)


def entry_form(session: Session, viewer: Viewer, at: datetime, *, fresh: bool = False) -> EntryForm:
    """The form with this viewer's schools; `fresh` ignores what the request carries."""
    start = {"day": at.astimezone(ZONE).date(), "once": uuid4().hex, "school_id": 0}
    form = EntryForm(formdata=None, **start) if fresh else EntryForm(**start)
    schools = [SelectChoice(key, name) for key, name in school_choices(session, viewer)]
    form.school_id.choices = [SelectChoice(0, _("No school")), *schools]
    return form
