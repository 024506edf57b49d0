"""What the query language may ask of events: `event:KEY`, `event.KEY:coming`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from crm.events.access import visible_events
from crm.events.models import Event, Invitation
from crm.events.queries import GROUPS
from crm.query import UnknownValue

WORDS: Mapping[str, Any] = {
    "invited": _("invited"), "coming": _("said yes"), "waiting": _("on the waiting list"),
    "maybe": _("said perhaps"), "declined": _("said no"), "none": _("did not answer"),
    "came": _("came"), "missed": _("said yes and did not come"),
}  # fmt: skip
NEAREST = 200


def _event(name: str, context: QueryContext, *, dotted: str = "") -> int:
    """The id of an event that the viewer knows of."""
    mine = visible_events(context.viewer)
    found = context.session.scalar(select(Event.id).where(Event.key == name.lower(), mine))
    if found is None:
        latest = select(Event.key).where(mine).order_by(Event.starts_at.desc()).limit(NEAREST)
        known = list(context.session.scalars(latest))
        raise UnknownValue("There is no event “%(called)s”.", known, name=dotted, called=name)
    return found


def _with(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(Invitation.alumnus_id == Alumnus.id, *conditions)


def _known_to(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return _with(Invitation.event_id == _event(match.low, context))


def _standing(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    event_id = _event(match.name, context, dotted=match.name)
    return _with(Invitation.event_id == event_id, GROUPS[str(match.low)])


def _groups(session: Session) -> Mapping[str, Any]:
    return WORDS


FIELDS = (
    QueryField(
        "event", _("Invited to an event, or was there"), FieldKind.TEXT, _known_to,
        example="event:spring-reunion",
    ),
    QueryField(
        "event.", _("How they stand to an event"), FieldKind.CHOICE, _standing, choices=_groups,
        example="event.spring-reunion:coming",
    ),
)  # fmt: skip
