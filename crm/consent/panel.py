"""What may be sent to a person and why, on their page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm.alumni.models import Alumnus
from crm.consent import queries
from crm.consent.routes import word_form
from crm.consent.words import SOURCES, SUPPRESSIONS
from crm.core.database import db
from crm.core.viewer import Permission, Viewer


def load(viewer: Viewer, alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """Each topic with its answer and the entry that decided it; the ledger; closed addresses."""
    session = db.session()
    may_see_addresses = viewer.may(Permission.CONTACT_VIEW)
    closed = queries.suppressions_of(session, alumnus.id) if may_see_addresses else {}
    return {
        "standing": queries.standing_of(session, alumnus.id), "ledger": may_see_addresses,
        "closed": closed, "sources": SOURCES, "why_closed": SUPPRESSIONS,
        "today": at.date(), "paused": alumnus.paused_until if _paused(alumnus, at) else None,
        "form": word_form() if viewer.may(Permission.PEOPLE_EDIT) else None,
    }  # fmt: skip


def _paused(alumnus: Alumnus, at: datetime) -> bool:
    return alumnus.paused_until is not None and alumnus.paused_until >= at.date()
