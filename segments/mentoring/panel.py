"""What a mentor's page shows, what needs doing, and the links that check-ins carry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.district import chosen
from crm.core.extend import MergeField, Recipient, Todo
from crm.core.viewer import Permission, Viewer
from crm.links.fields import link_address
from crm.links.tokens import issue
from segments.clearance.queries import office_day
from segments.mentoring.forms import CapacityForm
from segments.mentoring.models import MentorCapacity, PairState, Word
from segments.mentoring.queries import counts, pairs_of
from segments.mentoring.routes import pair_form
from segments.mentoring.rules import MentoringRules

STATES: dict[PairState, Any] = {
    PairState.ACTIVE: _("Under way"),
    PairState.DONE: _("Closed as planned"),
    PairState.ENDED: _("Ended early"),
}
TONES = {PairState.ACTIVE: "info", PairState.DONE: "good", PairState.ENDED: "warn"}
WORDS: dict[Word, Any] = {
    Word.MET: _("We met"),
    Word.NOT_YET: _("Not yet"),
    Word.STOP: _("I would like to stop"),
}


def load(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """A person's pairs, and the forms for those who may begin one."""
    session = db.session()
    rows = pairs_of(session, alumnus.id)
    may_edit = viewer.may(Permission.PEOPLE_EDIT)
    if not rows and not may_edit:
        return None
    own = session.get(MentorCapacity, alumnus.id)
    shown = [
        {
            "pair": row[0], "school": row.school, "state": STATES[row[0].state],
            "tone": TONES[row[0].state],
            "linked": viewer.school_ids is None or row[0].school_id in viewer.school_ids,
        }
        for row in rows
    ]  # fmt: skip
    return {
        "alumnus": alumnus, "rows": shown, "form": pair_form(viewer) if may_edit else None,
        "most": own.most if own else chosen(session, MentoringRules).most,
        "capacity": CapacityForm(data={"most": own.most if own else None}),
        "active": sum(row[0].state is PairState.ACTIVE for row in rows),
    }  # fmt: skip


def todo(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Check-ins that nobody answered, and mentors without clearance: somebody should call."""
    if not viewer.may(Permission.REQUESTS_ASK):
        return
    found = counts(session, viewer, office_day(session, at))
    missed, lapsed = found["missed"], found["lapsed"]
    yield Todo(
        ngettext("mentor missed a check-in", "mentors missed a check-in", missed), missed,
        url_for("mentoring.index", view="missed"), "warn", 30,
    )  # fmt: skip
    yield Todo(
        ngettext("mentor lacks the clearance", "mentors lack the clearance", lapsed), lapsed,
        url_for("mentoring.index", view="lapsed"), "bad", 12,
    )  # fmt: skip


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """A sentence for each pair of a person."""
    for pair, school in pairs_of(session, alumnus_id):
        hours = f", {pair.hours.normalize():f} hours" if pair.hours else ""
        yield f"Mentor at {school}, {pair.starts_on} to {pair.ends_on}: {pair.state}{hours}."


def _links(session: Session, recipients: Sequence[Recipient], at: datetime) -> list[str]:
    return [_link(recipient, at) for recipient in recipients]


def _link(recipient: Recipient, at: datetime) -> str:
    """The address of the check-in that a message asks for; empty for a message about none."""
    subject = str(recipient.merge.get("checkin_id", ""))
    if recipient.alumnus_id is None or not subject.isdecimal():
        return ""
    token = issue(
        "mentor", alumnus_id=recipient.alumnus_id, epoch=recipient.link_epoch, at=at,
        contact_point_id=recipient.contact_point_id, message_id=recipient.message_id,
        subject=int(subject),
    )  # fmt: skip
    return link_address("mentor", token)


MENTOR_LINK = MergeField(
    "mentor_link", _("Link to say how mentoring goes"), "https://…/mentor/…", _links, is_link=True
)
