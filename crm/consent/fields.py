"""What the query language may ask of consent: `consent:news`, `is:suppressed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactKind, ContactPoint
from crm.consent.models import ConsentEntry, Suppression
from crm.consent.queries import address_suppressed, hashed, refuses, topics
from crm.consent.words import SOURCES, STATES, SUPPRESSIONS, topic_name
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField, QueryRows
from crm.query.kinds import choice, date, flag, in_time, is_key, words_of
from crm.query.rows import times


def _may_reach(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return ~refuses(str(match.low))


def _suppressed(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == ContactKind.EMAIL,
        address_suppressed(ContactPoint.key),
    )


def topic_choices(session: Session) -> Mapping[str, Any]:
    return {topic.key: topic_name(topic) for topic in topics(session)}


def _closed(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """An address of theirs is never mailed, for this reason; after its erasure, only if hashed."""
    return exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == ContactKind.EMAIL,
        Suppression.address_key.in_([ContactPoint.key, hashed(ContactPoint.key)]),
        Suppression.lifted_at.is_(None),
        Suppression.reason == match.low,
    )


def _about(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    about: ColumnElement[bool] = ConsentEntry.topic_key == match.low
    return about


FIELDS = (
    choice("consent", _("May get mail about"), _may_reach, _("may get mail about %(value)s"),
           "consent:news", choices=topic_choices),
    QueryField(
        key="is:suppressed", label=_("Has an address that is never mailed"), kind=FieldKind.FLAG,
        condition=_suppressed, example="is:suppressed",
        says=_("have an address that is never mailed"),
    ),
    choice("suppressed", _("Address is never mailed because"), _closed,
           _("have an address that is never mailed because %(value)s"), "suppressed:bounced",
           choices=words_of(SUPPRESSIONS)),
)  # fmt: skip
CHOSE = QueryRows(
    "chose", _("One choice about mail"), _("made a choice about mail"), ConsentEntry.alumnus_id, [
        choice("topic", _("Topic"), _about, choices=topic_choices),
        flag("is:everything", _("About all mail"), lambda: ConsentEntry.topic_key.is_(None)),
        choice("state", _("What they want"), is_key(ConsentEntry.state), choices=words_of(STATES)),
        choice("source", _("On whose word"), is_key(ConsentEntry.source),
               choices=words_of(SOURCES)),
        date("when", _("When"), in_time(ConsentEntry.at)),
    ], default="topic", totals=(times(_("How many")),),
    example="chose(topic:news state:withdrawn source:one_click when:1y)",
)  # fmt: skip
