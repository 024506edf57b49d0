"""What the desk adds to a request's page and to the home page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from crm.accounts.looks import saw
from crm.core.database import db
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.mail.facts import GONE
from crm.mail.history import fate
from crm.mail.models import Message, MessageState
from segments.asks.forms import AttendanceForm
from segments.asks.models import Commitment, CommitmentState
from segments.asks.panel import OUTCOMES, STATES, TONES
from segments.asks.queries import asks_of_request, commitments_of, places_left, thanks_of
from segments.desk.queries import counts_of_todo, lapsed_promises, progress
from segments.requests.models import Request, RequestState
from segments.requests.page import zone_of
from segments.requests.service import ASKABLE

WORDS: dict[str, tuple[Callable[[int], str], str, int]] = {
    "late": (
        lambda n: ngettext("request is overdue", "requests are overdue", n), "bad", 10,
    ),
    "soon": (
        lambda n: ngettext("request is nearly due", "requests are nearly due", n), "warn", 16,
    ),
    "nobody_left": (
        lambda n: ngettext("request has nobody left to ask", "requests have nobody left to ask", n),
        "bad", 15,
    ),
    "lapsed": (
        lambda n: ngettext(
            "promised visit lacks a clearance on its day",
            "promised visits lack a clearance on their day", n,
        ),
        "bad", 12,
    ),
    "attendance": (
        lambda n: ngettext(
            "visit waits for the school's word", "visits wait for the school's word", n
        ),
        "warn", 40,
    ),
}  # fmt: skip


def told(promise: Commitment) -> bool:
    """Whether the school has the contact data of a promise: not while its person is cleared."""
    return promise.state is not CommitmentState.CLEARING


def thanks_told(letter: Message | None, request: Request, *, why: bool) -> str:
    """What became of the thanks for a visit; with `why` the reason that a letter did not go."""
    if request.state is RequestState.THANKED or (letter and letter.state in GONE):
        return gettext("thanked")
    if letter is None:
        return ""
    if letter.state is MessageState.QUEUED:
        return gettext("thanks are on their way")
    if why:
        return gettext("thanks: %(fate)s", fate=fate(letter))
    return gettext("our thanks could not be mailed")


def load(viewer: Viewer, request: Request, at: datetime) -> Mapping[str, Any] | None:
    """How far a request has come, who said yes, who was asked, and the next step."""
    session = db.session()
    may_ask = viewer.may(Permission.REQUESTS_ASK)
    may_post = viewer.may(Permission.REQUESTS_CREATE)
    lapsed = lapsed_promises(session, request.id) if may_post else set()
    rows = commitments_of(session, request.id)
    letters = thanks_of(session, [row[0].ask_id for row in rows if row[0].thanked_at])
    promises = [
        {
            "thanks": thanks_told(letters.get(row[0].ask_id), request, why=may_ask),
            "promise": row[0], "person": row[1], "outcome": OUTCOMES[row[0].state],
            "email": row[2] if may_post and told(row[0]) else None,
            "phone": row[3] if may_post and told(row[0]) else None,
            "to_confirm": may_post and row[0].state is CommitmentState.PLANNED
            and row[0].starts_at <= at,
            "lapsed": row[0].id in lapsed,
        }
        for row in rows
    ]  # fmt: skip
    if shown := [p["person"].id for p in promises if p["email"] or p["phone"]]:
        saw("request", shown)
    return {
        "steps": progress(session, request), "promises": promises, "request_row": request,
        "form": AttendanceForm(), "zone": zone_of(session, request), "states": STATES,
        "tones": TONES, "asks": asks_of_request(session, request.id) if may_ask else [],
        "can_ask": may_ask and request.state in ASKABLE and places_left(session, request) > 0,
        "nobody_left": request.reason == "nobody_left" and request.state in ASKABLE,
        "instead": may_post and request.state in {*ASKABLE, RequestState.UNFILLED},
        "draft": request.state is RequestState.DRAFT,
    }  # fmt: skip


def todo(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Requests that would slip through the cracks."""
    if not viewer.may(Permission.REQUESTS_CREATE):
        return
    counts = counts_of_todo(session, viewer, at)
    for key, (label, tone, order) in WORDS.items():
        shown: dict[str, Any] = {"view": "list", "group": "asking"}
        if key in {"late", "soon"}:
            shown = {"view": "list", "due": key}
            if not viewer.may(Permission.REQUESTS_ASK):
                shown["turn"] = "school"
        elif key in {"attendance", "lapsed"}:
            shown["group"] = "filled"
        href = url_for("requests.index", **shown)
        yield Todo(label(counts[key]), counts[key], href, tone, order)
