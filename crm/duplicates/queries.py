"""Reads of the duplicates area."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from crm.alumni.models import Alumnus
from crm.core.errors import NotFound
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from crm.duplicates.finding import FLOOR, THRESHOLD
from crm.duplicates.learning import learnt
from crm.duplicates.models import DuplicatePair, DuplicatePass, Merge, PairState
from crm.imports.models import ImportRun
from crm.interactions.models import Interaction
from crm.web.paging import Page, encode, keyset

OPEN = DuplicatePair.state == PairState.OPEN
KEYS = (DuplicatePair.probability, DuplicatePair.first_id, DuplicatePair.second_id)


def open_pairs(
    session: Session, *, limit: int, threshold: float = THRESHOLD
) -> Sequence[DuplicatePair]:
    """The likeliest open pairs that are proposed."""
    order = DuplicatePair.probability.desc(), DuplicatePair.first_id, DuplicatePair.second_id
    waiting = select(DuplicatePair).where(proposed(threshold))
    return session.scalars(waiting.order_by(*order).limit(limit)).all()


def count_open(session: Session, threshold: float = THRESHOLD) -> int:
    """How many pairs wait for somebody."""
    waiting = select(func.count()).select_from(DuplicatePair).where(proposed(threshold))
    return session.scalars(waiting).one()


def proposed(threshold: float) -> ColumnElement[bool]:
    """A condition on `DuplicatePair`: open, and likely enough to be shown."""
    return and_(OPEN, DuplicatePair.probability >= threshold)


def shown(threshold: float, *, less: bool, import_id: int | None) -> ColumnElement[bool]:
    """The pairs of a list: those that are proposed or all that are kept, of an import or of all."""
    condition = proposed(FLOOR if less else threshold)
    if import_id is None:
        return condition
    return and_(condition, DuplicatePair.import_id == min(import_id, 2**63 - 1))


def pairs_page(session: Session, condition: ColumnElement[bool], *, after: str | None) -> Page[Any]:
    """A page of (pair, both records, the import's file), the likeliest first."""
    first, second = aliased(Alumnus, name="first"), aliased(Alumnus, name="second")
    statement = (
        select(DuplicatePair, first, second, ImportRun.filename)
        .join(first, first.id == DuplicatePair.first_id)
        .join(second, second.id == DuplicatePair.second_id)
        .outerjoin(ImportRun, ImportRun.id == DuplicatePair.import_id)
        .where(condition)
    )
    return keyset(session, statement, KEYS, after=after, descending=True)


def following(
    session: Session, pair: DuplicatePair, condition: ColumnElement[bool]
) -> DuplicatePair | None:
    """The pair that a list shows after this one."""
    place = encode([pair.probability, pair.first_id, pair.second_id])
    page = keyset(session, select(DuplicatePair).where(condition), KEYS, after=place,
                  descending=True, size=1)  # fmt: skip
    return page.items[0].DuplicatePair if page.items else None


def load_pair(session: Session, first_id: int, second_id: int) -> DuplicatePair:
    """An open pair; raises `NotFound`."""
    known = max(first_id, second_id) < 2**63
    pair = session.get(DuplicatePair, (first_id, second_id)) if known else None
    if pair is None or pair.state is not PairState.OPEN:
        raise NotFound("There is no such pair, or it was decided already.")
    return pair


def both(session: Session, pair: DuplicatePair) -> tuple[Alumnus, Alumnus]:
    """The two records of a pair."""
    return session.get_one(Alumnus, pair.first_id), session.get_one(Alumnus, pair.second_id)


def last_contacts(session: Session, ids: Sequence[int]) -> Mapping[int, tuple[int, datetime]]:
    """By person, how much passed between us and them, and when last."""
    rows = session.execute(
        select(Interaction.alumnus_id, func.count(), func.max(Interaction.occurred_at))
        .where(Interaction.alumnus_id.in_(ids))
        .group_by(Interaction.alumnus_id)
    )
    return {alumnus_id: (count, last) for alumnus_id, count, last in rows}


def recent_merges(session: Session, *, limit: int = 10) -> Sequence[Any]:
    """The latest merges that stand with the record that stayed, newest first."""
    statement = (
        select(Merge, Alumnus)
        .join(Alumnus, Alumnus.id == Merge.kept_id)
        .where(Merge.undone_at.is_(None))
        .order_by(Merge.id.desc())
    )
    return session.execute(statement.limit(limit)).all()


def standing_merge(session: Session, merge_id: int | None) -> Merge | None:
    """A merge that can be taken back, if the number is one."""
    merge = session.get(Merge, merge_id) if merge_id and merge_id < 2**63 else None
    return merge if merge is not None and merge.undone_at is None else None


def last_pass(session: Session) -> DuplicatePass | None:
    """The latest look through people."""
    return session.scalars(select(DuplicatePass).order_by(DuplicatePass.id.desc()).limit(1)).first()


def of_import(session: Session, import_id: int) -> int:
    """How many proposed pairs wait of those that an import brought."""
    waiting = shown(learnt(session).threshold, less=False, import_id=import_id)
    return session.scalars(select(func.count()).select_from(DuplicatePair).where(waiting)).one()


def waiting_pairs(session: Session, viewer: Viewer, at: datetime) -> Iterator[Todo]:
    """Open pairs, for those who may decide them."""
    if viewer.may(Permission.IMPORT):
        count = count_open(session, learnt(session).threshold)
        label = ngettext("pair may be one person", "pairs may be one person each", count)
        yield Todo(label, count, url_for("duplicates.index"))


def merged_fields(
    session: Session, alumnus_id: int
) -> Iterator[tuple[datetime, str, Mapping[str, Any]]]:
    """When, from which record and which fields a record got by merges that stand."""
    standing = Merge.kept_id == alumnus_id, Merge.undone_at.is_(None)
    for merge in session.scalars(
        select(Merge).where(*standing).order_by(Merge.id.desc()).limit(50)
    ):
        yield merge.at, f"#{merge.gone_id}", merge.fields
