"""Notes on many people at once: subjects they care about, values of custom fields.

For programs that act on sets of people; what a person is asked or staff edit goes through
`crm.alumni.service`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, String, Table, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest, InterestKind

INTEREST = cast(Table, Interest.__table__)


def add_subjects(
    session: Session, who: Select[Any], keys: Sequence[str], *, source: str, at: datetime
) -> None:
    """Note that these people (`alumnus_id`) care about subjects; those who do already keep since
    when and who said so."""
    if not keys:
        return
    found = who.subquery("who")
    key = func.unnest(literal(list(keys), ARRAY(String())))
    rows = select(
        found.c.alumnus_id, literal(InterestKind.SUBJECT.value), key, literal(source),
        literal(at, INTEREST.c.since.type),
    ).order_by(found.c.alumnus_id)  # fmt: skip
    columns = ["alumnus_id", "kind", "key", "source", "since"]
    statement = insert(INTEREST).from_select(columns, rows, include_defaults=False)
    session.execute(statement.on_conflict_do_nothing())


def put_custom(
    session: Session, who: Select[Any], values: Mapping[str, str], *, at: datetime
) -> None:
    """Set custom fields of these people (`alumnus_id`); nothing changes where they are so already.

    The rows are locked in the order of their ids, so that two workers never wait in a circle.
    """
    if not values:
        return
    added = literal(dict(values), JSONB)
    changing = (
        select(Alumnus.id)
        .where(Alumnus.id.in_(who), ~Alumnus.custom.contains(added))
        .order_by(Alumnus.id)
        .with_for_update(key_share=True)
        .cte("changing")
        .prefix_with("materialized")
    )
    statement = (
        update(Alumnus)
        .where(Alumnus.id == changing.c.id)
        .values(custom=Alumnus.custom.op("||", return_type=JSONB())(added), updated_at=at)
    )
    session.execute(statement, execution_options={"synchronize_session": False})
