"""What every form shares."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from flask_wtf.i18n import translations as theirs
from wtforms import Form as WTForm
from wtforms import SelectMultipleField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import StopValidation
from wtforms.widgets import CheckboxInput, ListWidget

from crm.web.i18n import translations

TEXT_FIELDS = {"StringField", "TextAreaField", "EmailField", "TelField", "SearchField"}
LARGEST = 10**9
YEARS = range(1850, 2201)


def offered(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """The choices of a field, from values and labels."""
    return [SelectChoice(value, label) for value, label in pairs]


def strip(value: Any) -> Any:
    """Filter for text fields: no blanks around, no control characters inside a line."""
    if not isinstance(value, str):
        return value
    return "".join(c for c in value if c >= " " or c in "\n\t").strip()


def within_reason(form: Any, field: Any) -> None:
    """Refuse numbers and days that no column and no calendar of ours can hold."""
    value = field.data
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float, Decimal)):
        # Comparing a Decimal nan may raise; a float nan compares false with everything.
        finite = not isinstance(value, Decimal) or value.is_finite()
        if not finite or not -LARGEST < value < LARGEST:
            raise StopValidation(_("Write a smaller number."))
    elif isinstance(value, date) and value.year not in YEARS:
        raise StopValidation(_("Write a year between 1850 and 2200."))


class Words:
    """What WTForms itself says of a field: as our catalogue has it, else in its own words."""

    def gettext(self, text: str) -> str:
        """A sentence of WTForms in the language of the page."""
        said = str(translations().ugettext(text))
        return said if said != text else str(theirs.gettext(text))

    def ngettext(self, one: str, many: str, count: int) -> str:
        """The same of a sentence that counts."""
        said = str(translations().ungettext(one, many, count))
        return said if said not in {one, many} else str(theirs.ngettext(one, many, count))


class Binding:
    """Adds the stripping filter to text fields, bounds and an id of its own form to all."""

    def get_translations(self, form: Any) -> Words:
        """How its fields say what is wrong."""
        return Words()

    def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
        """The field, made to hold to what every form does."""
        if unbound_field.field_class.__name__ in TEXT_FIELDS:
            filters = [*unbound_field.kwargs.get("filters", []), strip]
            options = {**options, "filters": filters}
            unbound_field.kwargs.pop("filters", None)
        field = super().bind_field(form, unbound_field, options)  # type: ignore[misc]
        field.validators = [within_reason, *field.validators]
        if "id" not in unbound_field.kwargs:
            # Several forms share a page, and an id may stand there once.
            field.id = f"{type(form).__name__.removesuffix('Form').lower()}-{field.id}"
            field.label.field_id = field.id
        return field


class Form(FlaskForm):  # type: ignore[misc]
    """A form whose text is stripped, whose numbers are sane and whose POST carries a token."""

    class Meta(Binding, FlaskForm.Meta):  # type: ignore[misc]
        """What FlaskForm does, and that."""


class Part(WTForm):  # type: ignore[misc]
    """One of several like pieces within a form, whose token is the whole form's."""

    class Meta(Binding, WTForm.Meta):  # type: ignore[misc]
        """What WTForms does, and that."""


class MultiCheckboxField(SelectMultipleField):  # type: ignore[misc]
    """Several of a short list, as boxes to tick."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()
