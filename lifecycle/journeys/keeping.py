"""How long it is kept, step by step, how people went through journeys."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import Table, select

from crm.core.extend import Keep
from crm.rights.schedule import YEAR
from lifecycle.journeys.models import IS_INSIDE, Enrollment, StepRun


def kept_steps() -> Keep:
    """The steps of ways that are over; those of people who are inside stay, whatever their age."""
    table: Table = StepRun.__table__  # type: ignore[assignment]
    way = select(Enrollment.id).where(Enrollment.id == StepRun.enrollment_id)
    person = select(Enrollment.alumnus_id).where(Enrollment.id == StepRun.enrollment_id)
    return Keep(
        "step_run", _("Steps of journeys, one by one"),
        _("why somebody went which way; that they entered, and how it ended, stays"),
        table, table.c.entered_on, 6 * YEAR, 2 * YEAR, 10 * YEAR, ~way.where(IS_INSIDE).exists(),
        None, person.scalar_subquery(),
    )  # fmt: skip
