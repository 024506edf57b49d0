"""What the settings page calls the things that `doctor` looks at; its command keeps their keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from flask_babel import gettext, ngettext
from flask_babel import lazy_gettext as _
from sqlalchemy import func, select

from crm.accounts.models import SecondFactor, User
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.extend import Check
from crm.core.viewer import Role

CHECK_NAMES = {
    "secret key": _("secret key"),
    "base address": _("base address"),
    "postal address": _("postal address"),
    "database": _("database"),
    "migrations": _("migrations"),
    "clock": _("clock"),
    "worker": _("worker"),
    "job queue": _("job queue"),
    "failed jobs": _("failed jobs"),
    "months": _("months"),
    "mail": _("mail"),
    "sender": _("sender"),
    "one-click unsubscribe": _("one-click unsubscribe"),
    "outbox": _("outbox"),
    "uncertain mail": _("uncertain mail"),
    "second factor": _("second factor"),
}


def coordinators_without_factor(_at: datetime) -> Iterator[Check]:
    """Whether everybody who can reach all records shows more than a mailed code.

    In mailbox mode nobody is made to: every mail is read in the app there.
    """
    proven = select(SecondFactor.user_id).where(SecondFactor.confirmed_at.is_not(None))
    without = select(func.count()).where(
        User.role == Role.COORDINATOR, User.active, User.id.not_in(proven)
    )
    count = db.session.execute(without).scalar_one()
    db.session.rollback()
    if not count:
        yield Check("second factor", "ok", gettext("every coordinator has one"))
        return
    detail = ngettext("%(num)d coordinator has none", "%(num)d coordinators have none", count)
    advice = gettext("They set it up at Settings, My account.")
    at_work = current_settings().mail != "mailbox"
    yield Check("second factor", "warn" if at_work else "ok", detail, advice)
