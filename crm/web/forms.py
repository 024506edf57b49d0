"""What every form shares."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm


def strip(value: Any) -> Any:
    """Filter for text fields: no blanks around, no control characters inside a line."""
    if not isinstance(value, str):
        return value
    return "".join(c for c in value if c >= " " or c in "\n\t").strip()


class Form(FlaskForm):  # type: ignore[misc]
    """A form whose text fields are stripped and whose POST carries a CSRF token."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def bind_field(self, form: Any, unbound_field: Any, options: Any) -> Any:
            """Add the stripping filter to each text field."""
            if unbound_field.field_class.__name__ in {
                "StringField",
                "TextAreaField",
                "EmailField",
                "TelField",
                "SearchField",
            }:
                filters = [*unbound_field.kwargs.get("filters", []), strip]
                options = {**options, "filters": filters}
                unbound_field.kwargs.pop("filters", None)
            return super().bind_field(form, unbound_field, options)
