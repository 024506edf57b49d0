"""What the saved area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission
from segments.saved import bulk
from segments.saved.cli import segments
from segments.saved.fields import SEGMENT
from segments.saved.models import Segment
from segments.saved.queries import segments_that_name
from segments.saved.routes import bp


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    known = extensions(app)
    known.object_names["segment"] = names_by(Segment.key, Segment.name)
    app.register_blueprint(bp)
    app.cli.add_command(segments)
    known.derived["segment_member"] = "alumnus_id in ({gone})"
    known.query_fields.append(SEGMENT)
    known.bulk_actions.extend((bulk.ADD, bulk.REMOVE))
    known.query_users.append(segments_that_name)
    known.navigation.append(
        NavEntry("saved.index", _("Segments"), "funnel", 30, Permission.SEGMENTS)
    )
