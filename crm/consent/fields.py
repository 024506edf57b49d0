"""What the query language may ask of consent: `consent:news`, `is:suppressed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ContactKind, ContactPoint
from crm.consent.queries import address_suppressed, refuses, topics
from crm.consent.words import topic_name
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField


def _may_reach(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return ~refuses(str(match.low))


def _suppressed(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == ContactKind.EMAIL,
        address_suppressed(ContactPoint.key),
    )


def _topics(session: Session) -> Mapping[str, Any]:
    return {topic.key: topic_name(topic) for topic in topics(session)}


FIELDS = (
    QueryField(
        key="consent", label=_("May get mail about"), kind=FieldKind.CHOICE, condition=_may_reach,
        choices=_topics, example="consent:news",
    ),
    QueryField(
        key="is:suppressed", label=_("Has an address that is never mailed"), kind=FieldKind.FLAG,
        condition=_suppressed, example="is:suppressed",
    ),
)  # fmt: skip
