"""What the query area registers with the app."""

from __future__ import annotations

from flask import Flask


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
