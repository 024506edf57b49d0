"""What a person's own page shows: what we hold of them, and what they may choose from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    Interest,
    InterestKind,
    Schooling,
    Subject,
    Way,
)
from crm.consent.models import Topic
from crm.consent.queries import choices_of, topics
from crm.consent.topic_pauses import pauses_of
from crm.consent.words import topic_about, topic_name
from crm.links.service import mask, mask_phone
from crm.mail.models import Message
from crm.schools.models import School


@dataclass(frozen=True)
class Held:
    """What we hold of a person, with contact data masked."""

    schools: Sequence[tuple[str, int | None]]
    contacts: Sequence[tuple[ContactKind, str, bool]]
    ways: frozenset[str]
    subjects: frozenset[str]
    topics: frozenset[str]
    nothing: bool
    breaks: Mapping[str, date]


@dataclass(frozen=True)
class Choices:
    """What may be chosen, each with its label in the reader's language."""

    ways: Sequence[tuple[str, str]]
    subjects: Sequence[tuple[str, str]]
    topics: Sequence[tuple[str, str]]
    topic_names: Sequence[tuple[str, str]]


def held(session: Session, alumnus: Alumnus, *, at: datetime) -> Held:
    """What we hold of one person."""
    gets = topics_of(session, alumnus.id)
    mine = interests(session, alumnus.id)
    return Held(
        schools=_schools(session, alumnus.id),
        contacts=_contacts(session, alumnus.id),
        ways=mine[InterestKind.WAY],
        subjects=mine[InterestKind.SUBJECT],
        topics=gets,
        nothing=not gets,
        breaks=pauses_of(session, alumnus.id, today=at.date()),
    )


def choices(session: Session, mine: Held) -> Choices:
    """What is offered to everybody, and what this person chose before it was withdrawn."""
    ways = session.scalars(select(Way).order_by(Way.position, Way.key))
    subjects = session.scalars(select(Subject).order_by(Subject.position, Subject.key))
    offered = [way for way in ways if way.offered or way.key in mine.ways]
    about = topics(session)
    names = [(topic.key, topic_name(topic)) for topic in about]
    return Choices(_labelled(offered), _labelled(subjects), _described(about), names)


def _labelled(rows: Iterable[Any]) -> list[tuple[str, str]]:
    return [(row.key, gettext(row.label)) for row in rows]


def _described(rows: Iterable[Topic]) -> list[tuple[str, str]]:
    return [(row.key, ": ".join(filter(None, (topic_name(row), topic_about(row))))) for row in rows]


def _schools(session: Session, alumnus_id: int) -> list[tuple[str, int | None]]:
    statement = (
        select(School.name, Schooling.class_year)
        .join(Schooling, Schooling.school_id == School.id)
        .where(Schooling.alumnus_id == alumnus_id)
        .order_by(Schooling.class_year.desc().nulls_last(), Schooling.id)
    )
    return [(name, year) for name, year in session.execute(statement)]


def _contacts(session: Session, alumnus_id: int) -> list[tuple[ContactKind, str, bool]]:
    """(kind, masked value, whether it is the one we use) of what is the person's own."""
    statement = (
        select(ContactPoint)
        .where(
            ContactPoint.alumnus_id == alumnus_id,
            ContactPoint.owner == ContactOwner.OWN,
            ContactPoint.status != ContactStatus.RETIRED,
        )
        .order_by(ContactPoint.kind, ContactPoint.preferred.desc(), ContactPoint.id)
        .limit(20)
    )
    return [(p.kind, _masked(p), p.preferred) for p in session.scalars(statement)]


def _masked(point: ContactPoint) -> str:
    if point.kind is ContactKind.EMAIL:
        return mask(point.value)
    if point.kind is ContactKind.PHONE:
        return mask_phone(point.value)
    return f"{point.value[:3]}•••"


def topics_of(session: Session, alumnus_id: int) -> frozenset[str]:
    """The keys of the topics that a person gets."""
    return frozenset(key for key, yes in choices_of(session, alumnus_id).items() if yes)


def interests(
    session: Session, alumnus_id: int, kinds: Collection[InterestKind] = tuple(InterestKind)
) -> dict[InterestKind, frozenset[str]]:
    """The keys of a person's interests, for each of the kinds."""
    if not kinds:
        return {}
    statement = select(Interest.kind, Interest.key).where(
        Interest.alumnus_id == alumnus_id, Interest.kind.in_(kinds)
    )
    found = session.execute(statement).all()
    return {kind: frozenset(key for each, key in found if each is kind) for kind in kinds}


def topic_of(session: Session, message_id: UUID | None) -> Topic | None:
    """The topic that a message was about, if it was about one."""
    if message_id is None:
        return None
    statement = select(Topic).join(Message, Message.topic_key == Topic.key)
    return session.scalars(statement.where(Message.id == message_id)).one_or_none()


def preferred_email(session: Session, alumnus_id: int) -> ContactPoint | None:
    """The address that we write to."""
    statement = select(ContactPoint).where(
        ContactPoint.alumnus_id == alumnus_id,
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.preferred,
    )
    return session.scalars(statement).one_or_none()
