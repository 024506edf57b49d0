"""Puts the lifecycle package together on top of segments."""

from __future__ import annotations

from flask import Flask

from lifecycle.calendar import wiring as calendar
from lifecycle.campaigns import wiring as campaigns
from lifecycle.continuum import wiring as continuum
from lifecycle.engine import wiring as engine
from lifecycle.journeys import wiring as journeys
from lifecycle.rehearsal import wiring as rehearsal

AREAS = (calendar, continuum, journeys, campaigns, engine, rehearsal)


def init_app(app: Flask) -> None:
    """Register every area of the package."""
    for area in AREAS:
        area.init_app(app)
