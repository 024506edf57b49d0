"""Reads of the exports area."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select
from sqlalchemy.orm import Session, aliased

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.application import current_settings
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.exports.models import ExportPerson, ExportRun, ExportState
from crm.query import Compiled
from crm.web.paging import Page, keyset

DAY = timedelta(days=1)
LAPSE = timedelta(days=7)
TAKEN = (ExportState.MAKING, ExportState.READY, ExportState.STREAMED, ExportState.GONE)
Asker, Decider = aliased(User), aliased(User)


@dataclass(frozen=True)
class Amount:
    """How many people a query lets go, and how many a FERPA block keeps."""

    people: int
    blocked: int


def alone() -> int:
    """How many people one person may take in a day without a second one."""
    return current_settings().export_alone


def amount_of(session: Session, compiled: Compiled) -> Amount:
    """The people of a query as they would leave, counted to the end in one statement."""
    blocked = Alumnus.ferpa_block.is_(True)
    counted = select(func.count().filter(~blocked), func.count().filter(blocked))
    people, kept = session.execute(counted.where(compiled.condition)).one()
    return Amount(people, kept)


def taken_alone(session: Session, user_id: int, at: datetime) -> int:
    """How many people an account took, or is taking, in the last day without a second person."""
    counted = select(func.coalesce(func.sum(ExportRun.people), 0)).where(
        ExportRun.asked_by == user_id, ExportRun.asked_at > at - DAY,
        ExportRun.decided_by.is_(None), ExportRun.state.in_(TAKEN),
    )  # fmt: skip
    return int(session.scalar(counted) or 0)


def wall_of(viewer: Viewer) -> str:
    """A fingerprint of what a viewer may see, so that a file is handed only to the same eyes."""
    schools = "all" if viewer.school_ids is None else sorted(viewer.school_ids)
    may = [viewer.may(p) for p in (Permission.CONTACT_VIEW, Permission.BLOCKED_VIEW)]
    return hashlib.sha256(f"{viewer.role} {schools} {may}".encode()).hexdigest()[:16]


def may_decide(viewer: Viewer, run: ExportRun) -> bool:
    """Whether the viewer may be the second person: another account that sees the whole district."""
    known = viewer.user_id is not None and viewer.user_id != run.asked_by
    return known and viewer.may(Permission.EXPORT) and viewer.sees_district


def load_run(session: Session, viewer: Viewer, export_id: int, *, lock: bool = False) -> ExportRun:
    """An export that the viewer asked for, decided, or may decide; otherwise `NotFound`."""
    statement = select(ExportRun).where(ExportRun.id == min(export_id, 2**63 - 1))
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    run = session.scalars(statement).one_or_none()
    mine = run is not None and viewer.user_id in {run.asked_by, run.decided_by}
    if run is None or not (mine or may_decide(viewer, run)):
        raise NotFound("There is no such export.")
    return run


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(ExportRun, Asker.name.label("asker"), Decider.name.label("decider"))
        .join(Asker, Asker.id == ExportRun.asked_by)
        .outerjoin(Decider, Decider.id == ExportRun.decided_by)
    )


def row_of(session: Session, run: ExportRun) -> Any:
    """The export with the names of who asked and who decided."""
    return session.execute(_rows().where(ExportRun.id == run.id)).one()


def runs_page(session: Session, viewer: Viewer, *, after: str | None) -> Page[Any]:
    """A page of the viewer's own exports and those they decided, newest first."""
    mine = or_(ExportRun.asked_by == viewer.user_id, ExportRun.decided_by == viewer.user_id)
    return keyset(session, _rows().where(mine), [ExportRun.id], after=after, descending=True)


def _open_to(viewer: Viewer, at: datetime) -> ColumnElement[bool]:
    """Waits for a second person who could be this viewer, by role and account."""
    if viewer.user_id is None or not (viewer.may(Permission.EXPORT) and viewer.sees_district):
        return false()
    return and_(
        ExportRun.state == ExportState.WAITING,
        ExportRun.asked_at > at - LAPSE,
        ExportRun.asked_by != viewer.user_id,
    )


def waiting_for(session: Session, viewer: Viewer, at: datetime) -> Sequence[Any]:
    """The exports that wait for this viewer's word, the oldest first; at most fifty."""
    statement = _rows().where(_open_to(viewer, at)).order_by(ExportRun.id).limit(50)
    return session.execute(statement).all()


def waiting_exports(session: Session, viewer: Viewer, at: datetime) -> Iterator[Todo]:
    """The line of the home page for whoever may be the second person."""
    if viewer.may(Permission.EXPORT):
        waits = _open_to(viewer, at)
        count = session.scalar(select(func.count()).select_from(ExportRun).where(waits)) or 0
        label = ngettext(
            "export waits for a second person", "exports wait for a second person", count
        )
        yield Todo(label, count, url_for("exports.index"), "warn", 20)


def holds_still(session: Session, run: ExportRun) -> bool:
    """Whether everybody in the file may still leave: none was forgotten or blocked since."""
    inside = ExportPerson.export_id == run.id
    allowed = select(func.count()).select_from(ExportPerson).where(
        inside,
        ~exists().where(
            Alumnus.id == ExportPerson.alumnus_id,
            or_(Alumnus.ferpa_block, Alumnus.merged_into_id == Alumnus.id),
        ),
    )  # fmt: skip
    return session.scalar(allowed) == run.people
