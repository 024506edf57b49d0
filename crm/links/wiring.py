"""What the links area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.links import models  # noqa: F401 - tables


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
