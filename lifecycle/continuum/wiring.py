"""What the continuum area registers with the app."""

from __future__ import annotations

from flask import Flask

from lifecycle.continuum import models  # noqa: F401 - tables


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
