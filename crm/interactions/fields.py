"""The fields of the query language that ask what people did. What machines did never counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.orm import Session

from crm.alumni.conditions import at_school, in_cluster, words
from crm.alumni.models import Alumnus
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryRows, QueryTotal
from crm.interactions.models import Interaction, Mode
from crm.interactions.words import KINDS, MODES
from crm.query import UnknownValue
from crm.query.conditions import during
from crm.query.kinds import amount, choice, date, flag, in_range, in_time, is_key, number, text
from crm.query.rows import times
from crm.schools.queries import cluster_names, school_names

Condition = ColumnElement[bool]


def happened(*conditions: Condition) -> Condition:
    """Has an interaction such as this that a person, not a machine, took part in."""
    return exists().where(Interaction.alumnus_id == Alumnus.id, ~Interaction.machine, *conditions)


def _kind(name: str, context: QueryContext, *, dotted: str = "") -> str:
    """The kind as it is stored; files may bring kinds of their own."""
    kind = name.strip().lower().replace(" ", "_").replace("-", "_")
    if kind in KINDS:
        return kind
    stored = select(Interaction.id).where(Interaction.kind == kind).limit(1)
    if context.session.scalar(stored) is None:
        raise UnknownValue(
            "Nothing called “%(called)s” was ever recorded.", KINDS, name=dotted, called=name
        )
    return kind


def _did(match: FieldMatch, context: QueryContext) -> Condition:
    return happened(Interaction.kind == _kind(match.low, context))


def _did_when(match: FieldMatch, context: QueryContext) -> Condition:
    kind = _kind(match.name, context, dotted=match.name)
    return happened(Interaction.kind == kind, during(Interaction.occurred_at, match))


def _mode(match: FieldMatch, context: QueryContext) -> Condition:
    return happened(Interaction.mode == Mode(match.low))


def _mode_when(match: FieldMatch, context: QueryContext) -> Condition:
    if match.name not in list(Mode):
        modes = [mode.value for mode in Mode]
        raise UnknownValue(
            "There is no mode “%(called)s”.", modes, name=match.name, called=match.name
        )
    return happened(Interaction.mode == Mode(match.name), during(Interaction.occurred_at, match))


def _last(match: FieldMatch, context: QueryContext) -> Condition:
    """The last interaction within the time: one in it, and none after its end."""
    within = happened(during(Interaction.occurred_at, match))
    if match.high is None:
        return within
    return and_(within, ~happened(Interaction.occurred_at >= match.high))


def _of_kind(match: FieldMatch, context: QueryContext) -> Condition:
    return Interaction.kind == _kind(match.low, context)


def _origin(match: FieldMatch, context: QueryContext) -> Condition:
    """Who recorded it: `campaign:spring`, `import:12` or the beginning of one."""
    return Interaction.origin.startswith(match.low, autoescape=True)


def kinds(session: Session) -> Mapping[str, Any]:
    """The kinds that the program knows; files may bring others."""
    return KINDS


def _modes(session: Session) -> Mapping[str, Any]:
    return {mode.value: label for mode, label in MODES.items()}


FIELDS = (
    text("did", _("Did"), _did, _("did this: %(value)s"), "did:talk_given", choices=kinds),
    date("did.", _("Did, within a time"), _did_when, _("did this %(value)s: %(name)s"),
         "did.talk_given:1y", names=kinds),
    choice("mode", _("Engaged by"), _mode, _("engaged by %(value)s"), "mode:volunteer",
           choices=_modes),
    date("mode.", _("Engaged by, within a time"), _mode_when,
         _("engaged %(value)s by %(name)s"), "mode.volunteer:2y", names=_modes),
    date("last", _("Last interaction"), _last, _("last had to do with us %(value)s"), "last:1y.."),
    flag("has:interaction", _("Ever had to do with us"), happened, _("ever had to do with us")),
)  # fmt: skip
DID = QueryRows(
    "did", _("One interaction"), _("have an interaction"), Interaction.alumnus_id, [
        text("kind", _("Kind"), _of_kind, choices=kinds),
        choice("mode", _("Engaged by"), is_key(Interaction.mode),
               choices=_modes),
        text("school", _("School"), at_school(Interaction.school_id), choices=school_names),
        text("cluster", _("Cluster"), in_cluster(Interaction.school_id), choices=cluster_names),
        date("when", _("When"), in_time(Interaction.occurred_at), ahead=True),
        amount("hours", _("Hours"), in_range(Interaction.hours)),
        amount("amount", _("Amount"), in_range(Interaction.amount)),
        number("pupils", _("Pupils"), in_range(Interaction.pupils)),
        text("note", _("Note"), words(Interaction.note)),
        text("origin", _("Origin"), _origin),
        flag("has:school", _("A school is known"), lambda: Interaction.school_id.is_not(None)),
        flag("has:hours", _("Hours are known"), lambda: Interaction.hours.is_not(None)),
        flag("has:amount", _("Amount is known"), lambda: Interaction.amount.is_not(None)),
    ],
    belongs=lambda: (~Interaction.machine,), default="kind",
    totals=(
        times(_("How many")),
        QueryTotal("hours_sum", _("Hours in all"), FieldKind.AMOUNT,
                   lambda: func.sum(Interaction.hours)),
        QueryTotal("amount_sum", _("Amount in all"), FieldKind.AMOUNT,
                   lambda: func.sum(Interaction.amount)),
        QueryTotal("first", _("First one"), FieldKind.DATE,
                   lambda: func.min(Interaction.occurred_at)),
        QueryTotal("latest", _("Last one"), FieldKind.DATE,
                   lambda: func.max(Interaction.occurred_at)),
    ),
    example='did(kind:talk_given school:"Booker T. Washington" when:1y times:2..)',
)  # fmt: skip
