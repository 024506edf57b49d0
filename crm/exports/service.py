"""The verbs of exports: ask, agree, decline, give up, take down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import current_app
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.export import DEFAULT
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.extend import QueryContext
from crm.core.jobs import jobs
from crm.core.viewer import Viewer
from crm.exports.columns import chosen
from crm.exports.files import LARGEST_SHEET
from crm.exports.models import ExportPerson, ExportRun, ExportState, Format
from crm.exports.queries import LAPSE, Amount, alone, amount_of, may_decide, taken_alone, wall_of
from crm.query import Compiled, compile_query

ASK_LOCK = 7_312_011
"""With the account's id: whoever asks waits for their own last asking, so that sums are right."""
MAX_REASON = 2_000
JOB = "exports.make"


def ask(
    session: Session,
    viewer: Viewer,
    query: str,
    *,
    columns: Sequence[str],
    kind: Format,
    reason: str,
    at: datetime,
) -> ExportRun:
    """Ask for a file of the people of a query; made at once, or once a second person agrees.

    A second person is needed when the account would have taken more than `alone()` people within a
    day. Raises `Invalid` with the field at fault, for the query `QueryError`.
    """
    keys = chosen(session, viewer, columns)
    compiled = compile_query(query, QueryContext(session, viewer, at))
    amount = amount_of(session, compiled)
    reason = _said(reason)
    second = needs_second(session, viewer, amount, at)
    check_amount(amount, kind)
    if second and not reason:
        raise Invalid("Say what the file is for: a second person decides by it.", field="reason")
    run = _note(session, viewer, compiled, amount, columns=keys, kind=kind, at=at)
    run.reason = reason
    run.state = ExportState.WAITING if second else ExportState.MAKING
    session.flush()
    _record(session, "export.asked", run, by=viewer, at=at, reason=reason, second_person=second)
    if not second:
        start(session, run)
    return run


def take_at_once(session: Session, viewer: Viewer, compiled: Compiled, *, at: datetime) -> bool:
    """Note a small file that goes to the browser as it is made; False if it is too many for that.

    It counts for the day like any other.
    """
    amount = amount_of(session, compiled)
    if needs_second(session, viewer, amount, at):
        return False
    run = _note(session, viewer, compiled, amount, columns=DEFAULT, kind=Format.CSV, at=at)
    run.state = ExportState.STREAMED
    session.flush()
    return True


def _note(
    session: Session,
    viewer: Viewer,
    compiled: Compiled,
    amount: Amount,
    *,
    columns: Sequence[str],
    kind: Format,
    at: datetime,
) -> ExportRun:
    if viewer.user_id is None:
        raise NotAllowed("A file belongs to somebody: only an account can ask for one.")
    run = ExportRun(
        query=compiled.text, format=kind, columns=list(columns), state=ExportState.MAKING,
        people=amount.people, blocked=amount.blocked, asked_by=viewer.user_id, asked_at=at,
        wall=wall_of(viewer), reason="", word="",
    )  # fmt: skip
    session.add(run)
    return run


def needs_second(session: Session, viewer: Viewer, amount: Amount, at: datetime) -> bool:
    """Whether taking so many now would be more than one person may take in a day."""
    session.execute(select(func.pg_advisory_xact_lock(ASK_LOCK, (viewer.user_id or 0) % 2**31)))
    return taken_alone(session, viewer.user_id or 0, at) + amount.people > alone()


def check_amount(amount: Amount, kind: Format) -> None:
    """Refuse what makes no file, or none that opens."""
    if not amount.people:
        raise Invalid("The query means nobody who may leave in a file.", field="query")
    if kind is Format.XLSX and amount.people > LARGEST_SHEET:
        raise Invalid(
            "A sheet of a spreadsheet holds %(most)s people at most, and these are %(people)s. "
            "Choose CSV, or ask for fewer.",
            field="kind", most=f"{LARGEST_SHEET:,}", people=f"{amount.people:,}",
        )  # fmt: skip


def start(session: Session, run: ExportRun) -> None:
    """Have the file made in the background; asking twice does it once."""
    if run.state is not ExportState.MAKING:
        raise Conflict("This export has moved on. Look at where it stands now.")
    run.done, run.error = 0, None
    session.flush()
    jobs(current_app).enqueue(session, JOB, export_id=run.id)


def again(session: Session, run: ExportRun, *, by: Viewer, at: datetime) -> None:
    """Have a file made whose worker died."""
    start(session, run)
    _record(session, "export.again", run, by=by, at=at)


def approve(
    session: Session, run: ExportRun, *, people: int, word: str, by: Viewer, at: datetime
) -> None:
    """Agree to an export of so many people as the second person saw; the file is made then."""
    _decidable(run, by, at)
    run.state, run.agreed, run.word = ExportState.MAKING, people, _said(word)
    run.decided_by, run.decided_at = by.user_id, at
    _record(session, "export.approved", run, by=by, at=at, agreed=people)
    start(session, run)


def decline(session: Session, run: ExportRun, *, word: str, by: Viewer, at: datetime) -> None:
    """Say no, with a word for who asked."""
    _decidable(run, by, at)
    run.state, run.word = ExportState.DECLINED, _said(word)
    run.decided_by, run.decided_at = by.user_id, at
    _record(session, "export.declined", run, by=by, at=at)


def _decidable(run: ExportRun, by: Viewer, at: datetime) -> None:
    if by.user_id == run.asked_by:
        raise NotAllowed("You asked for it yourself: a second person decides.")
    if not may_decide(by, run):
        raise NotAllowed("Only somebody who sees the whole district and may export can decide.")
    if run.state is not ExportState.WAITING or run.asked_at <= at - LAPSE:
        raise Conflict("This export no longer waits for anybody.")


def cancel(session: Session, run: ExportRun, *, by: Viewer, at: datetime) -> None:
    """Give an export up before its file is there; only who asked for it may."""
    if by.user_id != run.asked_by:
        raise NotAllowed("Only who asked for an export can give it up.")
    if run.state not in {ExportState.WAITING, ExportState.MAKING}:
        raise Conflict("This export has moved on. Look at where it stands now.")
    run.state = ExportState.CANCELLED
    _record(session, "export.cancelled", run, by=by, at=at)


def take_down(
    session: Session, run: ExportRun, *, state: ExportState, error: str | None, at: datetime,
    by: Viewer | None = None,
) -> str | None:  # fmt: skip
    """End a file's time; answers its name, for the caller to delete once this is committed."""
    name, run.stored_as = run.stored_as, None
    run.state, run.error = state, error
    session.execute(delete(ExportPerson).where(ExportPerson.export_id == run.id))
    _record(session, "export.deleted", run, by=by, at=at)
    return name


def note_download(session: Session, run: ExportRun, *, by: Viewer, at: datetime) -> None:
    """Check that the file may be handed out, and write down that it was.

    Raises `NotAllowed` for anybody but the asker with the view they had, else `Conflict`.
    """
    if by.user_id != run.asked_by:
        raise NotAllowed("A file is only for who asked for it.")
    if run.state is not ExportState.READY or run.kept_until is None or run.kept_until <= at:
        raise Conflict("The file is no longer here. Ask for it again.")
    if run.wall != wall_of(by):
        raise NotAllowed("Your account sees another part of the district now. Ask for it again.")
    run.downloads += 1
    _record(session, "export.downloaded", run, by=by, at=at, sha256=run.sha256)


def _said(text: str) -> str:
    text = text.strip()
    if len(text) > MAX_REASON or "\x00" in text:
        raise Invalid("Use at most %(most)s characters.", field="reason", most=MAX_REASON)
    return text


def _record(
    session: Session, action: str, run: ExportRun, *, by: Viewer | None, at: datetime, **facts: Any
) -> None:
    audit.record(
        session, action, kind="export", key=run.id, by=by, at=at, query=run.query,
        people=run.people, **facts,
    )  # fmt: skip
    session.flush()
