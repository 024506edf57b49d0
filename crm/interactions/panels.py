"""The timeline on a person's page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import request

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import Permission, Viewer
from crm.interactions.forms import entry_form
from crm.interactions.models import Mode
from crm.interactions.queries import HAND, timeline
from crm.interactions.words import MODES, kind_label


def timeline_panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any]:
    """What happened, newest first, filtered by mode, with a form to add to it."""
    session = db.session()
    wanted = request.args.get("mode")
    mode = Mode(wanted) if wanted in list(Mode) else None
    edits = viewer.may(Permission.PEOPLE_EDIT)
    return {
        "page": timeline(session, alumnus.id, mode=mode, after=request.args.get("after")),
        "mode": mode,
        "modes": MODES,
        "kind_label": kind_label,
        "edits": edits,
        "hand": HAND,
        "form": entry_form(session, viewer, at, fresh=True) if edits else None,
    }
