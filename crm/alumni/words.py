"""What the page of a person calls things."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.alumni.models import ContactKind, ContactOwner, ContactStatus, SchoolingStatus

CONTACT_KINDS = {
    ContactKind.EMAIL: _("Mail"),
    ContactKind.PHONE: _("Phone"),
    ContactKind.POSTAL: _("Postal address"),
}
OWNERS = {
    ContactOwner.OWN: _("their own"),
    ContactOwner.SCHOOL: _("school account"),
    ContactOwner.PARENT: _("parent"),
}
CONTACT_STATUSES = {
    ContactStatus.OK: _("works"),
    ContactStatus.UNCONFIRMED: _("not confirmed"),
    ContactStatus.BOUNCED: _("mail came back"),
    ContactStatus.RETIRED: _("no longer used"),
}
SCHOOLING_STATUSES = {
    SchoolingStatus.ENROLLED: _("enrolled"),
    SchoolingStatus.GRADUATED: _("graduated"),
    SchoolingStatus.LEFT: _("left before graduating"),
}
