"""What speaks for a pair, the fields shown side by side, and the rows that follow, in words."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

REASONS = {
    "given_name": _("same given name"),
    "like_name": _("similar given name"),
    "swapped_name": _("given and family name exchanged"),
    "family_name": _("same family name"),
    "like_family_name": _("similar family name"),
    "birth_date": _("same birth date"),
    "like_birth_date": _("similar birth date"),
    "class_year": _("same class"),
    "place": _("same postal code"),
    "street": _("same street"),
    "like_street": _("similar street"),
    "email": _("same e-mail"),
    "like_email": _("same name before the @"),
    "phone": _("same phone"),
    "school": _("same school"),
}
FIELDS = {
    "given_name": _("Given name"),
    "middle_name": _("Middle name"),
    "family_name": _("Family name"),
    "suffix": _("Suffix"),
    "preferred_name": _("Preferred name"),
    "former_name": _("Former name"),
    "birth_date": _("Birth date"),
    "class_year": _("Class year"),
    "graduated_on": _("Graduated on"),
    "language": _("Language"),
    "city": _("City"),
    "state": _("State"),
    "postal_code": _("Postal code"),
    "employer": _("Employer"),
    "job_title": _("Job"),
    "field_of_work": _("Field of work"),
    "college": _("College"),
    "time_zone": _("Time zone"),
}
FLAG_WORDS = {
    "ferpa_block": _("FERPA block"),
    "deceased": _("Deceased"),
    "do_not_contact": _("Do not contact"),
}
ROWS = {
    "external_id": _("ids elsewhere"),
    "schooling": _("schools attended"),
    "contact_point": _("addresses"),
    "interest": _("offers and subjects"),
    "interaction": _("entries of the timeline"),
    "message": _("messages"),
    "address_confirmation": _("confirmations of an address"),
    "ask": _("asks"),
    "ask_limit": _("how often to be asked"),
    "commitment": _("commitments"),
    "mentor_pair": _("mentoring"),
    "mentor_checkin": _("check-ins of mentoring"),
    "mentor_capacity": _("places for pupils"),
    "clearance": _("clearances"),
    "clearance_case": _("clearances under way"),
    "enrollment": _("journeys"),
    "step_run": _("steps of journeys"),
    "stage_move": _("moves of stage"),
    "campaign_recipient": _("campaigns"),
}
WHY_TWO = {
    "": _("no reason given"),
    "twins": _("twins, brothers or sisters"),
    "parent": _("parent and child"),
    "namesake": _("same name, somebody else"),
    "other": _("another reason"),
}
