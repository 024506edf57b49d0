"""How many to ask at once, and whom: small waves, mostly the best, a few drawn from the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM, Viewer
from segments.asks.queries import places_left
from segments.desk.match import Candidate, Match, match
from segments.requests.models import Request

SHOWN = 30
HOPE = 1.2
"""A wave aims at so many expected yeses a free place."""
EXPLORE = 0.1
"""The share of a wave drawn at random from those whom the rank would not reach."""


def wave_size(chances: Sequence[float], places: int) -> int:
    """How many of the best to ask for so many places: until enough yeses are to be expected.

    Never fewer than the places, nor more than five a place and two besides: small waves with short
    holds beat one large mailing.
    """
    if places < 1:
        return 0
    most = 5 * places + 2
    expected, size = 0.0, 0
    for chance in chances:
        if size >= most or (expected >= HOPE * places and size >= places):
            break
        expected += chance
        size += 1
    return size


def explored(size: int, seed: str) -> int:
    """How many of a wave are drawn: a tenth on average, decided by the seed and not by luck."""
    whole, part = divmod(size * EXPLORE, 1)
    draw = int(hashlib.sha256(seed.encode()).hexdigest()[:12], 16) / 16**12
    return int(whole) + (draw < part)


def suggest(
    session: Session, request: Request, *, at: datetime, viewer: Viewer = SYSTEM, wave: int = 1
) -> tuple[Match, tuple[Candidate, ...]]:
    """The candidates to look at, and those among them to ask next.

    `wave` is the number of the coming wave; it seeds the draw.
    """
    best = match(session, request, at=at, limit=SHOWN, viewer=viewer)
    places = places_left(session, request)
    size = wave_size([c.probability for c in best.candidates], places)
    drawn = explored(size, f"{request.id}:{wave}") if best.eligible > size else 0
    if not drawn:
        return best, best.candidates[:size]
    mixed = match(
        session, request, at=at, limit=size - drawn, explore=drawn, viewer=viewer
    ).candidates
    known = {c.alumnus_id for c in mixed}
    others = tuple(c for c in best.candidates if c.alumnus_id not in known)
    shown = (*mixed, *others)
    return Match(shown, best.eligible, best.ineligible, best.need), mixed
