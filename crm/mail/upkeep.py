"""What mail tells about itself: periodic work, `doctor`, `/metrics`, the home page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, current_app, url_for
from flask_babel import ngettext
from sqlalchemy.orm import Session

from crm.alumni.access import sees_contact
from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.extend import Check, Todo
from crm.core.viewer import Permission, Viewer
from crm.mail import because, history
from crm.mail.delivery import deliver
from crm.mail.reconcile import reconcile
from crm.mail.settle import to_decide

LATE = timedelta(minutes=15)
SHOWN = 30


def deliver_due(at: datetime) -> None:
    """The clock's knock: hand over what is due."""
    deliver(_app(), at=at)


def settle(at: datetime) -> None:
    """The clock's knock: settle what is in doubt."""
    reconcile(_app(), at=at)


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


def checks(at: datetime) -> Iterable[Check]:
    """Whether mail flows."""
    row = history.counts(db.session(), at)
    if row.since is not None and at - row.since > LATE:
        yield Check(
            "outbox",
            "warn",
            f"{row.due} messages are due since {row.since:%Y-%m-%d %H:%M} UTC",
            "Start a worker and a clock (homecoming serve), or run homecoming mail deliver.",
        )
    else:
        yield Check("outbox", "ok", f"{row.waiting} messages wait, {row.due} of them are due")
    if row.doubt:
        yield Check(
            "uncertain mail",
            "warn",
            f"{row.doubt} messages may or may not have gone",
            "They are settled by the provider's events; homecoming mail settle decides by hand.",
        )


def metrics(session: Session, at: datetime) -> Iterable[tuple[str, str, float]]:
    """Figures for monitoring."""
    row = history.counts(session, at)
    late = (at - row.since).total_seconds() if row.since is not None else 0.0
    yield "homecoming_messages_waiting", "Messages queued", row.waiting
    yield "homecoming_messages_due", "Messages due now", row.due
    yield "homecoming_messages_uncertain", "Messages that may or may not have gone", row.doubt
    yield "homecoming_messages_due_age_seconds", "Since the oldest due message was due", late


def panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """The mail to one person with what became of each."""
    rows = db.session.execute(history.mail_of(alumnus.id).limit(SHOWN + 1)).all()
    return {"mail": history.timeline(rows[:SHOWN]), "more": len(rows) > SHOWN}


def why_panel(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """Why we may or may not write to one person, for staff who look after their record."""
    if not viewer.may(Permission.CONTACT_VIEW):
        return None
    session = db.session()
    shown = sees_contact(session, viewer, alumnus.id)
    found, around = because.told(session, alumnus.id, at=at, shown=shown)
    return {"told": found, "around": around, "kinds": because.KINDS}


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Messages in doubt that only a person can settle."""
    if viewer.may(Permission.MAILBOX):
        count = to_decide(session)
        label = ngettext("mail may or may not have gone", "mails may or may not have gone", count)
        yield Todo(label, count, url_for("mail.doubt"), "warn", 50)
