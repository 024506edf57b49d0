"""What the links area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import extensions
from crm.links import (
    fields,
    letters,
    models,  # noqa: F401 - tables
    pages,
)


def init_app(app: Flask) -> None:
    """Register the merge fields, how the lower areas send letters, and the pages of old links."""
    registry = extensions(app)
    registry.merge_fields |= {field.key: field for field in fields.FIELDS}
    registry.letters = letters.send_letter
    pages.init_app(app)
