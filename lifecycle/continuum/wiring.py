"""What the continuum area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import ListColumn, Panel, extensions
from lifecycle.continuum import models  # noqa: F401 - tables
from lifecycle.continuum.explain import why
from lifecycle.continuum.fields import FIELDS, MOVES, STAGE
from lifecycle.continuum.panels import alumnus_panel, home_card
from lifecycle.continuum.words import label


def init_app(app: Flask) -> None:
    """Register query fields, the map on the home page and the panel on a person's page."""
    known = extensions(app)
    known.query_fields.extend(FIELDS)
    known.add_rows(MOVES)
    known.why.append(why)
    for table in ("standing", "standing_move"):
        known.derived[table] = "alumnus_id in ({gone})"
    known.list_columns.append(ListColumn("stage", _("Stage"), STAGE, label))
    known.home_cards.append(
        Panel("continuum", "lifecycle/continuum/_map.html", order=10, load=home_card)
    )
    known.alumnus_panels.append(
        Panel("continuum", "lifecycle/continuum/_panel.html", order=20, load=alumnus_panel)
    )
