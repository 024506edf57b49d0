"""Why somebody stands where they stand, in plain words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from crm.web.i18n import CONTENT_LANGUAGES
from segments.asks.eligibility import Need
from segments.desk.planning import Circle

CIRCLES: dict[Circle, Any] = {
    Circle.SCHOOL: lazy_gettext("This school"),
    Circle.CLUSTER: lazy_gettext("This cluster"),
    Circle.DISTRICT: lazy_gettext("The whole district"),
}


def reasons(row: Any, need: Need) -> list[str]:
    """The facts of one candidate that speak for or against them, the weightiest first."""
    return [*_fit(row, need), *_history(row, need), *_way_there(row)]


def _fit(row: Any, need: Need) -> list[str]:
    words = []
    if row.own_school:
        year = f" ({row.class_year})" if row.class_year else ""
        words.append(_("went to this school%(year)s", year=year))
    elif row.own_cluster:
        words.append(_("went to school in this cluster"))
    if need.request.subject_key and row.works:
        words.append(_("works in this field"))
    elif need.request.subject_key and row.cares:
        words.append(_("cares about this subject"))
    if need.request.language and row.speaks:
        language = CONTENT_LANGUAGES.get(need.request.language, need.request.language)
        words.append(_("reads %(language)s", language=language))
    words.append(_("offers this kind of help") if row.offers else _("helped like this before"))
    return words


def _history(row: Any, need: Need) -> list[str]:
    words = []
    if row.deeds:
        months = max(0, (need.at - row.last_deed).days // 30)
        ago = ngettext("%(num)s month ago", "%(num)s months ago", months) if months else _("lately")
        times = ngettext("helped once", "helped %(num)s times", row.deeds)
        words.append(f"{times}, {_('last %(ago)s', ago=ago)}")
    if row.asks:
        words.append(_("said yes to %(yes)s of %(asks)s asks", yes=row.yeses, asks=row.asks))
        words.append(_("last asked %(days)s days ago", days=(need.at - row.last_ask).days))
    else:
        words.append(_("was never asked before"))
    return words


def _way_there(row: Any) -> list[str]:
    known = {
        "town": _("lives near the school"),
        "state": _("lives in the state"),
        "elsewhere": _("lives far away"),
    }
    return [known[row.near]] if row.near in known else []
