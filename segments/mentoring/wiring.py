"""What the mentoring area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, NavEntry, Panel, PeriodicJob, Personal, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission
from segments.mentoring import (
    models,  # noqa: F401 - tables
    panel,
    word_routes,  # noqa: F401 - the mentor's page
)
from segments.mentoring.daily import advance_pairs
from segments.mentoring.models import MentorPair
from segments.mentoring.routes import bp

EVERY = 3600


def init_app(app: Flask) -> None:
    """Register routes, navigation, settings, the panel, what needs doing and the periodic job."""
    app.register_blueprint(bp)
    known = extensions(app)
    known.object_names["pair"] = names_by(MentorPair.id, MentorPair.mentee)
    known.navigation.append(
        NavEntry("mentoring.index", _("Mentoring"), "people", 31, Permission.REQUESTS_VIEW.value)
    )
    known.settings_pages.append(
        NavEntry(
            "mentoring.rules", _("Mentoring"), "people", 16, Permission.SETTINGS.value,
            _("District"),
        )
    )  # fmt: skip
    known.alumnus_panels.append(
        Panel("mentoring", "segments/mentoring/_panel.html", order=42, load=panel.load)
    )
    known.todo.append(panel.todo)
    known.why.append(panel.why)
    known.merge_fields[panel.MENTOR_LINK.key] = panel.MENTOR_LINK
    known.jobs.append(PeriodicJob("mentoring.advance", EVERY, advance_pairs))
    known.personal |= {
        "mentor_pair": Personal(Deed.EMPTIED, values="mentee = '', reason = ''"),
        "mentor_checkin": Personal(Deed.EMPTIED, values="line = ''"),
        "mentor_capacity": Personal(Deed.DELETED),
    }
    app.jinja_env.globals["mentor_words"] = {
        "states": panel.STATES, "tones": panel.TONES, "words": panel.WORDS,
    }  # fmt: skip
