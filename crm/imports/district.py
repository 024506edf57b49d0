"""The page of the district's tree. It stands here, above alumni and accounts, because it counts
people and asks who may look; the rows are the schools area's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import BigInteger, column, func, select, values
from sqlalchemy.orm import Session, aliased

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Schooling
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Permission, Viewer
from crm.imports.bundle import ORGS
from crm.imports.forms import UploadForm
from crm.imports.schools import import_schools
from crm.imports.uploads import store_upload
from crm.schools.lineage import cluster_on, heirs_of, lines_of, name_on
from crm.schools.models import Cluster, School, SchoolLevel
from crm.schools.queries import visible_schools
from crm.web.paging import Page, keyset

bp = Blueprint("schools", __name__, url_prefix="/schools")
SHOWN = 5


def schools_page(
    session: Session, viewer: Viewer, *, after: str | None, day: date | None = None
) -> Page[Any]:
    """A page of (School, cluster name, name) by cluster and name, in the viewer's part.

    With a `day`, names and clusters are those of that day.
    """
    name = School.name if day is None else name_on(day)
    cluster_id = School.cluster_id if day is None else cluster_on(day)
    statement = (
        select(School, Cluster.name.label("cluster"), name.label("name"))
        .outerjoin(Cluster, Cluster.id == cluster_id)
        .where(visible_schools(viewer))
    )
    keys: list[Any] = [func.coalesce(Cluster.name, "\uffff"), name, School.id]
    return keyset(session, statement, keys, after=after)


def people_by_school(
    session: Session, viewer: Viewer, school_ids: Sequence[int]
) -> Mapping[int, int]:
    """How many people of each school the viewer may know of."""
    attended = aliased(Schooling)
    statement = (
        select(attended.school_id, func.count())
        .join(Alumnus, Alumnus.id == attended.alumnus_id)
        .where(attended.school_id.in_(school_ids), visible_alumni(viewer))
        .group_by(attended.school_id)
    )
    return dict(session.execute(statement).all())


def people_by_line(
    session: Session, viewer: Viewer, lines: Mapping[int, Collection[int]]
) -> Mapping[int, int]:
    """How many people of each school and of those that became part of it, each person once."""
    pairs = [(school_id, member) for school_id, line in lines.items() for member in line]
    if not pairs:
        return {}
    line = values(column("school", BigInteger), column("member", BigInteger), name="line")
    line = line.data(pairs)
    attended = aliased(Schooling)
    statement = (
        select(line.c.school, func.count(attended.alumnus_id.distinct()))
        .join(attended, attended.school_id == line.c.member)
        .join(Alumnus, Alumnus.id == attended.alumnus_id)
        .where(visible_alumni(viewer))
        .group_by(line.c.school)
    )
    return dict(session.execute(statement).all())


@bp.get("")
@requires(Permission.PEOPLE_VIEW)
def index() -> str:
    """Clusters and schools with how many people we know of each."""
    session, viewer = db.session(), current_viewer()
    day = day_of(request.args.get("as_of"))
    page = schools_page(session, viewer, after=request.args.get("after"), day=day)
    ids = [row.School.id for row in page.items]
    people = people_by_school(session, viewer, ids)
    # What others became is known for today; on another day it would be another line.
    lines = lines_of(session, ids) if day is None else {}
    return render_template(
        "crm/schools/index.html", page=page, people=people, form=UploadForm(), levels=levels(),
        day=day, line=people_by_line(session, viewer, lines),
        heirs=heirs_of(session, ids) if day is None else {},
    )  # fmt: skip


@bp.post("/import")
@requires(Permission.IMPORT)
def bring() -> Any:
    """Create and update schools from a file."""
    form = UploadForm()
    if form.validate_on_submit():
        part = store_upload(
            form.file.data.stream, form.file.data.filename or "", wanted=ORGS
        )  # fmt: skip
        try:
            report = import_schools(
                db.session(), part.path, name=part.name, at=clock.now(), by=current_viewer()
            )
        finally:
            part.path.unlink(missing_ok=True)
        db.session.commit()
        counts = _("%(a)s new, %(b)s updated, %(c)s unchanged, %(d)s rejected.")
        flash(counts % {"a": report.created, "b": report.updated, "c": report.unchanged,
                        "d": report.rejected})  # fmt: skip
        if report.rejected:
            for problem in report.problems[:SHOWN]:
                flash(str(problem), "warning")
        return redirect(url_for("imports.detail", import_id=report.import_id), 303)
    flash(_("Choose a file first."), "error")
    return redirect(url_for("schools.index"), 303)


def day_of(text: str | None) -> date | None:
    """The day of `?as_of=`, if it is one."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def levels() -> dict[SchoolLevel, str]:
    """The levels in the reader's language."""
    return {
        SchoolLevel.ELEMENTARY: _("Elementary"), SchoolLevel.MIDDLE: _("Middle"),
        SchoolLevel.HIGH: _("High"), SchoolLevel.OTHER: _("Other"),
    }  # fmt: skip
