"""Runs the retention schedule in bounded batches, and tells what went and what goes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from crm.core.district import Choices, chosen
from crm.core.errors import Invalid
from crm.core.extend import Keep, extensions
from crm.rights.models import LegalHold, RetentionRun

BATCH = 5_000
BATCHES = 20
"""At most so many batches of one kind in one run: the rest waits for the next knock."""
COUNTED = 10_000


class Schedule(Choices):
    """How many days the district keeps each kind of rows, where it chose so."""

    key: ClassVar[str] = "retention"
    days: Mapping[str, int] = {}


@dataclass(frozen=True)
class Line:
    """One kind of rows: how long it is kept, how many would go now, what went last and in all."""

    keep: Keep
    days: int
    cutoff: datetime
    due: int
    more: bool
    last: datetime | None
    gone: int

    @property
    def fixed(self) -> bool:
        """Whether the district has no choice of days."""
        return self.keep.least == self.keep.most


def days_of(schedule: Schedule, keep: Keep) -> int:
    """The district's choice, within the bounds."""
    return min(max(schedule.days.get(keep.key, keep.days), keep.least), keep.most)


def set_days(schedule: Schedule, wanted: Mapping[str, int]) -> Schedule:
    """A schedule with other numbers of days; raises `Invalid` for one out of its bounds."""
    days = dict(schedule.days)
    for keep in extensions().retention:
        if keep.key not in wanted:
            continue
        if not keep.least <= wanted[keep.key] <= keep.most:
            raise Invalid(f"{keep.least} – {keep.most}", field=keep.key)
        days[keep.key] = wanted[keep.key]
    return Schedule(days=days)


def due(keep: Keep, cutoff: datetime) -> ColumnElement[bool]:
    """Which rows of a kind go: old enough, meant, and of nobody on whom a legal hold stands."""
    parts = [keep.age < cutoff]
    if keep.condition is not None:
        parts.append(keep.condition)
    if keep.person is not None:
        held = select(LegalHold.alumnus_id).where(LegalHold.released_at.is_(None))
        parts.append(or_(keep.person.is_(None), keep.person.not_in(held)))
    return and_(*parts)


def run(session: Session, *, at: datetime, within: int | None = None) -> dict[str, int]:
    """Let go of what is due, a batch a transaction; answers rows by kind. Commits what it does.

    `within`: only what is kept for at most so many days, which is quick to find.
    """
    schedule, done = chosen(session, Schedule), {}
    for keep in extensions().retention:
        if within is not None and keep.days > within:
            continue
        cutoff = at - timedelta(days=days_of(schedule, keep))
        rows = 0
        for _ in range(BATCHES):
            n = _batch(session, keep, cutoff)
            rows += n
            session.commit()
            if n < BATCH:
                break
        if rows:
            done[keep.key] = rows
            session.add(RetentionRun(key=keep.key, at=at, cutoff=cutoff, rows=rows))
            session.commit()
    return done


def _batch(session: Session, keep: Keep, cutoff: datetime) -> int:
    keys = list(keep.table.primary_key.columns)
    taken = select(*keys).where(due(keep, cutoff)).limit(BATCH).with_for_update(
        skip_locked=True, of=keep.table
    )  # fmt: skip
    # Not within the condition, where it may run, and take its fill, more than once.
    picked = select(taken.cte("picked").prefix_with("materialized"))
    mine = tuple_(*keys).in_(picked) if len(keys) > 1 else keys[0].in_(picked)
    statement: Any = (
        delete(keep.table).where(mine)
        if keep.values is None
        else update(keep.table).where(mine).values(**keep.values)
    )
    return int(session.execute(statement).rowcount)  # type: ignore[attr-defined]


def report(session: Session, *, at: datetime) -> list[Line]:
    """Every kind of rows with what would go now and what went."""
    schedule = chosen(session, Schedule)
    sums = select(RetentionRun.key, func.sum(RetentionRun.rows), func.max(RetentionRun.at))
    went = {
        key: (total, last) for key, total, last in session.execute(sums.group_by(RetentionRun.key))
    }
    lines = []
    for keep in extensions().retention:
        days = days_of(schedule, keep)
        cutoff = at - timedelta(days=days)
        found = select(keep.table.primary_key.columns.values()[0]).where(due(keep, cutoff))
        bounded = found.limit(COUNTED + 1).subquery()
        n = int(session.execute(select(func.count()).select_from(bounded)).scalar_one())
        total, last = went.get(keep.key, (0, None))
        lines.append(Line(keep, days, cutoff, min(n, COUNTED), n > COUNTED, last, int(total)))
    return lines


def log(session: Session, *, limit: int = 100) -> Sequence[RetentionRun]:
    """The latest runs that let go of something."""
    latest = select(RetentionRun).order_by(RetentionRun.id.desc()).limit(limit)
    return session.scalars(latest).all()


def as_plain(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """The report for the command line."""
    return [
        {
            "key": line.keep.key, "table": line.keep.table.name,
            "deed": "deleted" if line.keep.values is None else "emptied", "days": line.days,
            "least": line.keep.least, "most": line.keep.most, "before": line.cutoff.isoformat(),
            "due": line.due, "more": line.more, "gone": line.gone,
            "last": line.last.isoformat() if line.last else None,
        }
        for line in lines
    ]  # fmt: skip
