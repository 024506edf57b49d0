"""What the pages of bulk changes call things."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.bulk.models import BulkState, Fate

STATES = {
    BulkState.LOOKING: (_("looking"), "info"),
    BulkState.READY: (_("waits for you"), "warn"),
    BulkState.APPLYING: (_("under way"), "info"),
    BulkState.STOPPED: (_("stopped half way"), "warn"),
    BulkState.APPLIED: (_("done"), "good"),
    BulkState.UNDOING: (_("being taken back"), "info"),
    BulkState.UNDONE: (_("taken back"), "quiet"),
    BulkState.CANCELLED: (_("given up"), "quiet"),
    BulkState.FAILED: (_("failed"), "bad"),
}
FATES = {
    Fate.CHANGE: (_("to be changed"), "info"),
    Fate.DONE: (_("changed"), "good"),
    Fate.BACK: (_("taken back"), "quiet"),
    Fate.STAYS: (_("stays changed"), "warn"),
    Fate.SAME: (_("so already"), "quiet"),
    Fate.KEPT: (_("left alone"), "warn"),
}
REASONS = {
    "outside": _("no longer in the part of the district that you look after"),
    "since": _("changed by somebody since"),
    "deceased": _("deceased"),
}
