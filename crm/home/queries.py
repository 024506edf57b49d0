"""What the home page shows, gathered from everybody who registered something for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from flask import url_for
from flask_babel import lazy_gettext as _
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import FirstStep, Todo, extensions
from crm.core.viewer import Permission, Viewer
from crm.schools.models import School


def what_needs(session: Session, viewer: Viewer, at: datetime) -> list[Todo]:
    """Everything that waits for this viewer, the most pressing first; nothing that counts zero."""
    lines = (line for area in extensions().todo for line in area(session, viewer, at))
    return sorted((line for line in lines if line.count), key=lambda line: line.order)


def steps_left(session: Session, viewer: Viewer) -> list[FirstStep]:
    """The steps of a fresh installation in order; nothing once each is done."""
    steps = (step for area in extensions().first_steps for step in area(session, viewer))
    ordered = sorted(steps, key=lambda step: step.order)
    return ordered if any(not step.done for step in ordered) else []


def records_first(session: Session, viewer: Viewer) -> Iterable[FirstStep]:
    """The steps of this package: schools, then people."""
    if not viewer.may(Permission.IMPORT):
        return
    yield FirstStep(
        label=_("Import your schools"),
        text=_("A file from the NCES school directory, or your own list with names and clusters."),
        href=url_for("schools.index"),
        done=bool(session.scalar(select(exists().where(School.id.is_not(None))))),
        order=10,
    )
    yield FirstStep(
        label=_("Import a roster"),
        text=_("An export of your student information system or a spreadsheet. You see every "
               "line's fate before anything is kept."),
        href=url_for("imports.index"),
        done=bool(session.scalar(select(exists().where(Alumnus.id.is_not(None))))),
        order=20,
    )  # fmt: skip
