"""The form of the school calendar: a line for each term, break and named day."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from pydantic import ValidationError as Unfit
from wtforms import TextAreaField
from wtforms.validators import Length, ValidationError

from crm.web.forms import Form
from lifecycle.calendar.choices import MOST, NamedDay, SchoolCalendar, Span

SPAN = re.compile(r"(.+?)\s*:\s*(\d{4}-\d{2}-\d{2})\s*(?:-|–|to|\.\.)\s*(\d{4}-\d{2}-\d{2})")
DAY = re.compile(r"(.+?)\s*:\s*(\d{4}-\d{2}-\d{2})")


def _span(line: str) -> Span:
    match = SPAN.fullmatch(line)
    if match is None:
        raise ValueError
    return Span(
        name=match[1], starts=date.fromisoformat(match[2]), ends=date.fromisoformat(match[3])
    )


def _day(line: str) -> NamedDay:
    match = DAY.fullmatch(line)
    if match is None:
        raise ValueError
    return NamedDay(key=match[1].lower().replace(" ", "-"), on=date.fromisoformat(match[2]))


def _read(text: str | None, read: Callable[[str], Any]) -> tuple[Any, ...]:
    """The lines of a text, each read; `ValidationError` names the first that cannot be."""
    found = []
    for number, raw in enumerate((text or "").splitlines(), start=1):
        line = raw.strip()
        if not line:
            continue
        try:
            found.append(read(line))
        except (Unfit, ValueError) as error:
            words = gettext(
                "Line %(number)s, “%(line)s”: no such days.", number=number, line=line[:80]
            )
            raise ValidationError(words) from error
    if len(found) > MOST:
        raise ValidationError(gettext("At most %(most)s lines.", most=MOST))
    return tuple(found)


class CalendarForm(Form):
    """Terms, breaks and named days."""

    terms = TextAreaField(_("Terms"), [Length(max=10_000)])
    breaks = TextAreaField(_("Breaks and days off"), [Length(max=10_000)])
    days = TextAreaField(_("Named days"), [Length(max=10_000)])

    def validate_terms(self, field: TextAreaField) -> None:
        """Each line is a term."""
        _read(field.data, _span)

    def validate_breaks(self, field: TextAreaField) -> None:
        """Each line is a break."""
        _read(field.data, _span)

    def validate_days(self, field: TextAreaField) -> None:
        """Each line is a day with its name."""
        _read(field.data, _day)

    def calendar(self) -> SchoolCalendar:
        """What was written."""
        return SchoolCalendar(
            terms=tuple(sorted(_read(self.terms.data, _span), key=lambda s: s.starts)),
            breaks=tuple(sorted(_read(self.breaks.data, _span), key=lambda s: s.starts)),
            days=tuple(sorted(_read(self.days.data, _day), key=lambda d: d.on)),
        )

    @classmethod
    def of(cls, calendar: SchoolCalendar) -> CalendarForm:
        """The form with what is chosen."""
        days = (f"{day.key}: {day.on}" for day in calendar.days)
        return cls(
            terms=_spans(calendar.terms), breaks=_spans(calendar.breaks), days="\n".join(days)
        )


def _spans(spans: Iterable[Span]) -> str:
    return "\n".join(f"{span.name}: {span.starts} – {span.ends}" for span in spans)
