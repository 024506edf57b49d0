"""Lost classmates: an invitation in our own words, or a note that the office follows up.

Whoever names somebody learns nothing: what becomes of it is decided by a job, and the page is the
same for all. An invitation goes to an address once a year at most, never to one that must not be
mailed, and not to people whom we reach anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import current_app, url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.contacts import email_form
from crm.consent.queries import address_suppressed
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.jobs import jobs
from crm.core.viewer import Permission, Viewer
from crm.door import gate
from crm.door.forms import clean_name
from crm.door.joining import known_by
from crm.door.models import ClassmateInvited, ClassmateNote, NoteState
from crm.links.letters import send_letter
from crm.schools.models import School
from crm.web.paging import Page, keyset

INVITE = "door.classmate"
YEAR = timedelta(days=365)
LIFE = timedelta(days=7)
BATCH = 50


def tell(
    session: Session,
    *,
    name: str,
    sender: str,
    school_id: int | None,
    class_year: int | None,
    email: str,
    hint: str,
    language: str,
    at: datetime,
) -> ClassmateNote:
    """Keep who is looked for; raises `Invalid` for an address that can be none."""
    address = email_form(email)[0] if email else ""
    note = ClassmateNote(
        name=name, sender=clean_name(sender), school_id=school_id, class_year=class_year,
        email=address, hint=hint, language=language, created_at=at,
        state=NoteState.INVITING if address else NoteState.OPEN,
    )  # fmt: skip
    session.add(note)
    session.flush()
    # For a note without an address the job finds nothing to do: the post took the same work.
    jobs(current_app._get_current_object()).enqueue(session, INVITE, note_id=note.id)  # type: ignore[attr-defined]
    return note


def invite(note_id: int) -> None:
    """The job: decide the invitation of one note."""
    session, at = db.session(), clock.now()
    note = session.get(ClassmateNote, note_id, with_for_update={"skip_locked": True})
    if note is not None and note.state is NoteState.INVITING:
        decide(session, note, at=at)
    session.commit()


def invitations(at: datetime) -> None:
    """The clock's knock: invitations whose job was lost."""
    session = db.session()
    rows = session.scalars(
        select(ClassmateNote)
        .where(
            ClassmateNote.state == NoteState.INVITING,
            ClassmateNote.created_at <= at - timedelta(minutes=2),
        )
        .order_by(ClassmateNote.created_at, ClassmateNote.id)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for note in rows:
        decide(session, note, at=at)
    session.commit()


def decide(session: Session, note: ClassmateNote, *, at: datetime) -> None:
    """Queue the one invitation that an address may get in a year, or none; the note goes."""
    if _may_invite(session, note.email, at=at):
        send_letter(
            session, "classmate-invitation", key=f"classmate:{note.id}", to_address=note.email,
            language=note.language,
            merge={"sender_name": note.sender, "join_link": f"{current_settings().base_url}/join"},
            origin="link:classmate", at=at, expires_at=at + LIFE,
        )  # fmt: skip
    session.delete(note)


def _may_invite(session: Session, email: str, *, at: datetime) -> bool:
    key = email_form(email)[1]
    suppressed = session.scalar(select(address_suppressed(key)))
    if suppressed or known_by(session, key, {}) is not None:
        return False
    statement = insert(ClassmateInvited).values(address_hash=gate.hashed(gate.mailbox(key)), at=at)
    statement = statement.on_conflict_do_update(
        index_elements=[ClassmateInvited.address_hash], set_={"at": at},
        where=ClassmateInvited.at <= at - YEAR,
    )  # fmt: skip
    first = session.execute(statement.returning(ClassmateInvited.address_hash)).first()
    return first is not None and gate.may_write(session, key, at=at)


def visible(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on `ClassmateNote`: those about the viewer's schools; the office sees all."""
    if viewer.school_ids is None:
        return true()
    return ClassmateNote.school_id.in_(sorted(viewer.school_ids))


def notes_page(session: Session, viewer: Viewer, *, ended: bool, after: str | None) -> Page[Any]:
    """Notes for the office, the oldest first; those that were dealt with the newest first."""
    states = [NoteState.DONE, NoteState.DISMISSED] if ended else [NoteState.OPEN]
    statement = (
        select(ClassmateNote, School.name.label("school"))
        .outerjoin(School, School.id == ClassmateNote.school_id)
        .where(visible(viewer), ClassmateNote.state.in_(states))
    )
    key = ClassmateNote.created_at, ClassmateNote.id
    return keyset(session, statement, key, after=after, descending=ended)


def end(
    session: Session, note_id: int, state: NoteState, *, by: Viewer, at: datetime
) -> ClassmateNote:
    """Deal with a note, or open it again; raises `NotFound` for one that is not the viewer's."""
    shown = or_(*(ClassmateNote.state == s for s in NoteState if s is not NoteState.INVITING))
    statement = select(ClassmateNote).where(ClassmateNote.id == note_id, visible(by), shown)
    note = session.scalars(statement.with_for_update()).one_or_none()
    if note is None:
        raise NotFound("There is no such note.")
    note.state = state
    over = state is not NoteState.OPEN
    note.ended_at, note.ended_by = (at, by.user_id) if over else (None, None)
    audit.record(
        session, "classmate.dealt_with", kind="classmate", key=note.id, by=by, at=at,
        state=state.value,
    )  # fmt: skip
    session.flush()
    return note


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Lost classmates whom somebody told us of."""
    if not viewer.may(Permission.PEOPLE_EDIT):
        return
    waiting = select(func.count()).where(visible(viewer), ClassmateNote.state == NoteState.OPEN)
    count = session.execute(waiting).scalar_one()
    label = ngettext("lost classmate to look for", "lost classmates to look for", count)
    yield Todo(label, count, url_for("classmates.index"), "info", 60)
