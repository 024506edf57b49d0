"""Reads of the duplicates area."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from crm.alumni.people import record_of
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.duplicates.finding import THRESHOLD
from crm.duplicates.models import DuplicatePair, Merge, PairState
from crm.web.paging import Page, keyset

OPEN = DuplicatePair.state == PairState.OPEN
SIDES = (
    "given_name", "middle_name", "family_name", "preferred_name", "former_name", "birth_date",
    "class_year", "city", "employer", "job_title", "college",
)  # fmt: skip


def open_pairs(
    session: Session, *, limit: int, threshold: float = THRESHOLD
) -> Sequence[DuplicatePair]:
    """The likeliest open pairs that are proposed."""
    order = DuplicatePair.probability.desc(), DuplicatePair.first_id, DuplicatePair.second_id
    return session.scalars(
        select(DuplicatePair).where(proposed(threshold)).order_by(*order).limit(limit)
    ).all()


def count_open(session: Session, threshold: float = THRESHOLD) -> int:
    """How many pairs wait for somebody."""
    waiting = select(func.count()).select_from(DuplicatePair).where(proposed(threshold))
    return session.scalars(waiting).one()


def proposed(threshold: float) -> ColumnElement[bool]:
    """A condition on `DuplicatePair`: open, and likely enough to be shown."""
    return and_(OPEN, DuplicatePair.probability >= threshold)


def pairs_page(session: Session, *, after: str | None, size: int = 10) -> Page[Any]:
    """A page of open pairs, the likeliest first."""
    keys = [DuplicatePair.probability, DuplicatePair.first_id, DuplicatePair.second_id]
    return keyset(
        session,
        select(DuplicatePair).where(proposed(THRESHOLD)),
        keys,
        after=after,
        size=size,
        descending=True,
    )


def side_by_side(session: Session, pair: DuplicatePair) -> dict[str, Any]:
    """Both records of a pair as they are shown beside each other."""
    return {
        "pair": pair,
        "first": record_of(session, pair.first_id),
        "second": record_of(session, pair.second_id),
    }


def load_pair(session: Session, first_id: int, second_id: int) -> DuplicatePair:
    """An open pair; raises `NotFound`."""
    pair = session.get(DuplicatePair, (first_id, second_id))
    if pair is None or pair.state is not PairState.OPEN:
        raise NotFound("There is no such pair, or it was decided already.")
    return pair


def recent_merges(session: Session, *, limit: int = 10) -> Sequence[Merge]:
    """The latest merges that stand, newest first."""
    statement = select(Merge).where(Merge.undone_at.is_(None)).order_by(Merge.id.desc())
    return session.scalars(statement.limit(limit)).all()


def waiting_pairs(session: Session, viewer: Viewer, at: datetime) -> Iterator[Todo]:
    """Open pairs, for those who may decide them."""
    if viewer.may(Permission.IMPORT):
        count = count_open(session)
        label = ngettext("pair may be one person", "pairs may be one person each", count)
        yield Todo(label, count, url_for("duplicates.index"))
