"""Saving a query under a name, changing it, freezing it, dropping it."""

from __future__ import annotations

import re
from datetime import datetime

from anyascii import anyascii
from sqlalchemy import delete, func, insert, literal, select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict, Invalid, NotAllowed
from crm.core.extend import QueryContext
from crm.core.viewer import Role, Viewer
from crm.query import compile_query
from segments.saved.models import Segment, SegmentKind, SegmentMember
from segments.saved.queries import uses_of

MAX_NAME = 100
MAX_KEY = 60
RESERVED = frozenset({"new"})


def key_for(session: Session, name: str) -> str:
    """A key made of the name, in plain letters, that no segment has yet."""
    plain = re.sub(r"[^a-z0-9]+", "-", anyascii(name).lower()).strip("-")[:MAX_KEY].strip("-")
    base = plain or "segment"
    taken = set(session.scalars(select(Segment.key).where(Segment.key.startswith(base)))) | RESERVED
    candidates = (base if n == 1 else f"{base}-{n}" for n in range(1, len(taken) + 2))
    return next(key for key in candidates if key not in taken)


def may_change(viewer: Viewer, segment: Segment) -> bool:
    """Whether the viewer may change it: it is theirs, or they look after the whole district."""
    mine = viewer.user_id is not None and segment.created_by == viewer.user_id
    return mine or viewer.role is Role.COORDINATOR


def create_segment(session: Session, *, name: str, query: str, by: Viewer, at: datetime) -> Segment:
    """Save a query under a name; raises `Invalid`, for the query `QueryError`."""
    name = _name(name)
    text = compile_query(query, QueryContext(session, by, at)).text
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext("segment keys"))))
    segment = Segment(
        key=key_for(session, name), name=name, query=text, created_by=by.user_id,
        created_at=at, updated_at=at,
    )  # fmt: skip
    session.add(segment)
    session.flush()
    _note(session, "segment.created", segment, by=by, at=at, query=text)
    return segment


def edit_segment(
    session: Session, segment: Segment, *, name: str, query: str, by: Viewer, at: datetime
) -> None:
    """Change name and query; the key stays, since other queries name it. Raises as `create`.

    The people of a frozen segment stay as they are: thaw it first to change its query.
    """
    _allowed(by, segment)
    name = _name(name)
    context = QueryContext(session, by, at, trail=(segment.key,))
    text = compile_query(query, context).text
    if segment.kind is SegmentKind.FROZEN and text != segment.query:
        raise Conflict("A frozen segment keeps its people. Let it follow its query again first.")
    before = {"name": segment.name, "query": segment.query}
    segment.name, segment.query, segment.updated_at = name, text, at
    after = {"name": name, "query": text}
    if after != before:
        _note(session, "segment.edited", segment, by=by, at=at, before=before, after=after)


def freeze_segment(session: Session, segment: Segment, *, by: Viewer, at: datetime) -> int:
    """Keep the people whom the query means now, in one INSERT … SELECT; answers how many.

    A liaison's frozen segment keeps the people of their own schools.
    """
    _allowed(by, segment)
    session.refresh(segment, with_for_update=True)
    if segment.kind is SegmentKind.FROZEN:
        raise Conflict("This segment is frozen already.")
    context = QueryContext(session, by, at, trail=(segment.key,))
    people = compile_query(segment.query, context).ids.subquery()
    kept = select(literal(segment.id), people.c.id)
    statement = insert(SegmentMember).from_select(["segment_id", "alumnus_id"], kept)
    session.execute(statement)
    segment.kind, segment.updated_at = SegmentKind.FROZEN, at
    amount = session.scalar(
        select(func.count()).select_from(SegmentMember).where(
            SegmentMember.segment_id == segment.id
        )
    )  # fmt: skip
    _note(session, "segment.frozen", segment, by=by, at=at, people=amount)
    return amount or 0


def thaw_segment(session: Session, segment: Segment, *, by: Viewer, at: datetime) -> None:
    """Let a frozen segment follow its query again."""
    _allowed(by, segment)
    if segment.kind is SegmentKind.DYNAMIC:
        raise Conflict("This segment follows its query already.")
    session.execute(delete(SegmentMember).where(SegmentMember.segment_id == segment.id))
    segment.kind, segment.updated_at = SegmentKind.DYNAMIC, at
    _note(session, "segment.thawed", segment, by=by, at=at)


def delete_segment(session: Session, segment: Segment, *, by: Viewer, at: datetime) -> None:
    """Drop a segment; raises `Conflict` while another query names it."""
    _allowed(by, segment)
    if uses := uses_of(session, segment.key):
        labels = ", ".join(label for label, _ in uses[:5])
        raise Conflict("It is used by %(labels)s. Change that first.", labels=labels)
    session.execute(delete(SegmentMember).where(SegmentMember.segment_id == segment.id))
    _note(session, "segment.deleted", segment, by=by, at=at, name=segment.name, query=segment.query)
    session.delete(segment)
    session.flush()


def _name(name: str) -> str:
    text = " ".join("".join(c if c >= " " else " " for c in name).split())
    if not text or len(text) > MAX_NAME:
        raise Invalid("A name has 1 to %(most)s characters.", field="name", most=MAX_NAME)
    return text


def _allowed(by: Viewer, segment: Segment) -> None:
    if not may_change(by, segment):
        raise NotAllowed("Only its author or a district coordinator may change this segment.")


def _note(
    session: Session, action: str, segment: Segment, *, by: Viewer, at: datetime, **detail: object
) -> None:
    audit.record(session, action, kind="segment", key=segment.key, by=by, at=at, **detail)
    session.flush()
