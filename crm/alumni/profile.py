"""Which fields of a profile may be edited, and what each of them accepts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from zoneinfo import available_timezones

from crm.alumni.models import Alumnus
from crm.core.errors import Invalid

MAX_TEXT = 200
CLASS_YEARS = range(1900, 2101)
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
NAME_FIELDS = frozenset(
    {"given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name"}
)


def _line(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("Write this as text.")
    # Direction marks and zero-width joiners belong to some names: only control characters go.
    text = " ".join("".join(c if c >= " " and c != "\x7f" else " " for c in value).split())
    if len(text) > MAX_TEXT:
        raise Invalid("Use at most %(most)s characters.", most=MAX_TEXT)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Invalid("Holds characters that cannot be kept.") from error
    return text


def _optional(value: Any) -> str | None:
    return _line(value or "") or None


def _class_year(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value not in CLASS_YEARS:
        raise Invalid("Write a year with four digits, such as 2015.")
    return value


def _day(value: Any) -> date | None:
    if value is not None and type(value) is not date:
        raise Invalid("Choose a day.")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Invalid("Say yes or no.")
    return value


def _language(value: Any) -> str:
    text = _line(value)
    if not LANGUAGE.fullmatch(text):
        raise Invalid("Write the code of a language, such as en or es.")
    return text


def _time_zone(value: Any) -> str | None:
    text = _optional(value)
    if text is not None and text not in available_timezones():
        raise Invalid("Write a time zone such as America/New_York.")
    return text


EDITABLE: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(sorted(NAME_FIELDS), _line),
    **dict.fromkeys(
        ("city", "state", "postal_code", "job_title", "employer", "field_of_work", "college"),
        _optional,
    ),
    **dict.fromkeys(("birth_date", "graduated_on", "paused_until"), _day),
    **dict.fromkeys(("ferpa_block", "deceased", "do_not_contact"), _flag),
    "class_year": _class_year,
    "language": _language,
    "time_zone": _time_zone,
}
"""Every field that `edit_profile` takes, with the check that makes a value fit to store."""


def checked(alumnus: Alumnus, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored; raises `Invalid` naming the field at fault."""
    values = {}
    for name, value in changes.items():
        if name not in EDITABLE:
            raise Invalid("%(called)s is no field of a profile.", field=name, called=name)
        try:
            values[name] = EDITABLE[name](value)
        except Invalid as error:
            error.field = name
            raise
    names = (values.get(n, getattr(alumnus, n)) for n in ("given_name", "family_name"))
    if not any(names):
        raise Invalid("Write at least one name.", field="given_name")
    return values


def plain(value: Any) -> Any:
    """A value as the audit trail keeps it."""
    return value.isoformat() if isinstance(value, date) else value
