"""What campaigns add to the query language: who was in the audience of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.extend import FieldMatch, QueryContext
from crm.mail.models import Message
from crm.query.kinds import choice
from lifecycle.campaigns.models import Campaign


def _from(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    return Message.origin == f"campaign:{match.low}"


def _audience(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """Each person of an audience has one message, sent, waiting or skipped (law 4)."""
    return exists().where(Message.alumnus_id == Alumnus.id, _from(match, context))


def _campaigns(session: Session) -> Mapping[str, Any]:
    newest = select(Campaign.key, Campaign.name).order_by(Campaign.id.desc()).limit(500)
    return {row.key: row.name for row in session.execute(newest)}


FIELDS = (
    choice("campaign", _("Was in the audience of the campaign"), _audience,
           _("were in the audience of the campaign %(value)s"), "campaign:spring",
           choices=_campaigns),
)  # fmt: skip
MAILED_BY = choice("campaign", _("Campaign"), _from, choices=_campaigns)
