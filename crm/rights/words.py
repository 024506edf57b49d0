"""Tables and columns in words, for the page that tells somebody everything about them."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

TABLES: dict[str, Any] = {
    "contact_point": _("Addresses"), "external_id": _("Ids in other systems"),
    "schooling": _("Schools"), "interest": _("Ways to help and subjects"),
    "consent_entry": _("What you said about mail"), "interaction": _("What happened between us"),
    "message": _("Mail to you"), "delivery_event": _("What the mail provider told us of it"),
    "ask": _("Asks for help"), "commitment": _("What you promised"),
    "ask_limit": _("How often you want to be asked"),
    "mentor_pair": _("Mentoring"), "mentor_checkin": _("Check-ins of mentoring"),
    "mentor_capacity": _("How many pupils you take"),
    "clearance": _("Clearances to work with pupils"),
    "clearance_case": _("Clearances that you are on the way to"),
    "standing": _("Where you stand with us"),
    "standing_move": _("How that changed"), "enrollment": _("Automatic programs"),
    "score": _("Guesses about the chance of a yes"), "segment_member": _("Saved lists you are on"),
    "import_line": _("Lines of files that brought your data"),
    "audit_entry": _("Changes that staff made and looks they took"),
    "address_confirmation": _("New addresses that you confirmed"),
    "data_request": _("What you asked of your data"), "merge": _("Records that became one"),
    "mailbox_item": _("Mail kept in the program"), "message_attachment": _("Files sent to you"),
    "send_attempt": _("When mail was handed over"), "legal_hold": _("What must be kept by law"),
    "suppression": _("Addresses that are never mailed"),
}  # fmt: skip

COLUMNS: dict[str, Any] = {
    "given_name": _("First name"), "family_name": _("Last name"), "middle_name": _("Middle name"),
    "preferred_name": _("What people call you"), "former_name": _("Former name"),
    "birth_date": _("Date of birth"), "class_year": _("Class"), "graduated_on": _("Graduated"),
    "language": _("Language"), "time_zone": _("Time zone"), "city": _("City"),
    "state": _("State"), "postal_code": _("Postal code"), "job_title": _("Job"),
    "employer": _("Employer"), "field_of_work": _("Field of work"), "college": _("College"),
    "ferpa_block": _("FERPA block"), "do_not_contact": _("Do not contact"),
    "paused_until": _("No mail up to"), "created_at": _("Added"), "updated_at": _("Last changed"),
    "name": _("Name"), "value": _("Value"), "kind": _("Kind"), "owner": _("Whose"),
    "status": _("Status"), "source": _("Source"), "at": _("When"), "occurred_at": _("When"),
    "topic_key": _("Topic"), "wording": _("In these words"), "reference": _("Reference"),
    "note": _("Note"), "mode": _("Mode"), "hours": _("Hours"), "amount": _("Amount"),
    "to_address": _("Address"), "reason": _("Reason"), "external_ids": _("Ids in other systems"),
    "schoolings": _("Schools"), "contact_points": _("Addresses"), "school": _("School"),
}  # fmt: skip
