"""What the alumni area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.alumni import fields
from crm.core.extend import extensions


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    fields.register(extensions(app))
