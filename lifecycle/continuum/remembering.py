"""Keeps the answer of a slow count for a minute, so that a page at a million people stays quick."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flask import current_app

T = TypeVar("T")
SLOW = 0.1
KEPT = timedelta(minutes=1)
MOST = 500


def remembered(key: Hashable, at: datetime, count: Callable[[], T]) -> T:
    """What `count` answers; once it took longer than a tenth of a second, for a minute the same."""
    kept: dict[Hashable, tuple[datetime, Any]] = current_app.extensions.setdefault(
        "homecoming.counts", {}
    )
    if key in kept:
        since, answer = kept[key]
        if timedelta(0) <= at - since < KEPT:
            return answer  # type: ignore[no-any-return]
    started = time.perf_counter()
    found = count()
    if time.perf_counter() - started > SLOW:
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = (at, found)
    else:
        kept.pop(key, None)
    return found
