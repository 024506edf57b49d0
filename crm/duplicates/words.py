"""What speaks for a pair, and the fields shown side by side, in words."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

REASONS = {
    "given_name": _("same given name"),
    "like_name": _("similar given name"),
    "family_name": _("same family name"),
    "birth_date": _("same birth date"),
    "like_birth_date": _("similar birth date"),
    "class_year": _("same class"),
    "email": _("same e-mail"),
    "phone": _("same phone"),
    "school": _("same school"),
    "swapped_name": _("given and family name exchanged"),
    "like_family_name": _("similar family name"),
    "place": _("same postal code"),
    "street": _("same street"),
    "like_street": _("similar street"),
    "like_email": _("same name before the @"),
}
FIELDS = {
    "name": _("Name"),
    "birth_date": _("Birth date"),
    "class_year": _("Class year"),
    "city": _("City"),
    "employer": _("Employer"),
    "job_title": _("Job"),
    "college": _("College"),
}
