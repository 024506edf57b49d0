"""What staff write down on somebody's word beside a choice: a pause, a closed address."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import ContactKind, ContactPoint
from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.queries import address_key
from crm.consent.service import MAX_WORDING, pause, suppress
from crm.consent.topic_pauses import pause_topic
from crm.core.errors import Invalid
from crm.core.viewer import Viewer


def pause_on_word(
    session: Session,
    alumnus_id: int,
    *,
    until: date | None,
    wording: str,
    by: Viewer,
    at: datetime,
    topic_key: str | None = None,
) -> bool:
    """A pause, or its end, that a person asked a member of staff for; False if so already.

    Of all mail when `topic_key` is None, else of one topic.
    """
    if not wording.strip():
        raise Invalid("Write down what the person said, and how.", field="wording")
    if until is not None and until < at.date():
        raise Invalid("Choose a day that is still to come.", field="until")
    if topic_key is None:
        done = pause(session, alumnus_id, until=until, source=ConsentSource.STAFF, at=at)
    else:
        done = pause_topic(
            session, alumnus_id, topic_key=topic_key, until=until, source=ConsentSource.STAFF,
            at=at, reference=f"user:{by.user_id}" if by.user_id else "", wording=wording,
        )  # fmt: skip
    if done:
        audit.record(
            session, "consent.paused", kind="alumnus", key=alumnus_id, by=by, at=at,
            topic=topic_key, until=until.isoformat() if until else None,
            wording=wording.strip()[:MAX_WORDING],
        )  # fmt: skip
    return done


def close_address(
    session: Session, alumnus_id: int, address: str, *, reason: str, by: Viewer, at: datetime
) -> bool:
    """Never mail one address of a person again, for a reason; False if it is closed already."""
    key = address_key(address)
    theirs = select(ContactPoint.id).where(
        ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.key == key,
    )  # fmt: skip
    if session.scalar(theirs.limit(1)) is None:
        raise Invalid("This person has no such address.", field="address")
    source = f"user:{by.user_id} {reason}" if by.user_id else reason
    done = suppress(session, [key], reason=SuppressionReason.STAFF, source=source, at=at)
    if done:
        audit.record(
            session, "consent.address_closed", kind="alumnus", key=alumnus_id, by=by, at=at,
            reason=reason,
        )  # fmt: skip
    return bool(done)
