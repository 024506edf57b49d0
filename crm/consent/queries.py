"""Reads of the ledger: what may be sent, to whom, and why.

The latest entry that covers a topic decides. An entry without a topic covers all of them, except
that granting everything is no agreement to a topic that needs one of its own (opt-in). A person
without an entry is reached by opt-out topics only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from crm.alumni.models import Alumnus, ContactKind, ContactPoint
from crm.consent.age import minor_on
from crm.consent.models import (
    ConsentBasis,
    ConsentEntry,
    ConsentState,
    Suppression,
    SuppressionReason,
    Topic,
)

WITHDRAWN = "consent_withdrawn"
NEVER_GIVEN = "no_consent"
RETIRED = "topic_retired"
HASHED = "sha256:"


_topic, _entry, _held = aliased(Topic), aliased(ConsentEntry), aliased(Suppression)


def address_key(address: str) -> str:
    """The comparable form of a mail address, as `contact_point.key` has it."""
    return address.strip().lower()


def needs_own_word(topic_key: Any) -> ColumnElement[bool]:
    """A condition: the topic may be sent only to those who agreed to it."""
    opt_in = select(_topic.key).where(_topic.basis == ConsentBasis.OPT_IN)
    return func.coalesce(topic_key, "").in_(opt_in)


def latest_state(topic_key: Any, alumnus_id: Any) -> ColumnElement[Any]:
    """The state of the latest entry that covers the topic, or null; a scalar subquery.

    For a null topic (mail about nothing in particular) only entries about everything count.
    """
    covers = or_(
        _entry.topic_key == topic_key,
        and_(
            _entry.topic_key.is_(None),
            or_(_entry.state == ConsentState.WITHDRAWN, ~needs_own_word(topic_key)),
        ),
    )
    latest = select(_entry.state).where(
        _entry.alumnus_id == alumnus_id, covers, _entry.state != ConsentState.PAUSED
    )
    return latest.order_by(_entry.id.desc()).limit(1).scalar_subquery()


def topic_paused_until(topic_key: Any, alumnus_id: Any = Alumnus.id) -> ColumnElement[Any]:
    """The last day of the latest break from a topic, or null; a scalar subquery.

    Whoever agrees to the topic anew, or says that the break is over, ends it.
    """
    day = case((_entry.state == ConsentState.PAUSED, _entry.until), else_=None)
    word = select(day).where(
        _entry.alumnus_id == alumnus_id, _entry.topic_key == topic_key,
        _entry.state.in_([ConsentState.PAUSED, ConsentState.GRANTED]),
    )  # fmt: skip
    return word.order_by(_entry.id.desc()).limit(1).scalar_subquery()


def refusal(topic_key: Any, alumnus_id: Any = Alumnus.id) -> ColumnElement[Any]:
    """Why a topic may not be sent to a person, or null.

    `consent_withdrawn`, `no_consent`, or `topic_retired` for everybody.
    """
    key = literal(topic_key) if topic_key is None or isinstance(topic_key, str) else topic_key
    state = latest_state(key, alumnus_id)
    retired = select(_topic.key).where(_topic.retired_at.is_not(None))
    return case(
        (func.coalesce(key, "").in_(retired), RETIRED),
        (state == ConsentState.WITHDRAWN, WITHDRAWN),
        (and_(state.is_(None), needs_own_word(key)), NEVER_GIVEN),
        else_=None,
    )


def refuses(topic_key: Any) -> ColumnElement[bool]:
    """A condition correlated on `Alumnus.id`: this topic may not be sent to them."""
    return refusal(topic_key).is_not(None)


def hashed(key: Any) -> ColumnElement[str]:
    """The form in which the address of an erased person stays: nobody can read it back."""
    digest = func.sha256(func.convert_to(key, "UTF8"))
    return literal(HASHED).concat(func.encode(digest, "hex"))


def address_suppressed(key: Any) -> ColumnElement[bool]:
    """A condition: the address (in its comparable form) is never to be mailed.

    One question for each form, so that a plan may join by either and take each digest once.
    """
    standing = _held.lifted_at.is_(None)
    return or_(
        exists().where(_held.address_key == key, standing),
        exists().where(_held.address_key == hashed(key), standing),
    )


def address_suppression(key: Any) -> ColumnElement[Any]:
    """The reason an address is never to be mailed, or null; a scalar subquery.

    The digest stands in a query of its own: it is taken once for an address, not once for each
    suppression that is looked at.
    """
    digest = select(hashed(key)).correlate_except().scalar_subquery()
    known = _held.address_key.in_([key, digest])
    found = select(_held.reason).where(known, _held.lifted_at.is_(None)).limit(1)
    return found.scalar_subquery()


def topics(session: Session) -> list[Topic]:
    """The topics that are offered, in the order they are shown."""
    return [topic for topic in all_topics(session) if topic.retired_at is None]


def all_topics(session: Session) -> list[Topic]:
    """Every topic, those that were retired too, in the order they are shown."""
    return list(session.scalars(select(Topic).order_by(Topic.position, Topic.key)))


def choices_of(session: Session, alumnus_id: int) -> dict[str, bool]:
    """By topic, whether it may be sent to this person as far as consent goes."""
    refused = refusal(Topic.key, literal(alumnus_id)).is_not(None)
    offered = select(Topic.key, refused).where(Topic.retired_at.is_(None))
    rows = session.execute(offered.order_by(Topic.position, Topic.key))
    return {key: not no for key, no in rows}


def left_everything(session: Session, alumnus_id: int) -> bool:
    """Whether the latest word about everything was to leave."""
    latest = select(ConsentEntry.state).where(
        ConsentEntry.alumnus_id == alumnus_id, ConsentEntry.topic_key.is_(None)
    )
    state = session.scalars(latest.order_by(ConsentEntry.id.desc()).limit(1)).first()
    return state == ConsentState.WITHDRAWN


def ledger(alumnus_id: int) -> Select[ConsentEntry, Topic]:
    """Every entry of a person with its topic (null: everything), newest first."""
    return (
        select(ConsentEntry, Topic)
        .outerjoin(Topic, Topic.key == ConsentEntry.topic_key)
        .where(ConsentEntry.alumnus_id == alumnus_id)
        .order_by(ConsentEntry.id.desc())
    )


@dataclass(frozen=True)
class Standing:
    """What may be sent about one topic to one person, and the entry that decided it, if any.

    `paused_until` is the last day of the latest break from the topic, which may be over.
    """

    topic: Topic
    allowed: bool
    entry: ConsentEntry | None
    paused_until: date | None


def standing_of(session: Session, alumnus_id: int) -> list[Standing]:
    """For each topic whether it may be sent and on whose word."""
    entry = aliased(ConsentEntry)
    word = select(entry.id).where(
        entry.alumnus_id == alumnus_id,
        entry.state != ConsentState.PAUSED,
        or_(
            entry.topic_key == Topic.key,
            and_(
                entry.topic_key.is_(None),
                or_(entry.state == ConsentState.WITHDRAWN, Topic.basis == ConsentBasis.OPT_OUT),
            ),
        ),
    )
    deciding = word.order_by(entry.id.desc()).limit(1).correlate(Topic).scalar_subquery()
    rows = session.execute(
        select(Topic, ConsentEntry, topic_paused_until(Topic.key, literal(alumnus_id)))
        .outerjoin(ConsentEntry, ConsentEntry.id == deciding)
        .where(Topic.retired_at.is_(None))
        .order_by(Topic.position, Topic.key)
    )
    return [Standing(topic, _allowed(topic, entry), entry, day) for topic, entry, day in rows]


def _allowed(topic: Topic, entry: ConsentEntry | None) -> bool:
    if entry is None:
        return topic.basis == ConsentBasis.OPT_OUT
    return entry.state == ConsentState.GRANTED


def suppressions_of(session: Session, alumnus_id: int) -> dict[str, SuppressionReason]:
    """The addresses of a person that are never mailed, with the reason."""
    statement = (
        select(Suppression.address_key, Suppression.reason)
        .join(ContactPoint, ContactPoint.key == Suppression.address_key)
        .where(
            ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == ContactKind.EMAIL,
            Suppression.lifted_at.is_(None),
        )
    )  # fmt: skip
    return {row[0]: row[1] for row in session.execute(statement)}


def suppression_of(session: Session, address: str) -> Suppression | None:
    """What stands against mail to an address, in clear or as the hash of somebody erased."""
    known = Suppression.address_key.in_([address, hashed(literal(address))])
    statement = select(Suppression).where(known, Suppression.lifted_at.is_(None))
    return session.scalars(statement.limit(1)).first()


def suppressions_held(session: Session, alumnus_id: int) -> Sequence[Suppression]:
    """Every row of the list of closed addresses that an address of the person stands on."""
    statement = (
        select(Suppression)
        .join(ContactPoint, ContactPoint.key == Suppression.address_key)
        .where(ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == ContactKind.EMAIL)
        .order_by(Suppression.at.desc(), Suppression.address_key)
        .limit(50)
    )
    return session.scalars(statement).all()


def open_addresses(session: Session, alumnus_id: int) -> Sequence[ContactPoint]:
    """The mail addresses of a person that nothing stands against."""
    statement = (
        select(ContactPoint)
        .where(
            ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == ContactKind.EMAIL,
            ~address_suppressed(ContactPoint.key),
        )
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
        .limit(50)
    )  # fmt: skip
    return session.scalars(statement).all()


def count_suppressed(session: Session) -> int:
    """How many addresses are never mailed."""
    statement = select(func.count()).select_from(Suppression)
    return int(session.execute(statement.where(Suppression.lifted_at.is_(None))).scalar_one())


@dataclass(frozen=True)
class Minors:
    """How many people count as under 18, and of how many of them only the class says so."""

    all: int
    by_class: int


def count_minors(session: Session, day: date, *, margin_years: int) -> Minors:
    """How many people count as under 18 on a day."""
    guessed = func.count().filter(Alumnus.birth_date.is_(None))
    young = minor_on(day, margin_years=margin_years)
    row = session.execute(
        select(func.count(), guessed).where(Alumnus.merged_into_id.is_(None), young)
    ).one()
    return Minors(int(row[0]), int(row[1]))
