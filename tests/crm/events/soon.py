"""Events that begin soon, and pages that lead on."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.factories import Make


def soon(make: Make, hours: int = 3) -> dict[str, datetime]:
    """When an event takes place that staff go to without signing in anew."""
    starts = make.at + timedelta(hours=hours)
    return {"starts_at": starts, "ends_at": starts + timedelta(hours=2)}
