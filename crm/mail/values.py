"""What merge fields say for whole batches of recipients, in a fixed number of queries."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from email.utils import parseaddr
from operator import attrgetter
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Schooling
from crm.core.application import current_settings
from crm.core.extend import Recipient, extensions
from crm.schools.models import School

LINK_ENDING = "_link"


def _greeting(row: Row[Any]) -> str:
    """What a letter calls them, as `Alumnus.greeting_name`."""
    return str(row.preferred_name or row.given_name or row.family_name)


def _full_name(row: Row[Any]) -> str:
    """The name as people write it, as `Alumnus.full_name`."""
    parts = (row.preferred_name or row.given_name, row.middle_name, row.family_name, row.suffix)
    return " ".join(part for part in parts if part)


PERSONAL: Mapping[str, tuple[Any, str, Callable[[Row[Any]], Any]]] = {
    "first_name": (_("First name"), "Ada", _greeting),
    "full_name": (_("Full name"), "Ada Mensah", _full_name),
    "family_name": (_("Family name"), "Mensah", attrgetter("family_name")),
    "class_year": (_("Class year"), "2015", attrgetter("class_year")),
    "school": (_("School last attended"), "Booker T. Washington High School", attrgetter("school")),
    "city": (_("Town"), "Atlanta", attrgetter("city")),
    "employer": (_("Employer"), "Grady Hospital", attrgetter("employer")),
    "job_title": (_("Job title"), "Nurse", attrgetter("job_title")),
    "college": (_("College"), "Spelman College", attrgetter("college")),
}
"""Fields of the person: label, sample, and how to read it from a row of `_people`."""

READ = (
    "id", "given_name", "middle_name", "family_name", "suffix", "preferred_name", "class_year",
    "city", "employer", "job_title", "college",
)  # fmt: skip
"""What those fields are made of."""

OFFICE: Mapping[str, Any] = {
    "sender_name": _("Name of the sender"),
    "district": _("Name of the office that writes"),
    "postal_address": _("Postal address of the office"),
}
"""Fields that are the same in every mail of this installation."""


def office_values() -> dict[str, str]:
    """The values of the fields that are the same for everybody."""
    settings = current_settings()
    name, address = parseaddr(settings.mail_from)
    sender = name or address
    return {
        "sender_name": sender, "district": sender, "postal_address": settings.postal_address,
    }  # fmt: skip


def known_fields() -> set[str]:
    """Every merge field that any content may use."""
    return {*PERSONAL, *OFFICE, *extensions().merge_fields}


def described_fields() -> list[tuple[str, Any, str]]:
    """Every merge field with its label and a sample, in the order to show them in."""
    described = [(key, label, sample) for key, (label, sample, _read) in PERSONAL.items()]
    office = office_values()
    described += [(key, label, office[key]) for key, label in OFFICE.items()]
    return described + [(f.key, f.label, f.sample) for f in extensions().merge_fields.values()]


def is_link(name: str) -> bool:
    """Whether a field holds an address: one registered as such, or a message's own `…_link`."""
    registered = extensions().merge_fields.get(name)
    return registered.is_link if registered else name.endswith(LINK_ENDING)


def nearest(name: str, known: Collection[str]) -> str:
    """A hint at the field that was perhaps meant, ready to follow the name."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if close:
        return f"; did you mean “{close[0]}”?"
    return "; a message may bring fields of its own if the content names them under Fields"


def values_for(
    session: Session, recipients: Sequence[Recipient], names: Collection[str], at: datetime
) -> list[dict[str, str]]:
    """For each recipient the text of each named field, in order; empty where there is none."""
    wanted = set(names)
    found: list[dict[str, str]] = [
        {k: _text(v) for k, v in recipient.merge.items() if k in wanted} for recipient in recipients
    ]
    office = {k: v for k, v in office_values().items() if k in wanted}
    personal = wanted & PERSONAL.keys()
    people = _people(session, recipients) if personal else {}
    for recipient, mine in zip(recipients, found, strict=True):
        row = people.get(recipient.alumnus_id or 0)
        if row is not None:
            mine |= {n: _text(PERSONAL[n][2](row)) for n in personal - mine.keys()}
        for name, value in office.items():
            mine.setdefault(name, value)
    for name, field in extensions().merge_fields.items():
        if name in wanted:
            for mine, value in zip(found, field.values(session, recipients, at), strict=True):
                mine.setdefault(name, value)
    return found


def samples(names: Collection[str]) -> dict[str, str]:
    """Harmless texts for a preview of fields that only a real message could fill."""
    registered = extensions().merge_fields
    base = current_settings().base_url
    shown = {name: registered[name].sample for name in names if name in registered}
    for name in names:
        if is_link(name):
            shown[name] = f"{base}/#sample"
    return shown


def _people(session: Session, recipients: Sequence[Recipient]) -> dict[int, Row[Any]]:
    """The people of a batch with the name of the school that each attended last."""
    ids = {r.alumnus_id for r in recipients if r.alumnus_id is not None}
    last = (
        select(School.name)
        .join(Schooling, Schooling.school_id == School.id)
        .where(Schooling.alumnus_id == Alumnus.id)
        .order_by(Schooling.class_year.desc().nulls_last(), Schooling.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    columns = [getattr(Alumnus, name) for name in READ]
    chosen: Select[Any] = select(*columns, last.label("school")).where(
        Alumnus.id == func.any(sorted(ids))
    )
    return {row.id: row for row in session.execute(chosen)}


def _text(value: Any) -> str:
    return "" if value is None else str(value)
