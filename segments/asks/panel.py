"""What a person's page shows of the times they were asked, and the reasons chain of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import db
from crm.core.viewer import Viewer
from crm.mail.reasons import sentence
from segments.asks.models import Ask, AskState, CommitmentState
from segments.asks.queries import history_of

STATES: dict[AskState, Any] = {
    AskState.OPEN: _("is thinking about it"),
    AskState.ACCEPTED: _("said yes"),
    AskState.DECLINED: _("said no"),
    AskState.NONE: _("did not answer in time"),
    AskState.RELEASED: _("the place was taken first"),
    AskState.CANCELLED: _("called off"),
}
TONES = {AskState.OPEN: "info", AskState.ACCEPTED: "good", AskState.DECLINED: "warn"}
OUTCOMES: dict[CommitmentState, Any] = {
    CommitmentState.CLEARING: _("promised, is being cleared"),
    CommitmentState.PLANNED: _("promised"),
    CommitmentState.ATTENDED: _("came"),
    CommitmentState.MISSED: _("did not come"),
    CommitmentState.CANCELLED: _("taken back"),
}


def load(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """A person's asks and promises; requests of schools out of reach are shown without a link."""
    rows = history_of(db.session(), alumnus.id)
    if not rows:
        return None
    shown = [
        {
            "ask": row[0], "promise": row[1], "title": row.title or row.way, "school": row.school,
            "state": STATES[row[0].state], "tone": TONES.get(row[0].state, "quiet"),
            "outcome": OUTCOMES[row[1].state] if row[1] is not None else "",
            "linked": row.school_id is not None
            and (viewer.school_ids is None or row.school_id in viewer.school_ids),
        }
        for row in rows
    ]  # fmt: skip
    return {"alumnus": alumnus, "rows": shown}


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """For each ask why it went to them and how it ended, newest first."""
    for row in history_of(session, alumnus_id):
        ask: Ask = row[0]
        about = f"{row.title} at {row.school}" if row.school else row.way
        line = f"Asked on {ask.asked_at:%Y-%m-%d}: {about}; {STATES[ask.state]}"
        if ask.state is AskState.CANCELLED and ask.note:
            line += f" ({sentence(ask.note)})"
        if ask.rank is not None:
            chance = f", chance {ask.probability:.2f}" if ask.probability is not None else ""
            chosen = "drawn to give others a turn" if ask.chosen_by == "explore" else "ranked"
            line += f"; wave {ask.wave}, {chosen} {ask.rank}{chance}"
        if ask.reasons:
            line += ": " + "; ".join(str(reason) for reason in ask.reasons)
        yield line + "."
