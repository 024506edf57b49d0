"""What a column of a people file may mean: the words that layouts and mappings point at."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask_babel import lazy_gettext as _

from crm.alumni.models import ContactKind, ContactOwner
from crm.imports.models import CustomKind

IGNORE = "ignore"
CUSTOM = re.compile(rf"custom\.([A-Za-z][A-Za-z0-9_]{{0,39}})(?::({'|'.join(CustomKind)}))?(!?)")
SYSTEM = re.compile(r"id\.([a-z][a-z0-9_]{0,39})")

TEXT_FIELDS = (
    "given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name", "city",
    "state", "postal_code", "job_title", "employer", "field_of_work", "college", "credential",
)  # fmt: skip
FLAGS = ("ferpa_block", "deceased", "do_not_contact", "do_not_email", "opt_out", "opt_in")


@dataclass(frozen=True)
class ContactTarget:
    """A contact point a column fills; `judged` says that the domain decides between school and own.

    `household` addresses belong to the parents in a student system's file, else to the person. A
    `mixed` column holds e-mails and phones, told apart by their @.
    """

    kind: ContactKind
    owner: ContactOwner
    judged: bool = False
    household: bool = False
    mixed: bool = False


CONTACTS = {
    "email": ContactTarget(ContactKind.EMAIL, ContactOwner.OWN),
    "email.student": ContactTarget(ContactKind.EMAIL, ContactOwner.SCHOOL, judged=True),
    "email.school": ContactTarget(ContactKind.EMAIL, ContactOwner.SCHOOL),
    "email.parent": ContactTarget(ContactKind.EMAIL, ContactOwner.PARENT),
    "phone": ContactTarget(ContactKind.PHONE, ContactOwner.OWN),
    "phone.home": ContactTarget(ContactKind.PHONE, ContactOwner.OWN, household=True),
    "phone.parent": ContactTarget(ContactKind.PHONE, ContactOwner.PARENT),
    "phone_or_email": ContactTarget(ContactKind.PHONE, ContactOwner.OWN, mixed=True),
    "street": ContactTarget(ContactKind.POSTAL, ContactOwner.OWN),
    "street.home": ContactTarget(ContactKind.POSTAL, ContactOwner.OWN, household=True),
}

LABELS = {
    "id.sis": _("Student number"),
    "id.state": _("State student id"),
    "id.powerschool": _("PowerSchool id"),
    "id.infinite_campus": _("Infinite Campus person id"),
    "id.record": _("Id of another list"),
    "name.full": _("Whole name"),
    "given_name": _("Given name"),
    "middle_name": _("Middle name"),
    "family_name": _("Family name"),
    "suffix": _("Suffix"),
    "preferred_name": _("Preferred name"),
    "former_name": _("Former name"),
    "birth_date": _("Birth date"),
    "class_year": _("Class year"),
    "graduated_on": _("Graduation date"),
    "left_on": _("Date left"),
    "status": _("Enrolled, graduated or left"),
    "grade": _("Grade"),
    "credential": _("Diploma"),
    "school": _("School (number, NCES id or name)"),
    "school.graduated": _("School graduated from"),
    "email": _("E-mail, their own"),
    "email.student": _("E-mail, school or own by its domain"),
    "email.school": _("E-mail of the school"),
    "email.parent": _("E-mail of a parent"),
    "phone": _("Phone, their own"),
    "phone.home": _("Phone of the household"),
    "phone.parent": _("Phone of a parent"),
    "phone_or_email": _("Phone or e-mail, their own"),
    "street": _("Street"),
    "street.home": _("Street of the household"),
    "city": _("City"),
    "state": _("State"),
    "postal_code": _("Postal code"),
    "language": _("Language"),
    "job_title": _("Job"),
    "employer": _("Employer"),
    "field_of_work": _("Field of work"),
    "college": _("College"),
    "ways": _("Ways to help"),
    "subjects": _("Subjects"),
    "ferpa_block": _("FERPA block (only ever set)"),
    "deceased": _("Deceased (only ever set)"),
    "do_not_contact": _("Do not contact (only ever set)"),
    "do_not_email": _("Do not e-mail (withdraws consent, suppresses the address)"),
    "opt_out": _("Opted out (withdraws consent)"),
    "opt_in": _("Opted in (a no withdraws consent; a yes changes nothing)"),
    "role": _("Role (staff and parents are skipped)"),
    IGNORE: _("Leave out"),
}  # fmt: skip


def is_target(text: str) -> bool:
    """Whether a mapping may point at this word."""
    return bool(text in LABELS or CUSTOM.fullmatch(text) or SYSTEM.fullmatch(text))


def custom_name(target: str) -> str | None:
    """The custom field that `custom.NAME`, `custom.NAME:KIND!` and the like mean, or None."""
    found = CUSTOM.fullmatch(target)
    return found[1] if found else None


def for_targeting(target: str) -> bool:
    """Whether the target is a custom field marked, with `!`, for the propensity model."""
    found = CUSTOM.fullmatch(target)
    return bool(found and found[3])


def custom_kind(target: str) -> CustomKind | None:
    """The kind that the target gives its custom field, or None where it does not say."""
    found = CUSTOM.fullmatch(target)
    return CustomKind(found[2]) if found and found[2] else None


def system_of(target: str) -> str | None:
    """The system whose ids the target holds, or None."""
    found = SYSTEM.fullmatch(target)
    return found[1] if found else None


def custom_parts(target: str) -> tuple[str, str, bool]:
    """(name, kind, for targeting) of a custom field's target, for a form to show."""
    found = CUSTOM.fullmatch(target)
    return (found[1], found[2] or CustomKind.TEXT, bool(found[3])) if found else ("", "", False)
