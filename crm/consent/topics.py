"""The topics of a district: added, renamed by language, put in order, retired.

A topic that needs agreement keeps needing it: what would start mail for people who never agreed is
no change of a setting but a new topic.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.consent.models import ConsentBasis, ConsentEntry, ConsentState, Topic
from crm.consent.queries import all_topics
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Viewer

LONGEST_KEY = 40
MOST = 30

Names = Mapping[str, Mapping[str, str]]
"""By language, `label` and `about`."""


@dataclass(frozen=True)
class Counted:
    """A topic and whose latest word about it alone was a yes, or a no."""

    topic: Topic
    agreed: int
    left: int


def counted(session: Session) -> list[Counted]:
    """Every topic in order with the people who said something about it."""
    latest = (
        select(ConsentEntry.alumnus_id, ConsentEntry.topic_key, ConsentEntry.state)
        .where(ConsentEntry.topic_key.is_not(None), ConsentEntry.state != ConsentState.PAUSED)
        .ext(distinct_on(ConsentEntry.alumnus_id, ConsentEntry.topic_key))
        .order_by(ConsentEntry.alumnus_id, ConsentEntry.topic_key, ConsentEntry.id.desc())
        .subquery()
    )
    rows = session.execute(
        select(latest.c.topic_key, latest.c.state, func.count()).group_by(
            latest.c.topic_key, latest.c.state
        )
    )
    said = {(key, state): number for key, state, number in rows}
    return [
        Counted(
            topic, said.get((topic.key, ConsentState.GRANTED), 0),
            said.get((topic.key, ConsentState.WITHDRAWN), 0),
        )
        for topic in all_topics(session)
    ]  # fmt: skip


def load_topic(session: Session, key: str) -> Topic:
    """The topic of a key; raises `NotFound`."""
    topic = session.get(Topic, key) if "\x00" not in key else None
    if topic is None:
        raise NotFound("There is no such topic.")
    return topic


def add_topic(
    session: Session, names: Names, *, basis: ConsentBasis, by: Viewer | None, at: datetime
) -> Topic:
    """A new topic, the last in order; its key is made from its English name."""
    known = all_topics(session)
    if len(known) >= MOST:
        raise Invalid(_("There are enough topics: nobody reads a longer list."), field="label_en")
    key = _key_of(names["en"]["label"])
    if key in {topic.key for topic in known}:
        raise Invalid(_("There is a topic of this name already."), field="label_en")
    topic = Topic(
        key=key, label=names["en"]["label"], description=names["en"].get("about", ""),
        basis=basis, position=max((t.position for t in known), default=0) + 1,
        names=_plain(names),
    )  # fmt: skip
    session.add(topic)
    session.flush()
    audit.record(session, "topic.added", kind="topic", key=key, by=by, at=at, after=_told(topic))
    return topic


def edit_topic(
    session: Session,
    topic: Topic,
    names: Names,
    *,
    basis: ConsentBasis,
    by: Viewer | None,
    at: datetime,
) -> bool:
    """Rename a topic, or have it need agreement from now on; whether anything changed."""
    if topic.basis is ConsentBasis.OPT_IN and basis is not ConsentBasis.OPT_IN:
        raise Invalid(
            _("People were told that this needs their agreement. Add a new topic instead."),
            field="basis",
        )
    before = _told(topic)
    topic.names, topic.basis = _plain(names), basis
    if _told(topic) == before:
        return False
    audit.record(
        session, "topic.edited", kind="topic", key=topic.key, by=by, at=at, before=before,
        after=_told(topic),
    )  # fmt: skip
    session.flush()
    return True


def retire_topic(session: Session, topic: Topic, *, by: Viewer | None, at: datetime) -> None:
    """Offer a topic no more and send nothing about it; what people said of it stays."""
    if topic.retired_at is None:
        topic.retired_at = at
        audit.record(session, "topic.retired", kind="topic", key=topic.key, by=by, at=at)
        session.flush()


def restore_topic(session: Session, topic: Topic, *, by: Viewer | None, at: datetime) -> None:
    """Offer a retired topic again, to everybody as their word on it stands."""
    if topic.retired_at is not None:
        topic.retired_at = None
        audit.record(session, "topic.restored", kind="topic", key=topic.key, by=by, at=at)
        session.flush()


def move_topic(
    session: Session, topic: Topic, *, up: bool, by: Viewer | None, at: datetime
) -> None:
    """Change places with the topic above or below."""
    order = all_topics(session)
    place = order.index(topic)
    other = place + (-1 if up else 1)
    if not 0 <= other < len(order):
        return
    order[place], order[other] = order[other], order[place]
    for position, each in enumerate(order, start=1):
        each.position = position
    audit.record(
        session, "topic.moved", kind="topic", key=topic.key, by=by, at=at,
        before={"place": place + 1}, after={"place": other + 1},
    )  # fmt: skip
    session.flush()


def _key_of(label: str) -> str:
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST_KEY].strip("_")
    if not key:
        raise Invalid(_("Give it a name with letters of the Latin alphabet."), field="label_en")
    return key


def _plain(names: Names) -> dict[str, dict[str, str]]:
    return {
        code: {part: text for part, text in words.items() if text}
        for code, words in names.items()
        if any(words.values())
    }


def _told(topic: Topic) -> dict[str, object]:
    return {"names": topic.names, "basis": topic.basis.value}
