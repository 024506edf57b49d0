"""What the model adds to the query language: the chance that somebody says yes."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists

from crm.alumni.conditions import choices_of
from crm.alumni.models import Alumnus, Way
from crm.core.extend import FieldMatch, QueryContext, QueryField, QueryRows
from crm.query import UnknownValue
from crm.query.conditions import between
from crm.query.kinds import choice, date, in_time, is_key, number
from segments.targeting.scores import SCORES as KEPT

Condition = ColumnElement[bool]


def percent(match: FieldMatch) -> Condition:
    """The chance within a range of whole percents."""
    low = match.low / 100 if match.low is not None else None
    high = match.high / 100 if match.high is not None else None
    return between(KEPT.c.chance, FieldMatch(low, high))


def _chance(match: FieldMatch, context: QueryContext) -> Condition:
    ways = choices_of(Way)(context.session)
    if match.name not in ways:
        raise UnknownValue(
            "There is no way to help “%(called)s”.", ways, name=match.name, called=match.name
        )
    mine = KEPT.c.alumnus_id == Alumnus.id, KEPT.c.way_key == match.name
    return exists().where(*mine, percent(match))


FIELDS: tuple[QueryField, ...] = (
    number("chance.", _("Chance of a yes in percent"), _chance,
           _("say yes with a chance in percent of %(value)s when asked for this: %(name)s"),
           "chance.mentor:60..", names=choices_of(Way)),
)  # fmt: skip
SCORES = QueryRows(
    "score", _("One score"), _("have a score"), KEPT.c.alumnus_id, [
        choice("way", _("Way to help"), is_key(KEPT.c.way_key), choices=choices_of(Way)),
        number("chance", _("Chance of a yes in percent"), lambda match, context: percent(match)),
        date("when", _("Scored"), in_time(KEPT.c.at)),
    ], default="way", example="score(way:mentor,speak chance:60..)",
)  # fmt: skip
