"""What the imports area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask.cli import AppGroup
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, NavEntry, Panel, PeriodicJob, Personal, extensions
from crm.core.jobs import jobs
from crm.core.keys import names_by
from crm.core.viewer import Permission
from crm.imports import (
    background,
    belongings,
    cli,
    district,
    fields,
    labels,
    lineage,  # noqa: F401 - pages of its own on the schools' blueprint
    mapping_routes,
    provenance,
    queries,
    routes,
)
from crm.imports import models as models  # tables
from crm.imports.models import ImportRun

DAY = 24 * 3600


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    for group in (cli.schools, cli.interactions, cli.imports):
        app.cli.add_command(group)
    people = app.cli.commands.get("people")
    if not isinstance(people, AppGroup):
        people = AppGroup("people", help="Alumni: find, show, import, merge.")
        app.cli.add_command(people)
    people.add_command(cli.people_import)
    app.register_blueprint(routes.bp)
    app.register_blueprint(mapping_routes.bp)
    app.register_blueprint(district.bp)
    jobs(app).register("imports.work", background.work)
    app.jinja_env.globals["said_words"] = labels.SOURCES
    known = extensions(app)
    known.object_names["import"] = names_by(ImportRun.id, ImportRun.filename)
    known.references["import"] = queries.files_named
    known.where_from = provenance.as_json
    known.derived["file_word"] = "alumnus_id in ({gone})"
    known.follow.add("file_word")
    known.alumnus_panels.append(
        Panel("where-from", "crm/imports/_where_from.html", 95, belongings.panel)
    )
    known.jobs.append(PeriodicJob("imports.tidy", DAY, background.tidy))
    known.derived["remembered_line"] = "alumnus_id in ({gone})"
    known.personal["person_touch"] = Personal(
        Deed.KEPT, why="a number that says of no one who they were; the next import drops it"
    )
    known.todo.append(queries.waiting_imports)
    known.query_fields.extend(fields.FIELDS)
    known.add_rows(fields.LINES)
    known.custom_fields.append(queries.custom_fields)
    known.navigation.append(
        NavEntry("schools.index", _("Schools"), "building", 25, Permission.PEOPLE_VIEW)
    )
    known.navigation.append(
        NavEntry(
            "imports.index", _("Imports"), "box-arrow-in-down", 80, Permission.IMPORT, _("Records")
        )
    )
