"""The words and tones in which pages speak of imports."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.imports.models import CustomKind, Fate, ImportState, Phase

STATES = {
    ImportState.UPLOADED: (_("Uploaded"), "info"),
    ImportState.CHECKING: (_("Being checked"), "info"),
    ImportState.CHECKED: (_("Checked"), "warn"),
    ImportState.APPLYING: (_("Being applied"), "info"),
    ImportState.APPLIED: (_("Applied"), "good"),
    ImportState.FAILED: (_("Refused"), "bad"),
    ImportState.CANCELLED: (_("Cancelled"), "quiet"),
    ImportState.REVERTED: (_("Undone"), "quiet"),
}
FATES = {
    Fate.CREATE: (_("New people"), "good"),
    Fate.UPDATE: (_("Updated"), "info"),
    Fate.UNCHANGED: (_("Unchanged"), "quiet"),
    Fate.SKIP: (_("Skipped"), "quiet"),
    Fate.CONFLICT: (_("Doubtful"), "warn"),
    Fate.REJECT: (_("Rejected"), "bad"),
}
KINDS = {
    "people": _("People"), "interactions": _("Interactions"), "asks": _("Asks"),
    "schools": _("Schools"),
}  # fmt: skip
EARLIER = {"created": _("New"), "unchanged": _("Unchanged"), "rejected": _("Rejected")}
"""Totals of imports that have no fates: interactions and asks."""
COLUMN_FATES = {
    "layout": (_("by the layout"), "quiet"),
    "mapping": (_("as you chose"), "info"),
    "ignored": (_("left out"), "quiet"),
    "unknown": (_("not known, left out"), "warn"),
    "not_read": (_("never read"), "bad"),
}

SOURCES = {
    "file": _("a file"),
    "staff": _("our staff"),
    "link": _("the alumnus, by their link"),
    "merge": _("a record that became part of this one"),
    "unknown": _("not kept: older than this list"),
}
"""Who may have said a field."""
PHASES = {
    Phase.READING: _("Reading lines"),
    Phase.MATCHING: _("Finding who each line is about"),
    Phase.COMPARING: _("Comparing with what we know"),
    Phase.WRITING: _("Writing people"),
    Phase.NOTING: _("Noting what became of each line"),
}
CUSTOM_KINDS = {
    CustomKind.TEXT: _("Text"),
    CustomKind.NUMBER: _("Number"),
    CustomKind.DATE: _("Date"),
    CustomKind.FLAG: _("Yes or no"),
}
MEANINGS = {
    "graduated": _("Graduated"), "enrolled": _("Enrolled"), "left": _("Left without graduating"),
    "skip": _("Skip the line"),
}  # fmt: skip
