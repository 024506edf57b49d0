"""Which columns a file of people may have, for whom, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.export import COLUMNS, CONTACT_COLUMNS, CUSTOM
from crm.core.errors import Invalid
from crm.core.extend import extensions
from crm.core.viewer import Permission, Viewer
from crm.imports.models import CustomField

LISTED = "list."
"""Before the key of a column that another area adds to the list of people."""
LABELS: Mapping[str, Any] = {
    "id": _("Our number"),
    "external_ids": _("Ids in other systems"),
    "given_name": _("Given name"),
    "middle_name": _("Middle name"),
    "family_name": _("Family name"),
    "suffix": _("Suffix"),
    "preferred_name": _("Name they go by"),
    "former_name": _("Former name"),
    "class_year": _("Class"),
    "schools": _("Schools"),
    "language": _("Language"),
    "city": _("City"),
    "state": _("State"),
    "postal_code": _("Postal code"),
    "job_title": _("Job"),
    "employer": _("Employer"),
    "field_of_work": _("Field of work"),
    "college": _("College"),
    "ways": _("Ways they would help"),
    "subjects": _("Subjects they care about"),
    "email": _("Mail address"),
    "phone": _("Phone"),
    "postal": _("Postal address"),
    "deceased": _("Deceased"),
    "do_not_contact": _("Do not contact"),
}


GROUPS: Sequence[tuple[Any, Sequence[str]]] = (
    (_("Names"), (
        "given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name",
    )),
    (_("School"), ("class_year", "schools")),
    (_("Where they live"), ("city", "state", "postal_code", "language")),
    (_("Work and study"), ("job_title", "employer", "field_of_work", "college")),
    (_("How they would help"), ("ways", "subjects")),
    (_("Addresses"), ("email", "phone", "postal")),
    (_("The record"), ("id", "external_ids", "deceased", "do_not_contact")),
)  # fmt: skip
OTHERS, OWN = _("What else the lists show"), _("Fields of their own")
USUAL = "usual"
SETS: Mapping[str, tuple[Any, Sequence[str] | None]] = {
    USUAL: (_("The usual"), (
        "id", "given_name", "family_name", "preferred_name", "class_year", "schools", "city",
        "email",
    )),
    "mail": (_("For a mailing"), ("preferred_name", "given_name", "family_name", "email",
                                  "language")),
    "letter": (_("For letters"), ("given_name", "family_name", "suffix", "postal", "city", "state",
                                  "postal_code")),
    "figures": (_("For figures, without names"), (
        "class_year", "schools", "state", "field_of_work", "ways", "subjects",
    )),
    "all": (_("All"), None),
    "none": (_("None"), ()),
}  # fmt: skip
"""Columns that go together, so that nobody ticks boxes one by one; None means every one."""


@dataclass(frozen=True)
class Choice:
    """A column that one may choose, and the heading it stands under."""

    key: str
    label: str
    group: str
    contact: bool = False


def choices(session: Session, viewer: Viewer) -> list[Choice]:
    """The columns that this viewer may take along, in the order of the file.

    Addresses are offered to those who may see everybody's: a file is no place for exceptions.
    """
    heading_of = {key: str(label) for label, keys in GROUPS for key in keys}
    offered = [
        Choice(key, str(LABELS[key]), heading_of[key], key in CONTACT_COLUMNS)
        for key in COLUMNS
        if key not in CONTACT_COLUMNS or viewer.may(Permission.CONTACT_VIEW)
    ]
    offered += [
        Choice(LISTED + column.key, str(column.label), str(OTHERS))
        for column in extensions().list_columns
    ]
    fields = session.execute(select(CustomField.key, CustomField.label).order_by(CustomField.label))
    offered += [Choice(CUSTOM + key, label or key, str(OWN)) for key, label in fields]
    return offered


def ticked(offered: Sequence[Choice], name: str) -> list[str]:
    """The columns of a set, as far as they are offered; the usual ones for a name unknown."""
    _label, keys = SETS.get(name) or SETS[USUAL]
    return [choice.key for choice in offered if keys is None or choice.key in keys]


def grouped(offered: Sequence[Choice]) -> list[tuple[str, frozenset[str]]]:
    """The headings that the offered columns stand under, each with the keys of its columns."""
    labels = [*(str(label) for label, _keys in GROUPS), str(OTHERS), str(OWN)]
    groups = ((label, [c.key for c in offered if c.group == label]) for label in labels)
    return [(label, frozenset(keys)) for label, keys in groups if keys]


def chosen(session: Session, viewer: Viewer, keys: Sequence[str]) -> list[str]:
    """The wanted columns in the order of the file; raises `Invalid` if one is not to be had."""
    offered = [choice.key for choice in choices(session, viewer)]
    if unknown := sorted(set(keys) - set(offered)):
        raise Invalid(
            "There is no such column for you: %(unknown)s.",
            field="columns",
            unknown=", ".join(unknown),
        )
    if not keys:
        raise Invalid("Choose at least one column.", field="columns")
    return [key for key in offered if key in set(keys)]


def headings(session: Session, keys: Sequence[str]) -> list[str]:
    """What the columns are called on pages, by key where a field is no longer known."""
    fields = select(CustomField.key, CustomField.label)
    known = {CUSTOM + key: label or key for key, label in session.execute(fields)}
    known |= {LISTED + column.key: str(column.label) for column in extensions().list_columns}
    return [str(LABELS.get(key) or known.get(key, key)) for key in keys]
