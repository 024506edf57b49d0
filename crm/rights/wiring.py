"""What the rights area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.rights import cli, models  # noqa: F401 - adds its command to `people`; tables


def init_app(app: Flask) -> None:
    """The command registers itself with the group it belongs to."""
