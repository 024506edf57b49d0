"""Reads of saved segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.people import PersonLine, people_page
from crm.core.errors import NotFound
from crm.core.extend import QueryContext, extensions
from crm.core.viewer import Viewer
from crm.query import QueryError, compile_query, count_up_to
from crm.web.paging import Page, keyset
from segments.saved.models import Segment

PAGE = 20
COUNTED = 1_000
SAMPLE = 10


@dataclass(frozen=True)
class SegmentLine:
    """A segment with how many people it means to this viewer, or why that cannot be said."""

    segment: Segment
    author: str
    count: int = 0
    more: bool = False
    fault: str = ""


def load_segment(session: Session, key: str) -> Segment:
    """The segment of that key; raises `NotFound`."""
    known = None
    if "\x00" not in key and not any("\ud800" <= c <= "\udfff" for c in key):
        known = session.scalars(select(Segment).where(Segment.key == key)).one_or_none()
    if known is None:
        raise NotFound("There is no such segment.")
    return known


def segment_page(
    session: Session, viewer: Viewer, *, after: str | None, at: datetime
) -> Page[SegmentLine]:
    """One page of segments by name, each counted up to `COUNTED`."""
    statement = select(Segment, User.name.label("author")).outerjoin(
        User, User.id == Segment.created_by
    )
    page = keyset(session, statement, [Segment.name, Segment.id], after=after, size=PAGE)
    lines = [line_of(session, viewer, row.Segment, row.author or "", at=at) for row in page.items]
    return Page(lines, page.after)


def line_of(
    session: Session, viewer: Viewer, segment: Segment, author: str, *, at: datetime
) -> SegmentLine:
    """The segment counted for this viewer."""
    try:
        compiled = compile_query(f"segment:{segment.key}", QueryContext(session, viewer, at))
    except QueryError as error:
        return SegmentLine(segment, author, fault=error.wrong)
    count, more = count_up_to(session, compiled, COUNTED)
    return SegmentLine(segment, author, count, more)


def sample_of(
    session: Session, viewer: Viewer, segment: Segment, *, at: datetime
) -> Sequence[PersonLine]:
    """The first people of the segment by name; nobody if its query no longer works."""
    try:
        compiled = compile_query(f"segment:{segment.key}", QueryContext(session, viewer, at))
    except QueryError:
        return ()
    return people_page(session, compiled, after=None, size=SAMPLE).items


def uses_of(session: Session, key: str) -> list[tuple[str, str]]:
    """(label, address) of every segment, campaign or journey whose query names this segment."""
    piece = f"segment:{key}"
    return [use for find in extensions().query_users for use in find(session, piece)]


def segments_that_name(session: Session, piece: str) -> list[tuple[str, str]]:
    """(label, address) of the segments whose query holds the piece as a whole term."""
    statement = select(Segment).where(Segment.query.contains(piece, autoescape=True))
    found = session.scalars(statement.order_by(Segment.name))
    return [(s.name, f"/segments/{s.key}") for s in found if names(s.query, piece)]


def names(query: str, piece: str) -> bool:
    """Whether the piece stands in the canonical text as a whole, alone or in a list."""
    field, _, value = piece.partition(":")
    for word in query.replace("(", " ").replace(")", " ").split():
        head, _, rest = word.lstrip("-").partition(":")
        if head == field and value in rest.split(","):
            return True
    return False
