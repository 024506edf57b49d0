"""Runs the retention schedule in bounded batches, and tells what went and what goes next.

Of a table kept by months, a month goes as a whole once all of its rows may go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import structlog
from sqlalchemy import (
    ColumnElement,
    Date,
    and_,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from crm.core.district import Choices, chosen
from crm.core.errors import Invalid
from crm.core.extend import Keep, extensions
from crm.core.months import MONTHLY, bounds, month_after, parts
from crm.rights.models import LegalHold, RetentionRun

_log = structlog.get_logger(__name__)
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


def cutoff_of(schedule: Schedule, keep: Keep, at: datetime) -> datetime:
    """What is older goes; of a table kept by months only what is of a month before that day's."""
    cutoff = at - timedelta(days=days_of(schedule, keep))
    if not by_months(keep):
        return cutoff
    day = cutoff.astimezone(UTC)
    return datetime(day.year, day.month, 1, tzinfo=UTC)


def by_months(keep: Keep) -> bool:
    """Whether these rows go as whole months."""
    column = keep.table.info.get(MONTHLY)
    return keep.values is None and column is not None and keep.age is keep.table.c[column]


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
    by_day = isinstance(keep.age.type, Date)
    wanted = [keep.age < (cutoff.astimezone(UTC).date() if by_day else cutoff)]
    if keep.condition is not None:
        wanted.append(keep.condition)
    if keep.person is not None:
        held = select(LegalHold.alumnus_id).where(LegalHold.released_at.is_(None))
        wanted.append(or_(keep.person.is_(None), keep.person.not_in(held)))
    return and_(*wanted)


def run(session: Session, *, at: datetime, within: int | None = None) -> dict[str, int]:
    """Let go of what is due, a batch a transaction; answers rows by kind. Commits what it does.

    `within`: only what is kept for at most so many days, which is quick to find.
    """
    schedule, done = chosen(session, Schedule), {}
    for keep in extensions().retention:
        if within is not None and keep.days > within:
            continue
        cutoff = cutoff_of(schedule, keep, at)
        rows = _drop_months(session, keep, cutoff, at)
        whole, rows = rows, 0
        for _ in range(BATCHES):
            n = _batch(session, keep, cutoff)
            rows += n
            session.commit()
            if n < BATCH:
                break
        if rows + whole:
            done[keep.key] = rows + whole
        if rows:
            session.add(RetentionRun(key=keep.key, at=at, cutoff=cutoff, rows=rows))
            session.commit()
    return done


def _drop_months(session: Session, keep: Keep, cutoff: datetime, at: datetime) -> int:
    """Drop every month of which all rows may go, each with its entry in the log; commits each.

    One that cannot be had at once, because somebody reads or writes for long, waits for the next
    run. Answers how many rows went.
    """
    if not by_months(keep):
        return 0
    rows = 0
    for part in parts(session, keep.table.name):
        if part.month is None or month_after(part.month) > cutoff.astimezone(UTC).date():
            continue
        try:
            rows += _drop_month(session, keep, part.month, part.name, cutoff, at)
            session.commit()
        except OperationalError:
            session.rollback()
            _log.warning("retention.busy", table=keep.table.name, month=part.month.isoformat())
    return rows


def _drop_month(
    session: Session, keep: Keep, month: date, name: str, cutoff: datetime, at: datetime
) -> int:
    """Drop one month if nothing in it has to stay. Nobody can be put under a hold meanwhile."""
    session.execute(text("set local lock_timeout = '5s'"))
    session.execute(text(f"lock table {LegalHold.__tablename__} in share mode"))
    low, high = bounds(keep.table, month)
    column = keep.table.c[keep.table.info[MONTHLY]]
    inside = and_(column >= literal_column(f"'{low}'"), column < literal_column(f"'{high}'"))
    stays = select(column).where(inside, due(keep, cutoff).is_not(True)).limit(1)
    if session.execute(stays).first() is not None:
        return 0
    counted = select(func.count()).select_from(keep.table).where(inside)
    rows = int(session.execute(counted).scalar_one())
    session.add(RetentionRun(key=keep.key, at=at, cutoff=cutoff, rows=rows))
    session.flush()
    session.execute(text(f"drop table {name}"))
    _log.info("retention.month_dropped", table=keep.table.name, month=month.isoformat(), rows=rows)
    return rows


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
        days, cutoff = days_of(schedule, keep), cutoff_of(schedule, keep, at)
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
