"""Tasks that journeys give to staff: whose they are, and marking them done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.errors import Conflict, NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.web.paging import Page, keyset
from lifecycle.journeys.models import Journey, StaffTask

LARGEST_ID = 2**63 - 1


def open_tasks(session: Session, viewer: Viewer, *, after: str | None = None) -> Page[Any]:
    """Open tasks about people whom the viewer may know of, the first due first, with the person
    and the journey."""
    statement = (
        select(StaffTask, Alumnus, Journey)
        .join(Alumnus, Alumnus.id == StaffTask.alumnus_id)
        .join(Journey, Journey.id == StaffTask.journey_id)
        .where(StaffTask.done_at.is_(None), visible_alumni(viewer))
    )
    return keyset(session, statement, [StaffTask.due_at, StaffTask.id], after=after)


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """How many tasks wait for this viewer, and how many of them are late."""
    if not viewer.may(Permission.JOURNEYS_VIEW):
        return
    mine = (
        select(func.count(), func.count().filter(StaffTask.due_at <= at))
        .select_from(StaffTask)
        .join(Alumnus, Alumnus.id == StaffTask.alumnus_id)
        .where(StaffTask.done_at.is_(None), visible_alumni(viewer))
    )
    number, late = session.execute(mine).one()
    label = ngettext("task of a journey is to be done", "tasks of journeys are to be done", number)
    tone = "warn" if late else "info"
    yield Todo(label, count=number, href=url_for("journeys.tasks"), tone=tone, order=30)


def load_task(session: Session, viewer: Viewer, task_id: int) -> StaffTask:
    """The task under lock, if its person is one of the viewer's; otherwise `NotFound`."""
    statement = (
        select(StaffTask)
        .join(Alumnus, Alumnus.id == StaffTask.alumnus_id)
        .where(StaffTask.id == min(task_id, LARGEST_ID), visible_alumni(viewer))
        .with_for_update(of=StaffTask)
    )
    task = session.scalars(statement).one_or_none()
    if task is None:
        raise NotFound("There is no such task in the part of the district that you look after.")
    return task


def finish(session: Session, task: StaffTask, *, by: Viewer, at: datetime) -> None:
    """Mark a task as done; raises `Conflict` if somebody did before."""
    if task.done_at is not None:
        raise Conflict("Somebody marked this task as done already.")
    task.done_at, task.done_by = at, by.user_id
    audit.record(
        session, "task.done", kind="alumnus", key=task.alumnus_id, by=by, at=at, task=task.title
    )
    session.flush()


def tasks_of(session: Session, alumnus_id: int, limit: int = 20) -> Sequence[Any]:
    """A person's tasks with their journeys: the open ones first, then the latest."""
    statement = (
        select(StaffTask, Journey)
        .join(Journey, Journey.id == StaffTask.journey_id)
        .where(StaffTask.alumnus_id == alumnus_id)
        .order_by(StaffTask.done_at.is_not(None), StaffTask.due_at.desc(), StaffTask.id.desc())
        .limit(limit)
    )
    return session.execute(statement).all()


def task_panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """The tasks about a person; nothing if there are none for this role to see."""
    if not viewer.may(Permission.JOURNEYS_VIEW):
        return None
    found = tasks_of(db.session(), alumnus.id)
    return {"tasks": found, "moment": at} if found else None
