"""What the rehearsal area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import Deed, Personal, extensions
from crm.core.jobs import jobs
from lifecycle.rehearsal import cli, models, service  # noqa: F401 - the command, the table
from lifecycle.rehearsal.routes import bp

NAMED = "cast(m ->> 0 as bigint) in ({gone})"
MOST = Personal(
    Deed.EMPTIED,
    f"exists (select from jsonb_array_elements(result -> 'most') m where {NAMED})",
    f"""result = jsonb_set(result, '{{{{most}}}}', (select coalesce(jsonb_agg(m), '[]')
        from jsonb_array_elements(result -> 'most') m where not {NAMED}))""",
    told=False,
)
"""Who would get the most mail; an erased person leaves the list, and the figures stay."""


def init_app(app: Flask) -> None:
    """Register the pages and the task; the command registers itself with the engine's group."""
    extensions(app).personal["rehearsal"] = MOST
    jobs(app).register(service.JOB, service.run)
    app.register_blueprint(bp)
