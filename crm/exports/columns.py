"""Which columns a file of people may have, for whom, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.export import COLUMNS, CONTACT_COLUMNS, CUSTOM, DEFAULT
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


@dataclass(frozen=True)
class Choice:
    """A column that one may choose; `usual` ones are chosen at first."""

    key: str
    label: str
    usual: bool
    contact: bool = False


def choices(session: Session, viewer: Viewer) -> list[Choice]:
    """The columns that this viewer may take along, in the order of the file.

    Addresses are offered to those who may see everybody's: a file is no place for exceptions.
    """
    offered = [
        Choice(key, str(LABELS[key]), key in DEFAULT, key in CONTACT_COLUMNS)
        for key in COLUMNS
        if key not in CONTACT_COLUMNS or viewer.may(Permission.CONTACT_VIEW)
    ]
    offered += [
        Choice(LISTED + column.key, str(column.label), usual=False)
        for column in extensions().list_columns
    ]
    fields = session.execute(select(CustomField.key, CustomField.label).order_by(CustomField.label))
    offered += [Choice(CUSTOM + key, label or key, usual=False) for key, label in fields]
    return offered


def chosen(session: Session, viewer: Viewer, keys: Sequence[str]) -> list[str]:
    """The wanted columns in the order of the file; raises `Invalid` if one is not to be had."""
    offered = [choice.key for choice in choices(session, viewer)]
    if unknown := sorted(set(keys) - set(offered)):
        raise Invalid(f"There is no such column for you: {', '.join(unknown)}.", field="columns")
    if not keys:
        raise Invalid("Choose at least one column.", field="columns")
    return [key for key in offered if key in set(keys)]


def headings(session: Session, keys: Sequence[str]) -> list[str]:
    """What the columns are called on pages, by key where a field is no longer known."""
    fields = select(CustomField.key, CustomField.label)
    known = {CUSTOM + key: label or key for key, label in session.execute(fields)}
    known |= {LISTED + column.key: str(column.label) for column in extensions().list_columns}
    return [str(LABELS.get(key) or known.get(key, key)) for key in keys]
