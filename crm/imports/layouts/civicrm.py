"""CiviCRM's contact export, by the titles of its schema.

The legal identifier may be an identity number and is left out. Organizations, households and what
lies in the trash are no people.
"""

from __future__ import annotations

from crm.imports.layout import Layout

PLACES = ("Home", "Work", "Main", "Other", "Billing")


def _placed(title: str) -> tuple[str, ...]:
    """A title, and the same with each location type before it: `Home-Email`."""
    return (title, *(f"{place}-{title}" for place in PLACES))


CIVICRM = Layout(
    key="civicrm",
    label="CiviCRM",
    signature=(
        "Contact Type", "Contact Subtype", "Do Not Email", "Do Not Phone", "Do Not Trade",
        "No Bulk Emails (User Opt Out)", "External Identifier", "Sort Name", "Contact Source",
        "Contact is in Trash", "Individual Prefix",
    ),
    needed=3,
    columns={
        "id.civicrm": ("Contact ID", "Internal Contact ID"),
        "id.record": ("External Identifier",),
        "name.full": ("Display Name",),
        "given_name": ("First Name",),
        "middle_name": ("Middle Name",),
        "family_name": ("Last Name",),
        "suffix": ("Individual Suffix",),
        "preferred_name": ("Nickname",),
        "birth_date": ("Birth Date",),
        "language": ("Preferred Language",),
        "job_title": ("Job Title",),
        "employer": ("Current Employer",),
        "email": _placed("Email"),
        "phone": _placed("Phone"),
        "street": _placed("Street Address"),
        "city": _placed("City"),
        "state": _placed("State"),
        "postal_code": _placed("Postal Code"),
        "deceased": ("Deceased", "Deceased / Closed"),
        "do_not_email": ("Do Not Email", "Do Not Use E-mail"),
        "opt_out": ("No Bulk Emails (User Opt Out)", "No Bulk Emails", "Is Opt Out"),
        "role": ("Contact Type", "Contact Subtype", "Contact is in Trash"),
    },
    left_out=(
        "Legal Identifier", "Sort Name", "Preferred Communication Method", "Contact Source",
        "Individual Prefix", "Formal Title", "Deceased Date", "Do Not Phone", "Do Not Mail",
        "Do Not Sms", "Do Not Trade", *_placed("Country"),
    ),
    values={
        "role": {
            "organization": "skip", "household": "skip", "yes": "skip", "1": "skip", "true": "skip",
        },
    },
)  # fmt: skip
