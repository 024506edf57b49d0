"""The one place that asks what time it is (law 7).

Edges (a request, a job, a command) call `now()` once and pass the moment down; everything below
them takes it as an argument. `at()` sets it for a block: `--as-of`, the demo's replay and tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


def now() -> datetime:
    """This moment as an aware UTC datetime, or the one set by `at()`."""
    return _moment.get() or datetime.now(UTC)


def is_frozen() -> bool:
    """Whether a block set the moment, so that nothing should wait for the real one."""
    return _moment.get() is not None


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Make `now()` answer `moment` (aware) within the block."""
    if moment.tzinfo is None:
        raise ValueError("the moment must carry a time zone")
    token = _moment.set(moment.astimezone(UTC))
    try:
        yield
    finally:
        _moment.reset(token)
