"""What the rights area registers with the app."""

from __future__ import annotations

from datetime import datetime

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.database import db
from crm.core.extend import NavEntry, PeriodicJob, extensions
from crm.core.viewer import Permission
from crm.rights import (
    cli,
    models,  # noqa: F401 - tables
    own_routes,  # noqa: F401 - routes
    queries,
    retention,
    retention_routes,  # noqa: F401 - routes
    routes,
    schedule,
    wishes,
)
from crm.rights.personal import PERSONAL

EVERY, HOUR, DAY = 300, 3_600, 86_400
SHORT = 7


def forget_farewells(at: datetime) -> None:
    """The clock's knock: take the address out of letters to those who were forgotten."""
    wishes.forget_farewells(db.session(), at)
    db.session.commit()


def let_go(at: datetime) -> None:
    """The clock's knock: the retention schedule."""
    retention.run(db.session(), at=at)


def let_go_of_short_lived(at: datetime) -> None:
    """The clock's knock: secrets, which go within the hour."""
    retention.run(db.session(), at=at, within=SHORT)


def init_app(app: Flask) -> None:
    """Register the pages, what erasing does to the tables of this package, and what waits."""
    app.register_blueprint(routes.bp)
    known = extensions(app)
    known.personal |= PERSONAL
    known.todo.append(queries.to_do)
    schedule.register(known, *schedule.keeps())
    app.cli.add_command(cli.retention_group)
    known.jobs.append(PeriodicJob("rights.retention", DAY, let_go))
    known.jobs.append(PeriodicJob("rights.short-lived", HOUR, let_go_of_short_lived))
    known.jobs.append(PeriodicJob("rights.farewells", EVERY, forget_farewells))
    known.settings_pages += [
        NavEntry("rights.requests", _("Data requests"), "shield", 30, Permission.SETTINGS,
                 _("Records")),
        NavEntry("rights.schedule", _("How long data is kept"), "clock", 32, Permission.SETTINGS,
                 _("Records")),
    ]  # fmt: skip
