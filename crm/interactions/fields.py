"""The fields of the query language that ask what people did. What machines did never counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from crm.alumni.fields import during
from crm.alumni.models import Alumnus
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField
from crm.interactions.models import Interaction, Mode
from crm.interactions.words import KINDS, MODES
from crm.query import UnknownValue

Condition = ColumnElement[bool]


def happened(*conditions: Condition) -> Condition:
    """Has an interaction such as this that a person, not a machine, took part in."""
    return exists().where(
        Interaction.alumnus_id == Alumnus.id, Interaction.machine.is_(False), *conditions
    )


def _kind(name: str, context: QueryContext, *, dotted: str = "") -> str:
    """The kind as it is stored; files may bring kinds of their own."""
    kind = name.strip().lower().replace(" ", "_").replace("-", "_")
    if kind in KINDS:
        return kind
    stored = select(Interaction.id).where(Interaction.kind == kind).limit(1)
    if context.session.scalar(stored) is None:
        raise UnknownValue(f"Nothing called “{name}” was ever recorded.", KINDS, name=dotted)
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
        raise UnknownValue(f"There is no mode “{match.name}”.", modes, name=match.name)
    return happened(Interaction.mode == Mode(match.name), during(Interaction.occurred_at, match))


def _last(match: FieldMatch, context: QueryContext) -> Condition:
    """The last interaction within the time: one in it, and none after its end."""
    within = happened(during(Interaction.occurred_at, match))
    if match.high is None:
        return within
    return and_(within, ~happened(Interaction.occurred_at >= match.high))


def _modes(session: Session) -> Mapping[str, Any]:
    return {mode.value: label for mode, label in MODES.items()}


FIELDS = (
    QueryField("did", _("Did"), FieldKind.TEXT, _did, example="did:talk_given"),
    QueryField(
        "did.", _("Did, within a time"), FieldKind.DATE, _did_when, example="did.talk_given:1y"
    ),
    QueryField(
        "mode", _("Engaged by"), FieldKind.CHOICE, _mode, choices=_modes, example="mode:volunteer"
    ),
    QueryField(
        "mode.", _("Engaged by, within a time"), FieldKind.DATE, _mode_when,
        example="mode.volunteer:2y",
    ),
    QueryField(
        "last", _("Last interaction"), FieldKind.DATE, _last, example="last:1y.."
    ),
)  # fmt: skip
