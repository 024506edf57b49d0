"""`segment:KEY`: a saved query inside another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from crm.query import QueryError, compile_query
from segments.saved.models import Segment, SegmentKind, SegmentMember
from segments.saved.queries import load_segment

MAX_DEPTH = 5


def in_segment(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """Kept by a frozen segment, or meant by the query of a dynamic one, compiled in its place."""
    segment = load_segment(context.session, match.low)
    if segment.key in context.trail:
        raise Invalid("The segment “%(key)s” would contain itself.", key=segment.key)
    if segment.kind is SegmentKind.FROZEN:
        return exists().where(
            SegmentMember.segment_id == segment.id, SegmentMember.alumnus_id == Alumnus.id
        )
    if len(context.trail) >= MAX_DEPTH:
        raise Invalid("Segments stand at most %(most)s deep in one another.", most=MAX_DEPTH)
    inside = replace(context, trail=(*context.trail, segment.key))
    try:
        return compile_query(segment.query, inside).condition
    except QueryError as error:
        raise Invalid(
            "In the segment “%(key)s”: %(error)s", key=segment.key, error=error
        ) from error


def _choices(session: Session) -> Mapping[str, Any]:
    rows = session.execute(select(Segment.key, Segment.name).order_by(Segment.name))
    return {row.key: row.name for row in rows}


SEGMENT = QueryField(
    "segment", _("Segment"), FieldKind.CHOICE, in_segment, choices=_choices,
    example="segment:young-mentors", says=_("are in the segment %(value)s"),
)  # fmt: skip
