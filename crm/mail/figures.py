"""Where the messages of one origin ended up: figures that add up (law 4), and whom they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.viewer import Viewer
from crm.mail.models import Delivery, Message, MessageState
from crm.web.paging import Page, keyset

WAITING = (
    MessageState.QUEUED, MessageState.CLAIMED, MessageState.UNCERTAIN, MessageState.CANCELLING,
)  # fmt: skip
NOT_SENT = (MessageState.SKIPPED, MessageState.FAILED)
GROUPS: Mapping[str, tuple[MessageState, ...]] = {
    "sent": (MessageState.ACCEPTED,), "waiting": WAITING, "skipped": NOT_SENT,
}  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Where an audience ended up: `sent` + the sum of `skipped` + `waiting` = `audience`."""

    audience: int
    sent: int = 0
    waiting: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    clicked: int = 0
    uncertain: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether everybody is accounted for."""
        return self.sent + self.waiting + self.not_sent == self.audience

    @property
    def not_sent(self) -> int:
        """How many never got it, for whatever reason."""
        return sum(self.skipped.values())

    def to_json(self) -> dict[str, Any]:
        """The report as the commands print it."""
        return {
            "audience": self.audience, "sent": self.sent, "skipped": dict(self.skipped),
            "waiting": self.waiting, "uncertain": self.uncertain, "delivered": self.delivered,
            "bounced": self.bounced, "complained": self.complained, "clicked": self.clicked,
        }  # fmt: skip


def reports_of(session: Session, audiences: Mapping[str, int]) -> dict[str, Report]:
    """The report of each origin, given how large its audience was, in one statement."""
    reason = case((Message.state.in_(NOT_SENT), Message.reason), else_=None)
    clicked = func.count().filter(Message.clicked_at.is_not(None))
    statement = (
        select(Message.origin, Message.state, Message.delivery, reason, func.count(), clicked)
        .where(Message.origin.in_(list(audiences)))
        .group_by(Message.origin, Message.state, Message.delivery, reason)
    )
    rows: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        rows.setdefault(row[0], []).append(row[1:])
    return {origin: _sum_up(size, rows.get(origin, [])) for origin, size in audiences.items()}


def _sum_up(audience: int, rows: Iterable[Any]) -> Report:
    sent = waiting = uncertain = clicks = 0
    skipped: dict[str, int] = {}
    told = dict.fromkeys(Delivery, 0)
    for state, delivery, reason, count, clicked in rows:
        if state is MessageState.ACCEPTED:
            sent, clicks = sent + count, clicks + clicked
            told[delivery] += count
        elif state in WAITING:
            waiting += count
            uncertain += count if state is MessageState.UNCERTAIN else 0
        else:
            key = reason or "refused_by_provider"
            skipped[key] = skipped.get(key, 0) + count
    ordered = dict(sorted(skipped.items(), key=lambda item: -item[1]))
    bounced = told[Delivery.BOUNCED] + told[Delivery.DROPPED]
    return Report(
        audience=audience, sent=sent, waiting=waiting, skipped=ordered, clicked=clicks,
        delivered=told[Delivery.DELIVERED], bounced=bounced, uncertain=uncertain,
        complained=told[Delivery.COMPLAINED],
    )  # fmt: skip


def addressees(
    session: Session, origin: str, viewer: Viewer, *, state: str, reason: str, after: str | None
) -> Page[Any]:
    """The people behind a figure of a report, by name, within the viewer's wall.

    Rows of (Alumnus, state, reason, not_before, delivery); `state` is a key of `GROUPS` or empty.
    """
    statement = (
        select(Alumnus, Message.state, Message.reason, Message.not_before, Message.delivery)
        .join(Message, Message.alumnus_id == Alumnus.id)
        .where(Message.origin == origin, visible_alumni(viewer))
    )
    if state in GROUPS:
        statement = statement.where(Message.state.in_(GROUPS[state]))
    if reason:
        statement = statement.where(Message.reason == reason)
    return keyset(session, statement, (Alumnus.sort_key, Alumnus.id), after=after)
