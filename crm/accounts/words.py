"""What the accounts area calls permissions."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.core.viewer import Permission

PERMISSION_LABELS = {
    Permission.HOME: _("Sign in and see the home page"),
    Permission.PEOPLE_VIEW: _("Look at alumni of their schools"),
    Permission.PEOPLE_EDIT: _("Edit alumni, consent and clearances"),
    Permission.CONTACT_VIEW: _("See addresses and phone numbers"),
    Permission.BLOCKED_VIEW: _("See people with a FERPA block"),
    Permission.EXPORT: _("Take lists of people with them as files"),
    Permission.IMPORT: _("Import files, and merge duplicates"),
    Permission.SEGMENTS: _("Use segments"),
    Permission.CAMPAIGNS_VIEW: _("Look at campaigns"),
    Permission.CAMPAIGNS_EDIT: _("Write and send campaigns"),
    Permission.JOURNEYS_VIEW: _("Look at journeys"),
    Permission.JOURNEYS_EDIT: _("Publish and stop journeys"),
    Permission.REQUESTS_VIEW: _("Look at requests of their schools"),
    Permission.REQUESTS_CREATE: _("Post requests, and note what came of them"),
    Permission.REQUESTS_ASK: _("Approve requests and ask alumni"),
    Permission.EVENTS_VIEW: _("See events and who is coming"),
    Permission.EVENTS_EDIT: _("Plan events and invite people"),
    Permission.EVENTS_DOOR: _("Check people in at the door of events"),
    Permission.SETTINGS: _("Manage accounts, roles and settings"),
    Permission.MAILBOX: _("Read the kept mail and settle mail in doubt"),
    Permission.AUDIT: _("Read the audit trail"),
}


def permission_label(permission: str) -> str:
    """What a permission allows, in words; its key if it is none of today's."""
    known = {p.value: label for p, label in PERMISSION_LABELS.items()}
    return str(known.get(permission, permission))
