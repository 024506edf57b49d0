"""The district's school calendar: terms, breaks and named days, as a district chooses them."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from crm.core.district import Choices

KEY = r"^[a-z][a-z0-9_-]{0,39}$"
MOST = 100


class Span(BaseModel):
    """A term or a break: its name, first and last day."""

    model_config = ConfigDict(frozen=True)
    name: str = Field(min_length=1, max_length=60)
    starts: date
    ends: date

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if not 0 <= (self.ends - self.starts).days <= 400:
            raise ValueError("the last day is not after the first, or more than a year after it")
        return self

    def holds(self, day: date) -> bool:
        """Whether the day is in it."""
        return self.starts <= day <= self.ends


class NamedDay(BaseModel):
    """A day that journeys may name, such as homecoming; the same key may have one a year."""

    model_config = ConfigDict(frozen=True)
    key: str = Field(pattern=KEY)
    on: date


class SchoolCalendar(Choices):
    """When the schools of the district teach, and the days that journeys may name."""

    key: ClassVar[str] = "school_calendar"
    terms: tuple[Span, ...] = Field(default=(), max_length=MOST)
    breaks: tuple[Span, ...] = Field(default=(), max_length=MOST)
    days: tuple[NamedDay, ...] = Field(default=(), max_length=MOST)

    def is_school_day(self, day: date) -> bool:
        """Whether pupils are taught: Monday to Friday in a term and no break."""
        if day.weekday() > 4 or any(pause.holds(day) for pause in self.breaks):
            return False
        return any(term.holds(day) for term in self.terms)
