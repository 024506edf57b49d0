"""Who wants to know that the school calendar changed: higher areas register in their `init_app`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

Changed = Callable[[Session, datetime], object]


def calendar_changed(app: Flask | None = None) -> list[Changed]:
    """What is called, in its transaction, when the calendar is saved."""
    holder = (app or current_app).extensions
    return cast(list[Changed], holder.setdefault("homecoming_calendar", []))
