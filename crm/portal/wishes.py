"""What somebody asks for on their own page, as a value that can be applied and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from crm.alumni.models import InterestKind
from crm.core.errors import Invalid

UNDO_LIFE = timedelta(hours=1)
OVER = "What you changed can no longer be taken back with this button. Change it on your page."


@dataclass(frozen=True)
class Wish:
    """The parts of a page that somebody fills in; None leaves a part as it is."""

    profile: Mapping[str, str] = field(default_factory=dict)
    ways: frozenset[str] | None = None
    subjects: frozenset[str] | None = None
    topics: frozenset[str] | None = None
    pause: tuple[date | None] | None = None
    breaks: Mapping[str, date | None] = field(default_factory=dict)

    @property
    def interests(self) -> Mapping[InterestKind, frozenset[str] | None]:
        """What is asked of each kind of interest."""
        return {InterestKind.WAY: self.ways, InterestKind.SUBJECT: self.subjects}

    def plain(self) -> dict[str, Any]:
        """The wish as JSON values."""
        return {
            "profile": dict(self.profile),
            "ways": _sorted(self.ways),
            "subjects": _sorted(self.subjects),
            "topics": _sorted(self.topics),
            "pause": [day.isoformat() if day else None for day in self.pause]
            if self.pause is not None
            else None,
            "breaks": {key: day.isoformat() if day else None for key, day in self.breaks.items()},
        }


def _sorted(keys: frozenset[str] | None) -> list[str] | None:
    return None if keys is None else sorted(keys)


def _keys(values: list[str] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(values)


def seal(wish: Wish, *, alumnus_id: int, at: datetime) -> str:
    """The wish as text for a form of the person's own page, which nobody else can make or use."""
    content = {"for": alumnus_id, "at": at.timestamp(), "wish": wish.plain()}
    return str(_sealer().dumps(content))


def unseal(text: str, *, alumnus_id: int, at: datetime) -> Wish:
    """The wish again; raises `Invalid` for one that is foreign, changed or older than an hour."""
    try:
        content = _sealer().loads(text)
    except BadData as error:
        raise Invalid(OVER) from error
    if content["for"] != alumnus_id or content["at"] < (at - UNDO_LIFE).timestamp():
        raise Invalid(OVER)
    plain = content["wish"]
    pause = plain["pause"]
    return Wish(
        profile=plain["profile"],
        ways=_keys(plain["ways"]),
        subjects=_keys(plain["subjects"]),
        topics=_keys(plain["topics"]),
        pause=None if pause is None else (_day(pause[0]),),
        breaks={key: _day(day) for key, day in plain.get("breaks", {}).items()},
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _sealer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="homecoming.undo")
