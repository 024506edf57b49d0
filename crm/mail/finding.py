"""What mail adds to the query language: what went to whom, when, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.fields import topic_choices
from crm.core.extend import FieldMatch, QueryContext, QueryRows
from crm.mail.models import Content, ContentVersion, Delivery, Message, MessageClass, MessageState
from crm.mail.reasons import SENTENCES
from crm.query.conditions import during
from crm.query.kinds import choice, date, flag, in_time, is_key, text, words_of
from crm.query.rows import times

Condition = ColumnElement[bool]
STATES = {
    MessageState.QUEUED: _("waits"),
    MessageState.CLAIMED: _("is being sent"),
    MessageState.UNCERTAIN: _("perhaps sent"),
    MessageState.CANCELLING: _("perhaps sent, being called back"),
    MessageState.ACCEPTED: _("sent"),
    MessageState.SKIPPED: _("not sent"),
    MessageState.FAILED: _("failed"),
}
DELIVERIES = {
    Delivery.NONE: _("nothing told yet"),
    Delivery.PROCESSED: _("on its way"),
    Delivery.DEFERRED: _("put off"),
    Delivery.DELIVERED: _("delivered"),
    Delivery.DROPPED: _("not passed on"),
    Delivery.BOUNCED: _("came back"),
    Delivery.COMPLAINED: _("reported as spam"),
}
CLASSES = {
    MessageClass.MARKETING: _("campaigns and journeys"),
    MessageClass.ASK: _("requests of schools"),
    MessageClass.IMMEDIATE: _("answers that somebody waits for"),
}


def _mailed(match: FieldMatch, context: QueryContext) -> Condition:
    mine = Message.alumnus_id == Alumnus.id, Message.state == MessageState.ACCEPTED
    return exists().where(*mine, during(Message.accepted_at, match))


def _clicked(match: FieldMatch, context: QueryContext) -> Condition:
    """A person's click; what a machine fetched is never written there."""
    return exists().where(Message.alumnus_id == Alumnus.id, during(Message.clicked_at, match))


def _content(match: FieldMatch, context: QueryContext) -> Condition:
    versions = select(ContentVersion.id).join(Content, Content.id == ContentVersion.content_id)
    return Message.version_id.in_(versions.where(Content.key == match.low))


def _contents(session: Session) -> Mapping[str, Any]:
    rows = session.execute(select(Content.key, Content.name).order_by(Content.key).limit(500))
    return {row.key: row.name for row in rows}


def _origin(match: FieldMatch, context: QueryContext) -> Condition:
    return Message.origin.startswith(match.low, autoescape=True)


FIELDS = (
    date("mailed", _("Was mailed"), _mailed, _("were mailed %(value)s"), "mailed:30d"),
    date("clicked", _("Followed a link in a mail"), _clicked,
         _("followed a link in a mail %(value)s"), "clicked:90d"),
)  # fmt: skip
MAIL = QueryRows(
    "mail", _("One message"), _("have a message"), Message.alumnus_id, [
        date("when", _("Sent"), in_time(Message.accepted_at)),
        date("queued", _("Decided"), in_time(Message.queued_at)),
        date("delivered", _("Delivered"), in_time(Message.delivered_at)),
        date("clicked", _("Link followed"), in_time(Message.clicked_at)),
        flag("is:clicked", _("Link followed"), lambda: Message.clicked_at.is_not(None)),
        choice("state", _("State"), is_key(Message.state), choices=words_of(STATES)),
        choice("delivery", _("What the provider told"), is_key(Message.delivery),
               choices=words_of(DELIVERIES)),
        choice("reason", _("Why it did not go"), is_key(Message.reason),
               choices=words_of(SENTENCES)),
        choice("topic", _("Topic"), is_key(Message.topic_key), choices=topic_choices),
        choice("content", _("Content"), _content, choices=_contents),
        choice("class", _("Kind of mail"), is_key(Message.message_class),
               choices=words_of(CLASSES)),
        text("lang", _("Language"), lambda match, context: Message.language == match.low),
        text("origin", _("Origin"), _origin),
    ],
    belongs=lambda: (Message.alumnus_id.is_not(None),), default="content",
    totals=(times(_("How many")),),
    example="mail(campaign:spring delivery:bounced when:1y)",
)  # fmt: skip
