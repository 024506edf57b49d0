"""One school's page: its people, what became of it, and what a coordinator enters about that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Schooling
from crm.core import clock
from crm.core.database import among, db
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Permission, Viewer
from crm.imports.district import bp, levels
from crm.imports.lineage_forms import ChangeForm, HandOnForm, MoveForm, RenameForm, SplitForm
from crm.schools import lineage
from crm.schools.lineage import When
from crm.schools.models import ChangeKind, Cluster, School, SchoolChange
from crm.schools.queries import cluster_choices, school_choices, visible_schools
from crm.web import charts
from crm.web.forms import Form

NONE = 0
ATTENDED = aliased(Schooling)
"""Apart from the schoolings by which a viewer's scope is drawn."""
Verb = Callable[[Session, School, Form, When], SchoolChange]


@dataclass(frozen=True)
class Box:
    """A school in the picture: in parts of 100 across, in rows of 60 down."""

    school: School
    x: float
    y: int
    here: bool


@dataclass(frozen=True)
class Picture:
    """Schools from left (before) to right (after), and lines between them."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[float, int, float, int], ...]
    height: int


def load_school(session: Session, viewer: Viewer, school_id: int) -> School:
    """A school that the viewer looks after; otherwise `NotFound`."""
    known = 0 < school_id < 2**63
    mine = select(School).where(School.id == school_id, visible_schools(viewer))
    school = session.scalars(mine).one_or_none() if known else None
    if school is None:
        raise NotFound("There is no such school in the part of the district that you look after.")
    return school


@bp.get("/<int:school_id>")
@requires(Permission.PEOPLE_VIEW)
def detail(school_id: int) -> str:
    """The school with its lineage, its people by class, and the verbs for a coordinator."""
    session, viewer = db.session(), current_viewer()
    return _page(session, viewer, load_school(session, viewer, school_id), _forms(session, viewer))


def _page(session: Session, viewer: Viewer, school: School, forms: dict[str, Any]) -> str:
    before = lineage.with_predecessors(session, [school.id])
    family = before | lineage.with_successors(session, [school.id])
    changes = lineage.changes_of(session, family)
    schools = {s.id: s for s in session.scalars(select(School).where(among(School.id, family)))}
    own, all_of_them = (_people(session, viewer, ids) for ids in ([school.id], before))
    return render_template(
        "crm/schools/detail.html", school=school, levels=levels(), forms=forms,
        picture=draw(school, schools, changes), changes=changes, schools=schools, own=own,
        all_of_them=all_of_them, before=len(before) - 1, kinds=kinds(),
        clusters=dict(session.execute(select(Cluster.id, Cluster.name)).all()),
        decades=_decades(session, viewer, before), edits=viewer.may(Permission.IMPORT),
    )  # fmt: skip


def _forms(session: Session, viewer: Viewer) -> dict[str, Any]:
    if not viewer.may(Permission.IMPORT):
        return {}
    today = clock.now().date()
    forms = {
        "rename": RenameForm, "close": ChangeForm, "move": MoveForm, "merge": HandOnForm,
        "split": SplitForm,
    }  # fmt: skip
    return {
        key: _with_choices(session, viewer, form(formdata=None, day=today))
        for key, form in forms.items()
    }


def _with_choices(session: Session, viewer: Viewer, form: Any) -> Any:
    if "cluster_id" in form:
        form.cluster_id.choices = [(NONE, "–"), *cluster_choices(session, viewer)]
    if "other_id" in form:
        form.other_id.choices = school_choices(session, viewer, closed=False)
    return form


def _people(session: Session, viewer: Viewer, ids: Any) -> int:
    """How many people the viewer may know of went to any of these schools, each once."""
    went = select(func.count(func.distinct(ATTENDED.alumnus_id))).join(
        Alumnus, Alumnus.id == ATTENDED.alumnus_id
    )
    seen = went.where(among(ATTENDED.school_id, ids), visible_alumni(viewer))
    return session.scalars(seen).one()


def _decades(session: Session, viewer: Viewer, ids: Any) -> Any:
    """Bars of people by the decade of their class."""
    decade = (func.floor(ATTENDED.class_year / 10) * 10).label("decade")
    rows = session.execute(
        select(decade, func.count(func.distinct(ATTENDED.alumnus_id)))
        .join(Alumnus, Alumnus.id == ATTENDED.alumnus_id)
        .where(among(ATTENDED.school_id, ids), visible_alumni(viewer), decade.is_not(None))
        .group_by(decade).order_by(decade)
    )  # fmt: skip
    return charts.bars(
        "classes", _("People by class"),
        [(f"{int(year)}–{int(year) + 9}", count) for year, count in rows],
    )  # fmt: skip


def kinds() -> dict[ChangeKind, str]:
    """What became of a school, in the reader's language."""
    return {
        ChangeKind.RENAMED: _("renamed"), ChangeKind.MOVED: _("moved to another cluster"),
        ChangeKind.MERGED: _("became part of"), ChangeKind.SPLIT: _("handed a part on to"),
        ChangeKind.CLOSED: _("closed"),
    }  # fmt: skip


def draw(school: School, schools: dict[int, School], changes: Any) -> Picture | None:
    """The lineage as boxes and lines; None where the school stands alone."""
    links = {
        (c.school_id, c.other_id) for c in changes if c.other_id and c.undone_at is None
    }  # fmt: skip
    if not links:
        return None
    depth = {school.id: 0}
    for _round in schools:
        for source, to in links:
            if to in depth and source not in depth:
                depth[source] = depth[to] - 1
            elif source in depth and to not in depth:
                depth[to] = depth[source] + 1
    first, last = min(depth.values()), max(depth.values())
    columns = last - first + 1
    rows: dict[int, int] = {}
    boxes = {}
    for school_id, level in sorted(depth.items(), key=lambda item: (item[1], item[0])):
        row = rows[level] = rows.get(level, -1) + 1
        x = round(100 * (level - first) / columns, 2)
        boxes[school_id] = Box(schools[school_id], x, row * 60, school_id == school.id)
    width = 100 / columns - 4
    lines = tuple(
        (round(boxes[a].x + width, 2), boxes[a].y + 20, boxes[b].x, boxes[b].y + 20)
        for a, b in sorted(links) if a in boxes and b in boxes
    )  # fmt: skip
    return Picture(tuple(boxes.values()), lines, (max(rows.values()) + 1) * 60)


def _rename(session: Session, school: School, form: Any, when: When) -> SchoolChange:
    return lineage.rename(session, school, form.name.data, when)


def _move(session: Session, school: School, form: Any, when: When) -> SchoolChange:
    return lineage.move(session, school, form.cluster_id.data or None, when)


def _merge(session: Session, school: School, form: Any, when: When) -> SchoolChange:
    other = load_school(session, current_viewer(), form.other_id.data)
    return lineage.hand_on(session, school, other, when, closes=True)


def _split(session: Session, school: School, form: Any, when: When) -> SchoolChange:
    other = load_school(session, current_viewer(), form.other_id.data)
    return lineage.hand_on(session, school, other, when, closes=False)


def _close(session: Session, school: School, form: Any, when: When) -> SchoolChange:
    return lineage.close(session, school, when)


VERBS: dict[str, tuple[type[Form], Verb]] = {
    "rename": (RenameForm, _rename), "move": (MoveForm, _move), "merge": (HandOnForm, _merge),
    "split": (SplitForm, _split), "close": (ChangeForm, _close),
}  # fmt: skip


@bp.post("/<int:school_id>/<any(rename, move, merge, split, close):verb>")
@requires(Permission.IMPORT)
def change(school_id: int, verb: str) -> Any:
    """Enter what became of the school, from a day on."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    school = load_school(session, viewer, school_id)
    kind, act = VERBS[verb]
    form = _with_choices(session, viewer, kind())
    if not form.validate():
        raise Invalid(" ".join(str(e) for errors in form.errors.values() for e in errors))
    done = act(session, school, form, When(form.day.data, at, viewer))
    audit.record(
        session, f"school.{done.kind.value}", kind="school", key=school.id, by=viewer, at=at,
        before=done.before, after=done.after, on=done.on_day.isoformat(), other=done.other_id,
    )  # fmt: skip
    session.commit()
    flash(_("Entered. Who went there stays with the school as it was."))
    return redirect(url_for("schools.detail", school_id=school.id), 303)


@bp.post("/<int:school_id>/changes/<int:change_id>/undo")
@requires(Permission.IMPORT)
def take_back(school_id: int, change_id: int) -> Any:
    """Take a change back, unless a later one builds on it."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    school = load_school(session, viewer, school_id)
    found = session.get(SchoolChange, change_id) if change_id < 2**63 else None
    if found is None or found.school_id != school.id:
        raise NotFound("There is no such change of this school.")
    lineage.take_back(session, found, at)
    audit.record(
        session, "school.taken_back", kind="school", key=school.id, by=viewer, at=at,
        change=found.id, what=found.kind.value,
    )  # fmt: skip
    session.commit()
    flash(_("Taken back."))
    return redirect(url_for("schools.detail", school_id=school.id), 303)
