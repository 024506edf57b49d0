"""What the accounts area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.accounts import (
    models,  # noqa: F401 - tables
    sessions,
)


def init_app(app: Flask) -> None:
    """Register sessions, routes and commands."""
    sessions.init_app(app)
