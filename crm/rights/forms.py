"""Forms of the rights area."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from wtforms import BooleanField, IntegerField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, ValidationError

from crm.alumni.names import fold
from crm.web.forms import Form


class CodeForm(Form):
    """The code that confirms a wish."""

    code = StringField(
        _("Six-digit code"), [InputRequired(), Length(max=20)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric"},
    )  # fmt: skip


class EraseForm(Form):
    """The name of whom to forget, typed by hand."""

    typed = StringField(_("Type their name to confirm"), [InputRequired(), Length(max=300)])
    name = ""

    def validate_typed(self, field: StringField) -> None:
        """The whole name, whatever its case and accents."""
        if fold(field.data or "") != fold(self.name):
            raise ValidationError(gettext("That is not their name as it stands above."))


class DeclineForm(Form):
    """Why a wish is not fulfilled."""

    why = TextAreaField(_("Why, in words for the person"), [InputRequired(), Length(max=1_000)])


class HoldForm(Form):
    """Why everything of a person must be kept."""

    reason = TextAreaField(_("Why everything must be kept"), [InputRequired(), Length(max=500)])


class RuleForm(Form):
    """How wishes to be forgotten are dealt with."""

    immediate = BooleanField(_("Forget at once whoever confirms it with the code"))
    days = IntegerField(
        _("Otherwise the office has so many days"), [InputRequired(), NumberRange(1, 45)]
    )
