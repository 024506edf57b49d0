"""Works one step off in batches, each a short transaction; what cannot be worked is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Select, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from crm.core.errors import HomecomingError
from lifecycle.engine.changes import rows
from lifecycle.engine.groups import Group
from lifecycle.engine.intake import fault_text
from lifecycle.engine.pace import Pace
from lifecycle.engine.report import AdvanceReport
from lifecycle.engine.steps import START, Cursor, Ran, claim, in_one, relock, run_batch, run_next
from lifecycle.journeys.models import IS_WAITING, Enrollment, EnrollmentState, Journey

log = structlog.get_logger(__name__)
FIRST, ACTING = 2_000, 200
"""With how many people a step begins: one that acts does more for each of them."""
TOO_MANY = 20
"""So many rows set aside in one go are not their own fault but the step's."""


class Faulty(Exception):
    """The step itself cannot be run."""


@dataclass
class Runner:
    """One step of one version at one moment, run for everybody due at it."""

    session: Session
    group: Group
    at: datetime
    report: AdvanceReport
    pace: Pace = field(init=False)
    aside: int = field(default=0, init=False)
    after: Cursor = field(default=START, init=False)
    whole: Select[Any] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        first = FIRST if self.group.is_plain else ACTING
        self.pace = Pace(first, least=min(first, 500))

    def run(self) -> bool:
        """Run the step batch by batch until nobody is due; False if a fault (noted) ended it."""
        try:
            while True:
                size = self.pace.size
                with self.pace.batch():
                    claimed = self.next_batch()
                    self.session.commit()
                if claimed < size:
                    self.note_fault(None)
                    return True
        except HomecomingError as error:
            # What the journey names is gone (a content, a field): nobody's own fault.
            self.session.rollback()
            self.note_fault(error)
        except Faulty as error:
            self.note_fault(error.__cause__ or error)
        return False

    def next_batch(self) -> int:
        """Claim and run the next batch; answers how many were claimed."""
        if self.group.is_plain:
            try:
                return self.next_plain()
            except OperationalError:
                raise
            except DBAPIError:
                # Undone; the same people are taken again below, and the row at fault is found.
                self.session.rollback()
        due = claim(self.session, self.group, self.at, self.after, self.pace.size)
        if due:
            self.after = (due[-1].wake_at, due[-1].id)
            self.work([row.id for row in due])
        return len(due)

    def next_plain(self) -> int:
        """The whole batch in one statement, where nothing else has to be done for it."""
        if self.whole is None:
            self.whole = in_one(self.session, self.group, self.at)
        ran, claimed, after = run_next(
            self.session, self.group, self.whole, self.after, self.pace.size
        )
        self.session.commit()
        self.after = after
        self.count(ran)
        return claimed

    def count(self, ran: Ran) -> None:
        """Add to the tick's report what a committed batch did."""
        self.report.stepped += ran.stepped
        self.report.queued += ran.queued
        self.report.ended += ran.ended

    def work(self, ids: Sequence[int]) -> None:
        """Run a locked batch; if it fails, undo it and find the row at fault by halving."""
        try:
            ran = run_batch(self.session, self.group, ids, self.at)
            self.session.commit()
        except OperationalError:
            raise
        except DBAPIError as error:
            self.session.rollback()
            if len(ids) == 1:
                self.set_aside(ids[0], error)
            else:
                self.halve(ids)
        else:
            self.count(ran)

    def halve(self, ids: Sequence[int]) -> None:
        """Try each half again by itself, in a transaction of its own."""
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            still = relock(self.session, self.group, half, self.at)
            if still:
                self.work(still)

    def set_aside(self, enrollment_id: int, error: DBAPIError) -> None:
        """Park the one row that cannot be worked, with its reason, so that the others go on."""
        if self.aside >= TOO_MANY:
            raise Faulty from error
        reason = fault_text(self.group.step.id, error)
        log.error("step.stuck", enrollment=enrollment_id, step=self.group.step.id)
        statement = (
            update(Enrollment)
            .where(
                Enrollment.id == enrollment_id,
                IS_WAITING,
                Enrollment.step_no == self.group.step_no,
            )
            .values(state=EnrollmentState.STUCK, end_reason=reason)
        )
        parked = rows(self.session, statement)
        self.session.commit()
        self.aside += parked
        self.report.stuck += parked

    def note_fault(self, error: BaseException | None) -> None:
        """Say on the journey that this step cannot be run, or that it can again."""
        where = f"step {self.group.step.id}"
        statement = update(Journey).where(Journey.id == self.group.version.journey_id)
        if error is None:
            known = Journey.fault.startswith(f"{where}:", autoescape=True)
            rows(self.session, statement.where(known).values(fault=None))
        else:
            log.error("journey.faulty", journey=self.group.document.journey, step=where)
            rows(self.session, statement.values(fault=fault_text(where, error)))
        self.session.commit()
