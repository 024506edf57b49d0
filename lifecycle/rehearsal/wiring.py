"""What the rehearsal area registers with the app."""

from __future__ import annotations

from flask import Flask

from lifecycle.rehearsal import cli  # noqa: F401 - the command


def init_app(app: Flask) -> None:
    """The command registers itself with the group of the engine."""
