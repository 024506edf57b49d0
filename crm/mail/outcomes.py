"""What follows from events: the state of messages, addresses that fail, people who leave or click.

Machines are not people (law 9): a click by a known scanner, within seconds of the delivery, or on
several links in one second is kept but marks nobody as engaged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import FromClause, and_, case, exists, func, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from crm.alumni.models import ContactKind, ContactPoint, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource, SuppressionReason
from crm.core.database import among
from crm.interactions import service as interactions
from crm.interactions.models import Interaction, Mode
from crm.mail.models import Delivery, DeliveryEvent, Message, MessageState
from crm.mail.webhook import Event

CLICK = "click:"
SOON = timedelta(seconds=10)
SKEW = timedelta(days=1)
"""So far may the provider's clock be behind ours: no event of a message is older than that."""
LOOSE: dict[str, Any] = {"synchronize_session": False}
# What certainly reached the reader's server, or came from the reader: the fence has leaked if its
# message was to be sent again.
CERTAIN = frozenset({"delivered", "bounce", "open", "click", "spamreport", "unsubscribe"})
PROOF = CERTAIN | {"processed", "deferred", "dropped", "blocked"}
RANKS = {
    Delivery.NONE: 0, Delivery.PROCESSED: 1, Delivery.DEFERRED: 2, Delivery.DELIVERED: 3,
    Delivery.DROPPED: 4, Delivery.BOUNCED: 5, Delivery.COMPLAINED: 6,
}  # fmt: skip
TELLS = {
    "processed": Delivery.PROCESSED, "deferred": Delivery.DEFERRED,
    "delivered": Delivery.DELIVERED, "dropped": Delivery.DROPPED, "blocked": Delivery.DROPPED,
    "bounce": Delivery.BOUNCED, "spamreport": Delivery.COMPLAINED,
}  # fmt: skip
SUPPRESSES = {
    "bounce": SuppressionReason.BOUNCED, "spamreport": SuppressionReason.COMPLAINED,
    "unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "group_unsubscribe": SuppressionReason.UNSUBSCRIBED,
}  # fmt: skip
# Why SendGrid drops mail on its own: it knows something of the address that we do not yet.
DROPPED_FOR = {
    "bounced address": SuppressionReason.BOUNCED,
    "spam reporting address": SuppressionReason.COMPLAINED,
    "unsubscribed address": SuppressionReason.UNSUBSCRIBED,
    "invalid": SuppressionReason.BOUNCED,
}


def draw(session: Session, new: Sequence[Event], *, at: datetime) -> None:
    """Bring messages, addresses, consent and interactions up to what the events now say."""
    ids = sorted({event.message_id for event in new if event.message_id is not None})
    people, since = _locked(session, ids)
    known = [event for event in new if event.message_id in people]
    ids = [i for i in ids if i in people]
    _accept(session, known, at)
    if since is not None:
        _mark_machines(session, ids, since)
        _fold(session, ids, since)
        _note_clicks(session, ids, since)
    _close_addresses(session, new, at)
    _withdraw(session, known, people)


def _locked(
    session: Session, ids: Sequence[UUID]
) -> tuple[dict[UUID, int | None], datetime | None]:
    """The messages that exist, locked in one order, with the person of each.

    And since when there are events of them: what spares looking into the months before.
    """
    wanted = select(Message.id, Message.alumnus_id, Message.queued_at)
    statement = wanted.where(among(Message.id, ids)).order_by(Message.id).with_for_update()
    rows = session.execute(statement).all()
    since = min((row.queued_at for row in rows), default=None)
    return {row.id: row.alumnus_id for row in rows}, since - SKEW if since else None


def _accept(session: Session, events: Sequence[Event], at: datetime) -> None:
    """Events prove that messages went, and one proves it for its whole batch.

    An event of an attempt that was cancelled proves nothing, unless it tells of a delivery.
    """
    certain = {e.message_id for e in events if e.kind in CERTAIN}
    told = {(e.message_id, e.attempt) for e in events if e.kind in PROOF}
    attempts: dict[int | None, list[UUID | None]] = defaultdict(list)
    for identity, attempt in told:
        attempts[attempt].append(identity)
    in_hand = [MessageState.CLAIMED, MessageState.UNCERTAIN]
    back = [*in_hand, MessageState.CANCELLING, MessageState.QUEUED]
    proven = [
        and_(among(Message.id, ids), Message.attempt == attempt, Message.state.in_(in_hand))
        for attempt, ids in attempts.items()
    ]
    leaked = and_(among(Message.id, certain), Message.attempt > 0, Message.state.in_(back))
    accepted = {
        "state": MessageState.ACCEPTED, "accepted_at": func.coalesce(Message.claimed_at, at),
        "reason": None,
    }  # fmt: skip
    statement = update(Message).where(or_(leaked, *proven)).values(accepted)
    batches = session.scalars(statement.returning(Message.batch_id), execution_options=LOOSE)
    names = {name for name in batches if name is not None}
    if names:
        rest = update(Message).where(among(Message.batch_id, names), Message.state.in_(in_hand))
        session.execute(rest.values(accepted), execution_options=LOOSE)


def _mark_machines(session: Session, ids: Sequence[UUID], since: datetime) -> None:
    """Mark clicks that no person made, judged by all that is known of the message."""
    delivered, other = aliased(DeliveryEvent), aliased(DeliveryEvent)
    too_soon = exists().where(
        delivered.message_id == DeliveryEvent.message_id, delivered.kind == "delivered",
        delivered.at >= since,
        DeliveryEvent.at >= delivered.at, DeliveryEvent.at < delivered.at + SOON,
    )  # fmt: skip
    at_once = exists().where(
        other.message_id == DeliveryEvent.message_id, other.kind == "click",
        other.at == DeliveryEvent.at, other.at >= since,
        other.payload["url"].astext != DeliveryEvent.payload["url"].astext,
    )  # fmt: skip
    statement = update(DeliveryEvent).where(
        among(DeliveryEvent.message_id, ids), DeliveryEvent.at >= since,
        DeliveryEvent.kind == "click", DeliveryEvent.machine.is_(False), or_(too_soon, at_once),
    )  # fmt: skip
    session.execute(statement.values(machine=True), execution_options=LOOSE)


def _fold(session: Session, ids: Sequence[UUID], since: datetime) -> None:
    """Set delivery, its moment and the first click from all events of each message.

    What was concluded from events that are no longer kept stays.
    """
    rank = case(
        *((DeliveryEvent.kind == kind, RANKS[told]) for kind, told in TELLS.items()), else_=0
    )
    click = DeliveryEvent.kind == "click"
    first = func.min(DeliveryEvent.at)
    told = (
        select(
            DeliveryEvent.message_id, func.max(rank).label("rank"),
            first.filter(DeliveryEvent.kind == "delivered").label("delivered"),
            first.filter(click).label("earliest"),
            first.filter(click, DeliveryEvent.machine.is_(False)).label("clicked"),
        )
        .where(among(DeliveryEvent.message_id, ids), DeliveryEvent.at >= since)
        .group_by(DeliveryEvent.message_id)
        .subquery()
    )  # fmt: skip
    known = case(*((Message.delivery == word, n) for word, n in RANKS.items()), else_=0)
    best = case(
        *((func.greatest(told.c.rank, known) == n, literal(d.value)) for d, n in RANKS.items())
    )
    before = or_(told.c.earliest.is_(None), Message.clicked_at < told.c.earliest)
    gone = case((before, Message.clicked_at))
    statement = update(Message).where(Message.id == told.c.message_id)
    session.execute(
        statement.values(
            delivery=best, delivered_at=func.least(Message.delivered_at, told.c.delivered),
            clicked_at=func.least(gone, told.c.clicked),
        ),
        execution_options=LOOSE,
    )  # fmt: skip


def _note_clicks(session: Session, ids: Sequence[UUID], since: datetime) -> None:
    """One interaction for each message that was clicked; by a machine until a person did."""
    first = func.min(DeliveryEvent.at)
    human = first.filter(DeliveryEvent.machine.is_(False))
    clicked = (
        select(
            Message.id, Message.alumnus_id, Message.origin,
            func.coalesce(human, first).label("at"), human.is_(None).label("machine"),
            first.label("earliest"),
        )
        .join(DeliveryEvent, DeliveryEvent.message_id == Message.id)
        .where(
            among(Message.id, ids), Message.alumnus_id.is_not(None), DeliveryEvent.kind == "click",
            DeliveryEvent.at >= since,
        )
        .group_by(Message.id)
    )  # fmt: skip
    rows = session.execute(clicked).all()
    interactions.record_many(
        session,
        (
            {
                "alumnus_id": row.alumnus_id, "occurred_at": row.at, "kind": "link_clicked",
                "mode": Mode.COMMUNICATION, "origin": row.origin, "machine": row.machine,
                "dedupe_key": f"{CLICK}{row.id}",
            }
            for row in rows
        ),
    )  # fmt: skip
    if rows:
        _correct_clicks(session, clicked.subquery())


def _correct_clicks(session: Session, now: FromClause) -> None:
    """Let the interactions of clicks say what is known now.

    A person's click whose event is no longer kept stays what it is.
    """
    changed = or_(Interaction.machine != now.c.machine, Interaction.occurred_at != now.c.at)
    kept = or_(Interaction.machine, Interaction.occurred_at >= now.c.earliest)
    session.execute(
        update(Interaction)
        .where(Interaction.dedupe_key == func.concat(CLICK, now.c.id), changed, kept)
        .values(machine=now.c.machine, occurred_at=now.c.at),
        execution_options=LOOSE,
    )


def _close_addresses(session: Session, events: Sequence[Event], at: datetime) -> None:
    """Suppress addresses that bounced, complained or left; mark those that do not work."""
    by_reason: dict[tuple[SuppressionReason, datetime], set[str]] = defaultdict(set)
    bounced: set[str] = set()
    for event in events:
        reason = SUPPRESSES.get(event.kind)
        if event.kind == "dropped":
            reason = DROPPED_FOR.get(event.reason.strip().lower())
        if reason is None or not event.address:
            continue
        by_reason[reason, event.at].add(event.address)
        if reason is SuppressionReason.BOUNCED:
            bounced.add(event.address)
    for (reason, moment), addresses in sorted(by_reason.items()):
        consent.suppress(session, addresses, reason=reason, source="sendgrid", at=moment)
    if bounced:
        works = ContactPoint.status.in_([ContactStatus.OK, ContactStatus.UNCONFIRMED])
        session.execute(
            update(ContactPoint)
            .where(ContactPoint.kind == ContactKind.EMAIL, among(ContactPoint.key, bounced), works)
            .values(status=ContactStatus.BOUNCED, updated_at=at),
            execution_options=LOOSE,
        )


def _withdraw(session: Session, events: Sequence[Event], people: dict[UUID, int | None]) -> None:
    """Whoever complains or leaves at the provider gets nothing more, about any topic."""
    for event in events:
        if event.kind not in {"spamreport", "unsubscribe", "group_unsubscribe"}:
            continue
        person = people[event.message_id] if event.message_id else None
        if person is not None:
            consent.withdraw(
                session, person, topic_key=None, source=ConsentSource.PROVIDER, at=event.at,
                reference=f"{event.kind}:{event.message_id}",
            )  # fmt: skip
