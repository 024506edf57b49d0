"""What the continuum shows on the home page and on an alumnus's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import request
from flask_babel import gettext as _

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import Permission, Viewer
from crm.web.charts import heat
from lifecycle.continuum.explain import day, move_line, reasons
from lifecycle.continuum.queries import continuum_map, moves_of, standing_of
from lifecycle.continuum.remembering import remembered
from lifecycle.continuum.words import phase_choices, stage_choices


def people_address(query: str) -> str:
    """The address of the list of people that a query means."""
    return f"{request.script_root}/people?{urlencode({'q': query})}"


def home_card(viewer: Viewer, at: datetime) -> Mapping[str, Any] | None:
    """The map of phases and stages with who moved of late; nothing while nobody stands anywhere."""
    if not viewer.may(Permission.PEOPLE_VIEW):
        return None
    scope = ("continuum", viewer.sight)
    found = remembered(scope, at, lambda: continuum_map(db.session(), viewer, at))
    if not found.total:
        return None
    phases, stages = phase_choices(), stage_choices()
    chart = heat(
        "continuum",
        _("The continuum"),
        rows=[(key, phases[key]) for key in found.phases],
        columns=[(key, stages[key]) for key in found.stages],
        counts=found.cells,
        hrefs={(p, s): people_address(f"phase:{p} stage:{s}") for p, s in found.cells},
        corner=_("Phase"),
    )
    return {"chart": chart, "map": found, "moved_href": people_address("moved:30d")}


def alumnus_panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """One person's phase and stage, why, and the moves that led there."""
    session = db.session()
    standing = standing_of(session, alumnus.id)
    return {
        "standing": standing,
        "since": day(standing.stage_since) if standing else "",
        "reasons": reasons(session, alumnus.id, at),
        "moves": [move_line(move) for move in moves_of(session, alumnus.id)],
        "phase_names": phase_choices(),
        "stage_names": stage_choices(),
    }
