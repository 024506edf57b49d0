"""Makes the file of an export in the background, and deletes what has had its time."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import func, insert, literal, select, text, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.access import viewer_for
from crm.accounts.looks import note_looks
from crm.accounts.models import User
from crm.alumni.access import contact_visible
from crm.alumni.export import CONTACT_COLUMNS, export_rows, export_statement
from crm.alumni.models import Alumnus
from crm.core import clock
from crm.core.database import db, id_array
from crm.core.errors import Conflict, HomecomingError
from crm.core.extend import QueryContext, extensions
from crm.core.viewer import Permission, Viewer
from crm.exports.columns import LISTED, chosen
from crm.exports.files import writing
from crm.exports.models import ExportPerson, ExportRun, ExportState
from crm.exports.queries import LAPSE, amount_of, holds_still, wall_of
from crm.exports.service import check_amount, take_down
from crm.query import Compiled, compile_query

MAKE_LOCK = 7_312_012
KEPT = timedelta(days=3)
EVERY = 1.0
CHUNK = 1024 * 1024
FEW = 10
"""How many people more than agreed to are nothing new; else a twentieth."""


class Ended(Exception):
    """The export was given up while its file was being made."""


def folder() -> Path:
    """Where files that wait to be fetched are kept."""
    return Path(current_app.instance_path) / "exports"


def make(export_id: int) -> None:
    """Make the file of an export; a second worker on the same one leaves at once.

    All of it or nothing: a worker that is killed leaves a nameless file, which `tidy` deletes, and
    the next one begins anew.
    """
    session, at = db.session(), clock.now()
    key = {"group": MAKE_LOCK, "id": export_id}
    if not session.scalar(text("select pg_try_advisory_xact_lock(:group, :id)"), key):
        return
    run = session.get(ExportRun, export_id)
    if run is None or run.state is not ExportState.MAKING:
        return
    path = folder() / f"{secrets.token_hex(16)}.{run.format.value}"
    try:
        _make(session, run, path, at)
        session.commit()
    except Ended:
        _give_up(session, path)
    except HomecomingError as error:
        _give_up(session, path)
        grew = ExportState.VOID if isinstance(error, Grew) else ExportState.FAILED
        _fail(session, export_id, str(error), at, grew)
    except Exception:
        _give_up(session, path)
        _fail(session, export_id, "Something went wrong on our side. Start it again.", at)
        raise


def _give_up(session: Session, path: Path) -> None:
    session.rollback()
    path.unlink(missing_ok=True)


def _fail(
    session: Session, export_id: int, message: str, at: datetime,
    state: ExportState = ExportState.FAILED,
) -> None:  # fmt: skip
    run = session.get(ExportRun, export_id, with_for_update=True)
    if run is None or run.state is not ExportState.MAKING:
        return
    run.error = message[:2000]
    run.state = state
    audit.record(
        session, f"export.{run.state.value}", kind="export", key=run.id, by=None, at=at,
        reason=run.error,
    )  # fmt: skip
    session.commit()


class Grew(Conflict):
    """A query means many more people than were agreed to."""


def check_agreed(run: ExportRun, people: int) -> None:
    """An agreement is to so many people: with many more it is void."""
    if run.agreed is not None and people > run.agreed + max(FEW, run.agreed // 20):
        raise Grew(
            "Since it was agreed to, the query has grown from %(agreed)s to %(people)s people. Ask "
            "again.",
            agreed=f"{run.agreed:,}",
            people=f"{people:,}",
        )


def _viewer(session: Session, run: ExportRun) -> Viewer:
    """Who asked, with what they may see now."""
    user = session.get_one(User, run.asked_by)
    viewer = viewer_for(session, user)
    if not user.active or not viewer.may(Permission.EXPORT):
        raise Conflict("The account that asked for it may no longer export.")
    return viewer


def _make(session: Session, run: ExportRun, path: Path, at: datetime) -> None:
    viewer = _viewer(session, run)
    columns = chosen(session, viewer, run.columns)
    compiled = compile_query(run.query, QueryContext(session, viewer, at))
    amount = amount_of(session, compiled)
    check_amount(amount, run.format)
    check_agreed(run, amount.people)
    beat = Beat(run.id)
    written = 0
    with writing(path, run.format, columns) as add:
        for ids, rows in _batches(session, compiled, viewer, columns):
            add(rows)
            people = select(literal(run.id), func.unnest(id_array(ids)))
            session.execute(insert(ExportPerson).from_select(["export_id", "alumnus_id"], people))
            written += len(ids)
            beat(written)
    check_agreed(run, written)
    session.refresh(run, with_for_update=True)
    if run.state is not ExportState.MAKING:
        raise Ended
    run.state, run.stored_as, run.people, run.done = ExportState.READY, path.name, written, written
    run.blocked, run.wall, run.size = amount.blocked, wall_of(viewer), path.stat().st_size
    run.sha256, run.made_at, run.kept_until = _digest(path), at, at + KEPT
    if set(columns) & set(CONTACT_COLUMNS):
        inside = select(ExportPerson.alumnus_id).where(ExportPerson.export_id == run.id)
        shown = select(Alumnus.id).where(Alumnus.id.in_(inside), contact_visible(viewer))
        note_looks(session, "export", shown, by=viewer, at=at)
    audit.record(
        session, "export.made", kind="export", key=run.id, by=viewer, at=at, query=compiled.text,
        people=written, left_out=amount.blocked, columns=columns, format=run.format.value,
        size=run.size, sha256=run.sha256,
    )  # fmt: skip


def _batches(session: Session, compiled: Compiled, viewer: Viewer, columns: Sequence[str]) -> Any:
    """(ids, rows) of a thousand people at a time, other areas' columns filled in."""
    known = {LISTED + column.key: column for column in extensions().list_columns}
    own = [key for key in columns if key not in known]
    listed = [key for key in columns if key in known]
    statement = export_statement(compiled, viewer, own).add_columns(
        *(known[key].value.label(key) for key in listed), Alumnus.id.label("the_id")
    )
    place = {key: n for n, key in enumerate([*own, *listed])}
    told = [(place[key], known[key].told if key in known else None) for key in columns]
    for batch in export_rows(session, statement):
        rows = [[tell(row[n]) if tell else row[n] for n, tell in told] for row in batch]
        yield [row.the_id for row in batch], rows


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(CHUNK):
            found.update(piece)
    return found.hexdigest()


class Beat:
    """Says how many people are written, on a connection of its own so that others see it."""

    def __init__(self, export_id: int) -> None:
        self.export_id = export_id
        self.noted = time.monotonic()

    def __call__(self, done: int) -> None:
        """So many are written; raises `Ended` once the export was given up."""
        if time.monotonic() - self.noted < EVERY:
            return
        mine = ExportRun.id == self.export_id, ExportRun.state == ExportState.MAKING
        statement = update(ExportRun).where(*mine).values(done=done).returning(ExportRun.id)
        with db.engine.begin() as connection:
            if connection.execute(statement).first() is None:
                raise Ended
        self.noted = time.monotonic()


def is_worked_on(session: Session, run: ExportRun) -> bool:
    """Whether some worker makes it now; if none does, it waits or its worker died."""
    statement = text(
        """select exists (select from pg_locks where locktype = 'advisory' and granted
            and classid = :group and objid = :id and objsubid = 2
            and database = (select oid from pg_database where datname = current_database()))"""
    )
    return bool(session.scalar(statement, {"group": MAKE_LOCK, "id": run.id}))


def delete_file(name: str | None) -> None:
    """Delete a file of the folder, if it is there."""
    if name:
        (folder() / name).unlink(missing_ok=True)


def tidy(at: datetime) -> int:
    """Delete files whose time is over or who holds somebody that may not leave; lapse old askings.

    Answers how many files went.
    """
    session = db.session()
    late = ExportRun.state == ExportState.WAITING, ExportRun.asked_at <= at - LAPSE
    session.execute(update(ExportRun).where(*late).values(state=ExportState.LAPSED))
    ready = select(ExportRun).where(ExportRun.state == ExportState.READY).with_for_update()
    gone: list[str | None] = []
    for run in session.scalars(ready).all():
        if run.kept_until is None or run.kept_until <= at:
            gone.append(take_down(session, run, state=ExportState.GONE, error=None, at=at))
        elif not holds_still(session, run):
            gone.append(take_down(session, run, state=ExportState.VOID, error=LEFT, at=at))
    needed = set(
        session.scalars(select(ExportRun.stored_as).where(ExportRun.stored_as.is_not(None)))
    )
    session.commit()
    for name in gone:
        delete_file(name)
    return sum(name is not None for name in gone) + _sweep(needed)


LEFT = "Somebody in the file asked to be forgotten, or may not leave in a file any more. Ask again."


def _sweep(needed: set[str | None]) -> int:
    """Delete what a killed worker left: nothing that is younger than a day, it may be in work."""
    oldest = time.time() - timedelta(days=1).total_seconds()
    stray = [
        path for path in (folder().glob("*") if folder().is_dir() else ())
        if path.name not in needed and path.stat().st_mtime < oldest
    ]  # fmt: skip
    for path in stray:
        path.unlink(missing_ok=True)
    return len(stray)
