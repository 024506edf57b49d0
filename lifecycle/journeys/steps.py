"""The steps of a journey as validated, immutable values, and where each outcome of one leads."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lifecycle.calendar.choices import SchoolCalendar
from lifecycle.calendar.days import clock_time, moment_after, parse_days

KEY = r"^[a-z0-9][a-z0-9_-]{0,59}$"
DURATION = re.compile(r"([1-9]\d{0,4})\s*(min|h|d|w)")
UNITS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800}
DAY = UNITS["d"]
LONGEST = 3660 * DAY
ANY = "any"
"""Instead of a kind of interaction: whatever a person does."""


def seconds(value: Any) -> Any:
    """A duration such as `30min`, `12h`, `10d` or `2w` in seconds; a whole number is seconds."""
    if isinstance(value, str):
        match = DURATION.fullmatch(value.strip())
        if match is None:
            raise ValueError("write a duration such as 30min, 12h, 10d or 2w")
        return int(match[1]) * UNITS[match[2]]
    return value


Seconds = Annotated[int, BeforeValidator(seconds), Field(ge=60, le=LONGEST)]
Name = Annotated[str, Field(pattern=KEY)]
Query = Annotated[str, Field(min_length=1, max_length=2_000)]
Kind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
Value = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


def _a_day(text: str) -> str:
    parse_days(text)
    return text


def _a_time(text: str) -> str:
    clock_time(text)
    return text


class Part(BaseModel):
    """What every part of a journey shares: no unknown keys, no changes afterwards, no guessing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Send(Part):
    """Queue one message: the newest version of a content, or the one pinned by `key@no`.

    `on_cap` is what follows where the contact budget is used up: wait until `expires`, be skipped,
    or be skipped and let out of the journey.
    """

    kind: Literal["send"] = "send"
    id: Name
    content: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}(@[1-9]\d{0,5})?$")
    topic: Name
    priority: int = Field(default=50, ge=0, le=100)
    expires: Seconds = 14 * DAY
    on_cap: Literal["defer", "skip", "exit"] = "defer"
    next: Name

    @property
    def pinned(self) -> tuple[str, int | None]:
        """The content's key and the version's number, if one is named."""
        key, _, number = self.content.partition("@")
        return key, int(number) if number else None

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"queued": self.next}


class Wait(Part):
    """Let time pass."""

    kind: Literal["wait"] = "wait"
    id: Name
    wait: Seconds
    next: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"waited": self.next}


class WaitUntil(Part):
    """Wait until a time of day on a weekday, a date or a day of the school calendar, where the
    person lives; at most `max`, so that nobody waits for a day that the calendar never gets."""

    kind: Literal["wait_until"] = "wait_until"
    id: Name
    until: Annotated[str, Field(max_length=120), AfterValidator(_a_day)]
    at: Annotated[str, AfterValidator(_a_time)] = "09:00"
    max: Seconds = 400 * DAY
    next: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"waited": self.next}

    def moment(self, calendar: SchoolCalendar, *, since: datetime, zone: ZoneInfo) -> datetime:
        """When the wait of somebody who arrived at `since` and lives in a zone is over."""
        found = moment_after(
            parse_days(self.until), calendar, after=since, at=clock_time(self.at), zone=zone
        )
        latest = since + timedelta(seconds=self.max)
        return latest if found is None else min(found, latest)


class WaitFor(Part):
    """Wait until something of a kind happens (yes), at most so long (no).

    `of` narrows it to what came of one sending step's message: a click, a reply.
    """

    kind: Literal["wait_for"] = "wait_for"
    id: Name
    interaction: Kind | Annotated[tuple[Kind, ...], Field(min_length=1, max_length=20)]
    of: Name | None = None
    max: Seconds
    yes: Name
    no: Name

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of interaction, any of which ends the wait; none means every kind there is."""
        one = self.interaction
        return () if one == ANY else (one,) if isinstance(one, str) else one

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"yes": self.yes, "no": self.no}


class Arm(Part):
    """One way out of a branch: for the people a query means."""

    when: Query
    next: Name


class Branch(Part):
    """Take the first arm whose query means the person, else `otherwise`."""

    kind: Literal["branch"] = "branch"
    id: Name
    arms: tuple[Arm, ...] = Field(min_length=1, max_length=20)
    otherwise: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads: the number of the arm from 1, or `otherwise`."""
        arms = {str(number): arm.next for number, arm in enumerate(self.arms, start=1)}
        return {**arms, "otherwise": self.otherwise}


class Share(Part):
    """One way out of a split, and its weight among all of them."""

    weight: int = Field(ge=1, le=1_000)
    next: Name


class Split(Part):
    """Send people different ways by chance: always the same person the same way."""

    kind: Literal["split"] = "split"
    id: Name
    shares: tuple[Share, ...] = Field(min_length=2, max_length=20)

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads: the number of the share from 1."""
        return {str(number): share.next for number, share in enumerate(self.shares, start=1)}


class SetFacts(Part):
    """Note something on the person: subjects they care about, values of custom fields."""

    kind: Literal["set"] = "set"
    id: Name
    subjects: tuple[Name, ...] = Field(default=(), max_length=20)
    custom: dict[Annotated[str, Field(pattern=r"^[^\x00]{1,60}$")], Value] = {}
    next: Name

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.subjects and not self.custom:
            raise ValueError("say what to set: `subject:` or `custom.field:`")
        return self

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"set": self.next}


class Enroll(Part):
    """Let the person into another journey, if they may enter it and it runs."""

    kind: Literal["enter"] = "enter"
    id: Name
    journey: Name
    next: Name
    otherwise: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"entered": self.next, "not_entered": self.otherwise}


class Task(Part):
    """Give staff something to do about the person; the way goes on at once."""

    kind: Literal["task"] = "task"
    id: Name
    title: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    due: Seconds = 7 * DAY
    next: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"given": self.next}


class AskFor(Part):
    """Ask the person for a way to help, without a school's request, unless they may not be."""

    kind: Literal["ask"] = "ask"
    id: Name
    way: Name
    expires: Seconds = 14 * DAY
    next: Name
    otherwise: Name

    @property
    def edges(self) -> dict[str, str]:
        """Where each outcome leads."""
        return {"asked": self.next, "not_asked": self.otherwise}


class Exit(Part):
    """The end of the way, with a word for it."""

    kind: Literal["exit"] = "exit"
    id: Name
    reason: Name = "done"

    @property
    def edges(self) -> dict[str, str]:
        """An exit leads nowhere."""
        return {}


Step = Annotated[
    Send | Wait | WaitUntil | WaitFor | Branch | Split | SetFacts | Enroll | Task | AskFor | Exit,
    Field(discriminator="kind"),
]


def spelled(amount: int) -> str:
    """Seconds as people write a duration: `10d`, `12h`, `90min`."""
    for unit in ("d", "h", "min"):
        if amount % UNITS[unit] == 0:
            return f"{amount // UNITS[unit]}{unit}"
    return f"{amount}s"
