"""What clearance adds to the query language: what is held today, and one record of it."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from crm.alumni.conditions import at_school, words
from crm.core.extend import QueryRows
from crm.query.kinds import date, flag, in_range, number, on_day, text
from crm.query.rows import times
from crm.schools.queries import school_names
from segments.clearance.models import Clearance
from segments.clearance.queries import holds_level

CLEARED = number(
    "cleared", _("Clearance held today, at least level"), holds_level,
    _("hold a clearance of level %(value)s today"), "cleared:2",
)  # fmt: skip
CLEARANCES = QueryRows(
    "clearance", _("One clearance"), _("have a clearance on record"), Clearance.alumnus_id, [
        number("level", _("Level"), in_range(Clearance.level)),
        date("expires", _("Expires"), on_day(Clearance.expires_on), ahead=True),
        date("granted", _("Granted"), on_day(Clearance.granted_on), ahead=True),
        date("revoked", _("Revoked"), on_day(Clearance.revoked_on), ahead=True),
        text("school", _("Approving school"), at_school(Clearance.school_id),
             choices=school_names),
        text("proof", _("Proof"), words(Clearance.proof)),
        flag("is:revoked", _("Revoked"), lambda: Clearance.revoked_on.is_not(None)),
        flag("has:school", _("For one school only"), lambda: Clearance.school_id.is_not(None)),
    ], default="level", totals=(times(_("How many")),),
    example="clearance(level:2.. expires:+60d -is:revoked)",
)  # fmt: skip
