"""Puts the segments package together on top of crm."""

from __future__ import annotations

from flask import Flask

from segments.asks import wiring as asks
from segments.clearance import wiring as clearance
from segments.desk import wiring as desk
from segments.mentoring import wiring as mentoring
from segments.requests import wiring as requests
from segments.saved import wiring as saved
from segments.targeting import wiring as targeting

AREAS = (saved, clearance, requests, mentoring, asks, targeting, desk)


def init_app(app: Flask) -> None:
    """Register every area of the package."""
    for area in AREAS:
        area.init_app(app)
