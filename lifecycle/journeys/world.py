"""What a journey names, held against what the district has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from crm.alumni.custom import custom_names
from crm.alumni.models import Subject, Way
from crm.consent.models import Topic
from crm.core.district import chosen
from crm.interactions.models import Interaction
from crm.interactions.words import KINDS as HAPPENING
from crm.mail.content import latest_version, shipped_keys, variants_of
from crm.mail.fields import FieldError, slots
from crm.mail.models import Content, ContentVersion
from crm.mail.policy import local_day
from crm.mail.values import known_fields
from crm.query import QueryError
from crm.query.errors import nearest
from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.calendar.days import named_in, parse_days
from lifecycle.journeys.checks import Fault
from lifecycle.journeys.definition import Document
from lifecycle.journeys.entry import meaning
from lifecycle.journeys.models import Journey, JourneyState
from lifecycle.journeys.steps import (
    ANY,
    AskFor,
    Branch,
    Enroll,
    Send,
    SetFacts,
    Step,
    WaitFor,
    WaitUntil,
)

KINDS = frozenset(
    {
        "profile_updated", "link_clicked", "replied", "ask_answered", "event_attended",
        "event_answered", "talk_given", "mentoring", "help_given", "gift",
    }
)  # fmt: skip
"""Interactions that the program itself records; a journey may also wait for imported kinds."""


def world_faults(session: Session, document: Document, at: datetime) -> Iterator[Fault]:
    """What the journey names and the district does not have."""
    enter = document.enter
    for kind, where in ((enter.interaction, ("enter", "interaction")), (document.goal, ("goal",))):
        if kind is not None:
            yield from _kind_faults(session, kind, None, where)
    if enter.field is not None:
        names = custom_names(session)
        yield from _unknown("custom field", [enter.field], names, None, ("enter", "date"))
    for number, step in enumerate(document.steps):
        if isinstance(step, WaitFor):
            for kind in step.kinds:
                yield from _kind_faults(session, kind, number, ("wait_for",))
        if isinstance(step, Send):
            yield from _send_faults(session, step, number)
        yield from _named_faults(session, step, number, at)
    for query, place, path in _queries(document):
        try:
            meaning(session, query, at)
        except QueryError as error:
            yield Fault(
                f"the query “{query}”, character {error.position + 1}: {error}", place, path
            )


def _queries(
    document: Document,
) -> Iterator[tuple[str, int | None, tuple[str | int, ...]]]:
    """Every query of a journey with its place."""
    enter = document.enter
    for query, where in ((enter.when, "when"), (enter.move, "move")):
        if query is not None:
            yield query, None, ("enter", where)
    if document.exit:
        yield document.exit, None, ("exit",)
    for number, step in enumerate(document.steps):
        if isinstance(step, Branch):
            yield from ((arm.when, number, ("branch", n)) for n, arm in enumerate(step.arms))


def _kind_faults(
    session: Session, kind: str, step: int | None, path: tuple[str, ...]
) -> Iterator[Fault]:
    if kind in {*KINDS, *HAPPENING, ANY}:
        return
    if session.scalar(select(exists().where(Interaction.kind == kind))):
        return
    close = nearest(kind, KINDS)
    hint = f"; did you mean {close}?" if close else ""
    yield Fault(f"no interaction of the kind “{kind}” was ever recorded{hint}", step, path)


def _send_faults(session: Session, step: Send, number: int) -> Iterator[Fault]:
    if session.get(Topic, step.topic) is None:
        yield Fault(f"there is no topic “{step.topic}”", number, ("topic",))
    key, pinned = step.pinned
    version = content_version(session, key, pinned)
    if version is None:
        if pinned is None and key in shipped_keys():
            return
        yield Fault(f"there is no content “{step.content}”", number, ("send",))
        return
    for language, variant in variants_of(session, version.id).items():
        for part in (variant.subject, variant.preheader, variant.body):
            yield from _field_faults(step, language, part, number)


def _field_faults(step: Send, language: str, text: str, number: int) -> Iterator[Fault]:
    """Merge fields that only another kind of message could fill."""
    try:
        unknown = {slot.name for slot in slots(text)} - known_fields()
    except FieldError as error:
        yield Fault(f"content {step.content} ({language}): {error}", number, ("send",))
        return
    for name in sorted(unknown):
        message = f"content {step.content} ({language}) needs “{name}”, which a journey cannot fill"
        yield Fault(message, number, ("send",))


def _named_faults(session: Session, step: Step, number: int, at: datetime) -> Iterator[Fault]:
    """Ways, subjects, custom fields and journeys that there are none of."""
    if isinstance(step, WaitUntil):
        yield from _day_faults(session, step, number, at)
    if isinstance(step, AskFor):
        ways = session.scalars(select(Way.key)).all()
        yield from _unknown("way to help", [step.way], ways, number, ("ask",))
    if isinstance(step, SetFacts):
        subjects = session.scalars(select(Subject.key)).all()
        yield from _unknown("subject", step.subjects, subjects, number, ("set",))
        yield from _unknown("custom field", step.custom, custom_names(session), number, ("set",))
    if isinstance(step, Enroll):
        known = select(Journey.key).where(Journey.state != JourneyState.STOPPED)
        keys = session.scalars(known).all()
        yield from _unknown("running journey", [step.journey], keys, number, ("enter",))


def _day_faults(session: Session, step: WaitUntil, number: int, at: datetime) -> Iterator[Fault]:
    """A day that the calendar does not have ahead."""
    calendar, today = chosen(session, SchoolCalendar), local_day(at, None)
    if parse_days(step.until).first(calendar, today) is not None:
        return
    name = named_in(step.until)
    known = {day.key for day in calendar.days}
    close = nearest(name, known) if name and name not in known else None
    hint = f"; did you mean {close}?" if close else "; add it under Settings, School calendar"
    yield Fault(f"the school calendar has no “{step.until}” ahead{hint}", number, ("wait_until",))


def _unknown(
    what: str,
    wanted: Collection[str],
    known: Collection[str],
    number: int | None,
    path: tuple[str, ...],
) -> Iterator[Fault]:
    for name in wanted:
        if name not in known:
            close = nearest(name, known)
            hint = f"; did you mean {close}?" if close else ""
            yield Fault(f"there is no {what} “{name}”{hint}", number, path)


def content_version(session: Session, key: str, number: int | None) -> ContentVersion | None:
    """The newest version of a content, or the one of that number."""
    if number is None:
        return latest_version(session, key)
    statement = (
        select(ContentVersion)
        .join(Content, Content.id == ContentVersion.content_id)
        .where(Content.key == key, ContentVersion.no == number)
    )
    return session.scalars(statement).one_or_none()
