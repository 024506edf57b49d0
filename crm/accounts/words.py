"""What the accounts area calls permissions, deeds and the things they are done to."""

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


ACTIONS = {
    "alumnus.address_changed": _("changed their address by link"),
    "alumnus.edited": _("edited"),
    "alumnus.erased": _("erased"),
    "alumnus.exported": _("gave everything about them"),
    "alumnus.interests": _("changed their interests"),
    "alumnus.looked": _("looked at addresses"),
    "alumnus.merged": _("merged"),
    "alumnus.different": _("said that two records are two people"),
    "alumnus.unmerged": _("took a merge back"),
    "audit.exported": _("exported the audit trail"),
    "clearance.recorded": _("recorded a clearance"),
    "clearance.revoked": _("revoked a clearance"),
    "commitment.confirmed": _("noted what came of a visit"),
    "consent.granted": _("recorded a consent"),
    "consent.withdrawn": _("recorded a withdrawal"),
    "contact.retired": _("retired an address"),
    "contact.saved": _("saved an address"),
    "create": _("created"),
    "delete": _("deleted"),
    "edit": _("edited"),
    "import.applied": _("applied"),
    "import.cancelled": _("cancelled"),
    "import.uploaded": _("uploaded"),
    "interaction.recorded": _("recorded an interaction"),
    "interaction.taken_back": _("took an interaction back"),
    "links.revoked": _("revoked mailed links"),
    "live": _("resumed"),
    "paused": _("paused"),
    "people.exported": _("exported people"),
    "publish": _("published"),
    "request.approved": _("approved"),
    "request.asked": _("asked alumni"),
    "request.cancelled": _("cancelled"),
    "request.created": _("created"),
    "request.edited": _("edited"),
    "request.sent_back": _("sent back"),
    "request.submitted": _("submitted"),
    "role.changed": _("changed what it may do"),
    "schedule": _("scheduled"),
    "schools.imported": _("imported schools"),
    "segment.created": _("created"),
    "segment.deleted": _("deleted"),
    "segment.edited": _("edited"),
    "segment.frozen": _("froze"),
    "segment.thawed": _("thawed"),
    "stop": _("stopped"),
    "stopped": _("stopped"),
    "train": _("trained"),
    "unschedule": _("took off the schedule"),
    "user.access_changed": _("changed role or scope"),
    "user.deactivated": _("closed the account"),
    "user.edited": _("edited"),
    "user.factor_added": _("set up the second factor"),
    "user.factor_begun": _("began to set up a second factor"),
    "user.factor_codes_renewed": _("made new recovery codes"),
    "user.factor_confirmed": _("showed the second factor again"),
    "user.factor_refused": _("typed a wrong second factor"),
    "user.factor_removed": _("removed the second factor"),
    "user.factor_reset": _("reset the second factor"),
    "user.invited": _("invited"),
    "user.link_sent": _("sent a sign-in link"),
    "user.reactivated": _("opened the account again"),
    "user.session_ended": _("ended a session"),
    "user.sessions_ended": _("ended all sessions"),
    "user.signed_in": _("signed in"),
    "user.signed_out": _("signed out"),
}
"""What an entry says was done, after the name of who did it."""

KINDS = {
    "alumnus": _("person"), "audit": _("audit trail"), "campaign": _("campaign"),
    "demo": _("demo"), "duplicates": _("duplicates"), "import": _("import"),
    "journey": _("journey"), "message": _("message"), "propensity_model": _("model of a yes"),
    "query": _("query"), "request": _("request"), "role": _("role"), "segment": _("segment"),
    "user": _("account"),
}  # fmt: skip
"""What things of a kind are called."""

FIELDS = {
    "after": _("after"), "city": _("city"), "class_year": _("class year"),
    "clusters": _("clusters"), "college": _("college"), "employer": _("employer"),
    "family_name": _("family name"), "filename": _("file"), "former_name": _("former name"),
    "given_name": _("given name"), "how": _("how"), "job_title": _("job"),
    "language": _("language"), "middle_name": _("middle name"), "name": _("name"),
    "people": _("people"), "permissions": _("permissions"), "places": _("places"),
    "postal_code": _("ZIP code"), "preferred_name": _("preferred name"), "query": _("query"),
    "role": _("role"), "schools": _("schools"), "source": _("source"), "state": _("state"),
    "status": _("status"), "subject": _("subjects"), "topic": _("topic"), "value": _("address"),
    "version": _("version"), "way": _("ways to help"), "where": _("where"),
}  # fmt: skip
"""What the fields of an entry are called."""


def action_words(action: str) -> str:
    """What was done, in words; the plain key of a deed that has none."""
    known = ACTIONS.get(action)
    return str(known) if known else action.replace(".", " ").replace("_", " ")


def kind_words(kind: str) -> str:
    """What a thing of this kind is called."""
    return str(KINDS.get(kind, kind.replace("_", " ")))


def field_words(field: str) -> str:
    """What a field of an entry is called."""
    return str(FIELDS.get(field, field.replace("_", " ")))
