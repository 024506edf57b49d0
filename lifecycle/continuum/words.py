"""What phases, stages and modes are called, for people to read."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from crm.interactions.models import Mode
from lifecycle.continuum.definition import UNKNOWN, continuum

SHIPPED = (
    _("Senior"), _("New graduate"), _("Early career"), _("Building"), _("Established"),
    _("Legacy"), _("Quiet"), _("Aware"), _("Connected"), _("Involved"), _("Leading"),
    _("Has not graduated yet"), _("Graduated within the last year"), _("One to five years out"),
    _("Five to fifteen years out"), _("Fifteen to thirty years out"),
    _("Thirty years out and more"),
    _("Nothing that counts, or not for a long time"), _("Has let us know that they read us"),
    _("Answers, updates, comes along"), _("Comes, helps or gives more than once"),
    _("Helps or gives again and again"),
)  # fmt: skip
"""The labels of the shipped definition, listed here so that they are translated."""

MODES = {
    Mode.COMMUNICATION: _("communication"),
    Mode.EXPERIENTIAL: _("experience"),
    Mode.VOLUNTEER: _("volunteering"),
    Mode.PHILANTHROPIC: _("giving"),
}


def label(key: str) -> str:
    """The name of a phase or stage; a key that is no longer defined stands for itself."""
    ladder = continuum()
    if key == UNKNOWN:
        return gettext("Not known")
    own = {p.key: p.label for p in ladder.phases} | {s.key: s.label for s in ladder.stages}
    return gettext(own[key]) if key in own else key


def phase_choices(_session: Any = None) -> dict[str, Any]:
    """Phases by key in the order of life, the unknown last."""
    return {key: label(key) for key in [*(p.key for p in continuum().phases), UNKNOWN]}


def stage_choices(_session: Any = None) -> dict[str, Any]:
    """Stages by key, lowest first."""
    return {s.key: label(s.key) for s in continuum().stages}
