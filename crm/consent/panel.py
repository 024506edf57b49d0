"""What may be sent to a person and why, on their page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _

from crm.alumni.models import Alumnus
from crm.consent import queries
from crm.consent.models import ConsentSource, ConsentState, SuppressionReason
from crm.consent.routes import word_form
from crm.core.database import db
from crm.core.viewer import Permission, Viewer

MOST = 100
SOURCES = {
    ConsentSource.LINK: _("they said so on their own page"),
    ConsentSource.ONE_CLICK: _("they pressed “unsubscribe” in their mail program"),
    ConsentSource.STAFF: _("staff, on their word"),
    ConsentSource.IMPORT: _("a file said so"),
    ConsentSource.MERGE: _("said in a record that became part of this one"),
    ConsentSource.PROVIDER: _("the mail provider told us"),
}
STATES = {
    ConsentState.GRANTED: _("wants"),
    ConsentState.WITHDRAWN: _("does not want"),
}
SUPPRESSIONS = {
    SuppressionReason.UNSUBSCRIBED: _("they left with this address"),
    SuppressionReason.BOUNCED: _("mail to it came back"),
    SuppressionReason.COMPLAINED: _("mail to it was reported as spam"),
    SuppressionReason.IMPORTED: _("a file said so"),
    SuppressionReason.STAFF: _("staff said so"),
}


def load(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """Each topic with its answer and the entry that decided it; the ledger; closed addresses."""
    session = db.session()
    may_see_addresses = viewer.may(Permission.CONTACT_VIEW)
    closed = queries.suppressions_of(session, alumnus.id) if may_see_addresses else {}
    entries = session.execute(queries.ledger(alumnus.id).limit(MOST)).all()
    return {
        "standing": queries.standing_of(session, alumnus.id), "ledger": entries,
        "closed": closed, "sources": SOURCES, "states": STATES, "why_closed": SUPPRESSIONS,
        "paused": alumnus.paused_until if _paused(alumnus, at) else None,
        "form": word_form() if viewer.may(Permission.PEOPLE_EDIT) else None,
    }  # fmt: skip


def _paused(alumnus: Alumnus, at: datetime) -> bool:
    return alumnus.paused_until is not None and alumnus.paused_until >= at.date()
