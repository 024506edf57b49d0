"""Breaks from one topic: entries of the ledger beside the choices, each up to and with a day."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.models import ConsentEntry, ConsentSource, ConsentState, Topic
from crm.consent.queries import topic_paused_until
from crm.consent.service import MAX_WORDING, MAY_GRANT
from crm.core.errors import Invalid, NotAllowed, NotFound


def pause_topic(
    session: Session,
    alumnus_id: int,
    *,
    topic_key: str,
    until: date | None,
    source: ConsentSource,
    at: datetime,
    reference: str = "",
    wording: str = "",
) -> bool:
    """Send nothing about a topic up to and with a day, or end the break with None.

    False if it is so already. A source that may only tighten can make a break longer, never
    shorter. What the person chose of the topic stays as it is, and holds again after the break.
    """
    if session.get(Topic, topic_key) is None:
        raise Invalid(
            "There is no topic called “%(topic_key)s”.", field="topic_key", topic_key=topic_key
        )
    if len(wording) > MAX_WORDING:
        raise Invalid("Use at most %(most)s characters.", field="wording", most=MAX_WORDING)
    person = session.execute(
        select(topic_paused_until(topic_key)).where(Alumnus.id == alumnus_id).with_for_update()
    ).one_or_none()
    if person is None:
        raise NotFound("There is no such person.")
    if not _is_news(person[0], until, ConsentSource(source), at.date()):
        return False
    session.add(
        ConsentEntry(
            alumnus_id=alumnus_id, topic_key=topic_key, state=ConsentState.PAUSED, source=source,
            reference=reference, wording=wording.strip(), at=at, until=until,
        )
    )  # fmt: skip
    session.flush()
    return True


def _is_news(held: date | None, until: date | None, source: ConsentSource, today: date) -> bool:
    """Whether an entry would change anything, as far as its source may."""
    if source not in MAY_GRANT:
        if until is None:
            raise NotAllowed("A file or a mail provider may not end a break.")
        return held is None or held < until
    if until is None:
        return held is not None and held >= today
    return held != until


def pauses_of(session: Session, alumnus_id: int, *, today: date) -> dict[str, date]:
    """The topics that a person takes a break from today, each with its last day."""
    until = topic_paused_until(Topic.key, literal(alumnus_id))
    rows = session.execute(
        select(Topic.key, until)
        .where(until >= today, Topic.retired_at.is_(None))
        .order_by(Topic.position, Topic.key)
    )
    return dict(rows.all())
