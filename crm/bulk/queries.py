"""Reads of the bulk area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select, true
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.bulk.models import BulkLine, BulkRun, Fate
from crm.bulk.words import FATES
from crm.core.database import among
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.web.charts import Stacked, stacked
from crm.web.paging import Page, keyset

SIZE = 25


@dataclass(frozen=True)
class Person:
    """A person of a run, with the fact before and after."""

    id: int
    name: str
    fate: Fate
    reason: str
    before: Any
    after: Any


def load_run(session: Session, viewer: Viewer, run_id: int, *, lock: bool = False) -> BulkRun:
    """A change of the viewer's own, or for who sees the district of anybody's; else `NotFound`."""
    mine = true() if viewer.sees_district else BulkRun.asked_by == viewer.user_id
    statement = select(BulkRun).where(BulkRun.id == min(run_id, 2**63 - 1), mine)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    run = session.scalars(statement).one_or_none()
    if run is None:
        raise NotFound("There is no such change.")
    return run


def runs_page(session: Session, viewer: Viewer, *, after: str | None) -> Page[Any]:
    """A page of changes with the name of who asked, newest first."""
    statement = select(BulkRun, User.name.label("asker")).join(User, User.id == BulkRun.asked_by)
    if not viewer.sees_district:
        statement = statement.where(BulkRun.asked_by == viewer.user_id)
    return keyset(session, statement, [BulkRun.id], after=after, descending=True)


def asker_of(session: Session, run: BulkRun) -> str:
    """The name of who asked for it."""
    return session.get_one(User, run.asked_by).name


def people_page(
    session: Session, viewer: Viewer, run: BulkRun, *, fate: Fate | None, after: str | None
) -> Page[Person]:
    """A page of the people of a run that this viewer may know of, of one fate or of all."""
    statement = (
        select(BulkLine, Alumnus)
        .join(Alumnus, Alumnus.id == BulkLine.alumnus_id)
        .where(BulkLine.run_id == run.id, visible_alumni(viewer))
    )
    if fate is not None:
        statement = statement.where(BulkLine.fate == fate)
    page = keyset(session, statement, [BulkLine.alumnus_id], after=after, size=SIZE)
    people = [
        Person(
            row.Alumnus.id, row.Alumnus.full_name, row.BulkLine.fate, row.BulkLine.reason,
            row.BulkLine.before, row.BulkLine.after,
        )
        for row in page.items
    ]  # fmt: skip
    return Page(people, page.after)


def picture(run: BulkRun) -> Stacked:
    """The people of a run by fate: together they are everybody it is about (law 4)."""
    parts = [
        (words[0], run.totals[fate.value], words[1])
        for fate, words in FATES.items()
        if run.totals.get(fate.value)
    ]
    return stacked("bulk-fates", _("What becomes of whom"), parts)


def chosen_inside(session: Session, viewer: Viewer, ids: list[int]) -> int:
    """How many of the people chosen by hand this viewer may know of."""
    found = select(Alumnus.id).where(among(Alumnus.id, ids), visible_alumni(viewer))
    return len(session.scalars(found).all())
