"""What came of an event, as charts and as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.access import visible_alumni
from crm.alumni.export import BATCH, lines
from crm.alumni.models import Alumnus
from crm.core.viewer import Viewer
from crm.events import queries
from crm.events.models import Event, Invitation
from crm.events.queries import Figures
from crm.mail.figures import Report
from crm.web import charts

HEADINGS = (
    "alumnus_id", "name", "class_year", "invited_at", "answer", "answered_at", "guests",
    "guest_names", "needs", "came_at", "came_guests",
)  # fmt: skip


def answers_chart(found: Figures) -> charts.Stacked:
    """How the invited answered."""
    return charts.stacked(
        "answers", _("Answers"),
        [
            (_("Coming"), found.coming, "good"), (_("Perhaps"), found.maybe, "info"),
            (_("On the waiting list"), found.waiting, "warn"),
            (_("Not coming"), found.declined, "bad"), (_("No answer yet"), found.silent, "quiet"),
        ],
    )  # fmt: skip


def mail_chart(report: Report) -> charts.Stacked:
    """Where the invitations ended up (law 4)."""
    return charts.stacked(
        "mail", _("Invitations"),
        [
            (_("Sent"), report.sent, "good"), (_("Waiting"), report.waiting, "warn"),
            (_("Not sent"), report.not_sent, "quiet"),
        ],
    )  # fmt: skip


def classes_chart(session: Session, event: Event) -> charts.Bars:
    """Who came, by the decade of their class."""
    rows = [
        (f"{decade}–{decade + 9}" if decade is not None else _("Class unknown"), came)
        for decade, _invited, came in queries.decades(session, event)
    ]
    return charts.bars("classes", _("Who came, by class"), rows)


def to_json(session: Session, event: Event) -> dict[str, Any]:
    """The report as the command prints it."""
    found = queries.figures_of_one(session, event)
    classes = {
        str(decade) if decade is not None else "unknown": {"invited": invited, "came": came}
        for decade, invited, came in queries.decades(session, event)
    }
    return {
        "key": event.key, "state": event.state.value, **found.to_json(),
        "capacity": event.capacity, "mail": queries.mail_report(session, event).to_json(),
        "by_class": classes,
    }  # fmt: skip


def note_export(session: Session, event: Event, viewer: Viewer, *, at: datetime) -> None:
    """Write to the audit trail that this viewer takes the list with them."""
    audit.record(session, "event.exported", kind="event", key=event.key, by=viewer, at=at)


def stream(session: Session, event: Event, viewer: Viewer) -> Iterator[str]:
    """Everybody of the event as CSV, piece by piece; a FERPA block never leaves the house."""
    statement = (
        select(Invitation, Alumnus)
        .join(Alumnus, Alumnus.id == Invitation.alumnus_id)
        .where(
            Invitation.event_id == event.id, visible_alumni(viewer), Alumnus.ferpa_block.is_(False)
        )
        .order_by(Alumnus.sort_key, Alumnus.id)
        .execution_options(yield_per=BATCH)
    )
    yield "\ufeff" + lines([HEADINGS])
    for batch in session.execute(statement).partitions():
        yield lines([_cells(invitation, person) for invitation, person in batch])


def _cells(invitation: Invitation, person: Alumnus) -> list[Any]:
    values = {**vars(invitation), "name": person.full_name, "class_year": person.class_year}
    return [_plain(values[name]) for name in HEADINGS]


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="minutes") if isinstance(value, datetime) else value
