"""Picks a batch of due messages, locks it and gathers the facts that decide about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Date,
    Integer,
    Row,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    column,
    exists,
    extract,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    values,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, aliased

from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint, ContactStatus
from crm.consent.age import is_enrolled
from crm.consent.queries import address_suppression, refusal, topic_paused_until
from crm.core.database import UTCDateTime
from crm.core.extend import extensions
from crm.mail.models import ContentVariant, Message, MessageAttachment, MessageClass, MessageState
from crm.mail.policy import LONGEST

Place = tuple[datetime, UUID]
BUDGETED = (MessageClass.MARKETING, MessageClass.ASK)
GONE = (
    MessageState.CLAIMED, MessageState.UNCERTAIN, MessageState.CANCELLING, MessageState.ACCEPTED,
)  # fmt: skip
NOBODY = UUID(int=0)
ONCE_PER_ADDRESS = "campaign:%"
AGES = (Alumnus.birth_date, Alumnus.class_year, Alumnus.graduated_on)
GROWN = 25
"""Whoever was born, or left school, so many years ago is 18 whatever a district chooses."""
AT = bindparam("at", type_=UTCDateTime())
SINCE = bindparam("since", type_=UTCDateTime())


@dataclass(frozen=True)
class Group:
    """Messages that share what a batch must share, and how much they matter."""

    version_id: int
    message_class: MessageClass
    priority: int


def due_groups(session: Session, at: datetime) -> list[Group]:
    """What is due, immediate mail first, then by priority."""
    due = (
        select(Message.version_id, Message.message_class, Message.priority)
        .where(Message.state == MessageState.QUEUED, Message.not_before <= at)
        .group_by(Message.version_id, Message.message_class, Message.priority)
    )
    groups = [Group(*row) for row in session.execute(due)]
    return sorted(
        groups, key=lambda g: (g.message_class != MessageClass.IMMEDIATE, -g.priority, g.version_id)
    )


def pick(
    session: Session, group: Group, *, at: datetime, after: Place | None, size: int
) -> list[Row[Any]]:
    """Up to `size` due messages of a group, locked, with their facts; those locked are passed by.

    The place (`not_before`, `id`) of the last one leads to the next batch without walking again
    over what was taken.
    """
    given = {
        "at": at, "since": at - LONGEST, "version": group.version_id, "size": size,
        "kind": group.message_class, "priority": group.priority,
        "long_ago": date(at.year - GROWN, 1, 1),
    }  # fmt: skip
    if after is not None:
        given |= {"after_moment": after[0], "after_id": after[1]}
    return list(session.execute(_picking(resumed=after is not None), given))


@cache
def _picking(*, resumed: bool) -> Select[Any]:
    """The whole statement, built once: its parameters carry what differs."""
    due = select(Message.id).where(
        Message.state == MessageState.QUEUED, Message.not_before <= AT,
        Message.version_id == bindparam("version"), Message.message_class == bindparam("kind"),
        Message.priority == bindparam("priority"),
    )  # fmt: skip
    if resumed:
        place = tuple_(
            bindparam("after_moment", type_=UTCDateTime()), bindparam("after_id", type_=Uuid())
        )
        due = due.where(tuple_(Message.not_before, Message.id) > place)
    due = due.order_by(Message.not_before, Message.id).limit(bindparam("size", type_=Integer()))
    picked = due.with_for_update(skip_locked=True).cte("picked").prefix_with("materialized")
    statement = _facts(ages=_rounded_ages()).where(Message.id.in_(select(picked.c.id)))
    return statement.order_by(Message.not_before, Message.id)


DECIDES = 10
"""From this column on a row of facts tells what the policy looks at; before it, whose it is."""


def _facts(message: Any = Message, ages: Sequence[Any] = AGES) -> Select[Any]:
    point = _best_address(message)
    address = func.coalesce(message.to_address, point.c.key).label("address")
    return (
        select(
            message.id, message.alumnus_id, message.origin, message.not_before, message.attempt,
            # Nearly always empty, and then there is nothing to read.
            func.nullif(message.merge, literal({}, JSONB), type_=JSONB).label("merge"),
            Alumnus.link_epoch, case((message.to_address.is_(None), point.c.id)).label("point_id"),
            address, exists().where(MessageAttachment.message_id == message.id).label("attached"),
            # From here on: what decides.
            message.expires_at, message.message_class, message.topic_key,
            message.language.label("asked_language"),
            cast(message.send_window, Text()).label("send_window"), message.on_cap,
            Alumnus.language, Alumnus.time_zone, *ages, _pupil(message).label("enrolled"),
            Alumnus.deceased, Alumnus.ferpa_block, Alumnus.do_not_contact, Alumnus.paused_until,
            Alumnus.merged_into_id, address_suppression(address).label("suppression"),
            refusal(message.topic_key, message.alumnus_id).label("refusal"),
            topic_paused_until(message.topic_key, message.alumnus_id).label("topic_paused_until"),
            _has_bounced(message).label("bounced"),
            _taken(message, address).label("duplicate"),
            _sent_lately(message).label("sent"),
        )
        .select_from(Message if message is Message else message.id.table)
        .outerjoin(Alumnus, Alumnus.id == message.alumnus_id)
        .outerjoin(point, literal(value=True))
    )  # fmt: skip


def _rounded_ages() -> list[Any]:
    """What tells of an age, with all that is surely grown up told alike: it is decided once."""
    born, year, left = AGES
    long_ago = bindparam("long_ago", type_=Date())
    then = extract("year", long_ago)
    return [
        case((born < long_ago, long_ago), else_=born).label("birth_date"),
        case((year.between(1, then), cast(then, Integer())), else_=year).label("class_year"),
        case((left < long_ago, long_ago), else_=left).label("graduated_on"),
    ]


def _pupil(message: Any) -> Any:
    """Whether somebody of no known age or class is at school: asked of nobody else."""
    unknown = and_(
        Alumnus.birth_date.is_(None), Alumnus.class_year.is_(None), Alumnus.graduated_on.is_(None)
    )
    return case((unknown, is_enrolled(message.alumnus_id)), else_=False)


def _best_address(message: Any) -> Any:
    """The mail address to use: an own one that works, else one that the school gave them."""
    own = ContactPoint.owner == ContactOwner.OWN
    return (
        select(ContactPoint.id, ContactPoint.key)
        .where(
            ContactPoint.alumnus_id == message.alumnus_id,
            ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.status.in_([ContactStatus.OK, ContactStatus.UNCONFIRMED]),
            or_(own, ContactPoint.owner == ContactOwner.SCHOOL),
        )
        .order_by(
            own.desc(), ContactPoint.preferred.desc(),
            (ContactPoint.status == ContactStatus.OK).desc(), ContactPoint.id,
        )
        .limit(1)
        .lateral("point")
    )  # fmt: skip


def _has_bounced(message: Any) -> Any:
    return exists().where(
        ContactPoint.alumnus_id == message.alumnus_id,
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN,
        ContactPoint.status == ContactStatus.BOUNCED,
    )


def _taken(message: Any, address: Any) -> Any:
    """Whether the same campaign already went to this address, for somebody else who shares it."""
    other = aliased(Message)
    return and_(
        message.origin.like(ONCE_PER_ADDRESS),
        exists().where(
            other.to_address == address, other.origin == message.origin,
            other.alumnus_id.is_distinct_from(message.alumnus_id), other.state.in_(GONE),
        ),
    )  # fmt: skip


def _sent_lately(message: Any) -> Any:
    """When marketing and asks went to the person within the longest window of the budget."""
    other = aliased(Message)
    went = func.coalesce(other.accepted_at, other.claimed_at)
    return (
        select(func.array_agg(went, type_=ARRAY(UTCDateTime(), as_tuple=True)))
        .where(
            other.alumnus_id == message.alumnus_id, other.id != message.id,
            or_(other.accepted_at.is_(None), other.accepted_at > SINCE),
            other.message_class.in_(BUDGETED), other.state.in_(GONE), went > SINCE,
        )
        .scalar_subquery()
    )  # fmt: skip


def imagine(
    session: Session,
    alumnus_id: int,
    kinds: Sequence[tuple[str | None, MessageClass]],
    *,
    origin: str,
    at: datetime,
) -> list[Row[Any]]:
    """The facts of messages that nobody queued, one for each (topic, class), in that order.

    They come from the statement that claims read, so that what is said of a person is what the
    hand-over would find.
    """
    given = values(
        column("no", Integer()), column("topic_key", Text()),
        column("message_class", Message.message_class.type), name="given",
    ).data([(no, topic, kind) for no, (topic, kind) in enumerate(kinds)])  # fmt: skip
    none = {
        name: null() for name in ("expires_at", "language", "to_address", "send_window", "on_cap")
    }
    columns = {
        "id": literal(NOBODY, Uuid()), "alumnus_id": literal(alumnus_id, BigInteger()),
        "origin": literal(origin), "not_before": literal(at, UTCDateTime()),
        "attempt": literal(0), "merge": literal({}, JSONB), **none,
    }  # fmt: skip
    imagined = select(
        given, *(cast(value, getattr(Message, name).type).label(name)
                 for name, value in columns.items())
    ).subquery("imagined")  # fmt: skip
    statement = _facts(imagined.c).order_by(imagined.c.no)
    return list(session.execute(statement, {"at": at, "since": at - LONGEST}))


def languages(session: Session, version_id: int) -> set[str]:
    """The languages that a version is written in."""
    statement = select(ContentVariant.language).where(ContentVariant.version_id == version_id)
    return set(session.scalars(statement))


def gated(session: Session, rows: Sequence[Row[Any]], at: datetime) -> dict[UUID, str]:
    """What the upper packages hold back, and why: each gate sees the origins that it is for."""
    held: dict[UUID, str] = {}
    for prefix, gate in extensions().send_gates.items():
        ids = [row.id for row in rows if row.origin.startswith(prefix)]
        if ids:
            held |= gate(session, ids, at)
    return held
