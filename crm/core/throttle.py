"""Rate limits on everything that mails or guesses, counted in the database for all processes."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import case
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.core.errors import Refused
from crm.core.models import Throttle


class TooMany(Refused):
    """The limit is reached; try again once the window has passed."""


def unnamed(text: str) -> str:
    """A client or an address as a part of a key that does not tell which it is."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def hit(session: Session, key: str, *, limit: int, per: timedelta, at: datetime) -> bool:
    """Count one try under `key`; False once more than `limit` fall in a window of `per`.

    The window is fixed: it starts with the first try and a new one starts when it has passed.
    """
    fresh = Throttle.window_start <= at - per
    statement = insert(Throttle).values(key=key, window_start=at, hits=1)
    statement = statement.on_conflict_do_update(
        index_elements=[Throttle.key],
        set_={
            "hits": case((fresh, 1), else_=Throttle.hits + 1),
            "window_start": case((fresh, at), else_=Throttle.window_start),
        },
    )
    hits: int = session.execute(statement.returning(Throttle.hits)).scalar_one()
    return hits <= limit
