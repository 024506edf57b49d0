"""The words for what the ledger holds: topics by language, sources, states, reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask_babel import force_locale, get_locale, gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.consent.models import ConsentSource, ConsentState, SuppressionReason, Topic
from crm.web.moments import spoken

SOURCES: dict[ConsentSource, Any] = {
    ConsentSource.LINK: _("they said so on their own page"),
    ConsentSource.ONE_CLICK: _("they pressed “unsubscribe” in their mail program"),
    ConsentSource.STAFF: _("staff, on their word"),
    ConsentSource.IMPORT: _("a file said so"),
    ConsentSource.MERGE: _("said in a record that became part of this one"),
    ConsentSource.PROVIDER: _("the mail provider told us"),
}
STATES: dict[ConsentState, Any] = {
    ConsentState.GRANTED: _("wants"),
    ConsentState.WITHDRAWN: _("does not want"),
    ConsentState.PAUSED: _("wants a break from"),
}
SUPPRESSIONS: dict[SuppressionReason, Any] = {
    SuppressionReason.UNSUBSCRIBED: _("they left with this address"),
    SuppressionReason.BOUNCED: _("mail to it came back"),
    SuppressionReason.COMPLAINED: _("mail to it was reported as spam"),
    SuppressionReason.IMPORTED: _("a file said so"),
    SuppressionReason.STAFF: _("staff said so"),
}


def topic_name(topic: Topic, language: str | None = None) -> str:
    """What a topic is called in a language (the reader's, if none is named), else in English."""
    return _worded(topic, "label", language)


def topic_about(topic: Topic, language: str | None = None) -> str:
    """What a topic is about, in the same way."""
    return _worded(topic, "about", language)


def own_words(topic: Topic, part: str, language: str) -> str:
    """The `label` or `about` of a topic in a language itself; empty where English stands in."""
    alone = not topic.names.get(language) and language != "en" and topic.names.get("en")
    return "" if alone else _worded(topic, part, language)


def _worded(topic: Topic, part: str, language: str | None) -> str:
    own, wanted = topic.names, (language or str(get_locale() or "en")).partition("_")[0]
    for code in (wanted, "en"):
        if own.get(code, {}).get(part):
            return own[code][part]
    shipped = topic.label if part == "label" else topic.description
    if not shipped:
        return shipped
    if language is None:
        return gettext(shipped)
    with force_locale(spoken(wanted)):
        return gettext(shipped)


def topic_names(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """The names of topics by their keys."""
    found = session.scalars(select(Topic).where(Topic.key.in_(keys)))
    return {topic.key: topic_name(topic) for topic in found}
