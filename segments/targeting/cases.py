"""What is learnt from: the finished asks with what was known when each was sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from segments.asks.models import Ask, AskState
from segments.targeting import features
from segments.targeting.columns import Columns, columns_now
from segments.targeting.features import DEFAULT_BASE
from segments.targeting.service import EVERY_WAY

if TYPE_CHECKING:  # What learns takes long to import, and most processes never learn.
    from segments.targeting.learning import Learnt

ENOUGH_ASKS, ENOUGH_YESES = 200, 50
Rows = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Training:
    """Cases with their answers, in the order they were asked; `asked_at` in seconds."""

    x: features.Matrix
    y: np.ndarray[Any, np.dtype[np.int64]]
    asked_at: features.Matrix
    ways: np.ndarray[Any, np.dtype[np.str_]]
    people: np.ndarray[Any, np.dtype[np.int64]]
    columns: Columns

    @property
    def enough(self) -> bool:
        """Whether there is enough to learn from; otherwise the prior is the honest answer."""
        yeses = int(self.y.sum())
        return len(self.y) >= ENOUGH_ASKS and min(yeses, len(self.y) - yeses) >= ENOUGH_YESES

    def part(self, chosen: Rows) -> Training:
        """The chosen rows."""
        return Training(
            self.x[chosen], self.y[chosen], self.asked_at[chosen], self.ways[chosen],
            self.people[chosen], self.columns,
        )  # fmt: skip

    def of(self, way_key: str) -> Rows:
        """Which rows are of a way (`*`: all)."""
        return np.full(len(self.y), fill_value=True) if way_key == EVERY_WAY else (
            self.ways == way_key
        )  # fmt: skip

    def learn(self) -> Learnt:
        """The model that these rows teach."""
        from segments.targeting.learning import learn

        return learn(self.x, self.y, self.asked_at, columns=self.columns)


def training_cases(
    session: Session, *, until: datetime, since: datetime | None = None,
    columns: Columns | None = None,
) -> Training:  # fmt: skip
    """Each finished ask before `until` with what was known when it was sent, oldest first.

    Asks of all ways: what one way teaches serves the others too. `since` leaves out those asked
    before; `columns` are those of a model that is to be asked (otherwise today's).
    """
    columns = columns or columns_now(session)
    cases = features.asked_cases(way_key=None, until=until)
    if since is not None:
        cases = cases.where(Ask.asked_at >= since)
    loaded_cases = features.load(session, cases, base=DEFAULT_BASE, more=columns.of)
    answers = select(Ask.id, Ask.state, func.extract("epoch", Ask.asked_at), Ask.way_key).where(
        Ask.id.in_(cases.with_only_columns(Ask.id))
    )
    known = {
        key: (state is AskState.ACCEPTED, float(at), way)
        for key, state, at, way in session.execute(answers)
    }
    rows = [known[int(key)] for key in loaded_cases.keys]
    at = np.array([at for _, at, _ in rows], dtype=np.float64)
    order = np.argsort(at, kind="stable")
    y = np.array([yes for yes, _, _ in rows], dtype=np.int64)
    ways = np.array([way for _, _, way in rows], dtype=np.str_)
    people = loaded_cases.people[order]
    return Training(loaded_cases.x[order], y[order], at[order], ways[order], people, columns)
