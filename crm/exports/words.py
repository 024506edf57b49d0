"""What the pages of exports call things."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.exports.models import ExportState, Format

STATES = {
    ExportState.WAITING: (_("waits for a second person"), "warn"),
    ExportState.DECLINED: (_("declined"), "bad"),
    ExportState.LAPSED: (_("nobody decided in time"), "quiet"),
    ExportState.MAKING: (_("being made"), "info"),
    ExportState.VOID: (_("no longer holds"), "warn"),
    ExportState.FAILED: (_("failed"), "bad"),
    ExportState.CANCELLED: (_("given up"), "quiet"),
    ExportState.READY: (_("ready"), "good"),
    ExportState.STREAMED: (_("taken at once"), "quiet"),
    ExportState.GONE: (_("file deleted"), "quiet"),
}
FORMATS = {Format.CSV: _("CSV, for any program"), Format.XLSX: _("XLSX, for spreadsheets")}
