"""Why in bulk: of each step how many wait and until when, are held, were skipped or turned away.

And who does not enter: a sample of people, with the part of the entry query that keeps them out. A
figure brings the query that means the people behind it, so that list, wall and export are those of
the search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import String, case, cast, func, literal, null, or_, select
from sqlalchemy.orm import Session, aliased

from crm.core.viewer import Viewer
from crm.mail.models import Message, MessageState
from crm.mail.policy import BUDGET
from crm.mail.reasons import CONTACT_BUDGET, SENTENCES
from lifecycle.continuum.remembering import remembered
from lifecycle.journeys.definition import Document
from lifecycle.journeys.models import (
    IS_STUCK,
    IS_WAITING,
    Enrollment,
    EnrollmentState,
    Journey,
    JourneyVersion,
    StepRun,
    entered_day,
)
from lifecycle.journeys.queries import WAITING as UNDER_WAY
from lifecycle.journeys.queries import document_of, scoped
from lifecycle.journeys.steps import AskFor, Enroll, Send
from lifecycle.journeys.why_words import HELD, OUT, SKIPPED, STUCK, TURNED, WAITS, figure_words

HOURS, WINDOW, DUE, UNDER = "hours", "window", "due", "handed_over"
__all__ = ["OUT", "SAMPLE", "Figure", "whys"]
SAMPLE = 2_000
"""So many held messages, and so many people outside, are looked at closely."""


@dataclass(frozen=True)
class Figure:
    """So many people at a step (empty: before the first) for a reason.

    `first` and `last` are the moments that it lasts until, or at which it happened; `values` are
    what decided; `query` means the people; `sample` is of how many looked at they are, if not of
    all.
    """

    step: str
    what: str
    reason: str
    people: int
    first: datetime | None = None
    last: datetime | None = None
    values: Mapping[str, Any] | None = None
    query: str | None = None
    sample: int | None = None

    @property
    def words(self) -> str:
        """What the figure says of its people, in a sentence."""
        return figure_words(self.what, self.reason, self.values or {})


def whys(
    session: Session, journey: Journey, version: JourneyVersion, viewer: Viewer, at: datetime,
    *, step: str | None = None,
) -> list[Figure]:  # fmt: skip
    """Every figure of a version by step; slow counts are kept for a minute."""
    document = document_of(version)

    def count() -> list[Figure]:
        found = [
            *_standing(session, journey, version, document, viewer),
            *_messages(session, journey, document, viewer, at),
            *_turned(session, journey, version, document, viewer),
        ]
        order = {one.id: number for number, one in enumerate(document.steps)}
        return sorted(found, key=lambda one: (order[one.step], -one.people))

    found = remembered(("whys", version.id, viewer.sight), at, count)
    return [one for one in found if step is None or one.step == step]


def _standing(
    session: Session, journey: Journey, version: JourneyVersion, document: Document, viewer: Viewer
) -> Iterator[Figure]:
    """Who waits, read off the index of those who are due some day, and who is stuck."""
    fault = func.coalesce(Enrollment.end_reason, "")
    wakes = func.min(Enrollment.wake_at), func.max(Enrollment.wake_at)
    waiting = (
        select(Enrollment.step_no, literal(None, String()), func.count(), *wakes)
        .where(Enrollment.version_id == version.id, IS_WAITING)
        .group_by(Enrollment.step_no)
    )
    stuck = (
        select(Enrollment.step_no, fault, func.count(), null(), null())
        .where(Enrollment.journey_id == journey.id, Enrollment.version_id == version.id, IS_STUCK)
        .group_by(Enrollment.step_no, fault)
    )
    for statement in (waiting, stuck):
        found = session.execute(scoped(statement, Enrollment.alumnus_id, viewer))
        for no, why, people, first, last in found:
            state = EnrollmentState.WAITING if why is None else EnrollmentState.STUCK
            where = f"journey:{journey.key} version:{version.no} step:{no} state:{state.value}"
            step, query = document.steps[no], f"enrolled({where})"
            if why is None:
                yield Figure(step.id, WAITS, step.kind, people, first, last, None, query)
            else:
                yield Figure(step.id, STUCK, why, people, query=query)


def _messages(
    session: Session, journey: Journey, document: Document, viewer: Viewer, at: datetime
) -> Iterator[Figure]:
    """What a step decided over all versions and did not send, or not yet."""
    steps = {f"journey:{journey.key}/{s.id}": s.id for s in document.steps if isinstance(s, Send)}
    ended = func.coalesce(Message.ended_at, Message.queued_at)
    statement = select(
        Message.origin, func.coalesce(Message.reason, cast(Message.state, String)), func.count(),
        func.min(ended), func.max(ended),
    ).where(
        Message.origin.in_(steps), Message.state.in_([MessageState.SKIPPED, MessageState.FAILED])
    )  # fmt: skip
    grouped = scoped(statement, Message.alumnus_id, viewer).group_by(statement.selected_columns[1])
    for origin, reason, people, first, last in session.execute(grouped.group_by(Message.origin)):
        where = f"journey:{journey.key} step:{steps[origin]} state:skipped,failed"
        where += f" reason:{reason}" if reason in SENTENCES else ""
        yield Figure(steps[origin], SKIPPED, reason, people, first, last, None, f"mail({where})")
    for origin, step in steps.items():
        yield from _held(session, journey, origin, step, viewer, at)


def _held(
    session: Session, journey: Journey, origin: str, step: str, viewer: Viewer, at: datetime
) -> Iterator[Figure]:
    """Why messages wait: of the first of them, if there are very many."""
    open_states = Message.state.in_(UNDER_WAY)
    some = select(
        Message.alumnus_id, Message.state, Message.not_before, Message.send_window.label("hours")
    ).where(Message.origin == origin, open_states)
    rows = scoped(some, Message.alumnus_id, viewer).limit(SAMPLE + 1).subquery("some")
    other, went = aliased(Message), []
    for limit in BUDGET:
        since = at - timedelta(days=limit.days)
        sent = select(func.count()).where(
            other.alumnus_id == rows.c.alumnus_id, other.accepted_at > since
        )
        went.append(sent.scalar_subquery())
    full = or_(*(count >= limit.most for count, limit in zip(went, BUDGET, strict=True)))
    reason = case(
        (rows.c.state != MessageState.QUEUED, UNDER), (rows.c.not_before <= at, DUE),
        (full, CONTACT_BUDGET), (rows.c.hours.is_not(None), WINDOW), else_=HOURS,
    ).label("why")  # fmt: skip
    judged = select(rows, reason, *(n.label(f"n{i}") for i, n in enumerate(went))).subquery()
    grouped = select(
        judged.c.why, func.count(), func.min(judged.c.not_before), func.max(judged.c.not_before),
        func.min(judged.c.n0), func.max(judged.c.n0), func.min(judged.c.n1), func.max(judged.c.n1),
    ).group_by(judged.c.why)  # fmt: skip
    found = session.execute(grouped).all()
    total = sum(row[1] for row in found)
    where = f"journey:{journey.key} step:{step} state:queued,claimed,uncertain,cancelling"
    for why, people, first, last, *spent in found:
        values = None
        if why == CONTACT_BUDGET:
            values = {f"{limit.most} in {limit.days}d": f"{spent[2 * n]}..{spent[2 * n + 1]}"
                      for n, limit in enumerate(BUDGET)}  # fmt: skip
        sample = SAMPLE if total > SAMPLE else None
        yield Figure(step, HELD, why, people, first, last, values, f"mail({where})", sample)


def _turned(
    session: Session, journey: Journey, version: JourneyVersion, document: Document, viewer: Viewer
) -> Iterator[Figure]:
    """Whom another journey did not take, and who could not be asked, by reason."""
    numbers = [
        n for n, step in enumerate(document.steps) if isinstance(step, (Enroll, AskFor))
    ]  # fmt: skip
    if not numbers:
        return
    statement = (
        select(StepRun.step_no, StepRun.outcome, StepRun.reason, func.count(),
               func.min(StepRun.at), func.max(StepRun.at))
        .join(Enrollment, Enrollment.id == StepRun.enrollment_id)
        .where(
            StepRun.entered_on == entered_day(Enrollment.entered_at),
            Enrollment.version_id == version.id, StepRun.step_no.in_(numbers),
            StepRun.outcome.in_(["not_entered", "not_asked"]),
        )
    )  # fmt: skip
    grouped = scoped(statement, Enrollment.alumnus_id, viewer).group_by(
        StepRun.step_no, StepRun.outcome, StepRun.reason
    )
    for no, outcome, reason, people, first, last in session.execute(grouped):
        where = f"journey:{journey.key} no:{no} outcome:{outcome}"
        where += f" reason:{reason}" if reason else ""
        yield Figure(
            document.steps[no].id, TURNED, reason or "", people, first, last,
            {"outcome": outcome}, f"step({where})",
        )  # fmt: skip
