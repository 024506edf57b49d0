"""What the settings page calls the things that `doctor` looks at; its command keeps their keys."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

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
    "mail": _("mail"),
    "sender": _("sender"),
    "one-click unsubscribe": _("one-click unsubscribe"),
    "outbox": _("outbox"),
    "uncertain mail": _("uncertain mail"),
}
