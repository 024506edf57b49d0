"""What working with pupils takes: levels, their proofs and terms, which activity needs which.

These are the shipped levels; a district's own stand in `policy.py`. They follow the practice of
Georgia districts (APS GAK(1)-R(1), rev. 2018): no pupil contact, a release form; supervised
visitors, a background check besides; unsupervised work, fingerprints and a check through HR; to be
renewed after two years.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _


@dataclass(frozen=True)
class Level:
    """A level of clearance; every higher level includes it."""

    level: int
    label: Any
    proof: Any
    years: int


LEVELS = {
    1: Level(1, _("Release form"), _("Signed release form"), 2),
    2: Level(2, _("Background check"), _("Release form and criminal-history check"), 2),
    3: Level(3, _("Fingerprints"), _("Fingerprints and check through HR"), 2),
}

NEEDED = {
    ("no_pupils", "school"): 0,
    ("no_pupils", "virtual"): 0,
    ("supervised", "school"): 2,
    ("supervised", "virtual"): 1,
    ("unsupervised", "school"): 3,
    ("unsupervised", "virtual"): 3,
}
"""How pupils are watched, and where the help is given → the level it takes; 0 takes none."""


@dataclass(frozen=True)
class Grant:
    """A level held from `granted_on` until the day before `expires_on`, or before it was revoked.

    `school_id` None: every school accepts it.
    """

    level: int
    granted_on: date
    expires_on: date
    revoked_on: date | None = None
    school_id: int | None = None


def needed_level(supervision: str, place: str = "school") -> int:
    """The level that an activity takes (0: none); something unknown takes the highest."""
    return NEEDED.get((str(supervision), str(place)), max(LEVELS))


def expiry(level: int, granted_on: date) -> date:
    """The first day on which a level granted then no longer counts."""
    return months_after(granted_on, 12 * LEVELS[level].years)


def months_after(day: date, months: int) -> date:
    """The same day so many months on; where that month is shorter, the first after it."""
    years, month = divmod(day.month - 1 + months, 12)
    try:
        return date(day.year + years, month + 1, day.day)
    except ValueError:
        return date(day.year + years, month + 2, 1)


def cleared(grants: Iterable[Grant], *, level: int, on: date, school_id: int) -> bool:
    """Whether somebody with these grants may do what takes `level` at the school on that day."""
    return level == 0 or any(
        grant.level >= level
        and grant.granted_on <= on < grant.expires_on
        and (grant.revoked_on is None or on < grant.revoked_on)
        and grant.school_id in (None, school_id)
        for grant in grants
    )
