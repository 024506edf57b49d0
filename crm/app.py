"""Puts the crm package together: each area registers itself, lowest first."""

from __future__ import annotations

from flask import Flask

from crm.accounts import wiring as accounts
from crm.alumni import wiring as alumni
from crm.bulk import wiring as bulk
from crm.consent import wiring as consent
from crm.door import wiring as door
from crm.duplicates import wiring as duplicates
from crm.events import wiring as events
from crm.exports import wiring as exports
from crm.home import wiring as home
from crm.imports import wiring as imports
from crm.interactions import wiring as interactions
from crm.links import wiring as links
from crm.mail import wiring as mail
from crm.portal import wiring as portal
from crm.query import wiring as query
from crm.rights import wiring as rights
from crm.schools import wiring as schools
from crm.web import wiring as web

AREAS = (
    web, query, schools, accounts, alumni, consent, interactions, mail, links, imports, exports,
    bulk, duplicates, rights, events, portal, door, home,
)  # fmt: skip


def init_app(app: Flask) -> None:
    """Register every area of the package."""
    for area in AREAS:
        area.init_app(app)
