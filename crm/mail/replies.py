"""What follows from a mail that came in: a reply in the timeline, or the end of all mail."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint, ContactStatus
from crm.consent import service as consent
from crm.consent.models import ConsentSource
from crm.interactions import service as interactions
from crm.interactions.models import Mode
from crm.mail.inbound import Incoming
from crm.mail.models import DeliveryEvent, Message, MessageState

log = structlog.get_logger(__name__)
REPLIED = "replied"
MOST_MESSAGES = 200


class Fate(StrEnum):
    """What became of a mail that came in."""

    RECORDED = "recorded"
    KNOWN = "known"
    STOPPED = "stopped"
    AUTOMATIC = "automatic"
    FORGED = "forged"
    STRANGER = "stranger"


def take_in(session: Session, mail: Incoming, *, at: datetime) -> Fate:
    """Record a reply once, or withdraw consent where it asks for that; says what was done."""
    fate = _take_in(session, mail, at)
    log.info("mail.reply", fate=fate.value)
    return fate


def _take_in(session: Session, mail: Incoming, at: datetime) -> Fate:
    if mail.automatic:
        return Fate.AUTOMATIC
    answered = _answered(session, mail)
    known = answered.alumnus_id if answered is not None else None
    people = [known] if known is not None else _people(session, mail.sender)
    if answered is None and mail.forged:
        # Nothing but the sender's name tells who it is, and that is not theirs.
        return Fate.FORGED
    if mail.stop and people:
        for person in people:
            consent.withdraw(
                session, _kept(session, person), topic_key=None, source=ConsentSource.PROVIDER,
                at=at, reference=f"reply:{mail.once[:32]}", wording=mail.stop,
            )  # fmt: skip
        return Fate.STOPPED
    if len(people) != 1:
        # An address that several share does not say which of them wrote.
        return Fate.STRANGER
    if answered is None:
        answered = _by_provider_id(session, people[0], mail.mail_ids)
    new = interactions.record(
        session, _kept(session, people[0]), occurred_at=at, kind=REPLIED, mode=Mode.COMMUNICATION,
        dedupe_key=f"{REPLIED}:{mail.once}", origin=answered.origin if answered else "",
    )  # fmt: skip
    return Fate.RECORDED if new else Fate.KNOWN


def _answered(session: Session, mail: Incoming) -> Message | None:
    """The message of ours that it answers, by the id that our mail carried."""
    rows = session.scalars(
        select(Message).where(Message.id.in_(mail.answers), Message.alumnus_id.is_not(None))
    )
    found = {message.id: message for message in rows}
    return next((found[identity] for identity in mail.answers if identity in found), None)


def _people(session: Session, address: str) -> list[int]:
    """Whose own address it is."""
    statement = (
        select(ContactPoint.alumnus_id)
        .join(Alumnus, Alumnus.id == ContactPoint.alumnus_id)
        .where(
            ContactPoint.kind == ContactKind.EMAIL, ContactPoint.key == address,
            ContactPoint.owner == ContactOwner.OWN, ContactPoint.status != ContactStatus.RETIRED,
            Alumnus.merged_into_id.is_(None),
        )
        .distinct()
        .order_by(ContactPoint.alumnus_id)
    )  # fmt: skip
    return list(session.scalars(statement))


def _by_provider_id(session: Session, person: int, mail_ids: tuple[str, ...]) -> Message | None:
    """The message that the provider sent under one of these ids: its events name them."""
    if not mail_ids:
        return None
    recent = (
        select(Message.id)
        .where(Message.alumnus_id == person, Message.state == MessageState.ACCEPTED)
        .order_by(Message.accepted_at.desc())
        .limit(MOST_MESSAGES)
    )
    told = DeliveryEvent.payload["smtp-id"].astext
    found = (
        select(Message)
        .join(DeliveryEvent, DeliveryEvent.message_id == Message.id)
        .where(DeliveryEvent.message_id.in_(recent), told.in_(mail_ids))
        .order_by(DeliveryEvent.at.desc())
        .limit(1)
    )
    return session.scalars(found).first()


def _kept(session: Session, person: int) -> int:
    """The record that stands for a person today."""
    merged = select(func.coalesce(Alumnus.merged_into_id, Alumnus.id)).where(Alumnus.id == person)
    return int(session.execute(merged).scalar_one())
